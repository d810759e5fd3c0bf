/** Checks of the arbiters: what keeps the record, what fences whom, and whether their times fit permission's. Pure. */
import type { FenceThen, InterfaceRole } from '../kernel/names.ts';
import { isSecretName } from '../kernel/secret-names.ts';
import { parseParameters } from '../service/invocation.ts';
import type {
  ArbiterDefinitions,
  EtcdDefinition,
  FenceDeviceDefinition,
  FencingDefinition,
  GatewayDefinition,
  SharedDiskDefinition,
} from './arbiter-model.ts';
import type { CheckedRow, Draft } from './draft.ts';
import type { DomainDefinition, InterfaceDefinition } from './model.ts';
import { tableOf } from './rows.ts';

const ENDPOINTS_MAX = 16;
const ENDPOINT = /^https?:\/\/(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/;
const REFERENCE = /^(?:env:[A-Za-z_][A-Za-z0-9_]{0,63}|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/;

/** null where none is configured. */
export function checkArbiters(
  draft: Draft,
  domain: DomainDefinition,
  nodes: readonly string[],
  interfaces: readonly InterfaceDefinition[],
): ArbiterDefinitions | null {
  for (const name of TABLES) checkDomains(draft, name);
  const own = (table: string): readonly CheckedRow[] =>
    draft.rows(table).filter((row) => row.text('SERVICE_DOMAIN') === domain.name);
  const etcd = own('SM_ETCD').map((row) => etcdOf(draft, row, domain, interfaces))[0] ?? null;
  const disk = own('SM_SHARED_DISK').map((row) => diskOf(draft, row, domain))[0] ?? null;
  const fencing = fencingOf(draft, own('SM_FENCING')[0], own('SM_FENCE_DEVICES'), nodes);
  const gateways = own('SM_GATEWAYS').map(gatewayOf);
  if (etcd !== null && disk !== null) {
    draft.problems.error(
      'two-arbiters',
      tableOf('SM_SHARED_DISK'),
      domain.name,
      'the record of a domain is kept in one place: remove this row or the one of SM_ETCD',
    );
    draft.fatal = true;
  }
  const none = etcd === null && disk === null && fencing.devices.length === 0 && gateways.length === 0;
  if (none) return null;
  return { etcd, disk, fencing, gateways };
}

const TABLES = ['SM_ETCD', 'SM_SHARED_DISK', 'SM_FENCING', 'SM_FENCE_DEVICES', 'SM_GATEWAYS'] as const;

function checkDomains(draft: Draft, table: string): void {
  const domains = draft.names('SERVICE_DOMAINS', 'NAME');
  for (const row of draft.rows(table)) {
    if (!domains.has(row.text('SERVICE_DOMAIN')))
      draft.problems.error('unknown-domain', row.table, row.raw, 'SERVICE_DOMAINS has no such domain');
  }
}

function etcdOf(
  draft: Draft,
  row: CheckedRow,
  domain: DomainDefinition,
  interfaces: readonly InterfaceDefinition[],
): EtcdDefinition {
  const endpoints = row
    .text('ENDPOINTS')
    .split(/[\s,]+/)
    .filter((each) => each !== '');
  const bad = endpoints.filter((each) => !isEndpoint(each));
  const fault = (sentence: string): void => {
    draft.problems.error('bad-endpoint', row.table, row.raw, sentence);
    draft.fatal = true;
  };
  if (endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX)
    fault(`ENDPOINTS must name 1 to ${ENDPOINTS_MAX} addresses like https://192.0.2.1:2379`);
  for (const each of bad) fault(`ENDPOINTS: "${each.slice(0, 80)}" is not like https://192.0.2.1:2379`);
  for (const column of ['PASSWORD_SECRET', 'CERTIFICATE_KEY_SECRET']) {
    const reference = row.text(column);
    if (reference !== '' && !REFERENCE.test(reference))
      fault(`${column} must name a file below secretsDirectory, or a variable as env:NAME`);
  }
  if ((row.text('USER_NAME') === '') !== (row.text('PASSWORD_SECRET') === ''))
    fault('USER_NAME and PASSWORD_SECRET belong together: set both or none');
  if ((row.text('CERTIFICATE_FILE') === '') !== (row.text('CERTIFICATE_KEY_SECRET') === ''))
    fault('CERTIFICATE_FILE and CERTIFICATE_KEY_SECRET belong together: set both or none');
  warnOfVotes(draft, row, endpoints, interfaces);
  return {
    endpoints,
    userName: row.text('USER_NAME'),
    passwordSecret: row.text('PASSWORD_SECRET'),
    caFile: row.text('CA_FILE'),
    certificateFile: row.text('CERTIFICATE_FILE'),
    certificateKeySecret: row.text('CERTIFICATE_KEY_SECRET'),
    ...timesOf(draft, row, domain),
  };
}

function isEndpoint(text: string): boolean {
  const port = Number(ENDPOINT.exec(text)?.[2] ?? 0);
  return port > 0 && port < 65_536;
}

/** A majority has to outlive either node: members that live on the two controllers alone never do. */
export function hasThirdVote(
  endpoints: readonly string[],
  interfaces: readonly Pick<InterfaceDefinition, 'address' | 'peerAddress'>[],
): boolean {
  const ours = new Set(interfaces.flatMap(({ address, peerAddress }) => [address, peerAddress]));
  return endpoints.some((each) => {
    const host = (ENDPOINT.exec(each)?.[1] ?? '').replace(/^\[|\]$/g, '');
    return !(ours.has(host) || /^(localhost|127\.|::1$)/.test(host));
  });
}

function warnOfVotes(
  draft: Draft,
  row: CheckedRow,
  endpoints: readonly string[],
  interfaces: readonly InterfaceDefinition[],
): void {
  if (endpoints.length === 0 || hasThirdVote(endpoints, interfaces)) return;
  draft.problems.warning(
    'no-third-vote',
    row.table,
    row.raw,
    'every endpoint is on one of the two nodes: when one of them dies etcd may lose its majority; add a member on a third machine; standing alarm',
  );
}

function diskOf(draft: Draft, row: CheckedRow, domain: DomainDefinition): SharedDiskDefinition {
  const device = row.text('DEVICE');
  if (device === '') {
    draft.problems.error(
      'no-device',
      row.table,
      row.raw,
      'DEVICE must name a block device that both nodes see',
    );
    draft.fatal = true;
  }
  return { device, ...timesOf(draft, row, domain) };
}

/** Two requests without an answer must not cost a holder its permission. */
function timesOf(
  draft: Draft,
  row: CheckedRow,
  { deadIntervalMs: permissionMs }: DomainDefinition,
): { readonly stampIntervalMs: number; readonly requestLimitMs: number } {
  const stampIntervalMs = row.number('STAMP_INTERVAL');
  const requestLimitMs = row.number('REQUEST_LIMIT');
  const needs = stampIntervalMs + 2 * requestLimitMs;
  if (needs >= permissionMs) {
    draft.problems.error(
      'arbiter-timing',
      row.table,
      row.raw,
      `STAMP_INTERVAL + 2 x REQUEST_LIMIT = ${needs} ms must be less than DEAD_INTERVAL ${permissionMs} ms: else one slow answer ends permission`,
    );
    draft.fatal = true;
  }
  return { stampIntervalMs, requestLimitMs };
}

const FENCING_DEFAULT = { delayMs: 0, afterwards: 'off', verifyGapMs: 200, auditIntervalMs: 60_000 } as const;

function fencingOf(
  draft: Draft,
  row: CheckedRow | undefined,
  deviceRows: readonly CheckedRow[],
  nodes: readonly string[],
): FencingDefinition {
  const devices = deviceRows.flatMap((each) => deviceOf(draft, each, nodes) ?? []);
  const fenced = new Set(devices.map(({ node }) => node));
  for (const node of nodes) {
    if (fenced.size === 0 || fenced.has(node)) continue;
    draft.problems.warning(
      'node-without-fence',
      tableOf('SM_FENCE_DEVICES'),
      node,
      `no device can fence ${node}: the other node can not prove its death; standing alarm`,
    );
  }
  if (row === undefined) return { ...FENCING_DEFAULT, devices };
  return {
    delayMs: row.number('FENCE_DELAY'),
    afterwards: row.word<FenceThen>('FENCE_THEN'),
    verifyGapMs: row.number('VERIFY_GAP'),
    auditIntervalMs: row.number('AUDIT_INTERVAL'),
    devices,
  };
}

/** null: it is left out; a device that can not be used proves nothing, which is safe. */
function deviceOf(draft: Draft, row: CheckedRow, nodes: readonly string[]): FenceDeviceDefinition | null {
  let sound = true;
  const bad = (code: 'bad-fence-device' | 'secret-in-parameters', sentence: string): void => {
    draft.problems.error(code, row.table, row.raw, sentence);
    sound = false;
  };
  const parameters = parseParameters(row.text('PARAMETERS'));
  const secrets = parseParameters(row.text('SECRETS'));
  if (!parameters.ok) bad('bad-fence-device', `PARAMETERS: ${parameters.error}`);
  if (!secrets.ok) bad('bad-fence-device', `SECRETS: ${secrets.error}`);
  if (!nodes.includes(row.text('NODE_NAME')))
    bad('bad-fence-device', `the domain has no node ${row.text('NODE_NAME')}`);
  if (!/^fence_[a-z0-9_]+$/.test(row.text('AGENT')))
    bad('bad-fence-device', 'AGENT must be the name of a fence agent, like fence_ipmilan');
  const given = parameters.ok ? parameters.entries : [];
  const hidden = secrets.ok ? secrets.entries : [];
  for (const [name] of given) {
    if (name === 'action') bad('bad-fence-device', 'PARAMETERS must not set action: it is set for each call');
    if (isSecretName(name))
      bad(
        'secret-in-parameters',
        `${name} would be readable here: put it into a file and name that in SECRETS, like ${name}=bmc-0`,
      );
  }
  for (const [name, reference] of hidden) {
    if (!REFERENCE.test(reference))
      bad(
        'bad-fence-device',
        `SECRETS: ${name} must name a file below secretsDirectory, or a variable as env:NAME`,
      );
  }
  if (!sound) return null;
  return {
    name: row.text('DEVICE_NAME'),
    node: row.text('NODE_NAME'),
    level: row.number('FENCE_LEVEL'),
    agent: row.text('AGENT'),
    parameters: given,
    secrets: hidden,
    statusLimitMs: row.number('STATUS_LIMIT'),
    offLimitMs: row.number('OFF_LIMIT'),
    verifyLimitMs: row.number('VERIFY_LIMIT'),
  };
}

function gatewayOf(row: CheckedRow): GatewayDefinition {
  return {
    role: row.word<InterfaceRole>('SERVICE_DOMAIN_INTERFACE'),
    address: row.text('ADDRESS'),
    pingIntervalMs: row.number('PING_INTERVAL'),
    pingLimitMs: row.number('PING_LIMIT'),
  };
}
