/** The schema: equal to its migrations, to StarlingX's columns, and to the sentences of the checks. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Column,
  cellIsValid,
  columnSentence,
  DEFINITION_TABLES,
  type Table,
} from '../../../src/core/definitions/rows.ts';
import { DATABASE_FOLDER, migrate, readMigrations } from '../../../src/shell/store/schema.ts';

const SCHEMA = join(DATABASE_FOLDER, 'schema.sql');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-schema-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function migrated(): Database.Database {
  const database = new Database(':memory:');
  migrate(database);
  return database;
}

function objects(database: Database.Database): unknown[] {
  return database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
}

test('schema.sql is the sum of the migrations', () => {
  const whole = new Database(':memory:');
  whole.exec(readFileSync(SCHEMA, 'utf8'));
  const steps = migrated();
  expect(objects(whole)).toEqual(objects(steps));
  expect(whole.pragma('user_version')).toEqual(steps.pragma('user_version'));
  expect(steps.pragma('user_version', { simple: true })).toBe(readMigrations().length);
});

/** StarlingX's tables: their tools insert into some of them by position. */
const STARLINGX: Readonly<Record<string, string>> = {
  NODES: 'ID NAME ADMINISTRATIVE_STATE OPERATIONAL_STATE AVAILABILITY_STATUS READY_STATE STATE_UUID',
  NODE_HISTORY: 'ID NAME ADMINISTRATIVE_STATE OPERATIONAL_STATE AVAILABILITY_STATUS READY_STATE STATE_UUID',
  SERVICE_DOMAIN_INTERFACES:
    'ID PROVISIONED SERVICE_DOMAIN SERVICE_DOMAIN_INTERFACE PATH_TYPE AUTH_TYPE AUTH_KEY INTERFACE_NAME INTERFACE_STATE NETWORK_TYPE NETWORK_MULTICAST NETWORK_ADDRESS NETWORK_PORT NETWORK_HEARTBEAT_PORT NETWORK_PEER_ADDRESS NETWORK_PEER_PORT NETWORK_PEER_HEARTBEAT_PORT INTERFACE_CONNECT_TYPE',
  SERVICE_DOMAINS:
    'ID PROVISIONED NAME ORCHESTRATION DESIGNATION PREEMPT PRIORITY HELLO_INTERVAL DEAD_INTERVAL WAIT_INTERVAL EXCHANGE_INTERVAL STATE SPLIT_BRAIN_RECOVERY LEADER GENERATION',
  SERVICE_DOMAIN_MEMBERS:
    'ID PROVISIONED NAME SERVICE_GROUP_NAME REDUNDANCY_MODEL N_ACTIVE M_STANDBY SERVICE_GROUP_AGGREGATE ACTIVE_ONLY_IF_ACTIVE',
  SERVICE_DOMAIN_NEIGHBORS:
    'ID NAME SERVICE_DOMAIN ORCHESTRATION DESIGNATION PRIORITY HELLO_INTERVAL DEAD_INTERVAL WAIT_INTERVAL EXCHANGE_INTERVAL STATE GENERATION',
  SERVICE_DOMAIN_ASSIGNMENTS:
    'ID UUID NAME NODE_NAME SERVICE_GROUP_NAME DESIRED_STATE STATE STATUS CONDITION',
  SERVICE_GROUPS:
    'ID PROVISIONED NAME AUTO_RECOVER CORE DESIRED_STATE STATE STATUS CONDITION FAILURE_DEBOUNCE FATAL_ERROR_REBOOT',
  SERVICE_GROUP_MEMBERS: 'ID PROVISIONED NAME SERVICE_NAME SERVICE_FAILURE_IMPACT',
  SERVICES:
    'ID PROVISIONED NAME DESIRED_STATE STATE STATUS CONDITION MAX_FAILURES FAIL_COUNTDOWN FAIL_COUNTDOWN_INTERVAL MAX_ACTION_FAILURES MAX_TRANSITION_FAILURES PID_FILE',
  SERVICE_HEARTBEAT:
    'ID PROVISIONED NAME TYPE SRC_ADDRESS SRC_PORT DST_ADDRESS DST_PORT MESSAGE INTERVAL_IN_MS MISSED_WARN MISSED_DEGRADE MISSED_FAIL STATE MISSED HEARTBEAT_TIMER_ID HEARTBEAT_SOCKET',
  SERVICE_DEPENDENCY: 'DEPENDENCY_TYPE SERVICE_NAME STATE ACTION DEPENDENT DEPENDENT_STATE',
  SERVICE_INSTANCES: 'ID SERVICE_NAME INSTANCE_NAME INSTANCE_PARAMETERS',
  SERVICE_ACTIONS:
    'SERVICE_NAME ACTION PLUGIN_TYPE PLUGIN_CLASS PLUGIN_NAME PLUGIN_COMMAND PLUGIN_PARAMETERS MAX_FAILURE_RETRIES MAX_TIMEOUT_RETRIES MAX_TOTAL_RETRIES TIMEOUT_IN_SECS INTERVAL_IN_SECS',
  SERVICE_ACTION_RESULTS:
    'PLUGIN_TYPE PLUGIN_NAME PLUGIN_COMMAND PLUGIN_EXIT_CODE ACTION_RESULT SERVICE_STATE SERVICE_STATUS SERVICE_CONDITION',
  SCHEMA_VERSION: 'ID MAJOR MINOR',
  CONFIGURATION: 'ID KEY VALUE',
};

test("StarlingX's tables have its columns in its order, and all others are named SM_", () => {
  const database = migrated();
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    .pluck()
    .all() as string[];
  expect(tables.filter((name) => !name.startsWith('SM_')).sort()).toEqual(Object.keys(STARLINGX).sort());
  for (const [table, columns] of Object.entries(STARLINGX)) {
    const found = (database.pragma(`table_info(${table})`) as { name: string }[]).map((each) => each.name);
    expect(found.join(' '), table).toBe(columns);
  }
});

test('the definition tables of the core are those of the schema, column by column', () => {
  const database = migrated();
  for (const table of DEFINITION_TABLES) {
    const found = database.pragma(`table_info(${table.name})`) as { name: string; type: string }[];
    expect(found.map(({ name, type }) => `${name} ${type}`)).toEqual(
      table.columns.map(({ name, type }) => `${name} ${type}`),
    );
  }
});

/** Cells that are right for some columns and wrong for others. */
const SAMPLES: readonly (string | number)[] = [
  '',
  'yes',
  'no',
  'none',
  'unknown',
  'nil',
  'Yes',
  ' yes',
  'enabled-active',
  'active',
  'N + M',
  'cluster',
  'a b',
  'a,b',
  '-a',
  '../a',
  'ä',
  'x'.repeat(31),
  'x'.repeat(32),
  'x'.repeat(80),
  'x'.repeat(128),
  'x'.repeat(256),
  'x'.repeat(1024),
  '/run/a.pid',
  'run/a.pid',
  'a\nb',
  'a\tb',
  'a\u007fb',
  '0',
  0,
  1,
  -1,
  '1',
  '12x',
  '1.5',
  3,
  1000,
  1_000_000_000_000,
  'other',
  '255',
  '256',
  '007',
  'plugin-failure',
  'management-interface',
  'hmac-sha512',
  'ocf-script',
];

/** A row that breaks nothing, to change one cell of. */
function soundRow(table: Table): Map<string, string | number> {
  const row = new Map<string, string | number>();
  for (const column of table.columns) {
    if (column.kind === 'id' || column.fallback !== null) continue;
    if (column.kind === 'word') row.set(column.name, column.words.at(-1) ?? '');
    else if (column.kind === 'number') row.set(column.name, column.min);
    else if (column.kind === 'exit-code') row.set(column.name, 'other');
    else row.set(column.name, `some-${column.name.toLowerCase()}`);
  }
  if (table.name === 'SERVICE_DOMAIN_INTERFACES') row.set('AUTH_KEY', 'cluster');
  if (table.name === 'SERVICE_DEPENDENCY') row.set('ACTION', 'enable');
  return row;
}

/** What the schema says to one cell; '' = nothing. Rules between cells and rows are no answer about this one. */
function answer(database: Database.Database, table: Table, column: Column, cell: string | number): string {
  const row = soundRow(table).set(column.name, cell);
  const sql = `INSERT INTO ${table.name} (${[...row.keys()]}) VALUES (${[...row].map(() => '?')})`;
  const sentences = new Set(table.columns.map(columnSentence));
  try {
    database.prepare('SAVEPOINT cell').run();
    database
      .prepare(sql)
      .run([...row.values()].map((each) => (typeof each === 'number' ? BigInt(each) : each)));
    return '';
  } catch (error) {
    const sentence = String((error as Error).message).replace('CHECK constraint failed: ', '');
    return sentences.has(sentence) ? sentence : '';
  } finally {
    database.exec('ROLLBACK TO cell; RELEASE cell');
  }
}

describe('every cell is judged alike by the schema and by the core, in the same words', () => {
  test.each(DEFINITION_TABLES.map((table) => [table.name, table] as const))('%s', (_name, table) => {
    const database = migrated();
    for (const column of table.columns) {
      if (column.kind === 'id') continue;
      let refused = 0;
      for (const cell of SAMPLES) {
        const expected = cellIsValid(column, cell) ? '' : columnSentence(column);
        const told = answer(database, table, column, cell);
        expect(told, `${column.name} = ${JSON.stringify(cell)}`).toBe(expected);
        if (told !== '') refused += 1;
      }
      expect(refused, `${column.name} refuses something`).toBeGreaterThan(0);
    }
  });
});

const SHELL_IS_HERE = spawnSync('sqlite3', ['-version']).error === undefined;
const MAY_INSTALL = process.geteuid?.() === 0;
if (!SHELL_IS_HERE && !MAY_INSTALL) {
  console.warn('the sqlite3 shell is not installed, and only root can: its tests are left out');
}

describe.runIf(SHELL_IS_HERE || MAY_INSTALL)('the stock sqlite3 shell', () => {
  const shell = (path: string, sql: string): { code: number | null; out: string; err: string } => {
    const run = spawnSync('sqlite3', ['-batch', path], { input: sql, encoding: 'utf8' });
    if (run.error !== undefined) {
      throw new Error('the sqlite3 shell is not installed: run make setup, or apt-get install sqlite3');
    }
    return { code: run.status, out: run.stdout, err: run.stderr };
  };
  const fresh = (): string => {
    const path = join(folder, `${Math.floor(performance.now() * 1000)}.db`);
    const made = shell(path, readFileSync(SCHEMA, 'utf8'));
    expect(made.err).toBe('');
    return path;
  };

  test('opens, edits and dumps, and the dump makes the same database', () => {
    const path = fresh();
    const edit = shell(
      path,
      "INSERT INTO SERVICE_DOMAINS (NAME, HELLO_INTERVAL) VALUES ('controller', '250');",
    );
    expect(edit).toEqual({ code: 0, out: '', err: '' });
    const dump = shell(path, '.dump').out;
    const copy = new Database(':memory:');
    copy.exec(dump);
    expect(objects(copy)).toEqual(objects(new Database(path)));
    expect(
      copy.prepare('SELECT typeof(HELLO_INTERVAL), HELLO_INTERVAL FROM SERVICE_DOMAINS').raw().get(),
    ).toEqual(['integer', 250]);
  });

  test.each([
    [
      "UPDATE SERVICE_DOMAINS SET SPLIT_BRAIN_RECOVERY = 'luck'",
      'SPLIT_BRAIN_RECOVERY must be disable-all-active or select-best-active',
    ],
    ['UPDATE SERVICE_DOMAINS SET DEAD_INTERVAL = 599', 'DEAD_INTERVAL must be at least 3 x HELLO_INTERVAL'],
    [
      "UPDATE SERVICE_DOMAIN_INTERFACES SET AUTH_KEY = 'titanium-server'",
      "'titanium-server' is StarlingX's built-in key, which is public and protects nothing",
    ],
    [
      "UPDATE SERVICE_DOMAIN_INTERFACES SET AUTH_TYPE = 'none'",
      'AUTH_TYPE none lets anyone on that network command the cluster',
    ],
    [
      "UPDATE SERVICE_DOMAIN_INTERFACES SET PROVISIONED = 'yes'",
      'At most three interfaces may be provisioned at once',
    ],
    [
      "INSERT INTO SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY) VALUES ('d', 'oam-interface', 'k')",
      'At most three interfaces may be provisioned at once',
    ],
    ['UPDATE SM_DOMAIN_SAFETY SET STOP_GRACE = 250', 'STOP_GRACE + KILL_VERIFY must be less than STOP_BOUND'],
  ])('refuses %s with its sentence', (sql, sentence) => {
    const path = fresh();
    const set = shell(
      path,
      `INSERT INTO SERVICE_DOMAINS (NAME) VALUES ('controller');
       INSERT INTO SM_DOMAIN_SAFETY (SERVICE_DOMAIN) VALUES ('controller');
       INSERT INTO SERVICE_DOMAIN_INTERFACES (PROVISIONED, SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY) VALUES
         ('yes', 'controller', 'management-interface', 'k'), ('yes', 'controller', 'oam-interface', 'k'),
         ('yes', 'controller', 'cluster-host-interface', 'k'), ('no', 'controller', 'admin-interface', 'k');`,
    );
    expect(set.err).toBe('');
    const run = shell(path, `${sql};`);
    expect(run.err).toContain(sentence);
    expect(run.code).not.toBe(0);
  });

  test('an unsigned interface needs its exception, and keeps it while it is used', () => {
    const path = fresh();
    const run = shell(
      path,
      `INSERT INTO SM_INTERFACE_FACTS (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, ALLOW_UNSIGNED)
         VALUES ('controller', 'oam-interface', 'yes');
       INSERT INTO SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_TYPE)
         VALUES ('controller', 'oam-interface', 'none');`,
    );
    expect(run.err).toBe('');
    expect(shell(path, 'DELETE FROM SM_INTERFACE_FACTS;').err).toContain('ALLOW_UNSIGNED is in use');
    expect(shell(path, "UPDATE SM_INTERFACE_FACTS SET ALLOW_UNSIGNED = 'no';").err).toContain(
      'ALLOW_UNSIGNED is in use',
    );
  });
});

test("StarlingX's tools can write what they write: numbers in quotes, empty ports, the word none", () => {
  const database = migrated();
  const sql = [
    `INSERT INTO SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY, NETWORK_PORT)
       VALUES ('controller', 'oam-interface', 'k', '')`,
    `UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_TYPE = 'ipv4-udp', NETWORK_MULTICAST = '', NETWORK_ADDRESS = '10.10.10.3',
       NETWORK_PORT = '2222', NETWORK_HEARTBEAT_PORT = '2223', NETWORK_PEER_ADDRESS = '10.10.10.4',
       NETWORK_PEER_PORT = '2222', NETWORK_PEER_HEARTBEAT_PORT = '2223'`,
    "INSERT INTO SERVICE_INSTANCES VALUES (NULL, 'oam-ipv4', 'oam-ipv4', 'ip=10.10.10.2,cidr_netmask=24,nic=eth0,arp_count=7')",
    "INSERT INTO SERVICE_DOMAIN_MEMBERS VALUES (NULL, 'yes', 'controller', 'oam-services', 'N + M', '1', '1', 'controller-aggregate', '')",
    "INSERT INTO SERVICES (NAME, STATUS, CONDITION) VALUES ('a', 'none', 'none')",
    "INSERT OR REPLACE INTO CONFIGURATION (ID, KEY, VALUE) VALUES ((SELECT ID FROM CONFIGURATION WHERE KEY = 'sm_client_port'), 'sm_client_port', '2124')",
    "INSERT OR REPLACE INTO CONFIGURATION (ID, KEY, VALUE) VALUES ((SELECT ID FROM CONFIGURATION WHERE KEY = 'sm_client_port'), 'sm_client_port', '2125')",
  ];
  for (const each of sql) database.prepare(each).run();
  expect(database.prepare('SELECT VALUE FROM CONFIGURATION').pluck().all()).toEqual(['2125']);
  expect(database.prepare('SELECT NETWORK_PORT FROM SERVICE_DOMAIN_INTERFACES').pluck().get()).toBe(2222);
});
