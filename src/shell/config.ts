/** Loads /etc/sm/sm.yaml. Every fault is told with its place and what is allowed there, all faults at once. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { XStatic } from 'typebox/schema';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { failure, type Result } from '../core/kernel/errors.ts';
import type { YesNo } from '../core/kernel/names.ts';
import { isNodeName } from '../core/link/frame.ts';
import { CONFIG_PATH, RUN_DIRECTORY } from './config-path.ts';
import {
  type CONTAINMENTS,
  ConfigFile,
  type LOG_LEVELS,
  type SELF_FENCES,
  type VIRTUAL_MACHINES,
} from './config-schema.ts';
import { schemaFaults } from './schema-faults.ts';

export { CONFIG_PATH };

export interface ApiConfig {
  readonly address: string;
  readonly port: number;
  /** null = plain HTTP, on loopback only. */
  readonly tls: {
    readonly certificate: string;
    readonly key: string;
    /** null = callers prove themselves by tokens only. */
    readonly clientCa: string | null;
  } | null;
  readonly tokensFile: string;
  readonly auditFile: string;
  /** null = none. */
  readonly keystone: string | null;
  /** Directory of StarlingX's sockets; null = none are opened. */
  readonly compatibility: string | null;
}

/** With the defaults filled in; docs/reference/configuration.md says what each key means. */
export interface Config {
  readonly node: string;
  readonly database: string;
  readonly runtimeDatabaseLink: string;
  /** null = the database must exist. */
  readonly definitions: string | null;
  readonly keysDirectory: string;
  readonly secretsDirectory: string;
  readonly runDirectory: string;
  readonly controlSocket: string;
  readonly lsbDirectory: string;
  readonly ocfRoot: string;
  readonly goEnabledDirectory: string;
  /** `limitMs` is for all hooks together; the groups in `barrier` wait for them. */
  readonly notifications: {
    readonly directory: string;
    readonly limitMs: number;
    readonly barrier: readonly string[];
  };
  readonly api: ApiConfig;
  /** `file` null = stderr. */
  readonly log: { readonly level: (typeof LOG_LEVELS)[number]; readonly file: string | null };
  /** `bytesMax` 0 = none is written. */
  readonly trace: { readonly directory: string; readonly bytesMax: number };
  readonly selfFence: (typeof SELF_FENCES)[number];
  /** null = none. */
  readonly watchdogDevice: string | null;
  readonly containment: (typeof CONTAINMENTS)[number];
  readonly kernelLifeFile: string;
  readonly productUuidFile: string;
  readonly virtualMachine: (typeof VIRTUAL_MACHINES)[number];
  readonly realtime: YesNo;
}

/** Bytes of a Unix socket's path, without the terminator. */
const SOCKET_PATH_BYTES_MAX = 107;

/** No configuration has as much, and what is nested deeper takes a parser of YAML for ever. */
const CHARACTERS_MAX = 64 * 1024;
const BRACKETS_MAX = 100;

type Path = readonly string[];

export function loadConfig(path: string = CONFIG_PATH): Result<Config> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return failure('SM_CONFIG_UNREADABLE', { path, detail });
  }
  const parsed = parseConfig(text);
  return parsed.ok ? parsed : failure('SM_CONFIG_INVALID', { path, detail: parsed.faults.join('; ') });
}

export type ParsedConfig =
  | { readonly ok: true; readonly value: Config }
  /** Each with its place in the text. */
  | { readonly ok: false; readonly faults: readonly string[] };

export function parseConfig(text: string, host: string = hostname()): ParsedConfig {
  const brackets = text.match(/[[{]/g)?.length ?? 0;
  if (text.length > CHARACTERS_MAX || brackets > BRACKETS_MAX) {
    const rule = `at most ${CHARACTERS_MAX} characters and ${BRACKETS_MAX} opening brackets`;
    return {
      ok: false,
      faults: [`it has ${text.length} characters and ${brackets} opening brackets: ${rule} are possible`],
    };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  if (document.errors.length > 0) {
    return {
      ok: false,
      faults: document.errors.map(({ pos, message }) => `${place(lines, pos[0])}: ${message}`),
    };
  }
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch (error) {
    // An alias of nothing, or of so much that it would fill the memory.
    return { ok: false, faults: [error instanceof Error ? error.message : String(error)] };
  }
  const faults = shapeFaults(document, lines, content);
  if (faults.length > 0) return { ok: false, faults };

  const config = withDefaults(content as XStatic<typeof ConfigFile>, host);
  const more = meaningFaults(document, lines, config);
  return more.length > 0 ? { ok: false, faults: more } : { ok: true, value: config };
}

function withDefaults(file: XStatic<typeof ConfigFile>, host: string): Config {
  const runDirectory = file.runDirectory ?? RUN_DIRECTORY;
  const database = file.database ?? '/var/lib/sm/sm.db';
  return {
    node: file.node ?? host.replace(/\..*$/, ''),
    database,
    runtimeDatabaseLink: file.runtimeDatabaseLink ?? '/var/run/sm/sm.db',
    definitions: file.definitions ?? null,
    keysDirectory: file.keysDirectory ?? '/etc/sm/keys.d',
    secretsDirectory: file.secretsDirectory ?? '/etc/sm/secrets.d',
    runDirectory,
    controlSocket: file.controlSocket ?? join(runDirectory, 'control.sock'),
    lsbDirectory: file.lsbDirectory ?? '/etc/init.d',
    ocfRoot: file.ocfRoot ?? '/usr/lib/ocf',
    goEnabledDirectory: file.goEnabledDirectory ?? '/etc/sm/goenabled.d',
    notifications: {
      directory: file.notifications?.directory ?? '/etc/sm/notify.d',
      limitMs: file.notifications?.limitMs ?? 10_000,
      barrier: (file.notifications?.barrier ?? '').split(' ').filter((name) => name !== ''),
    },
    api: apiOf(file.api ?? {}),
    log: { level: file.log?.level ?? 'info', file: file.log?.file ?? null },
    trace: {
      directory: file.trace?.directory ?? join(dirname(database), 'trace'),
      bytesMax: file.trace?.bytesMax ?? 64 * 1024 * 1024,
    },
    selfFence: file.selfFence ?? 'processes',
    watchdogDevice: file.watchdogDevice ?? null,
    containment: file.containment ?? 'auto',
    kernelLifeFile: file.kernelLifeFile ?? '/proc/sys/kernel/random/boot_id',
    productUuidFile: file.productUuidFile ?? '/sys/class/dmi/id/product_uuid',
    virtualMachine: file.virtualMachine ?? 'auto',
    realtime: file.realtime ?? 'yes',
  };
}

function apiOf(file: NonNullable<XStatic<typeof ConfigFile>['api']>): ApiConfig {
  return {
    address: file.address ?? '127.0.0.1',
    port: file.port ?? 7777,
    tls: file.tls === undefined ? null : { ...file.tls, clientCa: file.tls.clientCa ?? null },
    tokensFile: file.tokensFile ?? '/etc/sm/tokens',
    auditFile: file.auditFile ?? '/var/log/sm/audit.log',
    keystone: file.keystone ?? null,
    compatibility: file.compatibility ?? null,
  };
}

function shapeFaults(document: Document, lines: LineCounter, content: unknown): string[] {
  return schemaFaults(ConfigFile, content).map(({ path, unknownKey }) => {
    if (unknownKey === null) return wrongValue(document, lines, path);
    const allowed = Object.keys(schemaAt(path).properties ?? {}).join(', ');
    const where = placeOfKey(document, lines, [...path, unknownKey]);
    return `${where}: unknown key '${[...path, unknownKey].join('.')}', allowed are ${allowed}`;
  });
}

/** What a schema can not say. */
function meaningFaults(document: Document, lines: LineCounter, config: Config): string[] {
  const faults: string[] = [];
  if (!isNodeName(config.node)) {
    faults.push(`the host name '${config.node}' can not be a node name: set the key 'node'`);
  }
  if (isIP(config.api.address) === 0) faults.push(wrongValue(document, lines, ['api', 'address']));
  if (Buffer.byteLength(config.controlSocket) > SOCKET_PATH_BYTES_MAX) {
    faults.push(`'controlSocket' is longer than ${SOCKET_PATH_BYTES_MAX} bytes: set a shorter path`);
  }
  return faults;
}

function wrongValue(document: Document, lines: LineCounter, path: Path): string {
  const what = path.length === 0 ? 'the file' : `'${path.join('.')}'`;
  const node = document.getIn(path, true);
  const where = place(lines, isNode(node) ? (node.range?.[0] ?? 0) : 0);
  return `${where}: ${what} must be ${schemaAt(path).rule}`;
}

interface Described {
  readonly properties?: Readonly<Record<string, Described>>;
  readonly rule?: string;
}

function schemaAt(path: Path): Described {
  let schema: Described = ConfigFile;
  for (const key of path) schema = schema.properties?.[key] ?? {};
  return schema;
}

function placeOfKey(document: Document, lines: LineCounter, path: Path): string {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return place(lines, 0);
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1));
  return place(lines, isScalar(pair?.key) ? (pair.key.range?.[0] ?? 0) : 0);
}

function place(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `line ${line}, column ${col}`;
}
