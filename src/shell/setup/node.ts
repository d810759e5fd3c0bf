/** Makes a node of a new pair: key, database and configuration. All of them or none. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import type { RawRows } from '../../core/definitions/rows.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { type ProvisionedLink, provision } from '../store/provision.ts';
import { DATABASE_FOLDER } from '../store/schema.ts';
import { interfaceWith, sought, withoutScope } from '../watchdog/address.ts';
import { addKey, createKey } from '../watchdog/keyring.ts';
import { KEY_NAME, type Pair, previousOf } from './pair.ts';

const USUAL_DATABASE = '/var/lib/sm/sm.db';

/** A shipped set by its name, any other by its path. */
export function setPath(nameOrPath: string): string {
  return nameOrPath.includes('/') ? nameOrPath : join(DATABASE_FOLDER, 'definitions', nameOrPath);
}

export interface NodePlaces {
  readonly keysDirectory: string;
  readonly database: string;
  /** Made beside the directory of the keys. */
  readonly configuration: string;
}

export function placesOf(keysDirectory: string, database: string): NodePlaces {
  return { keysDirectory, database, configuration: join(dirname(keysDirectory), 'sm.yaml') };
}

export interface NewNode {
  readonly pair: Pair;
  /** Which of its two nodes this is. */
  readonly index: 0 | 1;
  readonly rows: RawRows;
  /** Where they come from, for messages. */
  readonly source: string;
  /** null = a new one is made. */
  readonly key: Buffer | null;
  readonly wallMs: number;
}

export interface MadeNode {
  readonly made: readonly string[];
  readonly keyId: string;
  /** The secret, for the bundle. */
  readonly key: () => Buffer;
  readonly digest: string;
  readonly rows: RawRows;
  /** What does not hinder, but will. */
  readonly warnings: readonly string[];
  readonly undo: () => void;
}

export function makeNode(node: NewNode, places: NodePlaces): Result<MadeNode> {
  const { keysDirectory, database, configuration } = places;
  const keyFile = join(keysDirectory, KEY_NAME);
  for (const path of [configuration, database, keyFile]) {
    if (existsSync(path)) return failure('SM_SETUP_EXISTS', { path });
  }
  const made: string[] = [];
  const undo = () => {
    for (const path of made) rmSync(path, { force: true });
  };
  try {
    mkdirSync(dirname(configuration), { recursive: true, mode: 0o755 });
    mkdirSync(keysDirectory, { recursive: true, mode: 0o700 });
    mkdirSync(dirname(database), { recursive: true, mode: 0o700 });
    const stored = provision(database, node.source, node.rows, provisionedNode(node), node.wallMs);
    if (!stored.ok) return stored;
    made.push(database);
    const key =
      node.key === null ? createKey(keysDirectory, KEY_NAME) : addKey(keysDirectory, KEY_NAME, node.key);
    if (!key.ok) {
      undo();
      return key;
    }
    made.push(keyFile);
    writeFileSync(configuration, configurationText(node, places), { flag: 'wx', mode: 0o644 });
    made.push(configuration);
    const { digest, rows } = stored.value;
    const warnings = missingAddresses(node);
    const secret = () => readFileSync(keyFile);
    return { ok: true, value: { made, keyId: key.value.id, key: secret, digest, rows, warnings, undo } };
  } catch (error) {
    undo();
    const { path = configuration, message } = error as NodeJS.ErrnoException;
    return failure('SM_SETUP_WRITE', { path, detail: message });
  }
}

function provisionedNode({ pair, index }: NewNode): Parameters<typeof provision>[3] {
  const { nodes, port } = pair;
  return {
    nodes,
    links: provisionedLinks(pair, index),
    port,
    key: KEY_NAME,
    previousKey: previousOf(KEY_NAME),
    joins: index === 1,
  };
}

/** As the node with this index sees them: the interface that the other one names means nothing here. */
export function provisionedLinks({ links }: Pair, index: 0 | 1): ProvisionedLink[] {
  return links.map(({ role, addresses }) => ({
    role,
    networkType: isIP(addresses[index]) === 6 ? 'ipv6-udp' : 'ipv4-udp',
    address: addresses[index],
    peerAddress: withoutScope(addresses[index === 0 ? 1 : 0]),
  }));
}

/** Everything else has a default; docs/reference/configuration.md lists it. */
function configurationText({ pair, index }: NewNode, { keysDirectory, database }: NodePlaces): string {
  const lines = ["# What is this node's alone; sm.yaml(5) lists every key.", `node: ${pair.nodes[index]}`];
  if (database !== USUAL_DATABASE) lines.push(`database: ${JSON.stringify(database)}`);
  if (keysDirectory !== '/etc/sm/keys.d') lines.push(`keysDirectory: ${JSON.stringify(keysDirectory)}`);
  return `${lines.join('\n')}\n`;
}

function missingAddresses({ pair, index }: NewNode): string[] {
  return pair.links
    .filter(({ addresses }) => interfaceWith(sought(addresses[index])) === null)
    .map(({ role, addresses }) => {
      return `no interface of this machine has ${addresses[index]} yet: ${role} stays down until one has`;
    });
}
