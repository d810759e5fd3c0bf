/** The same work for each manager, in turns: ours, theirs, ours, ... so that a busy minute of the machine meets all of them. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { range, type Shape, serviceNames } from '../definitions.ts';
import type { Pair, PowerNode } from '../pair.ts';
import { type Result, resultOf } from '../result.ts';
import type { Bench } from '../suite.ts';

/** A pair of any manager. */
export type AnyPair = Pair<PowerNode>;

export interface Contender {
  readonly name: string;
  /** `root`: a directory that does not exist yet. */
  readonly make: (root: string) => AnyPair;
  /** Names of its processes. */
  readonly processes: RegExp;
  /** What the reader has to know of its figures. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The one whose multiples are told. */
export const OURS = 'sm';

/** In the order in which they are measured. */
const FIGURES = ['start', 'restart', 'switch-over', 'node-death'] as const;
type Figure = (typeof FIGURES)[number];
type Figures = Readonly<Record<Figure, number>> & { readonly bothActiveMs: number };

export async function rounds(
  bench: Bench,
  prefix: string,
  shape: Shape,
  contenders: readonly Contender[],
  pause: () => Promise<void> = anyMoment,
): Promise<void> {
  const measured = new Map<string, Figures[]>(contenders.map(({ name }) => [name, []]));
  const failures: string[] = [];
  for (const round of range(bench.repeat)) {
    for (const { name, make } of contenders) {
      const root = join(bench.root, `${name}-${round}`);
      try {
        const figures = await bench.during(make(root), (pair) => session(pair, shape, pause));
        measured.get(name)?.push(figures);
        const words = FIGURES.map((figure) => `${figure} ${figures[figure].toFixed(0)}`);
        bench.tell(`${prefix}${name} ${round + 1}/${bench.repeat}: ${words.join(', ')} ms`);
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
        bench.tell(`${prefix}${name} ${round + 1}/${bench.repeat} FAILED: ${failures.at(-1)}`);
      }
    }
  }
  for (const figure of FIGURES) {
    for (const contender of contenders) {
      const all = measured.get(contender.name) ?? [];
      if (all.length > 0) bench.add(result(prefix, figure, contender, all, measured.get(OURS) ?? []));
    }
  }
  if (failures.length > 0) throw new Error(failures.join('; '));
}

function result(
  prefix: string,
  figure: Figure,
  { name, facts }: Contender,
  all: readonly Figures[],
  ours: readonly Figures[],
): Result {
  const bothActiveMs = all.reduce((sum, figures) => sum + figures.bothActiveMs, 0);
  const beside = { what: `${OURS}, in the same run`, values: ours.map((figures) => figures[figure]) };
  return resultOf({
    name: `${prefix}${figure}.${name}`,
    values: all.map((figures) => figures[figure]),
    unit: 'ms',
    target: null,
    ...(name === OURS || ours.length === 0 ? {} : { beside }),
    facts: { ...facts, bothActiveMs },
  });
}

/** One life of a pair: switched on, a service dies, a planned move, the active node dies. */
async function session(pair: AnyPair, shape: Shape, pause: () => Promise<void>): Promise<Figures> {
  const names = serviceNames(shape);
  const [victim = ''] = names;
  const { journal } = pair;
  const switchedOn = await pair.start();
  const start = (await journal.allStartedSomewhere(names, switchedOn)) - switchedOn;

  let active = await pair.settled();
  await pause();
  const killed = await pair.killService(active, victim);
  const restart = (await journal.allStartedSomewhere([victim], killed)) - killed;

  active = await pair.settled();
  await pause();
  const asked = await pair.switchOver(active);
  const moved = (await journal.allStarted(names, pair.other(active), asked)) - asked;
  await pair.allow(active);

  active = await pair.settled();
  await pause();
  const off = await pair.powerOff(active);
  const death = (await journal.allStarted(names, pair.other(active), off)) - off;
  return { start, restart, 'switch-over': moved, 'node-death': death, bothActiveMs: journal.bothActiveMs() };
}

/** Not always at the same moment between two beats of its heart. */
function anyMoment(): Promise<void> {
  return sleep(500 + Math.random() * 1000);
}

/** For the last line: each figure of the others as a multiple of ours. */
export function ratios(results: readonly Result[]): object {
  const found: Record<string, Record<string, number>> = {};
  for (const { name, beside } of results) {
    const [figure = '', contender = ''] = name.split('.');
    if (beside !== undefined) found[figure] = { ...found[figure], [contender]: beside.ratio };
  }
  return { ratios: found };
}
