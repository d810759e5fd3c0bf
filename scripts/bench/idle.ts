/** What a pair costs while nothing happens. */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import type { LabNode } from '../../src/lab/node.ts';
import { pluginPath } from '../../src/shell/exec/plugin.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { copyDemoSet, copyStarlingxSet } from './definitions.ts';
import { BenchPair } from './pair.ts';
import { resultOf } from './result.ts';
import type { Bench } from './suite.ts';
import { PROCESSES, usageOf } from './usage.ts';

const STUB = fileURLToPath(new URL('./stub', import.meta.url));
const IDLE_MS = 60_000;
const CALM_MS = 3000;
/**
 * V8 compiles what runs a few times a second only after minutes; until then an idle node costs about twice as much, and that
 * is told beside it.
 */
export const WARM_MS = 180_000;
const IDLE = [
  { name: 'demo', write: copyDemoSet },
  { name: 'starlingx', write: copyStarlingxSet },
] as const;
const CPU_TARGET_PERCENT = 1.5;
const RSS_TARGET_MB = { sm: 110, 'sm-watchdog': 60 } as const;

export async function idle(bench: Bench): Promise<void> {
  for (const { name, write } of IDLE) {
    const folder = join(bench.root, `${name}-set`);
    write(folder);
    await bench.during(new BenchPair(bench.rack, join(bench.root, name), folder), async (pair) => {
      if (write === copyStarlingxSet) for (const node of pair.nodes) stubEverything(node, folder);
      await measure(bench, name, pair);
    });
  }
}

async function measure(bench: Bench, name: string, pair: BenchPair): Promise<void> {
  await pair.start();
  await pair.settled();
  const startedAt = performance.now();
  await sleep(CALM_MS);
  const first = { name: `idle-cpu-first-minute-${name}`, target: null };
  const later = { name: `idle-cpu-${name}`, target: CPU_TARGET_PERCENT };
  for (const { name: figure, target } of [first, later]) {
    bench.tell(`${figure}: ${IDLE_MS / 1000} s`);
    bench.add(resultOf({ name: figure, unit: '% of a core', target, ...(await shares(pair)) }));
    if (target === null) await sleep(WARM_MS - (performance.now() - startedAt));
  }
  const usages = await Promise.all(pair.nodes.map(usageOf));
  for (const each of PROCESSES) {
    const rss = usages.map((usage) => usage[each].rssMb);
    bench.add(
      resultOf({ name: `rss-${each}-${name}`, values: rss, unit: 'MB', target: RSS_TARGET_MB[each] }),
    );
  }
}

/** Of each node in the time that begins now. */
async function shares(pair: BenchPair) {
  const before = await Promise.all(pair.nodes.map(usageOf));
  await sleep(IDLE_MS);
  const after = await Promise.all(pair.nodes.map(usageOf));
  const cpu = after.map((usage, i) =>
    PROCESSES.map((each) => (100 * (usage[each].cpuMs - (before[i]?.[each].cpuMs ?? 0))) / IDLE_MS),
  );
  const values = cpu.map((parts) => parts.reduce((sum, part) => sum + part, 0));
  const percent = pair.nodes.map((node, i) => [node.name, ...(cpu[i] ?? [])]);
  return { values, facts: { seconds: IDLE_MS / 1000, percent } };
}

/** The stub in the place of every script that the set names. */
export function stubEverything(node: LabNode, folder: string): void {
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
