/** The store: one transaction a turn, clean-up at start, and files with faults left as they are. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildDefinitions } from '../../../src/core/definitions/build.ts';
import type { NodeRow } from '../../../src/core/engine-interface.ts';
import type { ErrorCode } from '../../../src/core/kernel/errors.ts';
import type { Operation } from '../../../src/core/link/types.ts';
import type { HistoryEffect } from '../../../src/core/service/interface.ts';
import { assignmentUuid, type StoredEffect } from '../../../src/shell/store/persist.ts';
import { DATABASE_FOLDER, readMigrations } from '../../../src/shell/store/schema.ts';
import { loadRows } from '../../../src/shell/store/source.ts';
import { openStore, type Store, type StoreOptions } from '../../../src/shell/store/store.ts';

const WALL_MS = 1_760_000_000_000;
const LIFE = 'a'.repeat(32);
const NEXT_LIFE = 'b'.repeat(32);

let folder: string;
let path: string;
const stores: Store[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-store-'));
  path = join(folder, 'sm.db');
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  rmSync(folder, { recursive: true });
});

function open(options: StoreOptions = {}): Store {
  const result = openStore(path, options);
  if (!result.ok) throw new Error(result.error.message);
  stores.push(result.value);
  return result.value;
}
function refusal(options: StoreOptions = {}): ErrorCode | 'opened' {
  const result = openStore(path, options);
  if (!result.ok) {
    expect(result.error.message).toContain(path);
    return result.error.code;
  }
  result.value.close();
  return 'opened';
}
function demo(options: StoreOptions = {}): Store {
  const store = open(options);
  const loaded = loadRows(join(DATABASE_FOLDER, 'definitions', 'demo'));
  if (!loaded.ok) throw new Error(loaded.error.message);
  expect(store.seed(loaded.value.rows, loaded.value.problems, WALL_MS)).toEqual([]);
  return store;
}
function save(store: Store, ...effects: StoredEffect[]): void {
  expect(store.commit(effects, WALL_MS)).toEqual({ ok: true });
}
function reopen(store: Store): Store {
  store.close();
  stores.splice(stores.indexOf(store), 1);
  return open();
}
const history = (cause: string): HistoryEffect => ({
  type: 'history',
  entity: 'service',
  name: 'shop-web',
  from: 'disabled',
  to: 'enabling',
  cause,
  actor: 'engine',
  reason: 'because',
});
const SERVICE: StoredEffect = {
  type: 'persist.service',
  service: 'shop-web',
  desired: 'enabled-active',
  state: 'enabling',
  status: 'degraded',
  condition: 'data-syncing',
};
const NODE: NodeRow = {
  name: 'controller-0',
  administrative: 'locked',
  operational: 'enabled',
  availability: 'available',
  ready: 'enabled',
  administrativeVersion: 7,
  lockedUntil: WALL_MS + 1,
  lockReason: 'disk',
};
const OPERATION: Operation = {
  id: 'controller-0-ab-1',
  kind: 'swact',
  node: 'controller-0',
  group: '',
  step: 'stopping',
  actor: 'root',
  why: 'patch',
  reason: '',
  requestedAt: WALL_MS,
  limitMs: 60_000,
};

describe('a new file', () => {
  test('belongs to its owner alone, is in WAL mode and durable, and has the schema', () => {
    const store = open();
    expect(store.empty).toBe(true);
    for (const name of ['sm.db', 'sm.db-wal', 'sm.db-shm']) {
      expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    }
    expect(store.durability()).toEqual({ journalMode: 'wal', synchronous: 2 });
    expect(store.select('SELECT user_version FROM pragma_user_version')).toEqual([
      { user_version: readMigrations().length },
    ]);
  });

  test('a mode that is too open is narrowed', () => {
    open().close();
    stores.length = 0;
    chmodSync(path, 0o644);
    open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('of an older schema is brought up to date, with what is in it', () => {
    const database = new Database(path);
    database.exec(readMigrations()[0]?.sql ?? '');
    database.exec("INSERT INTO SERVICES (NAME) VALUES ('old'); PRAGMA user_version = 1");
    database.close();
    const store = open();
    expect(store.select('SELECT user_version FROM pragma_user_version')).toEqual([
      { user_version: readMigrations().length },
    ]);
    expect(store.select('SELECT NAME FROM SERVICES')).toEqual([{ NAME: 'old' }]);
    expect(store.select('SELECT * FROM SM_EVENTS')).toEqual([]);
  });

  test('takes a definition set and gives it back', () => {
    const store = demo();
    expect(store.empty).toBe(false);
    const loaded = loadRows(join(DATABASE_FOLDER, 'definitions', 'demo'));
    if (!loaded.ok) throw new Error(loaded.error.message);
    expect(buildDefinitions(store.rows()).set).toEqual(buildDefinitions(loaded.value.rows).set);
    expect(reopen(store).empty).toBe(false);
  });

  test('a bad row of the set is kept apart with its content and its reason, all others are stored', () => {
    const store = open();
    const loaded = loadRows(join(DATABASE_FOLDER, 'definitions', 'starlingx'));
    if (!loaded.ok) throw new Error(loaded.error.message);
    const services = loaded.value.rows
      .get('SERVICES')!
      .map((row) =>
        row.columns.NAME === 'keystone' ? { ...row, columns: { ...row.columns, MAX_FAILURES: 'two' } } : row,
      );
    const refused = store.seed(new Map(loaded.value.rows).set('SERVICES', services), [], WALL_MS);
    expect(refused.map(({ table, row }) => `${table} ${row}`)).toEqual(['SERVICES keystone']);
    expect(store.select('SELECT STAGE, TABLE_NAME, ROW_KEY, PROBLEM, CONTENT FROM SM_QUARANTINE')).toEqual([
      {
        STAGE: 'seed',
        TABLE_NAME: 'SERVICES',
        ROW_KEY: 'keystone',
        PROBLEM: 'MAX_FAILURES must be a whole number from 0 to 1000000',
        CONTENT: expect.stringContaining('"MAX_FAILURES":"two"'),
      },
    ]);
    const built = buildDefinitions(store.rows());
    expect(built.counts.services).toBe(91);
    store.setQuarantine(built.problems, WALL_MS);
    store.setQuarantine(built.problems, WALL_MS);
    const stages = store.select<{ STAGE: string }>('SELECT STAGE FROM SM_QUARANTINE').map((row) => row.STAGE);
    expect(stages.filter((stage) => stage === 'seed')).toHaveLength(1);
    expect(stages.filter((stage) => stage === 'load')).toHaveLength(
      built.problems.filter((each) => each.quarantined).length,
    );
  });
});

test('a set whose domain can not be stored leaves the store empty for the corrected one', () => {
  const store = open();
  const loaded = loadRows(join(DATABASE_FOLDER, 'definitions', 'demo'));
  if (!loaded.ok) throw new Error(loaded.error.message);
  const domain = loaded.value.rows.get('SERVICE_DOMAINS')!.map((row) => ({
    ...row,
    columns: { ...row.columns, DEAD_INTERVAL: 100 },
  }));
  const refused = store.seed(new Map(loaded.value.rows).set('SERVICE_DOMAINS', domain), [], WALL_MS);
  expect(refused.map(({ table, row }) => `${table} ${row}`)).toEqual(['SERVICE_DOMAINS controller']);
  expect(store.empty).toBe(true);
  expect(store.select('SELECT * FROM SERVICES')).toEqual([]);
  expect(store.seed(loaded.value.rows, [], WALL_MS)).toEqual([]);
  expect(store.empty).toBe(false);
});

test('a set that has lost its domain is not taken for an empty store', () => {
  const store = demo();
  const editor = new Database(store.path);
  editor.exec('DELETE FROM SERVICE_DOMAINS');
  editor.close();
  expect(store.empty).toBe(false);
});

const BOOT = { kernelLife: LIFE, wallMs: WALL_MS, cause: 'reboot', reason: 'shop-web failed' } as const;

describe('a commit', () => {
  test('keeps what a node was before, and the newest boots', () => {
    const store = demo();
    store.begin({ node: 'controller-0', kernelLife: LIFE });
    const states = [NODE, { ...NODE, lockReason: 'new' }, { ...NODE, availability: 'failed' } as const];
    for (const node of states) save(store, { type: 'persist.node', node });
    expect(store.select('SELECT NAME, AVAILABILITY_STATUS FROM NODE_HISTORY')).toEqual([
      { NAME: NODE.name, AVAILABILITY_STATUS: NODE.availability },
    ]);
    for (let i = 0; i < 250; i += 1) save(store, { type: 'persist.boot', boot: { ...BOOT, wallMs: i } });
    const kept = store.restored().boots.map(({ wallMs }) => wallMs);
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([100, 150, 249]);
  });

  test('stores every kind of effect, and a new start finds it', () => {
    const store = demo();
    store.begin({ node: 'controller-0', kernelLife: LIFE });
    save(
      store,
      SERVICE,
      {
        type: 'persist.group',
        group: 'shop-services',
        desired: 'active',
        state: 'go-active',
        status: 'warn',
        condition: '',
      },
      { type: 'persist.managed', service: 'shop-web', managed: false, reason: 'I debug it', until: 1_700 },
      { type: 'persist.intent', run: 5, service: 'shop-web', action: 'enable', ended: false },
      { type: 'persist.node', node: NODE },
      { type: 'persist.interface', role: 'oam-interface', state: 'enabled', reason: 'carrier' },
      {
        type: 'persist.domain',
        state: 'leader',
        designation: 'leader',
        leader: 'controller-0',
        number: 12,
        settled: true,
        led: true,
      },
      {
        type: 'persist.neighbor',
        name: 'controller-1',
        state: 'full',
        designation: 'backup',
        kernelLife: NEXT_LIFE,
      },
      {
        type: 'persist.assignment',
        assignment: {
          node: 'controller-1',
          group: 'shop-services',
          desired: 'standby',
          state: 'standby',
          status: '',
          condition: '',
        },
      },
      {
        type: 'persist.numbers',
        numbers: {
          group: 'shop-services',
          held: 3,
          stopped: 2,
          max: 4,
          holder: 'controller-0',
          holderActivation: 3,
        },
      },
      { type: 'persist.operation', operation: OPERATION },
      { type: 'persist.boot', boot: BOOT },
      { type: 'persist.register', register: 'r1' },
      { type: 'persist.off-times', text: '[]' },
      {
        type: 'persist.alarm',
        id: 'policy',
        entity: 'domain',
        severity: 'major',
        raised: true,
        reason: 'r',
        repair: 'p',
      },
      history('enable'),
    );
    expect(store.select('SELECT STATE, STATUS, CONDITION FROM SERVICES WHERE NAME = ?', 'shop-web')).toEqual([
      { STATE: 'enabling', STATUS: 'degraded', CONDITION: 'data-syncing' },
    ]);
    expect(store.select('SELECT NAME, STATE, HELLO_INTERVAL FROM SERVICE_DOMAIN_NEIGHBORS')).toEqual([
      { NAME: 'controller-1', STATE: 'full', HELLO_INTERVAL: 200 },
    ]);
    expect(store.select('SELECT ALARM, RAISED_AT FROM SM_ALARMS')).toEqual([
      { ALARM: 'policy', RAISED_AT: WALL_MS },
    ]);
    expect(store.select('SELECT WALL_MS, FROM_STATE, TO_STATE, CAUSE FROM SM_EVENTS')).toEqual([
      { WALL_MS, FROM_STATE: 'disabled', TO_STATE: 'enabling', CAUSE: 'enable' },
    ]);
    expect(reopen(store).restored()).toEqual({
      number: 12,
      settled: true,
      led: true,
      joins: false,
      boots: [BOOT],
      kernelLife: LIFE,
      peerKernelLife: NEXT_LIFE,
      register: 'r1',
      offTimes: '[]',
      nodes: [NODE],
      numbers: [
        { group: 'shop-services', held: 3, stopped: 2, max: 4, holder: 'controller-0', holderActivation: 3 },
      ],
      operations: [OPERATION],
      groups: [
        { group: 'shop-services', desired: 'active' },
        { group: 'web-services', desired: 'initial' },
      ],
      services: expect.arrayContaining([
        {
          service: 'shop-web',
          desired: 'enabled-active',
          managed: false,
          managedUntil: 1_700,
          managedReason: 'I debug it',
        },
        { service: 'shop-store', desired: 'initial', managed: true, managedUntil: 0, managedReason: '' },
      ]),
      intents: [{ run: 5, service: 'shop-web', action: 'enable' }],
    });
  });

  test('is all or nothing', () => {
    const store = demo();
    const bad = { ...SERVICE, state: 'flying' } as unknown as StoredEffect;
    const result = store.commit([history('a'), bad], WALL_MS);
    expect(result.ok).toBe(false);
    expect(!result.ok && result.reason).toContain('STATE must be');
    expect(store.select('SELECT * FROM SM_EVENTS')).toEqual([]);
    save(store, history('b'));
    expect(store.select('SELECT CAUSE FROM SM_EVENTS')).toEqual([{ CAUSE: 'b' }]);
  });

  test('an ended intent, a cleared alarm and a newer operation replace what was', () => {
    const store = demo();
    const intent = { type: 'persist.intent', service: 'shop-web', action: 'enable' } as const;
    const alarm = {
      type: 'persist.alarm',
      id: 'a',
      entity: 'e',
      severity: 'minor',
      reason: '',
      repair: '',
    } as const;
    save(
      store,
      { ...intent, run: 1, ended: false },
      { ...alarm, raised: true },
      { type: 'persist.operation', operation: OPERATION },
    );
    save(store, { ...intent, run: 1, ended: true }, { ...alarm, raised: false });
    save(store, { type: 'persist.operation', operation: { ...OPERATION, step: 'done' } });
    expect(store.restored().intents).toEqual([]);
    expect(store.select('SELECT * FROM SM_ALARMS')).toEqual([]);
    expect(store.restored().operations).toEqual([{ ...OPERATION, step: 'done' }]);
  });

  test('the end of an older run does not end the newer one', () => {
    const store = demo();
    const intent = { type: 'persist.intent', service: 'shop-web', action: 'enable' } as const;
    save(store, { ...intent, run: 2, ended: false }, { ...intent, run: 1, ended: true });
    expect(store.restored().intents).toHaveLength(1);
  });

  test('keeps the history bounded, the newest rows', () => {
    const store = demo({ historyRowsMax: 3 });
    for (const cause of ['a', 'b', 'c', 'd', 'e']) save(store, history(cause));
    expect(store.select('SELECT CAUSE FROM SM_EVENTS ORDER BY ID')).toEqual(
      ['c', 'd', 'e'].map((CAUSE) => ({ CAUSE })),
    );
  });

  test('keeps finished operations bounded, and every one that runs', () => {
    const store = demo();
    const operation = (i: number, step: Operation['step']): StoredEffect => ({
      type: 'persist.operation',
      operation: { ...OPERATION, id: `op-${i}`, step, requestedAt: WALL_MS + i },
    });
    save(store, operation(0, 'stopping'), ...Array.from({ length: 300 }, (_, i) => operation(i + 1, 'done')));
    const left = store.restored().operations;
    expect(left).toHaveLength(201);
    expect([left[0]?.id, left.at(-1)?.id]).toEqual(['op-0', 'op-300']);
  });

  test('a file that another one writes is a reason, not an exception, and works again after', () => {
    const store = demo();
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    const result = store.commit([history('a')], WALL_MS);
    expect(!result.ok && result.reason).toContain('locked');
    other.exec('ROLLBACK');
    other.close();
    save(store, history('a'));
  });

  test('an edit by others is noticed once; our own commits are none', () => {
    const store = demo();
    save(store, history('a'));
    expect(store.changedByOthers()).toBe(false);
    const other = new Database(path);
    other.exec("UPDATE SERVICE_ACTIONS SET TIMEOUT_IN_SECS = '12' WHERE SERVICE_NAME = 'shop-web'");
    other.close();
    expect([store.changedByOthers(), store.changedByOthers()]).toEqual([true, false]);
  });

  test('an assignment has the same UUID on both nodes, and another one for each', () => {
    const uuid = assignmentUuid('controller', 'controller-0', 'web-services');
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(assignmentUuid('controller', 'controller-0', 'web-services')).toBe(uuid);
    expect(assignmentUuid('controller', 'controller-1', 'web-services')).not.toBe(uuid);
  });
});

describe('a start', () => {
  const begun = (store: Store, kernelLife: string): ReturnType<Store['begin']> =>
    store.begin({ node: 'controller-0', kernelLife });
  const wanted = (): Store => {
    const store = demo();
    begun(store, LIFE);
    save(
      store,
      SERVICE,
      {
        type: 'persist.group',
        group: 'shop-services',
        desired: 'active',
        state: 'active',
        status: 'warn',
        condition: '',
      },
      { type: 'persist.node', node: NODE },
      { type: 'persist.intent', run: 5, service: 'shop-web', action: 'enable', ended: false },
      {
        type: 'persist.domain',
        state: 'leader',
        designation: 'leader',
        leader: 'controller-0',
        number: 12,
        settled: true,
        led: true,
      },
      {
        type: 'persist.alarm',
        id: 'a',
        entity: 'e',
        severity: 'minor',
        raised: true,
        reason: '',
        repair: '',
      },
    );
    return reopen(store);
  };

  test('of sm alone keeps what was wanted and clears what can not be known', () => {
    const store = wanted();
    const restored = begun(store, LIFE);
    expect(restored).toMatchObject({ kernelLife: LIFE, number: 12, settled: true, led: true });
    expect(restored.groups[0]).toEqual({ group: 'shop-services', desired: 'active' });
    expect(restored.services).toContainEqual({
      service: 'shop-web',
      desired: 'enabled-active',
      managed: true,
      managedUntil: 0,
      managedReason: '',
    });
    expect(restored.intents).toHaveLength(1);
    expect(restored.nodes).toEqual([{ ...NODE, ready: 'disabled' }]);
    expect(store.select('SELECT DISTINCT STATE, STATUS, CONDITION FROM SERVICES')).toEqual([
      { STATE: 'initial', STATUS: '', CONDITION: '' },
    ]);
    expect(store.select('SELECT STATE, DESIGNATION, LEADER, GENERATION FROM SERVICE_DOMAINS')).toEqual([
      { STATE: 'initial', DESIGNATION: 'unknown', LEADER: '', GENERATION: 12 },
    ]);
    expect(store.select('SELECT * FROM SM_ALARMS')).toEqual([]);
  });

  test('of the kernel makes void what was wanted, and tells the former life until something is stored', () => {
    const store = wanted();
    const restored = begun(store, NEXT_LIFE);
    expect(restored).toMatchObject({ kernelLife: LIFE, number: 12, settled: false, led: false, intents: [] });
    expect(restored.groups[0]?.desired).toBe('initial');
    expect(restored.services.map((each) => each.desired)).toEqual(restored.services.map(() => 'initial'));
    const again = reopen(store);
    expect(begun(again, NEXT_LIFE).kernelLife).toBe(LIFE);
    save(again, history('first'));
    expect(begun(reopen(again), NEXT_LIFE).kernelLife).toBe(NEXT_LIFE);
  });
});

describe('the link for tools that know one path only', () => {
  test('is made, replaced when it leads elsewhere, and never replaces a file', () => {
    const linkPath = join(folder, 'run', 'sm.db');
    expect(open({ linkPath }).warnings).toEqual([]);
    expect(readlinkSync(linkPath)).toBe(path);
    path = join(folder, 'other.db');
    expect(open({ linkPath }).warnings).toEqual([]);
    expect(readlinkSync(linkPath)).toBe(path);
    rmSync(linkPath);
    writeFileSync(linkPath, 'precious');
    expect(open({ linkPath }).warnings.map((warning) => warning.code)).toEqual(['SM_STORE_LINK']);
    expect(readFileSync(linkPath, 'utf8')).toBe('precious');
    expect(lstatSync(linkPath).isSymbolicLink()).toBe(false);
  });
});

describe('a reader', () => {
  test('sees what is committed while the writer is open, and can not write', () => {
    const store = demo();
    const reader = open({ readonly: true });
    save(store, SERVICE);
    expect(reader.restored().services).toContainEqual({
      service: 'shop-web',
      desired: 'enabled-active',
      managed: true,
      managedUntil: 0,
      managedReason: '',
    });
    expect(() => reader.select('DELETE FROM SERVICES')).toThrow('may only read');
    expect(reader.commit([SERVICE], WALL_MS).ok).toBe(false);
  });

  test('a file that is not there is not made', () => {
    expect(refusal({ readonly: true })).toBe('SM_STORE_MISSING');
    expect(existsSync(path)).toBe(false);
  });
});

describe('a file with a fault has its own error and stays as it was', () => {
  /** Opens twice, as writer and as reader, and compares every byte. */
  const expectUntouched = (code: ErrorCode): void => {
    const before = readFileSync(path);
    expect(refusal()).toBe(code);
    expect(refusal({ readonly: true })).toBe(code);
    expect(readFileSync(path).equals(before)).toBe(true);
  };
  const filled = (): void => {
    demo().close();
    stores.length = 0;
  };

  test('no database', () => {
    writeFileSync(path, 'dear diary, this is long enough to hold a header\n'.repeat(20));
    expectUntouched('SM_STORE_NOT_A_DATABASE');
  });
  test('pages overwritten', () => {
    filled();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 4096 * 3, 4096 * 12);
    writeFileSync(path, bytes);
    expectUntouched('SM_STORE_CORRUPT');
  });
  test('cut off', () => {
    filled();
    truncateSync(path, 4096 * 5);
    expectUntouched('SM_STORE_CORRUPT');
  });
  test('of a newer schema', () => {
    filled();
    const database = new Database(path);
    database.pragma('user_version = 900');
    database.close();
    expectUntouched('SM_STORE_NEWER');
  });
  test.each([
    ["StarlingX's", 'CREATE TABLE SERVICES (ID INTEGER PRIMARY KEY, NAME CHAR(32))'],
    ["another program's", 'CREATE TABLE cookies (taste)'],
  ])('%s', (_name, sql) => {
    const database = new Database(path);
    database.exec(sql);
    database.close();
    expectUntouched('SM_STORE_FOREIGN');
  });
  test('locked', () => {
    filled();
    const other = new Database(path);
    other.pragma('locking_mode = EXCLUSIVE');
    other.exec('BEGIN EXCLUSIVE');
    const before = readFileSync(path);
    expect(refusal()).toBe('SM_STORE_LOCKED');
    expect(readFileSync(path).equals(before)).toBe(true);
    other.exec('ROLLBACK');
    other.close();
  });

  /** Root may write everything: the test takes the place of a user who may not, for the length of one call. */
  const asUser = <T>(work: () => T): T => {
    if (process.geteuid?.() !== 0) return work();
    process.seteuid?.(65_534);
    try {
      return work();
    } finally {
      process.seteuid?.(0);
    }
  };
  test('that can only be read', () => {
    filled();
    chmodSync(folder, 0o777);
    chmodSync(path, 0o444);
    const before = readFileSync(path);
    expect(asUser(refusal)).toBe('SM_STORE_READ_ONLY');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o444);
  });
  test('in a directory that can only be read', () => {
    filled();
    chmodSync(path, 0o666);
    chmodSync(folder, 0o555);
    const before = readFileSync(path);
    expect(asUser(refusal)).toBe('SM_STORE_READ_ONLY');
    expect(readFileSync(path).equals(before)).toBe(true);
    chmodSync(folder, 0o755);
  });
  test('that can not be made: no directory, or none to write in', () => {
    path = join(folder, 'absent', 'sm.db');
    expect(refusal()).toBe('SM_STORE_OPEN');
    mkdirSync(join(folder, 'absent'), { mode: 0o555 });
    chmodSync(folder, 0o755);
    expect(asUser(refusal)).toBe('SM_STORE_READ_ONLY');
  });
});

test('what was stored survives kill -9 of the writer', async () => {
  demo().close();
  stores.length = 0;
  const module = join(import.meta.dirname, '../../../src/shell/store/store.ts');
  const script = `
    import { openStore } from ${JSON.stringify(module)};
    const store = openStore(${JSON.stringify(path)}).value;
    store.commit([${JSON.stringify(history('before the end'))}], 1);
    console.log('stored');
    setTimeout(() => {}, 20_000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  expect(open().select('SELECT CAUSE FROM SM_EVENTS')).toEqual([{ CAUSE: 'before the end' }]);
});
