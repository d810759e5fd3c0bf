/**
 * The definition tables: their columns, what each cell may hold, and the sentence that says so. Pure.
 *
 * The same sentences name the CHECK constraints of db/schema.sql, so that an operator at the sqlite3 shell and a
 * reader of `smctl check` are told the same thing; test/unit/store/schema.test.ts proves that both agree cell by cell.
 * Sources: docs/reference/database.md.
 */
import {
  ACTION_RESULTS,
  AUTH_TYPES,
  CONDITIONS,
  CONNECT_TYPES,
  DEPENDENCY_TYPES,
  DESIGNATIONS,
  DOMAIN_STATES,
  FENCE_THENS,
  GROUP_STATES,
  INTERFACE_ROLES,
  INTERFACE_STATES,
  NETWORK_TYPES,
  ORCHESTRATIONS,
  PATH_TYPES,
  PLUGIN_TYPES,
  REDUNDANCY_MODELS,
  SERVICE_ACTIONS,
  SERVICE_STATES,
  SEVERITIES,
  SILENCE_POLICIES,
  SPLIT_BRAIN_RECOVERIES,
  STATUSES,
  YES_NO,
} from '../kernel/names.ts';

/** One row as a database gives it. SQLite types cells, not columns: a number may come as a number or as text. */
export interface RawRow {
  readonly rowid: number;
  readonly columns: Readonly<Record<string, string | number | null>>;
}
/** Table name -> its rows in table order. A table that the source does not have is absent. */
export type RawRows = ReadonlyMap<string, readonly RawRow[]>;

/**
 * Who owns a column. `shared`: equal on both nodes, part of the digest. `node`: this node's alone (addresses, pid
 * files, instances). `runtime`: written by the daemon; its content is never a definition.
 */
export type ColumnOwner = 'shared' | 'node' | 'runtime';

type Kind =
  /** The row id that StarlingX's tools expect. */
  | { readonly kind: 'id' }
  | { readonly kind: 'word'; readonly words: readonly string[] }
  /** A whole number; `unset`: the empty string means "not set". */
  | {
      readonly kind: 'number';
      readonly min: number;
      readonly max: number;
      readonly unit: string;
      readonly unset: boolean;
    }
  | { readonly kind: 'name'; readonly max: number; readonly optional: boolean }
  | { readonly kind: 'text'; readonly max: number }
  | { readonly kind: 'path'; readonly max: number }
  /** 0 to 255, or one of the words for an end without a code. */
  | { readonly kind: 'exit-code' };

export type Column = Kind & {
  readonly name: string;
  /** As declared in the schema: SQLite's affinity follows from it. */
  readonly type: string;
  readonly owner: ColumnOwner;
  /** What an absent column or an INSERT that does not name it gets; null = has to be given. */
  readonly fallback: string | number | null;
};

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Natural key: identifies a row to people, and may occur once. */
  readonly key: readonly string[];
}

export const EXIT_CODE_WORDS = ['plugin-failure', 'plugin-timeout', 'other'] as const;

/** StarlingX's master database ships the word `none`; at run time it is the empty string. Both are read alike. */
const STORED_STATUSES = [...STATUSES, 'none'] as const;
const STORED_CONDITIONS = [...CONDITIONS, 'none'] as const;

type Options = { readonly owner?: ColumnOwner; readonly fallback?: string | number };

function id(): Column {
  return { name: 'ID', kind: 'id', type: 'INTEGER', owner: 'runtime', fallback: null };
}
function word(name: string, words: readonly string[], options: Options = {}): Column {
  return {
    name,
    kind: 'word',
    words,
    type: 'CHAR(32)',
    owner: options.owner ?? 'shared',
    fallback: options.fallback ?? null,
  };
}
function yesNo(name: string, fallback?: 'yes' | 'no'): Column {
  return word(name, YES_NO, fallback === undefined ? {} : { fallback });
}
function number(
  name: string,
  min: number,
  max: number,
  unit: string,
  options: Options & { unset?: boolean } = {},
): Column {
  return {
    name,
    kind: 'number',
    min,
    max,
    unit,
    unset: options.unset ?? false,
    type: 'INT',
    owner: options.owner ?? 'shared',
    fallback: options.fallback ?? null,
  };
}
function nameOf(name: string, options: Options & { optional?: boolean; max?: number } = {}): Column {
  const max = options.max ?? 31;
  const optional = options.optional ?? false;
  return {
    name,
    kind: 'name',
    max,
    optional,
    type: `CHAR(${max + 1})`,
    owner: options.owner ?? 'shared',
    fallback: options.fallback ?? (optional ? '' : null),
  };
}
function text(name: string, size: number, options: Options = {}): Column {
  return {
    name,
    kind: 'text',
    max: size - 1,
    type: `CHAR(${size})`,
    owner: options.owner ?? 'shared',
    fallback: options.fallback ?? '',
  };
}
function path(name: string): Column {
  return { name, kind: 'path', max: 255, type: 'CHAR(256)', owner: 'node', fallback: '' };
}
function port(name: string): Column {
  return number(name, 1, 65_535, '', { unset: true, owner: 'node', fallback: '' });
}

const MS_PER_DAY = 86_400_000;
const COUNT_MAX = 1_000_000;

/** In the order in which rows have to be stored: a row comes after those that triggers look at. */
export const DEFINITION_TABLES: readonly Table[] = [
  {
    name: 'SERVICE_DOMAINS',
    key: ['NAME'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'yes'),
      nameOf('NAME'),
      word('ORCHESTRATION', ORCHESTRATIONS, { fallback: 'regional' }),
      word('DESIGNATION', DESIGNATIONS, { owner: 'runtime', fallback: 'unknown' }),
      yesNo('PREEMPT', 'no'),
      number('PRIORITY', 0, COUNT_MAX, '', { fallback: 230 }),
      number('HELLO_INTERVAL', 20, 10_000, 'ms', { fallback: 200 }),
      number('DEAD_INTERVAL', 60, 60_000, 'ms', { fallback: 800 }),
      number('WAIT_INTERVAL', 0, MS_PER_DAY, 'ms', { fallback: 5000 }),
      number('EXCHANGE_INTERVAL', 100, 60_000, 'ms', { fallback: 2000 }),
      word('STATE', DOMAIN_STATES, { owner: 'runtime', fallback: 'initial' }),
      word('SPLIT_BRAIN_RECOVERY', SPLIT_BRAIN_RECOVERIES, { fallback: 'select-best-active' }),
      nameOf('LEADER', { owner: 'runtime', optional: true }),
      number('GENERATION', 0, Number.MAX_SAFE_INTEGER, '', { owner: 'runtime', fallback: 1 }),
    ],
  },
  {
    name: 'SM_DOMAIN_NODES',
    key: ['SERVICE_DOMAIN', 'NODE_NAME'],
    columns: [nameOf('SERVICE_DOMAIN'), nameOf('NODE_NAME'), number('ORDINAL', 0, 1, '')],
  },
  {
    name: 'SM_DOMAIN_SAFETY',
    key: ['SERVICE_DOMAIN'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      word('SILENCE_POLICY', SILENCE_POLICIES, { fallback: 'takeover' }),
      number('STOP_BOUND', 50, 600_000, 'ms', { fallback: 300 }),
      number('STOP_GRACE', 0, 600_000, 'ms', { fallback: 100 }),
      number('KILL_VERIFY', 10, 600_000, 'ms', { fallback: 100 }),
      number('LINK_DOWN_DETECT', 10, 60_000, 'ms', { fallback: 100 }),
      number('MAIN_STALL_MAX', 100, 600_000, 'ms', { fallback: 3000 }),
    ],
  },
  {
    name: 'SM_INTERFACE_FACTS',
    key: ['SERVICE_DOMAIN', 'SERVICE_DOMAIN_INTERFACE'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      word('SERVICE_DOMAIN_INTERFACE', INTERFACE_ROLES),
      yesNo('ALLOW_UNSIGNED', 'no'),
      nameOf('AUTH_KEY_PREVIOUS', { optional: true, max: 127 }),
    ],
  },
  {
    name: 'SERVICE_DOMAIN_INTERFACES',
    key: ['SERVICE_DOMAIN', 'SERVICE_DOMAIN_INTERFACE'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'yes'),
      nameOf('SERVICE_DOMAIN'),
      word('SERVICE_DOMAIN_INTERFACE', INTERFACE_ROLES),
      word('PATH_TYPE', PATH_TYPES, { fallback: 'secondary' }),
      word('AUTH_TYPE', AUTH_TYPES, { fallback: 'hmac-sha512' }),
      nameOf('AUTH_KEY', { optional: true, max: 127 }),
      nameOf('INTERFACE_NAME', { owner: 'runtime', optional: true, max: 15 }),
      word('INTERFACE_STATE', [...INTERFACE_STATES, ''], { owner: 'runtime', fallback: '' }),
      word('NETWORK_TYPE', [...NETWORK_TYPES, ''], { owner: 'node', fallback: '' }),
      text('NETWORK_MULTICAST', 256, { owner: 'node' }),
      text('NETWORK_ADDRESS', 256, { owner: 'node' }),
      port('NETWORK_PORT'),
      port('NETWORK_HEARTBEAT_PORT'),
      text('NETWORK_PEER_ADDRESS', 256, { owner: 'node' }),
      port('NETWORK_PEER_PORT'),
      port('NETWORK_PEER_HEARTBEAT_PORT'),
      word('INTERFACE_CONNECT_TYPE', CONNECT_TYPES, { fallback: 'tor' }),
    ],
  },
  {
    name: 'SERVICE_DOMAIN_MEMBERS',
    key: ['NAME', 'SERVICE_GROUP_NAME'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'yes'),
      nameOf('NAME'),
      nameOf('SERVICE_GROUP_NAME'),
      word('REDUNDANCY_MODEL', REDUNDANCY_MODELS, { fallback: 'N + M' }),
      number('N_ACTIVE', 0, 1000, '', { fallback: 1 }),
      number('M_STANDBY', 0, 1000, '', { fallback: 1 }),
      nameOf('SERVICE_GROUP_AGGREGATE', { optional: true }),
      nameOf('ACTIVE_ONLY_IF_ACTIVE', { optional: true }),
    ],
  },
  {
    name: 'SERVICE_GROUPS',
    key: ['NAME'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'yes'),
      nameOf('NAME'),
      yesNo('AUTO_RECOVER', 'no'),
      yesNo('CORE', 'no'),
      word('DESIRED_STATE', GROUP_STATES, { owner: 'runtime', fallback: 'initial' }),
      word('STATE', GROUP_STATES, { owner: 'runtime', fallback: 'initial' }),
      word('STATUS', STORED_STATUSES, { owner: 'runtime', fallback: '' }),
      word('CONDITION', STORED_CONDITIONS, { owner: 'runtime', fallback: '' }),
      number('FAILURE_DEBOUNCE', 0, MS_PER_DAY, 'ms', { fallback: 300_000 }),
      yesNo('FATAL_ERROR_REBOOT', 'no'),
    ],
  },
  {
    name: 'SERVICE_GROUP_MEMBERS',
    key: ['NAME', 'SERVICE_NAME'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'yes'),
      nameOf('NAME'),
      nameOf('SERVICE_NAME'),
      word('SERVICE_FAILURE_IMPACT', SEVERITIES, { fallback: 'critical' }),
    ],
  },
  {
    name: 'SERVICES',
    key: ['NAME'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'yes'),
      nameOf('NAME'),
      word('DESIRED_STATE', SERVICE_STATES, { owner: 'runtime', fallback: 'initial' }),
      word('STATE', SERVICE_STATES, { owner: 'runtime', fallback: 'initial' }),
      word('STATUS', STORED_STATUSES, { owner: 'runtime', fallback: '' }),
      word('CONDITION', STORED_CONDITIONS, { owner: 'runtime', fallback: '' }),
      number('MAX_FAILURES', 0, COUNT_MAX, '', { fallback: 2 }),
      number('FAIL_COUNTDOWN', 0, COUNT_MAX, '', { fallback: 1 }),
      number('FAIL_COUNTDOWN_INTERVAL', 0, MS_PER_DAY, 'ms', { fallback: 90_000 }),
      number('MAX_ACTION_FAILURES', 1, COUNT_MAX, '', { fallback: 4 }),
      number('MAX_TRANSITION_FAILURES', 1, COUNT_MAX, '', { fallback: 16 }),
      path('PID_FILE'),
    ],
  },
  {
    name: 'SM_SERVICE_FACTS',
    key: ['SERVICE_NAME'],
    columns: [nameOf('SERVICE_NAME'), yesNo('KERNEL_STATE', 'no')],
  },
  {
    name: 'SERVICE_INSTANCES',
    key: ['SERVICE_NAME'],
    columns: [
      id(),
      nameOf('SERVICE_NAME'),
      nameOf('INSTANCE_NAME', { owner: 'node' }),
      text('INSTANCE_PARAMETERS', 1024, { owner: 'node' }),
    ],
  },
  {
    name: 'SERVICE_ACTIONS',
    key: ['SERVICE_NAME', 'ACTION'],
    columns: [
      nameOf('SERVICE_NAME'),
      word('ACTION', SERVICE_ACTIONS),
      word('PLUGIN_TYPE', PLUGIN_TYPES),
      nameOf('PLUGIN_CLASS', { optional: true }),
      nameOf('PLUGIN_NAME', { max: 79 }),
      nameOf('PLUGIN_COMMAND', { max: 79 }),
      text('PLUGIN_PARAMETERS', 1024),
      number('MAX_FAILURE_RETRIES', 0, 1000, '', { fallback: 2 }),
      number('MAX_TIMEOUT_RETRIES', 0, 1000, '', { fallback: 2 }),
      number('MAX_TOTAL_RETRIES', 0, 1000, '', { fallback: 2 }),
      number('TIMEOUT_IN_SECS', 1, 86_400, 's'),
      number('INTERVAL_IN_SECS', 1, 86_400, 's', { unset: true, fallback: '' }),
    ],
  },
  {
    name: 'SERVICE_ACTION_RESULTS',
    key: ['PLUGIN_TYPE', 'PLUGIN_NAME', 'PLUGIN_COMMAND', 'PLUGIN_EXIT_CODE'],
    columns: [
      word('PLUGIN_TYPE', PLUGIN_TYPES),
      nameOf('PLUGIN_NAME', { max: 79 }),
      nameOf('PLUGIN_COMMAND', { max: 79 }),
      { name: 'PLUGIN_EXIT_CODE', kind: 'exit-code', type: 'CHAR(32)', owner: 'shared', fallback: null },
      word('ACTION_RESULT', ACTION_RESULTS),
      word('SERVICE_STATE', SERVICE_STATES, { fallback: 'unknown' }),
      word('SERVICE_STATUS', ['unknown', ...STORED_STATUSES], { fallback: 'unknown' }),
      word('SERVICE_CONDITION', ['unknown', ...STORED_CONDITIONS], { fallback: 'unknown' }),
    ],
  },
  {
    name: 'SERVICE_DEPENDENCY',
    key: ['DEPENDENCY_TYPE', 'SERVICE_NAME', 'STATE', 'ACTION', 'DEPENDENT'],
    columns: [
      word('DEPENDENCY_TYPE', DEPENDENCY_TYPES, { fallback: 'action' }),
      nameOf('SERVICE_NAME'),
      word('STATE', SERVICE_STATES, { fallback: 'not-applicable' }),
      word('ACTION', ['not-applicable', ...SERVICE_ACTIONS], { fallback: 'not-applicable' }),
      nameOf('DEPENDENT'),
      word('DEPENDENT_STATE', SERVICE_STATES),
    ],
  },
  {
    name: 'SERVICE_HEARTBEAT',
    key: ['NAME'],
    columns: [
      id(),
      yesNo('PROVISIONED', 'no'),
      nameOf('NAME'),
      word('TYPE', ['unknown', 'unix', 'udp'], { fallback: 'unknown' }),
      text('SRC_ADDRESS', 108, { owner: 'node' }),
      number('SRC_PORT', 0, 65_535, '', { unset: true, owner: 'node', fallback: '' }),
      text('DST_ADDRESS', 108, { owner: 'node' }),
      number('DST_PORT', 0, 65_535, '', { unset: true, owner: 'node', fallback: '' }),
      text('MESSAGE', 256),
      number('INTERVAL_IN_MS', 0, Number.MAX_SAFE_INTEGER, '', { fallback: 0 }),
      number('MISSED_WARN', 0, Number.MAX_SAFE_INTEGER, '', { fallback: 0 }),
      number('MISSED_DEGRADE', 0, Number.MAX_SAFE_INTEGER, '', { fallback: 0 }),
      number('MISSED_FAIL', 0, Number.MAX_SAFE_INTEGER, '', { fallback: 0 }),
      word('STATE', ['unknown', 'started', 'stopped'], { owner: 'runtime', fallback: 'stopped' }),
      number('MISSED', 0, Number.MAX_SAFE_INTEGER, '', { owner: 'runtime', fallback: 0 }),
      number('HEARTBEAT_TIMER_ID', 0, Number.MAX_SAFE_INTEGER, '', { owner: 'runtime', fallback: 0 }),
      number('HEARTBEAT_SOCKET', -1, Number.MAX_SAFE_INTEGER, '', { owner: 'runtime', fallback: -1 }),
    ],
  },
  {
    name: 'CONFIGURATION',
    key: ['KEY'],
    columns: [id(), nameOf('KEY'), text('VALUE', 32)],
  },
  {
    name: 'SM_ETCD',
    key: ['SERVICE_DOMAIN'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      text('ENDPOINTS', 1024),
      nameOf('USER_NAME', { optional: true }),
      nameOf('PASSWORD_SECRET', { optional: true, max: 79 }),
      path('CA_FILE'),
      path('CERTIFICATE_FILE'),
      nameOf('CERTIFICATE_KEY_SECRET', { optional: true, max: 79 }),
      number('STAMP_INTERVAL', 20, 60_000, 'ms', { fallback: 200 }),
      number('REQUEST_LIMIT', 20, 60_000, 'ms', { fallback: 200 }),
    ],
  },
  {
    name: 'SM_SHARED_DISK',
    key: ['SERVICE_DOMAIN'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      path('DEVICE'),
      number('STAMP_INTERVAL', 20, 60_000, 'ms', { fallback: 200 }),
      number('REQUEST_LIMIT', 20, 60_000, 'ms', { fallback: 200 }),
    ],
  },
  {
    name: 'SM_FENCING',
    key: ['SERVICE_DOMAIN'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      number('FENCE_DELAY', 0, 600_000, 'ms', { fallback: 0 }),
      word('FENCE_THEN', FENCE_THENS, { fallback: 'off' }),
      number('VERIFY_GAP', 200, 60_000, 'ms', { fallback: 200 }),
      number('AUDIT_INTERVAL', 1000, MS_PER_DAY, 'ms', { fallback: 60_000 }),
    ],
  },
  {
    name: 'SM_FENCE_DEVICES',
    key: ['SERVICE_DOMAIN', 'DEVICE_NAME'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      nameOf('DEVICE_NAME'),
      nameOf('NODE_NAME'),
      number('FENCE_LEVEL', 1, 9, '', { fallback: 1 }),
      nameOf('AGENT', { max: 79 }),
      text('PARAMETERS', 1024),
      text('SECRETS', 1024),
      number('STATUS_LIMIT', 100, 600_000, 'ms', { fallback: 5000 }),
      number('OFF_LIMIT', 100, 600_000, 'ms', { fallback: 20_000 }),
      number('VERIFY_LIMIT', 200, 600_000, 'ms', { fallback: 5000 }),
    ],
  },
  {
    name: 'SM_GATEWAYS',
    key: ['SERVICE_DOMAIN', 'SERVICE_DOMAIN_INTERFACE'],
    columns: [
      nameOf('SERVICE_DOMAIN'),
      word('SERVICE_DOMAIN_INTERFACE', INTERFACE_ROLES),
      text('ADDRESS', 256, { owner: 'node' }),
      number('PING_INTERVAL', 100, 60_000, 'ms', { fallback: 1000 }),
      number('PING_LIMIT', 50, 60_000, 'ms', { fallback: 500 }),
    ],
  },
];

const NAME_CHARACTERS = /^[A-Za-z0-9][A-Za-z0-9._:@-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/;

/** `a, b or c`; the empty string is called `empty`. */
export function listWords(words: readonly string[]): string {
  const shown = words.map((each) => (each === '' ? 'empty' : each));
  const last = shown.at(-1) ?? '';
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(', ')} or ${last}`;
}

/** What the cell may hold, as a sentence. The CHECK constraint of the column has it as its name. */
export function columnSentence(column: Column): string {
  switch (column.kind) {
    case 'id':
      return `${column.name} must be a whole number`;
    case 'word':
      return `${column.name} must be ${listWords(column.words)}`;
    case 'number': {
      const unit = column.unit === '' ? '' : ` ${column.unit}`;
      return `${column.name} must be a whole number from ${column.min} to ${column.max}${unit}${column.unset ? ', or empty' : ''}`;
    }
    case 'name':
      return `${column.name} must be 1 to ${column.max} letters, digits or . _ : @ -, with a letter or digit first${column.optional ? ', or empty' : ''}`;
    case 'text':
      return `${column.name} must be at most ${column.max} characters, none of them a control character`;
    case 'path':
      return `${column.name} must be empty or an absolute path of at most ${column.max} characters`;
    case 'exit-code':
      return `${column.name} must be a number from 0 to 255, ${listWords(EXIT_CODE_WORDS)}`;
  }
}

/** True where the cell holds what its column may hold. Takes text and numbers alike, as SQLite does. */
export function cellIsValid(column: Column, cell: string | number | null): boolean {
  if (column.kind === 'id') return true;
  if (cell === null) return false;
  const content = String(cell);
  switch (column.kind) {
    case 'word':
      return column.words.includes(content);
    case 'number':
      if (content === '') return column.unset;
      return /^-?\d+$/.test(content) && Number(content) >= column.min && Number(content) <= column.max;
    case 'name':
      if (content === '') return column.optional;
      return content.length <= column.max && NAME_CHARACTERS.test(content);
    case 'text':
      return content.length <= column.max && !CONTROL_CHARACTERS.test(content);
    case 'path':
      if (content === '') return true;
      return content.startsWith('/') && content.length <= column.max && !CONTROL_CHARACTERS.test(content);
    case 'exit-code':
      if ((EXIT_CODE_WORDS as readonly string[]).includes(content)) return true;
      return /^(0|[1-9]\d{0,2})$/.test(content) && Number(content) <= 255;
  }
}

/** The natural key of a row as people name it: `keystone/enable`, or `keystone/enable/postgres` of a dependency. */
export function rowKey(table: Table, row: RawRow): string {
  const parts = table.key.map((column) => String(row.columns[column] ?? ''));
  if (table.name !== 'SERVICE_DEPENDENCY') return parts.join('/');
  const [type, ...rest] = parts;
  const shown = rest.filter((part) => part !== 'not-applicable').join('/');
  return type === 'action' ? shown : `${type}/${shown}`;
}

export function tableOf(name: string): Table {
  const table = DEFINITION_TABLES.find((each) => each.name === name);
  if (table === undefined) throw new RangeError(`${name} is not a definition table`);
  return table;
}
