/** How long it takes until services run again, or elsewhere, or at all. docs/BENCH.md says what each figure means. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../src/core/kernel/limits.ts';
import type { LabNode } from '../../src/lab/node.ts';
import {
  FIVE,
  range,
  SHIPPED,
  type Shape,
  serviceName,
  serviceNames,
  type Timing,
  writeSet,
} from './definitions.ts';
import { BenchPair } from './pair.ts';
import { plainSwitchOver } from './plain.ts';
import { medianOf, resultOf, round } from './result.ts';
import { listScheduleMs } from './schedule.ts';
import type { Bench } from './suite.ts';
import { fastestTiming } from './timing.ts';
import { managerShares } from './usage.ts';

/** Makes a pair of our own with generated services, and ends it after `use`. */
function withPair<T>(
  { root, rack, during }: Bench,
  name: string,
  shape: Shape,
  timing: Timing,
  use: (pair: BenchPair) => Promise<T>,
): Promise<T> {
  const folder = join(root, `${name}-set`);
  writeSet(folder, shape, timing);
  return during(new BenchPair(rack, join(root, name), folder), use);
}

// --- failover --------------------------------------------------------------------------------------------------------

const FAST_HELLOS_MS = [100, 50] as const;

export async function failover(bench: Bench): Promise<void> {
  const fast = FAST_HELLOS_MS.map((hello) => ({
    name: `failover-fast-${hello}`,
    timing: fastestTiming(bench.root, hello),
    target: 650,
  }));
  for (const { name, timing, target } of [{ name: 'failover', timing: SHIPPED, target: 1250 }, ...fast]) {
    const { values, bothActiveMs } = await withPair(bench, name, FIVE, timing, (pair) =>
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
    values.push((await pair.journal.allStarted(names, standby, at)) - at);
    bench.tell(`${name} ${i + 1}/${bench.repeat}: ${values.at(-1)?.toFixed(0)} ms`);
    await pair.startOne(active);
    active = await pair.settled();
  }
  return { values, bothActiveMs: pair.journal.bothActiveMs() };
}

// --- switch-over -----------------------------------------------------------------------------------------------------

const SWACTS = [
  { shape: FIVE, target: 200 },
  { shape: { groups: 10, services: 5 }, target: 1000 },
  { shape: { groups: 40, services: 5 }, target: 4000 },
] as const;
/** Scripts that can really run side by side. */
const WORKERS = Math.min(LIMITS.actionsRunningMax, availableParallelism());
const SCHEDULE_SHARE = 1.2;
const SCHEDULE_MORE_MS = 60;

export async function swact(bench: Bench): Promise<void> {
  for (const { shape, target } of SWACTS) {
    const names = serviceNames(shape);
    const name = `swact-${names.length}`;
    const plain: number[] = [];
    const schedules: number[] = [];
    const shares: number[] = [];
    const { values, bothActiveMs } = await withPair(bench, name, shape, SHIPPED, async (pair) => {
      await pair.start();
      const values: number[] = [];
      for (const i of range(bench.repeat)) {
        const from = await pair.settled();
        const { ms, overheadMs } = plainSwitchOver(join(bench.root, 'plain'), names, WORKERS);
        plain.push(ms);
        await sleep(200);
        const { tookMs, scripts } = await switchOver(pair, from, names);
        values.push(tookMs);
        const scheduleMs = listScheduleMs(scripts, WORKERS, overheadMs);
        schedules.push(scheduleMs);
        shares.push(tookMs / boundOf(scheduleMs));
        const [took, alone] = [values.at(-1)?.toFixed(0), plain.at(-1)?.toFixed(0)];
        bench.tell(`${name} ${i + 1}/${bench.repeat}: ${took} ms, plain ${alone} ms`);
      }
      return { values, bothActiveMs: pair.journal.bothActiveMs() };
    });
    const scheduleMs = round(medianOf(schedules));
    const [scheduleBoundMs, plainBoundMs] = [schedules, plain].map((ms) => round(boundOf(medianOf(ms))));
    const bounds = { scheduleBoundMs, plainBoundMs };
    const facts = { groups: shape.groups, bothActiveMs, scheduleMs, ...bounds };
    const beside = { what: `xargs -P ${WORKERS}: all stops, then all starts`, values: plain };
    bench.add(resultOf({ name, values, unit: 'ms', target, beside, facts }));
    bench.add(resultOf({ name: `${name}-of-bound`, values: shares, unit: 'x the bound', target: 1 }));
  }
}

/** What a switch-over may take whose scripts need `scheduleMs` at least. */
function boundOf(scheduleMs: number): number {
  return scheduleMs * SCHEDULE_SHARE + SCHEDULE_MORE_MS;
}

/** How long it took from the request to the end of the last start, and which scripts ran meanwhile. */
async function switchOver(pair: BenchPair, from: LabNode, names: readonly string[]) {
  const at = await pair.switchOver(from);
  const tookMs = (await pair.journal.allStarted(names, pair.other(from), at)) - at;
  return { tookMs, scripts: pair.journal.entries().filter(({ beginMs }) => beginMs >= at) };
}

// --- one service -----------------------------------------------------------------------------------------------------

const WATCH_MS = 10_000;

/** How fast a dead process is started again, and what it costs to watch for that. */
export async function restart(bench: Bench): Promise<void> {
  const victim = serviceName(0, 0);
  const { values, cpu } = await withPair(bench, 'restart', FIVE, SHIPPED, async (pair) => {
    await pair.start();
    const values: number[] = [];
    const cpu: number[] = [];
    for (const i of range(bench.repeat)) {
      const node = await pair.settled();
      // Both do the same, but that only the active one has processes to watch.
      const [active = 0, standby = 0] = await managerShares([node, pair.other(node)], WATCH_MS);
      cpu.push(Math.max(0, active - standby));
      const at = await pair.killService(node, victim);
      values.push((await pair.journal.allStarted([victim], node, at)) - at);
      bench.tell(
        `restart ${i + 1}/${bench.repeat}: ${values.at(-1)?.toFixed(0)} ms, ${cpu.at(-1)?.toFixed(1)} %`,
      );
      await sleep(500);
    }
    return { values, cpu };
  });
  bench.add(resultOf({ name: 'restart', values, unit: 'ms', target: 150 }));
  const facts = { secondsEach: WATCH_MS / 1000 };
  bench.add(resultOf({ name: 'restart-cpu', values: cpu, unit: '% of a core', target: 1, facts }));
}

// --- starting --------------------------------------------------------------------------------------------------------

export async function start(bench: Bench): Promise<void> {
  const names = serviceNames(FIVE);
  const together: number[] = [];
  const alone: number[] = [];
  let bothActiveMs = 0;
  for (const i of range(bench.repeat)) {
    await withPair(bench, `together-${i}`, FIVE, SHIPPED, async (pair) => {
      const at = await pair.start();
      together.push((await pair.journal.allStartedSomewhere(names, at)) - at);
      await pair.settled();
      bothActiveMs += pair.journal.bothActiveMs();
    });
    await withPair(bench, `alone-${i}`, FIVE, SHIPPED, async (pair) => {
      const at = await pair.startOne(pair.nodes[0]);
      alone.push((await pair.journal.allStarted(names, pair.nodes[0], at)) - at - SHIPPED.wait);
    });
    const [both, one] = [together.at(-1)?.toFixed(0), alone.at(-1)?.toFixed(0)];
    bench.tell(`start ${i + 1}/${bench.repeat}: together ${both} ms, alone ${one} ms after the wait`);
  }
  const facts = { bothActiveMs };
  bench.add(resultOf({ name: 'start-together', values: together, unit: 'ms', target: 1500, facts }));
  const waited = { waitIntervalMs: SHIPPED.wait };
  bench.add(resultOf({ name: 'start-alone', values: alone, unit: 'ms', target: 500, facts: waited }));
}
