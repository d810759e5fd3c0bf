/** What `sm` and `sm-watchdog` find on disks when they start: the database's live tables, and files of the run directory. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, expect } from 'vitest';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import { Engine } from '../../src/core/engine.ts';
import type { EngineEffect, EngineEvent } from '../../src/core/engine-interface.ts';
import { RunRecords } from '../../src/shell/exec/run-records.ts';
import type { StoredEffect } from '../../src/shell/store/persist.ts';
import { StateReader } from '../../src/shell/store/reader.ts';
import { DATABASE_FOLDER } from '../../src/shell/store/schema.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { openStore, type Store } from '../../src/shell/store/store.ts';
import { readRemains, remainsPath } from '../../src/shell/watchdog/remains.ts';
import { hostileText, nearJson, share } from '../support/hostile.ts';
import { type Target, target } from './target.ts';

const LIFE = 'a'.repeat(32);
const NODE = 'controller-0';
const WALL_MS = 1_760_000_000_000;
const STEPS_MAX = 40;

const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sm-fuzz-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

// --- the database ----------------------------------------------------------------------------------------------------

/** As a node leaves it that ran something, with an operation under way. */
const LEFT: readonly StoredEffect[] = [
  {
    type: 'persist.numbers',
    numbers: { group: 'shop-services', held: 4, stopped: 3, max: 4, holder: NODE, holderActivation: 4 },
  },
  {
    type: 'persist.service',
    service: 'shop-web',
    desired: 'enabled-active',
    state: 'enabled-active',
    status: '',
    condition: '',
  },
  {
    type: 'persist.domain',
    state: 'leader',
    designation: 'leader',
    leader: NODE,
    number: 12,
    settled: true,
    led: true,
  },
  { type: 'persist.intent', run: 5, service: 'shop-web', action: 'enable', ended: false },
  {
    type: 'persist.node',
    node: {
      name: NODE,
      administrative: 'unlocked',
      operational: 'enabled',
      availability: 'available',
      ready: 'enabled',
      administrativeVersion: 7,
      lockedUntil: 0,
      lockReason: '',
    },
  },
  {
    type: 'persist.operation',
    operation: {
      id: 'controller-0-ab-1',
      kind: 'swact',
      node: NODE,
      group: '',
      step: 'stopping',
      actor: 'root',
      why: 'patch',
      reason: '',
      requestedAt: WALL_MS,
      limitMs: 60_000,
    },
  },
  {
    type: 'history',
    entity: 'service',
    name: 'shop-web',
    from: 'disabled',
    to: 'enabling',
    cause: 'enable',
    actor: 'engine',
    reason: 'because',
  },
];
/** Written while the node runs; the definitions have a target of their own. */
const LIVE_TABLES = [
  'NODES',
  'SERVICE_DOMAINS',
  'SERVICE_DOMAIN_ASSIGNMENTS',
  'SERVICE_GROUPS',
  'SERVICES',
  'SM_GROUP_NUMBERS',
  'SM_OPERATIONS',
  'SM_INTENTS',
  'SM_NODE_FACTS',
  'SM_MANAGED',
  'SM_BOOTS',
  'SM_STATE',
  'SM_EVENTS',
] as const;
const DEFINED = new Set(['NAME', 'PROVISIONED', 'ID', 'KEY']);

interface Template {
  readonly path: string;
  readonly columns: readonly (readonly [table: string, column: string])[];
}
let template: Template | undefined;

/** Made once. */
function database(): Template {
  if (template !== undefined) return template;
  const path = join(root, 'template.db');
  const store = opened(path);
  const loaded = loadRows(join(DATABASE_FOLDER, 'definitions', 'demo'));
  if (!loaded.ok) throw new Error(loaded.error.message);
  store.seed(loaded.value.rows, loaded.value.problems, WALL_MS);
  store.begin({ node: NODE, kernelLife: LIFE });
  expect(store.commit(LEFT, WALL_MS)).toEqual({ ok: true });
  store.close();
  const raw = new Database(path);
  raw.prepare("INSERT INTO SM_MANAGED (SERVICE_NAME, MANAGED) VALUES ('shop-web', 'no')").run();
  const columns = LIVE_TABLES.flatMap((table) =>
    (raw.pragma(`table_info(${table})`) as { name: string }[])
      .filter(({ name }) => !DEFINED.has(name))
      .map(({ name }) => [table, name] as const),
  );
  raw.pragma('wal_checkpoint(TRUNCATE)');
  raw.close();
  template = { path, columns };
  return template;
}

function opened(path: string): Store {
  const result = openStore(path);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

interface Damage {
  readonly at: number;
  readonly value: string | number | bigint | Uint8Array | null;
  /** Past the rules of the schema, as a broken disk or a foreign program writes. */
  readonly isUnchecked: boolean;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  at: share(),
  value: fc.oneof(
    fc.constantFrom<Damage['value']>('', 'yes', 'no', 'nobody', 'done', 'swact', 'initial', 'active', null),
    fc.constantFrom<Damage['value']>(-1, 0, 1, 5, 2 ** 31, 2 ** 53 - 1, 2n ** 63n - 1n, 1e308, 0.5),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.uint8Array({ maxLength: 8 }),
    fc.constant('x'.repeat(100_000)),
  ),
  isUnchecked: fc.boolean(),
});

function spoil(path: string, damages: readonly Damage[]): void {
  const { columns } = database();
  const raw = new Database(path);
  for (const { at, value, isUnchecked } of damages) {
    const [table, column] = columns[Math.floor(at * columns.length)]!;
    raw.pragma(`ignore_check_constraints = ${isUnchecked ? 'ON' : 'OFF'}`);
    try {
      raw.prepare(`UPDATE ${table} SET ${column} = ?`).run(value);
    } catch (error) {
      // The schema forbids it.
      if (!(error instanceof Database.SqliteError)) throw error;
    }
  }
  raw.pragma('wal_checkpoint(TRUNCATE)');
  raw.close();
}

/** The engine goes on from what is stored, alone, until its first timers have run out. */
function goOn(store: Store): void {
  const { set } = buildDefinitions(store.rows());
  const restored = store.begin({ node: NODE, kernelLife: LIFE });
  if (set === null) return;
  const inbox: { event: EngineEvent; at: number }[] = [];
  const saved: StoredEffect[] = [];
  let now = 1000;
  const take = (effect: EngineEffect): void => {
    if (effect.type === 'history' || effect.type.startsWith('persist.')) saved.push(effect as StoredEffect);
    if (effect.type === 'timer' && effect.at !== null)
      inbox.push({
        event: { type: 'timer', key: effect.key, generation: effect.generation },
        at: effect.at,
      });
  };
  const facts = { node: NODE, definitions: set, kernelLife: LIFE, restored, startedWallMs: WALL_MS };
  const engine = new Engine(facts, take);
  engine.start(now);
  inbox.push({
    at: now,
    event: {
      type: 'guard.hello',
      fresh: true,
      holding: false,
      processLife: 'c'.repeat(32),
      kernelLife: LIFE,
      deadline: Number.POSITIVE_INFINITY,
      lost: false,
    },
  });
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const next = inbox.sort((a, b) => a.at - b.at).shift();
    if (next === undefined) break;
    now = Math.max(now, next.at);
    engine.step(next.event, now);
    // A commit that fails is said, and tried again.
    const done = store.commit(saved.splice(0), WALL_MS);
    if (!done.ok) expect(done.reason).not.toBe('');
  }
  engine.view(now);
}

/** What the tools read. */
function look(path: string): void {
  const read = StateReader.read(path, (reader) => [
    reader.groups(),
    reader.services(),
    reader.nodes(),
    reader.domain(),
    reader.operations(),
    reader.alone(),
    reader.alarms(),
    reader.history('x').events.length,
  ]);
  if (!read.ok) expect(read.error.message).toContain(path);
}

// --- the run directory -----------------------------------------------------------------------------------------------

const REMAINS = [
  JSON.stringify({ deadline: 5000, proof: { deadline: 5000, links: ['oam'] }, lost: false, aheadMs: 0 }),
  JSON.stringify({
    version: 1,
    config: '/etc/sm.yaml',
    kernelLifeFile: '/proc/sys/kernel/random/boot_id',
    kernelLife: LIFE,
    selfFence: 'off',
    stopGraceMs: 100,
    killVerifyMs: 100,
  }),
  JSON.stringify({ lives: { own: [LIFE], peer: { ended: [], current: { life: LIFE, sequence: 4 } } } }),
  JSON.stringify({
    add: { service: 's', cgroup: null, pidFile: '/r/s.pid', marker: 'm', kernelState: true, enabledAt: 3 },
  }),
  JSON.stringify({ remove: 't' }),
  '',
].join('\n');
const RECORDS = '{"service":"s","run":1,"mark":"m1","group":"g"}\n-m1\n{"service":"t","run":2,"mark":"m2"}\n';

export const STORED_TARGETS: readonly Target[] = [
  target(
    'live rows of the database',
    () => fc.array(damage, { minLength: 1, maxLength: 20 }),
    (damages) => {
      const path = join(root, 'sm.db');
      for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
      copyFileSync(database().path, path);
      spoil(path, damages);
      const before = readFileSync(path);
      look(path);
      const result = openStore(path);
      if (!result.ok) {
        expect(result.error.message).toContain(path);
        expect(readFileSync(path).equals(before), 'what was found is still there').toBe(true);
        return;
      }
      try {
        goOn(result.value);
      } finally {
        result.value.close();
      }
      look(path);
    },
    0.5,
  ),
  target(
    'what remains of a life before',
    () =>
      fc.oneof(
        hostileText([REMAINS], ['{', '[', '"', '\n', '"deadline":', 'null', '{"add":', '1e999'], 4000),
        nearJson(
          [
            REMAINS.split('\n')
              .filter(Boolean)
              .map((line) => JSON.parse(line)),
          ],
          [LIFE, 's'],
        ).map((lines) =>
          (Array.isArray(lines) ? lines : [lines]).map((line) => `${JSON.stringify(line)}\n`).join(''),
        ),
      ),
    (text) => {
      mkdirSync(root, { recursive: true });
      writeFileSync(remainsPath(root), text);
      const found = readRemains(root);
      if (found === null) return;
      expect(Number.isNaN(found.deadline)).toBe(false);
      for (const { service, pidFile, marker } of found.entries)
        expect([typeof service, typeof pidFile, typeof marker]).toEqual(Array(3).fill('string'));
    },
  ),
  target(
    'records of scripts that ran',
    () => hostileText([RECORDS], ['{', '"mark":', '\n', '-', 'null', '"', ','], 4000),
    (text) => {
      const folder = join(root, 'runs');
      rmSync(folder, { recursive: true, force: true });
      const records = new RunRecords(folder, 'now');
      writeFileSync(join(folder, 'before'), text);
      const all = records.left();
      for (const left of all)
        expect([typeof left.service, typeof left.mark, typeof left.group]).toEqual(Array(3).fill('string'));
      const [first] = all;
      if (first !== undefined) records.forget(first);
      expect(records.left()).toEqual(all.slice(1));
      records.close();
    },
  ),
];
