/** What each manager costs while nothing happens: its processes alone, without the scripts that it starts. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../../../src/lab/machine.ts';
import { WARM_MS } from '../idle.ts';
import { resultOf } from '../result.ts';
import type { Bench } from '../suite.ts';
import { parseStat } from '../usage.ts';
import { type Contender, OURS } from './rounds.ts';

const IDLE_MS = 30_000;
const CALM_MS = 5000;
const PAGE_MB = 4096 / 2 ** 20;

interface Usage {
  readonly cpuMs: number;
  readonly rssMb: number;
  /** Sent by now, on all links. */
  readonly packets: number;
}

const FIGURES = [
  { name: 'idle-cpu', unit: '% of a core' },
  { name: 'idle-rss', unit: 'MB' },
  { name: 'idle-packets', unit: 'sent per s' },
] as const;
/** Of a node, one for each of FIGURES. */
type Values = readonly [number, number, number];

export async function compareIdle(bench: Bench, contenders: readonly Contender[]): Promise<void> {
  const measured = new Map<string, readonly Values[]>();
  for (const { name, make, processes } of contenders) {
    const values = await bench.during(make(join(bench.root, name)), async (pair) => {
      await pair.start();
      await pair.settled();
      await sleep(name === OURS ? WARM_MS : CALM_MS);
      const machines = pair.nodes.map(({ machine }) => machine);
      const before = await Promise.all(machines.map((machine) => usageOf(machine, processes)));
      await sleep(IDLE_MS);
      const after = await Promise.all(machines.map((machine) => usageOf(machine, processes)));
      return after.map((usage, i) => valuesOf(before[i] ?? usage, usage));
    });
    measured.set(name, values);
    bench.tell(
      `idle ${name}: ${values.map(([cpu, rss]) => `${cpu.toFixed(2)} %, ${rss.toFixed(0)} MB`).join('; ')}`,
    );
  }
  for (const [i, { name: figure, unit }] of FIGURES.entries()) {
    const ours = (measured.get(OURS) ?? []).map((values) => values[i] ?? Number.NaN);
    for (const { name, facts } of contenders) {
      const values = (measured.get(name) ?? []).map((each) => each[i] ?? Number.NaN);
      const beside = name === OURS ? {} : { beside: { what: `${OURS}, in the same run`, values: ours } };
      bench.add(
        resultOf({
          name: `${figure}.${name}`,
          values,
          unit,
          target: null,
          ...beside,
          facts: { ...facts, seconds: IDLE_MS / 1000 },
        }),
      );
    }
  }
}

function valuesOf(before: Usage, after: Usage): Values {
  const perSecond = (1000 * (after.packets - before.packets)) / IDLE_MS;
  return [(100 * (after.cpuMs - before.cpuMs)) / IDLE_MS, after.rssMb, perSecond];
}

/** Pages that several processes share count for each of them. */
async function usageOf(machine: Machine, processes: RegExp): Promise<Usage> {
  // Those that end meanwhile are none of the manager's.
  const stats = await machine.run(['sh', '-c', 'cat /proc/[0-9]*/stat 2>/dev/null || :']);
  const sent = await machine.run(['sh', '-c', 'cat /sys/class/net/link*/statistics/tx_packets']);
  const found = stats
    .split('\n')
    .filter((line) => line !== '')
    .map(parseStat)
    .filter(({ name }) => processes.test(name));
  if (found.length === 0) throw new Error(`no process of ${machine.name} is called ${processes}`);
  return {
    cpuMs: found.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    rssMb: found.reduce((sum, { rssPages }) => sum + rssPages * PAGE_MB, 0),
    packets: sent.split('\n').reduce((sum, line) => sum + Number(line), 0),
  };
}
