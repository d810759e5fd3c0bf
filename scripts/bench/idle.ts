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
  await sleep(CALM_MS);
  bench.tell(`idle-${name}: ${IDLE_MS / 1000} s`);
  const before = await Promise.all(pair.nodes.map(usageOf));
  await sleep(IDLE_MS);
  const after = await Promise.all(pair.nodes.map(usageOf));
  const cpu = after.map((usage, i) =>
    PROCESSES.map((each) => (100 * (usage[each].cpuMs - (before[i]?.[each].cpuMs ?? 0))) / IDLE_MS),
  );
  const values = cpu.map((shares) => shares.reduce((sum, share) => sum + share, 0));
  const percent = pair.nodes.map((node, i) => [node.name, ...(cpu[i] ?? [])]);
  const facts = { seconds: IDLE_MS / 1000, percent };
  const target = CPU_TARGET_PERCENT;
  bench.add(resultOf({ name: `idle-cpu-${name}`, values, unit: '% of a core', target, facts }));
  for (const each of PROCESSES) {
    const rss = after.map((usage) => usage[each].rssMb);
    bench.add(
      resultOf({ name: `rss-${each}-${name}`, values: rss, unit: 'MB', target: RSS_TARGET_MB[each] }),
    );
  }
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
