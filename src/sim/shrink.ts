/**
 * A failing world cut down to what it needs: fewer faults, no time after the finding, fewer groups, round numbers. What is
 * left is written as a scenario file that shows the finding again.
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.
 */
import type { Fault } from './faults.ts';
import type { Wire } from './network.ts';
import type { SimOptions } from './options.ts';
import { runSeed, type SeedResult } from './run.ts';

export interface Failure {
  readonly options: SimOptions;
  readonly plan: readonly Fault[];
  /** The checker that objects, or `converged`. */
  readonly checker: string;
  /** Frames were real bytes; missing = they travelled as objects. */
  readonly wire?: Wire;
}

/** What is told while it works: how many faults are left after how many runs. */
export type Told = (faults: number, runs: number) => void;

export function checkerOf({ violations, unconverged }: SeedResult): string {
  return violations[0]?.checker ?? (unconverged === '' ? '' : 'converged');
}

export function shrink(failure: Failure, runsMax: number, told: Told = () => {}): Failure {
  let runs = 0;
  let best = failure;
  /** Keeps the smaller world if the same checker objects to it. */
  const keep = (change: Partial<Pick<Failure, 'options' | 'plan'>>): boolean => {
    if (runs >= runsMax) return false;
    runs += 1;
    const smaller = { ...best, ...change };
    if (checkerOf(run(smaller)) !== best.checker) return false;
    best = smaller;
    told(best.plan.length, runs);
    return true;
  };
  const { violations } = run(best);
  const foundAt = violations[0]?.atMs ?? Number.POSITIVE_INFINITY;
  keep({ plan: best.plan.filter(({ at }) => at <= foundAt) });
  for (let size = Math.ceil(best.plan.length / 2); size >= 1; size = Math.floor(size / 2)) {
    dropFaults(() => best.plan, size, keep);
  }
  const last = Math.max(0, ...best.plan.map(({ at, durationMs }) => at + durationMs));
  keep({ options: { ...best.options, minutes: Math.ceil((last + 5000) / 1000) / 60 } });
  for (const { name } of best.options.groups) {
    const groups = best.options.groups.filter((group) => group.name !== name);
    if (groups.length > 0) keep({ options: { ...best.options, groups } });
  }
  keep({ plan: best.plan.map(rounded) });
  return best;
}

function run({ options, plan, wire }: Failure): SeedResult {
  return runSeed(options, { plan, stopEarly: true, ...(wire === undefined ? {} : { wire }) });
}

/** Tries without each run of `size` faults, from the last to the first. */
function dropFaults(
  plan: () => readonly Fault[],
  size: number,
  keep: (change: Pick<Failure, 'plan'>) => boolean,
) {
  for (let end = plan().length; end > 0; end -= size) {
    const from = Math.max(0, end - size);
    keep({ plan: plan().filter((_, index) => index < from || index >= end) });
  }
}

function rounded(fault: Fault): Fault {
  return { ...fault, at: Math.round(fault.at), which: Math.round(fault.which * 100) / 100 };
}

/** As a scenario file, without its trace. */
export function scenarioOf({ options, plan, checker, wire }: Failure, faultsBefore: number): string {
  const { seed, worldClass, breaks, minutes, groups, nodes } = options;
  const faults = plan.map(({ at, kind, node, which, durationMs }) => {
    const name = nodes[node] ?? '';
    return `at ${at}ms ${kind} ${name} picks ${which} for ${durationMs}ms`;
  });
  return [
    `# ${checker} objects: found by sm-sim, cut down from ${faultsBefore} faults to ${plan.length}.`,
    `set seed ${seed}`,
    `set drawn ${worldClass}`,
    ...breaks.map((name) => `set break ${name}`),
    ...(wire === undefined ? [] : ['set wire signed']),
    `set groups ${groups.map(({ name }) => name).join(' ')}`,
    ...faults,
    'start drawn',
    `run ${minutes * 60}s`,
    ...(checker === 'converged' || checker === 'no-flapping' ? ['end-faults'] : []),
    '----',
    '',
  ].join('\n');
}
