/** What is measured. docs/BENCH.md says what each figure means. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import { LIMITS } from '../../src/core/kernel/limits.ts';
import type { LabNode } from '../../src/lab/node.ts';
import type { Rack } from '../../src/lab/rack.ts';
import { pluginPath } from '../../src/shell/exec/plugin.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { openStore } from '../../src/shell/store/store.ts';
import {
  copyDemoSet,
  copyStarlingxSet,
  range,
  SHIPPED,
  type Shape,
  serviceName,
  serviceNames,
  type Timing,
  writeSet,
} from './definitions.ts';
import { BenchPair, PROGRAMS, plainSwitchOver, timed } from './pair.ts';
import { type Add, resultOf } from './result.ts';

export interface Bench {
  readonly rack: Rack;
  /** A directory of the benchmark's own. */
  readonly root: string;
  readonly repeat: number;
  readonly add: Add;
  readonly tell: (line: string) => void;
}

const STUB = fileURLToPath(new URL('./stub', import.meta.url));
const FIVE: Shape = { groups: 1, services: 5 };
/** Scripts that can really run side by side. */
const WORKERS = Math.min(LIMITS.actionsRunningMax, availableParallelism());
const IDLE_MS = 60_000;
const CALM_MS = 3000;
/** Jiffies of /proc per second: a constant of the kernel's interface. */
const TICKS_PER_SECOND = 100;

/** The fastest profiles that the checks accept at these hellos; `dead` is searched for. */
const FAST: readonly Omit<Timing, 'dead'>[] = [
  { hello: 100, stopBound: 150, linkDownDetect: 100, wait: 1000 },
  { hello: 50, stopBound: 150, linkDownDetect: 100, wait: 1000 },
];
const DEAD_STEP_MS = 10;
const TARGET = { failoverMs: 1250, fastFailoverMs: 650 };

async function withPair<T>(
  { rack, root }: Bench,
  name: string,
  write: (folder: string) => void,
  use: (pair: BenchPair) => Promise<T>,
): Promise<T> {
  const folder = join(root, `${name}-set`);
  write(folder);
  const pair = new BenchPair(rack, join(root, name), folder);
  try {
    return await use(pair);
  } finally {
    await pair.end();
  }
}

// --- failover --------------------------------------------------------------------------------------------------------

export async function failover(bench: Bench): Promise<void> {
  const profiles = [
    { name: 'failover', timing: SHIPPED, target: TARGET.failoverMs },
    ...FAST.map((profile) => ({
      name: `failover-fast-${profile.hello}`,
      timing: fastest(bench, profile),
      target: TARGET.fastFailoverMs,
    })),
  ];
  for (const { name, timing, target } of profiles) {
    const write = (folder: string) => writeSet(folder, FIVE, timing);
    const { values, bothActiveMs } = await withPair(bench, name, write, (pair) =>
      powerOffs(bench, pair, name),
    );
    const { hello, dead, stopBound } = timing;
    const facts = { hello, dead, stopBound, waitsMs: dead + stopBound, bothActiveMs };
    bench.add(resultOf({ name, values, unit: 'ms', target, facts }));
  }
}

async function powerOffs(bench: Bench, pair: BenchPair, name: string) {
  const names = serviceNames(FIVE);
  const values: number[] = [];
  await pair.start();
  let active = await pair.settled();
  for (const i of range(bench.repeat)) {
    // Not always at the same moment between two hellos.
    await sleep(Math.random() * 1000);
    const standby = pair.other(active);
    const at = await pair.powerOff(active);
    values.push((await pair.allStarted(names, standby, at)) - at);
    bench.tell(`${name} ${i + 1}/${bench.repeat}: ${values.at(-1)?.toFixed(0)} ms`);
    await pair.startOne(active);
    active = await pair.settled();
  }
  return { values, bothActiveMs: pair.bothActiveMs() };
}

/** The least dead interval that the checks of the definitions accept. */
function fastest(bench: Bench, profile: Omit<Timing, 'dead'>): Timing {
  for (let dead = 3 * profile.hello; ; dead += DEAD_STEP_MS) {
    const folder = join(bench.root, `profile-${profile.hello}-${dead}`);
    writeSet(folder, FIVE, { ...profile, dead });
    const loaded = loadRows(folder);
    if (!loaded.ok) throw new Error(loaded.error.message);
    if (buildDefinitions(loaded.value.rows).set !== null) return { ...profile, dead };
  }
}

// --- switch-over -----------------------------------------------------------------------------------------------------

const SWACTS = [
  { shape: FIVE, target: 200 },
  { shape: { groups: 10, services: 5 }, target: 1000 },
  { shape: { groups: 40, services: 5 }, target: 4000 },
] as const;
const SCHEDULE_SHARE = 1.2;
const SCHEDULE_MORE_MS = 60;

export async function swact(bench: Bench): Promise<void> {
  for (const { shape, target } of SWACTS) {
    const names = serviceNames(shape);
    const name = `swact-${names.length}`;
    const beside: number[] = [];
    const write = (folder: string) => writeSet(folder, shape, SHIPPED);
    const { values, bothActiveMs } = await withPair(bench, name, write, async (pair) => {
      await pair.start();
      const values: number[] = [];
      for (const i of range(bench.repeat)) {
        const from = await pair.settled();
        beside.push(plainSwitchOver(join(bench.root, 'plain'), names, WORKERS));
        await sleep(200);
        values.push(await switchOver(pair, from, names));
        bench.tell(
          `${name} ${i + 1}/${bench.repeat}: ${values.at(-1)?.toFixed(0)} ms, plain ${beside.at(-1)?.toFixed(0)} ms`,
        );
      }
      return { values, bothActiveMs: pair.bothActiveMs() };
    });
    const { median } = resultOf({ name, values: beside, unit: 'ms', target: null });
    const facts = {
      groups: shape.groups,
      bothActiveMs,
      scheduleBoundMs: median * SCHEDULE_SHARE + SCHEDULE_MORE_MS,
    };
    const what = `xargs -P ${WORKERS}: all stops, then all starts`;
    bench.add(resultOf({ name, values, unit: 'ms', target, beside: { what, values: beside }, facts }));
  }
}

/** Returns how long it took from the request to the end of the last start. */
async function switchOver(pair: BenchPair, from: LabNode, names: readonly string[]): Promise<number> {
  const command = { kind: 'swact', node: from.name, group: '', why: 'bench', forMs: 0 };
  const at = Date.now();
  const reply = (await from.request('command', { actor: 'bench', command })) as {
    ok: boolean;
    message: string;
  };
  if (!reply.ok) throw new Error(`swact refused: ${reply.message}`);
  return (await pair.allStarted(names, pair.other(from), at)) - at;
}

// --- one service -----------------------------------------------------------------------------------------------------

export async function restart(bench: Bench): Promise<void> {
  const victim = serviceName(0, 0);
  const write = (folder: string) => writeSet(folder, FIVE, SHIPPED);
  const values = await withPair(bench, 'restart', write, async (pair) => {
    await pair.start();
    const values: number[] = [];
    for (const i of range(bench.repeat)) {
      const node = await pair.settled();
      const pid = node.servicePid(victim);
      const at = Date.now();
      node.machine.kill(pid);
      values.push((await pair.allStarted([victim], node, at)) - at);
      bench.tell(`restart ${i + 1}/${bench.repeat}: ${values.at(-1)?.toFixed(0)} ms`);
      await sleep(500);
    }
    return values;
  });
  bench.add(resultOf({ name: 'restart', values, unit: 'ms', target: 150 }));
}

// --- doing nothing ---------------------------------------------------------------------------------------------------

const IDLE = [
  { name: 'demo', write: copyDemoSet },
  { name: 'starlingx', write: copyStarlingxSet },
] as const;
const PROCESSES = ['sm', 'sm-watchdog'] as const;
const CPU_TARGET_PERCENT = 1.5;
const RSS_TARGET_MB = { sm: 110, 'sm-watchdog': 60 } as const;

export async function idle(bench: Bench): Promise<void> {
  for (const { name, write } of IDLE) {
    await withPair(bench, name, write, async (pair) => {
      if (write === copyStarlingxSet)
        for (const node of pair.nodes) stubEverything(node, join(bench.root, `${name}-set`));
      await pair.start();
      await pair.settled();
      await sleep(CALM_MS);
      bench.tell(`idle-${name}: ${IDLE_MS / 1000} s`);
      const before = await Promise.all(pair.nodes.map(usageOf));
      await sleep(IDLE_MS);
      const after = await Promise.all(pair.nodes.map(usageOf));
      const cpu = after.map((usage, i) =>
        PROCESSES.map((each) => (100 * (usage[each].cpuMs - (before[i]?.[each].cpuMs ?? 0))) / IDLE_MS),
      );
      const values = cpu.map((shares) => shares.reduce((sum, share) => sum + share, 0));
      const facts = {
        seconds: IDLE_MS / 1000,
        percent: pair.nodes.map(({ name }, i) => [name, ...(cpu[i] ?? [])]),
      };
      bench.add(
        resultOf({
          name: `idle-cpu-${name}`,
          values,
          unit: '% of a core',
          target: CPU_TARGET_PERCENT,
          facts,
        }),
      );
      for (const each of PROCESSES) {
        const rss = after.map((usage) => usage[each].rssMb);
        bench.add(
          resultOf({ name: `rss-${each}-${name}`, values: rss, unit: 'MB', target: RSS_TARGET_MB[each] }),
        );
      }
    });
  }
}

/** The stub in the place of every script that the set names. */
function stubEverything(node: LabNode, folder: string): void {
  const loaded = loadRows(folder);
  const set = loaded.ok ? buildDefinitions(loaded.value.rows).set : null;
  if (set === null) throw new Error(`${folder} can not be used`);
  const roots = { lsb: join(node.directory, 'init.d'), ocfRoot: join(node.directory, 'ocf') };
  for (const { actions } of set.services.values()) {
    for (const action of actions.values()) {
      const path = pluginPath(roots, action);
      mkdirSync(dirname(path), { recursive: true });
      if (!existsSync(path)) symlinkSync(STUB, path);
    }
  }
}

interface Usage {
  readonly cpuMs: number;
  readonly rssMb: number;
}

/** Without the scripts that it starts. */
async function usageOf(node: LabNode): Promise<Record<(typeof PROCESSES)[number], Usage>> {
  const usage = async (lock: string): Promise<Usage> => {
    const { pid } = JSON.parse(readFileSync(join(node.directory, 'run', lock), 'utf8')) as { pid: number };
    const text = await node.machine.run(['cat', `/proc/${pid}/stat`, `/proc/${pid}/status`]);
    // Fields 14 and 15; the name in parentheses is field 2.
    const fields = text.slice(text.indexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const rssKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]);
    return { cpuMs: (1000 * ticks) / TICKS_PER_SECOND, rssMb: rssKb / 1024 };
  };
  return { sm: await usage('sm.lock'), 'sm-watchdog': await usage('sm-watchdog.lock') };
}

// --- starting --------------------------------------------------------------------------------------------------------

export async function start(bench: Bench): Promise<void> {
  const names = serviceNames(FIVE);
  const write = (folder: string) => writeSet(folder, FIVE, SHIPPED);
  const together: number[] = [];
  const alone: number[] = [];
  let bothActiveMs = 0;
  for (const i of range(bench.repeat)) {
    await withPair(bench, `together-${i}`, write, async (pair) => {
      const at = await pair.start();
      together.push((await pair.allStartedSomewhere(names, at)) - at);
      await pair.settled();
      bothActiveMs += pair.bothActiveMs();
    });
    await withPair(bench, `alone-${i}`, write, async (pair) => {
      const at = await pair.startOne(pair.nodes[0]);
      alone.push((await pair.allStarted(names, pair.nodes[0], at)) - at - SHIPPED.wait);
    });
    bench.tell(
      `start ${i + 1}/${bench.repeat}: together ${together.at(-1)?.toFixed(0)} ms, alone ${alone.at(-1)?.toFixed(0)} ms after the wait`,
    );
  }
  const facts = { bothActiveMs };
  bench.add(resultOf({ name: 'start-together', values: together, unit: 'ms', target: 1500, facts }));
  const waited = { waitIntervalMs: SHIPPED.wait };
  bench.add(resultOf({ name: 'start-alone', values: alone, unit: 'ms', target: 500, facts: waited }));
}

// --- definitions -----------------------------------------------------------------------------------------------------

const THOUSAND: Shape = { groups: 50, services: 20 };

export async function load(bench: Bench): Promise<void> {
  const folder = join(bench.root, 'set');
  writeSet(folder, THOUSAND, SHIPPED);
  // A node's directory and configuration; it is never switched on.
  const pair = new BenchPair(bench.rack, join(bench.root, 'pair'), folder);
  const { directory } = pair.nodes[0];
  const check = ['node', join(PROGRAMS, 'bin', 'sm.js'), '--check', '--config', join(directory, 'sm.yaml')];
  const times = { first: [], again: [], inProcess: [] } as Record<'first' | 'again' | 'inProcess', number[]>;
  for (const i of range(bench.repeat)) {
    for (const name of readdirSync(directory)) {
      if (name.startsWith('sm.db')) cpSync('/dev/null', join(directory, name));
    }
    const { ms, stdout } = timed(check);
    if (!stdout.includes('1000 services')) throw new Error(`sm --check: ${stdout}`);
    times.first.push(ms);
    times.again.push(timed(check).ms);
    times.inProcess.push(loadInProcess(folder, join(bench.root, `store-${i}.db`)));
    bench.tell(`load ${i + 1}/${bench.repeat}: ${ms.toFixed(0)} ms`);
  }
  const target = 1000;
  bench.add(resultOf({ name: 'load-1000', values: times.inProcess, unit: 'ms', target }));
  bench.add(resultOf({ name: 'load-1000-first-check', values: times.first, unit: 'ms', target: null }));
  bench.add(resultOf({ name: 'load-1000-check', values: times.again, unit: 'ms', target }));
}

/** A folder into an empty database, and the rows of that into a set. */
function loadInProcess(folder: string, database: string): number {
  const from = performance.now();
  const loaded = loadRows(folder);
  const opened = openStore(database, {});
  if (!loaded.ok || !opened.ok) throw new Error(`${folder} can not be loaded`);
  opened.value.seed(loaded.value.rows, loaded.value.problems, Date.now());
  const { set } = buildDefinitions(opened.value.rows());
  const took = performance.now() - from;
  opened.value.close();
  if (set?.services.size !== THOUSAND.groups * THOUSAND.services) throw new Error('services are missing');
  return took;
}

// --- the simulator ---------------------------------------------------------------------------------------------------

const SIMULATED = { seeds: 4, minutes: 10 };

export async function simulator(bench: Bench): Promise<void> {
  const { seeds, minutes } = SIMULATED;
  const values = range(bench.repeat).map((i) => {
    const first = ['--seed', String(1 + i * seeds)];
    const size = ['--seeds', String(seeds), '--minutes', String(minutes)];
    const { ms } = timed(['node', join(PROGRAMS, 'bin', 'sm-sim.js'), 'run', ...first, ...size, '--json']);
    const speed = (seeds * minutes) / (ms / 1000);
    bench.tell(`simulator ${i + 1}/${bench.repeat}: ${speed.toFixed(0)} simulated minutes per second`);
    return speed;
  });
  const facts = { seeds, minutes, workers: availableParallelism() };
  bench.add(resultOf({ name: 'simulator', values, unit: 'simulated min/s', target: null, facts }));
}
