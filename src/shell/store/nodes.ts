/** Changes the set of nodes in the database of a node that runs: one transaction, or nothing. */
import { isIP } from 'node:net';
import Database from 'better-sqlite3';
import { buildDefinitions } from '../../core/definitions/build.ts';
import { problemText } from '../../core/definitions/problems.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import type { NodeChange } from '../../core/membership.ts';
import { KEY_NAME, previousOf } from '../setup/pair.ts';
import { setLinks, setNodes } from './provision.ts';
import { readRows } from './source.ts';

/** Between two turns of the engine, which writes by another connection: there is nobody to wait for but an operator. */
const BUSY_TIMEOUT_MS = 200;

class Refused extends Error {}

/** `own`: name of this node, which stays. */
export function changeNodes(path: string, own: string, change: NodeChange): Result<null> {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    const file = database;
    database.transaction(() => apply(file, own, change)).immediate();
    return { ok: true, value: null };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    if (error instanceof Refused) return failure('SM_NODES_REFUSED', { detail });
    return failure('SM_STORE_WRITE', { path, detail });
  } finally {
    database?.close();
  }
}

function apply(database: Database.Database, own: string, change: NodeChange): void {
  const domain = database.prepare("SELECT NAME FROM SERVICE_DOMAINS WHERE PROVISIONED = 'yes'").pluck().get();
  if (typeof domain !== 'string') throw new Refused('there is no provisioned domain');
  forget(database, change.node);
  const nodes = change.change === 'add' ? [own, change.node] : [own];
  setNodes(database, domain, { nodes });
  if (change.change === 'add') {
    const links = change.links.map((link) => ({
      ...link,
      networkType: isIP(link.address) === 6 ? ('ipv6-udp' as const) : ('ipv4-udp' as const),
    }));
    const { port } = change;
    setLinks(database, domain, { links, port, key: KEY_NAME, previousKey: previousOf(KEY_NAME) });
  }
  const { set, problems } = buildDefinitions(readRows(database));
  const fault = problems.find(
    ({ severity, table }) => severity === 'error' && (set === null || TABLES.includes(table)),
  );
  if (fault !== undefined) throw new Refused(problemText(fault));
  if (set?.nodes.length !== nodes.length) throw new Refused('the definitions can not be used then');
}

const TABLES = ['SERVICE_DOMAIN_INTERFACES', 'SM_INTERFACE_FACTS', 'SM_DOMAIN_NODES'];

/** What was known of a node of this name: another machine may get the name. */
function forget(database: Database.Database, node: string): void {
  for (const [table, column] of [
    ['SM_DOMAIN_NODES', 'NODE_NAME'],
    ['NODES', 'NAME'],
    ['SM_NODE_FACTS', 'NODE_NAME'],
    ['SERVICE_DOMAIN_NEIGHBORS', 'NAME'],
    ['SERVICE_DOMAIN_ASSIGNMENTS', 'NODE_NAME'],
  ])
    database.prepare(`DELETE FROM ${table} WHERE ${column} = ?`).run(node);
  database.prepare("DELETE FROM SM_STATE WHERE KEY = 'peer_kernel_life'").run();
}
