/** Checks of the domain: exactly one, its nodes, its timing, its links. An error here leaves nothing to run. Pure. */
import { permissionAfterSendMinMs, permissionAfterSendMs } from '../guard/permission-time.ts';
import { LIMITS } from '../kernel/limits.ts';
import type {
  AuthType,
  ConnectType,
  InterfaceRole,
  NetworkType,
  PathType,
  SilencePolicy,
  SplitBrainRecovery,
} from '../kernel/names.ts';
import { checkAddresses } from './check-addresses.ts';
import type { CheckedRow, Draft } from './draft.ts';
import { parseAddress } from './internet-address.ts';
import type { DomainDefinition, InterfaceDefinition } from './model.ts';
import { tableOf } from './rows.ts';

/** What holds where SM_DOMAIN_SAFETY has no row (a database that StarlingX made): the defaults of that table. */
const SAFETY_DEFAULT = {
  silencePolicy: 'takeover',
  stopBoundMs: 300,
  stopGraceMs: 100,
  killVerifyMs: 100,
  linkDownDetectMs: 100,
  mainStallMsMax: 3000,
} as const;

/** StarlingX's built-in key. It is in its public source: whoever reads that can command the cluster. */
const PUBLIC_KEY = 'titanium-server';

/** Weight of each link in the survivor rules, where both nodes are still seen on some path. */
const WEIGHTS: Readonly<Record<InterfaceRole, number>> = {
  'management-interface': 4,
  'oam-interface': 1,
  'cluster-host-interface': 2,
  'admin-interface': 0,
};

export function checkDomain(draft: Draft): DomainDefinition | null {
  const table = tableOf('SERVICE_DOMAINS');
  const provisioned = draft.rows('SERVICE_DOMAINS').filter((row) => row.provisioned);
  const row = provisioned[0];
  if (row === undefined) {
    if (!draft.fatal)
      draft.problems.error('no-domain', table, '-', 'no domain is provisioned: exactly one is needed');
    draft.fatal = true;
    return null;
  }
  for (const other of provisioned.slice(1)) {
    draft.problems.error(
      'several-domains',
      table,
      other.raw,
      'only one domain can be provisioned: set PROVISIONED to no',
    );
    draft.fatal = true;
  }
  const domain = domainOf(row, safetyOf(draft, row.text('NAME')));
  checkTiming(draft, domain);
  return domain;
}

function domainOf(row: CheckedRow, safety: Safety): DomainDefinition {
  return {
    name: row.text('NAME'),
    priority: row.number('PRIORITY'),
    helloIntervalMs: row.number('HELLO_INTERVAL'),
    deadIntervalMs: row.number('DEAD_INTERVAL'),
    waitIntervalMs: row.number('WAIT_INTERVAL'),
    exchangeIntervalMs: row.number('EXCHANGE_INTERVAL'),
    splitBrainRecovery: row.word<SplitBrainRecovery>('SPLIT_BRAIN_RECOVERY'),
    ...safety,
  };
}

type Safety = Pick<
  DomainDefinition,
  'silencePolicy' | 'stopBoundMs' | 'stopGraceMs' | 'killVerifyMs' | 'linkDownDetectMs' | 'mainStallMsMax'
>;

function safetyOf(draft: Draft, domain: string): Safety {
  const table = tableOf('SM_DOMAIN_SAFETY');
  const row = draft.rows('SM_DOMAIN_SAFETY').find((each) => each.text('SERVICE_DOMAIN') === domain);
  if (row === undefined) {
    if (!draft.fatal) {
      draft.problems.warning(
        'default-safety',
        table,
        domain,
        'the domain has no row here: the defaults hold',
      );
    }
    return SAFETY_DEFAULT;
  }
  return {
    silencePolicy: row.word<SilencePolicy>('SILENCE_POLICY'),
    stopBoundMs: row.number('STOP_BOUND'),
    stopGraceMs: row.number('STOP_GRACE'),
    killVerifyMs: row.number('KILL_VERIFY'),
    linkDownDetectMs: row.number('LINK_DOWN_DETECT'),
    mainStallMsMax: row.number('MAIN_STALL_MAX'),
  };
}

function checkTiming(draft: Draft, domain: DomainDefinition): void {
  const domains = tableOf('SERVICE_DOMAINS');
  const safety = tableOf('SM_DOMAIN_SAFETY');
  const bad = (table: typeof domains, sentence: string): void => {
    draft.problems.error('bad-timing', table, domain.name, sentence);
    draft.fatal = true;
  };
  const { helloIntervalMs: hello, deadIntervalMs: dead, stopBoundMs: bound } = domain;
  if (dead < 3 * hello) {
    bad(domains, `DEAD_INTERVAL ${dead} ms must be at least 3 x HELLO_INTERVAL ${hello} ms`);
  }
  const used = domain.stopGraceMs + domain.killVerifyMs;
  if (used >= bound) {
    bad(
      safety,
      `STOP_GRACE + KILL_VERIFY = ${used} ms must be less than STOP_BOUND ${bound} ms: the rest is the time of the self-fence`,
    );
  }
  if (domain.silencePolicy !== 'takeover') return;
  const left = permissionAfterSendMs(domain);
  const least = permissionAfterSendMinMs(domain);
  if (left < least) {
    bad(
      safety,
      `with policy takeover 0.9 x (DEAD_INTERVAL + STOP_BOUND) - STOP_BOUND - LINK_DOWN_DETECT - 20 = ${Math.floor(left)} ms ` +
        `must be at least 2 x HELLO_INTERVAL + 50 = ${least} ms: raise DEAD_INTERVAL or lower HELLO_INTERVAL`,
    );
  }
}

/** What the policy risks, where the policy is what decides. */
export function warnOfPolicy(draft: Draft, domain: DomainDefinition, decides: boolean): void {
  if (!decides || domain.silencePolicy !== 'takeover') return;
  draft.problems.warning(
    'policy-takeover',
    tableOf('SM_DOMAIN_SAFETY'),
    domain.name,
    'policy takeover without an arbiter: a cut between two live nodes that leaves the links up at both ends makes both active; standing alarm',
  );
}

/** The one or two member nodes in their order. */
export function checkNodes(draft: Draft, domain: string): readonly string[] {
  const table = tableOf('SM_DOMAIN_NODES');
  for (const row of draft.rows('SM_DOMAIN_NODES')) {
    if (!draft.names('SERVICE_DOMAINS', 'NAME').has(row.text('SERVICE_DOMAIN'))) {
      draft.problems.error('unknown-domain', table, row.raw, 'SERVICE_DOMAINS has no such domain');
    }
  }
  const rows = draft.rows('SM_DOMAIN_NODES').filter((row) => row.text('SERVICE_DOMAIN') === domain);
  const nodes = [...rows]
    .sort((a, b) => a.number('ORDINAL') - b.number('ORDINAL'))
    .map((row) => row.text('NODE_NAME'));
  if (nodes.length === 0) {
    if (draft.count('SM_DOMAIN_NODES') === 0 || !draft.fatal) {
      draft.problems.error(
        'no-nodes',
        table,
        domain,
        'the domain has no node: insert the host name of one (simplex) or two',
      );
    }
    draft.fatal = true;
  } else if (nodes.length === 1) {
    draft.problems.warning(
      'one-node',
      table,
      domain,
      'the domain has one node: nothing takes over when it is lost',
    );
  } else if (nodes.length > LIMITS.nodesMax || rows[0]?.number('ORDINAL') === rows[1]?.number('ORDINAL')) {
    draft.problems.error(
      'no-nodes',
      table,
      domain,
      'the nodes of a domain are at most two, with ORDINAL 0 and 1',
    );
    draft.fatal = true;
  }
  return nodes;
}

export function checkInterfaces(draft: Draft, domain: string): readonly InterfaceDefinition[] {
  const table = tableOf('SERVICE_DOMAIN_INTERFACES');
  const domains = draft.names('SERVICE_DOMAINS', 'NAME');
  const rows = draft.rows('SERVICE_DOMAIN_INTERFACES');
  for (const row of rows) {
    if (domains.has(row.text('SERVICE_DOMAIN'))) continue;
    draft.problems.error(
      'unknown-domain',
      table,
      row.raw,
      `SERVICE_DOMAINS has no domain ${row.text('SERVICE_DOMAIN')}`,
    );
    draft.spoil(table, row.raw);
  }
  for (const row of rows) checkAuthentication(draft, row);
  const used = rows.filter((row) => row.provisioned && row.text('SERVICE_DOMAIN') === domain);
  checkAddresses(draft, used);
  for (const row of used.slice(LIMITS.interfacesMax)) {
    draft.problems.error(
      'too-many-interfaces',
      table,
      row.raw,
      `at most ${LIMITS.interfacesMax} interfaces can be provisioned at once: set PROVISIONED to no on one`,
    );
    draft.spoil(table, row.raw);
  }
  const interfaces = used
    .filter((row) => !draft.lostInterfaces.has(row.text('SERVICE_DOMAIN_INTERFACE')))
    .map((row) => interfaceOf(draft, row));
  if (interfaces.length === 0 && !draft.fatal) {
    draft.problems.warning(
      'no-interface',
      table,
      domain,
      'no interface can be used: the nodes can not see each other',
    );
  }
  return interfaces;
}

function factsOf(draft: Draft, row: CheckedRow): CheckedRow | undefined {
  return draft
    .rows('SM_INTERFACE_FACTS')
    .find(
      (each) =>
        each.text('SERVICE_DOMAIN') === row.text('SERVICE_DOMAIN') &&
        each.text('SERVICE_DOMAIN_INTERFACE') === row.text('SERVICE_DOMAIN_INTERFACE'),
    );
}

function checkAuthentication(draft: Draft, row: CheckedRow): void {
  const bad = (code: 'public-key' | 'no-key' | 'unsigned', sentence: string): void => {
    draft.problems.error(code, row.table, row.raw, sentence);
    draft.spoil(row.table, row.raw);
  };
  if (row.text('AUTH_KEY') === PUBLIC_KEY) {
    bad(
      'public-key',
      `AUTH_KEY names a key file: '${PUBLIC_KEY}' is StarlingX's built-in key, which is public and protects nothing; make one with smctl key new`,
    );
  } else if (row.text('AUTH_TYPE') !== 'none') {
    if (row.text('AUTH_KEY') === '') bad('no-key', 'AUTH_KEY must name a key where AUTH_TYPE is hmac-sha512');
  } else if (factsOf(draft, row)?.is('ALLOW_UNSIGNED') !== true) {
    bad(
      'unsigned',
      'AUTH_TYPE none lets anyone on that network command the cluster: use hmac-sha512, or set ALLOW_UNSIGNED in SM_INTERFACE_FACTS if that is meant',
    );
  } else if (row.provisioned) {
    draft.problems.warning(
      'unsigned',
      row.table,
      row.raw,
      'the interface is not signed: anyone on that network can command the cluster; standing alarm',
    );
  }
}

function interfaceOf(draft: Draft, row: CheckedRow): InterfaceDefinition {
  const role = row.word<InterfaceRole>('SERVICE_DOMAIN_INTERFACE');
  const family = parseAddress(row.text('NETWORK_ADDRESS'))?.family ?? null;
  const type = row.text('NETWORK_TYPE');
  return {
    role,
    pathType: row.word<PathType>('PATH_TYPE'),
    authType: row.word<AuthType>('AUTH_TYPE'),
    authKey: row.text('AUTH_KEY'),
    authKeyPrevious: factsOf(draft, row)?.text('AUTH_KEY_PREVIOUS') ?? '',
    networkType: (type !== '' ? type : family === null ? 'unknown' : `${family}-udp`) as NetworkType,
    multicast: row.text('NETWORK_MULTICAST'),
    address: row.text('NETWORK_ADDRESS'),
    port: row.number('NETWORK_PORT'),
    peerAddress: row.text('NETWORK_PEER_ADDRESS'),
    peerPort: row.number('NETWORK_PEER_PORT'),
    connectType: row.word<ConnectType>('INTERFACE_CONNECT_TYPE'),
    weight: WEIGHTS[role],
  };
}
