/** How fast single programs are: the definitions' loader and the simulator. */
import { cpSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { openStore } from '../../src/shell/store/store.ts';
import { range, SHIPPED, type Shape, writeSet } from './definitions.ts';
import { BenchPair, PROGRAMS } from './pair.ts';
import { timed } from './plain.ts';
import { resultOf } from './result.ts';
import type { Bench } from './suite.ts';

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

/** So many that the first seconds, in which node still compiles the program, are not most of it. */
const SIMULATED = { seeds: 40, minutes: 10 };

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
