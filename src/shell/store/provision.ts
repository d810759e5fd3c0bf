/** A new database for one node of a new pair: a definition set, and by SQL what is this pair's and this node's own. */
import { linkSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { buildDefinitions } from '../../core/definitions/build.ts';
import { problemText } from '../../core/definitions/problems.ts';
import type { RawRows } from '../../core/definitions/rows.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import type { InterfaceRole } from '../../core/kernel/names.ts';
import { readRows } from './source.ts';
import { openStore } from './store.ts';

export interface ProvisionedLink {
  readonly role: InterfaceRole;
  readonly networkType: 'ipv4-udp' | 'ipv6-udp';
  readonly address: string;
  readonly peerAddress: string;
}

export interface ProvisionedNode {
  /** In their order, which decides ties. */
  readonly nodes: readonly string[];
  readonly links: readonly ProvisionedLink[];
  readonly port: number;
  readonly key: string;
  readonly previousKey: string;
  /** It becomes the second node of a pair: alone it leads nothing before it has met the first one. */
  readonly joins: boolean;
}

/** Whole or absent, and never instead of another file. `source`: where the rows come from, for messages. */
export function provision(
  path: string,
  source: string,
  rows: RawRows,
  node: ProvisionedNode,
  wallMs: number,
): Result<{ readonly digest: string; readonly rows: RawRows }> {
  const draft = `${path}.${process.pid}.draft`;
  try {
    const filled = fill(draft, source, rows, node, wallMs);
    if (!filled.ok) return filled;
    // Unlike a rename, a link fails where something of that name exists.
    linkSync(draft, path);
    return filled;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return failure('SM_SETUP_EXISTS', { path });
    return failure('SM_SETUP_WRITE', {
      path,
      detail: error instanceof Error ? error.message : String(error),
    });
  } finally {
    for (const end of ['', '-wal', '-shm']) rmSync(`${draft}${end}`, { force: true });
  }
}

function fill(
  draft: string,
  source: string,
  rows: RawRows,
  node: ProvisionedNode,
  wallMs: number,
): ReturnType<typeof provision> {
  const opened = openStore(draft);
  if (!opened.ok) return opened;
  const refused = opened.value.seed(rows, [], wallMs);
  opened.value.close();
  const bad = (detail: string) => failure('SM_SET_FATAL', { path: source, detail });
  if (refused[0] !== undefined) return bad(problemText(refused[0]));

  const database = new Database(draft, { fileMustExist: true });
  try {
    const domains = database.prepare("SELECT NAME FROM SERVICE_DOMAINS WHERE PROVISIONED = 'yes'").pluck();
    const [domain, ...others] = domains.all() as string[];
    if (domain === undefined || others.length > 0) return bad('it must have exactly one provisioned domain');
    database.transaction(() => {
      setNodes(database, domain, node);
      setLinks(database, domain, node);
      if (node.joins) database.prepare("INSERT INTO SM_STATE (KEY, VALUE) VALUES ('joins', 'yes')").run();
    })();
    const stored = readRows(database);
    const { set, problems } = buildDefinitions(stored);
    const fault = problems.find(
      ({ severity, table }) =>
        severity === 'error' && (set === null || table === 'SERVICE_DOMAIN_INTERFACES'),
    );
    if (set === null || fault !== undefined)
      return bad(fault === undefined ? 'there is no usable set in it' : problemText(fault));
    return { ok: true, value: { digest: set.digest, rows: stored } };
  } finally {
    database.close();
  }
}

export function setNodes(
  database: Database.Database,
  domain: string,
  { nodes }: Pick<ProvisionedNode, 'nodes'>,
): void {
  database.prepare('DELETE FROM SM_DOMAIN_NODES').run();
  const insert = database.prepare(
    'INSERT INTO SM_DOMAIN_NODES (SERVICE_DOMAIN, NODE_NAME, ORDINAL) VALUES (?, ?, ?)',
  );
  for (const [ordinal, name] of nodes.entries()) insert.run(domain, name, BigInt(ordinal));
}

/** The given links are provisioned, all others are not. */
export function setLinks(
  database: Database.Database,
  domain: string,
  node: Pick<ProvisionedNode, 'links' | 'port' | 'key' | 'previousKey'>,
): void {
  database.prepare("UPDATE SERVICE_DOMAIN_INTERFACES SET PROVISIONED = 'no'").run();
  const place = database.prepare(
    `INSERT INTO SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY)
     VALUES ($domain, $role, $key) ON CONFLICT (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE) DO NOTHING`,
  );
  const set = database.prepare(
    `UPDATE SERVICE_DOMAIN_INTERFACES SET PROVISIONED = 'yes', AUTH_TYPE = 'hmac-sha512', AUTH_KEY = $key,
       NETWORK_TYPE = $type, NETWORK_MULTICAST = '', NETWORK_ADDRESS = $address, NETWORK_PORT = $port,
       NETWORK_HEARTBEAT_PORT = $secondPort, NETWORK_PEER_ADDRESS = $peerAddress, NETWORK_PEER_PORT = $port,
       NETWORK_PEER_HEARTBEAT_PORT = $secondPort
     WHERE SERVICE_DOMAIN = $domain AND SERVICE_DOMAIN_INTERFACE = $role`,
  );
  const facts = database.prepare(
    `INSERT INTO SM_INTERFACE_FACTS (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY_PREVIOUS)
     VALUES ($domain, $role, $previousKey) ON CONFLICT (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE)
     DO UPDATE SET AUTH_KEY_PREVIOUS = excluded.AUTH_KEY_PREVIOUS`,
  );
  for (const { role, networkType, address, peerAddress } of node.links) {
    place.run({ domain, role, key: node.key });
    const [port, secondPort] = [BigInt(node.port), BigInt(node.port + 1)];
    set.run({ domain, role, key: node.key, type: networkType, address, peerAddress, port, secondPort });
    facts.run({ domain, role, previousKey: node.previousKey });
  }
}
