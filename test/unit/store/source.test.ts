/** Definition sets as they are given, and what `smctl check` says about them. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkSet } from '../../../src/cli/check.ts';
import { DATABASE_FOLDER, migrate } from '../../../src/shell/store/schema.ts';
import { loadRows } from '../../../src/shell/store/source.ts';
import { splitStatements } from '../../../src/shell/store/statements.ts';
import { openStore } from '../../../src/shell/store/store.ts';

const SET = join(DATABASE_FOLDER, 'definitions', 'starlingx');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-set-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A copy of the set with one more file that spoils it. */
function spoiled(sql: string): string {
  const copy = join(folder, 'set');
  cpSync(SET, copy, { recursive: true });
  writeFileSync(join(copy, '99-bad.sql'), sql);
  return copy;
}
const errorsOf = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith('error '));
const COUNTS = ['groups 10', 'members 92', 'services 92', 'actions 389', 'results 48', 'dependencies 273'];

test('statements are told apart, whatever is in texts, names and comments', () => {
  const text = `-- a; b
INSERT INTO A VALUES ('x;y', 'it''s'); /* c; d */ UPDATE "A;B"
  SET C = 1 -- e; f
  WHERE D = 2;;
DELETE FROM [G;H]`;
  expect(splitStatements(text)).toEqual([
    { line: 2, sql: "INSERT INTO A VALUES ('x;y', 'it''s')" },
    { line: 2, sql: 'UPDATE "A;B"\n  SET C = 1 -- e; f\n  WHERE D = 2' },
    { line: 5, sql: 'DELETE FROM [G;H]' },
  ]);
});

describe('smctl check', () => {
  test('of the shipped StarlingX set: the counts, then sums that hold and warnings, and exit 0', () => {
    const { exit, lines } = checkSet(SET);
    expect(lines.slice(0, 6)).toEqual(COUNTS);
    expect(lines.length).toBeGreaterThan(6);
    for (const line of lines.slice(6))
      expect(line).toMatch(/^(warning [A-Z_]+ \S+: |timing [a-z-]+: .*(: holds| of silence)$)/);
    expect(exit).toBe(0);
  });

  test('of the same as a database of ours', () => {
    const path = join(folder, 'sm.db');
    const store = openStore(path);
    const loaded = loadRows(SET);
    if (!store.ok || !loaded.ok) throw new Error('set-up failed');
    expect(store.value.seed(loaded.value.rows, [], 0)).toEqual([]);
    expect(checkSet(path).lines).toEqual(checkSet(SET).lines);
    store.value.close();
  });

  test('of ten bad edits: ten errors with table and row, and exit 1', () => {
    const { exit, lines } = checkSet(
      spoiled(`
        UPDATE SERVICES SET MAX_FAILURES = 'two' WHERE NAME = 'keystone';
        UPDATE SERVICE_GROUPS SET CORE = 'perhaps' WHERE NAME = 'vim-services';
        UPDATE SERVICE_GROUP_MEMBERS SET SERVICE_FAILURE_IMPACT = 'bad' WHERE SERVICE_NAME = 'etcd';
        UPDATE SERVICE_DOMAIN_MEMBERS SET N_ACTIVE = 3 WHERE SERVICE_GROUP_NAME = 'web-services';
        UPDATE SERVICE_DOMAIN_INTERFACES SET AUTH_KEY = 'titanium-server' WHERE ID = 2;
        DELETE FROM SERVICE_ACTIONS WHERE SERVICE_NAME = 'lighttpd' AND ACTION = 'disable';
        UPDATE SERVICE_ACTIONS SET PLUGIN_TYPE = 'sh' WHERE SERVICE_NAME = 'horizon' AND ACTION = 'enable';
        UPDATE SERVICE_DEPENDENCY SET DEPENDENT = 'postgress' WHERE SERVICE_NAME = 'fm-mgr' AND ACTION = 'enable';
        INSERT INTO SERVICE_DEPENDENCY VALUES ('action', 'drbd-pg', 'not-applicable', 'enable', 'postgres', 'enabled-active');
        UPDATE SERVICE_INSTANCES SET INSTANCE_PARAMETERS = 'a=b=c' WHERE SERVICE_NAME = 'vim';
      `),
    );
    expect(exit).toBe(1);
    expect(lines.slice(0, 4)).toEqual([...COUNTS.slice(0, 3), 'actions 388']);
    const told = errorsOf(lines).map((line) => line.split(':')[0]);
    expect(told.sort()).toEqual(
      [
        'error SERVICES keystone',
        'error SERVICE_GROUPS vim-services',
        'error SERVICE_GROUP_MEMBERS controller-services/etcd',
        'error SERVICE_DOMAIN_MEMBERS controller/web-services',
        'error SERVICE_DOMAIN_INTERFACES controller/oam-interface',
        'error SERVICE_ACTIONS lighttpd/disable',
        'error SERVICE_ACTIONS horizon/enable',
        'error SERVICE_DEPENDENCY fm-mgr/enable/postgress',
        'error SERVICE_DEPENDENCY drbd-pg/enable/postgres',
        'error SERVICE_INSTANCES vim',
      ].sort(),
    );
  });

  test('as JSON: the same as data', () => {
    const report = JSON.parse(JSON.stringify(checkSet(SET).json)) as Record<string, unknown>;
    expect(report).toMatchObject({
      ok: true,
      usable: true,
      errors: [],
      counts: { actions: 389, dependencies: 273 },
    });
    expect(report.warnings).toContainEqual(
      expect.objectContaining({
        code: 'missing-audit',
        table: 'SERVICE_ACTIONS',
        row: 'nfs-mgmt/audit-enabled',
      }),
    );
  });

  test("missing scripts: warnings for a set, errors for this node's database and where strict", () => {
    const scriptProblem = (): string => 'it is not there';
    const path = join(folder, 'sm.db');
    const store = openStore(path);
    const loaded = loadRows(SET);
    if (!store.ok || !loaded.ok) throw new Error('set-up failed');
    store.value.seed(loaded.value.rows, [], 0);
    store.value.close();
    expect(checkSet(SET, { scriptProblem }).exit).toBe(0);
    expect(checkSet(path, { scriptProblem }).exit).toBe(0);
    const own = checkSet(path, { scriptProblem, ownDatabase: path });
    const strict = checkSet(SET, { scriptProblem, strict: true });
    expect([own.exit, strict.exit]).toEqual([1, 1]);
    expect([errorsOf(own.lines).length, errorsOf(strict.lines).length]).toEqual([32, 92]);
  });

  test.each([
    ['a missing set', 'absent', 'SM_SET_MISSING', 2],
    ['an empty folder', '.', 'SM_SET_EMPTY', 2],
    ['a file that is no database', 'notes', 'SM_STORE_NOT_A_DATABASE', 3],
    // Opened, a terminal, a pipe or a FIFO would be waited for.
    ['a device', '/dev/null', 'SM_SET_MISSING', 2],
  ])('%s has its own error', (_name, path, code, exit) => {
    writeFileSync(join(folder, 'notes'), 'dear diary, this is long enough to hold a header\n'.repeat(20));
    const report = checkSet(resolve(folder, path));
    expect(report.exit).toBe(exit);
    expect(report.lines[0]).toContain(`error ${code}: `);
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });
});

describe('a folder', () => {
  test.each([
    ['SELEKT 1;', 'a definition file may INSERT, UPDATE and DELETE, nothing else'],
    ["ATTACH '/etc/passwd' AS p;", 'a definition file may INSERT, UPDATE and DELETE, nothing else'],
    ['INSERT INTO SERVICE (NAME) VALUES (1);', 'no such table: SERVICE'],
    ['INSERT INTO CONFIGURATION (KEY, VALUE) VALUES ("sm_x", 1);', 'texts stand in single quotes'],
    ["UPDATE SERVICES NAME = 'x';", 'syntax error'],
  ])('%s: file and line are named, the rest is loaded', (sql, reason) => {
    const { exit, lines } = checkSet(spoiled(`-- one\n-- two\n${sql}`));
    expect(exit).toBe(1);
    expect(lines.slice(0, 6)).toEqual(COUNTS);
    expect(errorsOf(lines)).toHaveLength(1);
    expect(errorsOf(lines)[0]).toContain('99-bad.sql:3: ');
    expect(errorsOf(lines)[0]).toContain(reason);
  });

  test('its files are taken by number, others are left alone', () => {
    const set = spoiled("UPDATE SERVICES SET NAME = 'x' WHERE 0;");
    writeFileSync(join(set, 'notes.sql'), 'nonsense');
    writeFileSync(join(set, '100-last.sql'), "UPDATE SERVICES SET MAX_FAILURES = 9 WHERE NAME = 'vim';");
    writeFileSync(join(set, '098-first.sql'), "UPDATE SERVICES SET MAX_FAILURES = 8 WHERE NAME = 'vim';");
    const loaded = loadRows(set);
    if (!loaded.ok) throw new Error(loaded.error.message);
    expect(loaded.value.problems).toEqual([]);
    const vim = loaded.value.rows.get('SERVICES')?.find((row) => row.columns.NAME === 'vim');
    expect(vim?.columns.MAX_FAILURES).toBe(9);
  });

  test('every file of the shipped sets fits the schema as it is, with its rules on', () => {
    for (const name of ['starlingx', 'demo']) {
      const database = new Database(':memory:');
      migrate(database);
      const set = join(DATABASE_FOLDER, 'definitions', name);
      for (const file of readdirSync(set)
        .filter((each) => each.endsWith('.sql'))
        .sort()) {
        for (const { sql } of splitStatements(readFileSync(join(set, file), 'utf8')))
          database.prepare(sql).run();
      }
      expect(database.prepare('SELECT count(*) FROM SERVICES').pluck().get()).toBe(name === 'demo' ? 6 : 92);
    }
  });
});

test('an empty file is said to be none, once', () => {
  const path = join(folder, 'empty.db');
  writeFileSync(path, '');
  expect(checkSet(path)).toMatchObject({
    exit: 2,
    lines: [expect.stringMatching(/^error SM_SET_MISSING: .*empty\.db is neither/)],
  });
});

test('a file that looks like a definition and is not read is named', () => {
  const set = join(folder, 'misnamed');
  cpSync(SET, set, { recursive: true });
  for (const name of ['extra.sql', '90-more.sql.bak', '91-loud.SQL']) writeFileSync(join(set, name), '');
  const { exit, lines } = checkSet(set);
  expect(exit).toBe(0);
  const warned = lines.filter((line) => line.includes('it is not read'));
  expect(warned.map((line) => line.split(':')[0])).toEqual([
    'warning - 90-more.sql.bak',
    'warning - 91-loud.SQL',
    'warning - extra.sql',
  ]);
});

test('a database as StarlingX makes it: no tables of ours, no rules; its faults are named and nothing in it is changed', () => {
  const path = join(folder, 'master.db');
  const database = new Database(path);
  const whole = new Database(':memory:');
  migrate(whole);
  const loaded = loadRows(SET);
  if (!loaded.ok) throw new Error(loaded.error.message);
  for (const [table, rows] of loaded.value.rows) {
    if (table.startsWith('SM_')) continue;
    const columns = whole.pragma(`table_info(${table})`) as { name: string; type: string }[];
    database.exec(`CREATE TABLE ${table} (${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`);
    const insert = database.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => '?').join(', ')})`);
    for (const row of rows)
      insert.run(
        columns.map(({ name }) => row.columns[name] ?? (/STATUS|CONDITION/.test(name) ? 'none' : '')),
      );
  }
  database.exec(`UPDATE SERVICE_DOMAIN_INTERFACES SET AUTH_KEY = 'titanium-server' WHERE ID = 2;
    DELETE FROM SERVICE_INSTANCES WHERE SERVICE_NAME = 'keystone'`);
  database.close();
  const { exit, lines } = checkSet(path);
  expect(exit).toBe(1);
  expect(errorsOf(lines).map((line) => line.split(':')[0])).toEqual([
    'error SM_DOMAIN_NODES controller',
    'error SERVICE_DOMAIN_INTERFACES controller/oam-interface',
  ]);
  expect(lines.filter((line) => line.startsWith('warning SERVICE_INSTANCES keystone'))).toHaveLength(1);
});
