/**
 * A checker counts only if it can fail: each deliberate break of a rule has to be caught, by the checker that judges that
 * rule, within a bounded number of seeds.
 */
import type { Break, FaultKind, SimOptions } from './options.ts';
import { runSeed } from './run.ts';
import { drawOptions } from './swarm.ts';

export interface Expectation {
  readonly name: Break;
  readonly checkers: readonly string[];
  /** Faults under which the rule matters; they come often, the others not at all. */
  readonly faults: readonly FaultKind[];
  readonly change?: (options: SimOptions) => SimOptions;
}

export const EXPECTATIONS: readonly Expectation[] = [
  { name: 'announce-wait', checkers: ['single-active'], faults: ['cut-all-one-way'], change: takeover },
  { name: 'links-all', checkers: ['single-active'], faults: ['carrier-down-all'], change: takeover },
  { name: 'stop-before-start', checkers: ['single-active'], faults: ['swact', 'script-slow'] },
  { name: 'kernel-life', checkers: ['single-active'], faults: ['kill-watchdog'] },
  {
    name: 'kill-by-pgid',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'script-hangs', 'script-fails'],
    change: takeover,
  },
  {
    name: 'commit-before-kill',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'commit-fails'],
    change: takeover,
  },
  {
    name: 'perform-check',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'process-death'],
    change: (options) => slowDisk(takeover(options)),
  },
  { name: 'intent-log', checkers: ['crash-consistency'], faults: ['kill-sm', 'process-death'] },
  {
    name: 'orphan-scripts',
    checkers: ['one-action', 'opposite-order'],
    faults: ['kill-sm', 'swact', 'script-slow'],
  },
];

export interface SelftestResult {
  readonly name: Break;
  readonly caught: boolean;
  readonly checker: string;
  readonly seeds: number;
}

/** Runs worlds with one rule broken until its checker says so. */
export function provoke(name: Break, seedsMax: number): SelftestResult {
  const expectation = EXPECTATIONS.find((candidate) => candidate.name === name);
  if (expectation === undefined) throw new Error(`no expectation for ${name}`);
  for (let seed = 1; seed <= seedsMax; seed++) {
    const options = worldFor(expectation, seed);
    const { violations } = runSeed(options, { stopEarly: true });
    const found = violations.find(({ checker }) => expectation.checkers.includes(checker));
    if (found !== undefined) return { name, caught: true, checker: found.checker, seeds: seed };
  }
  return { name, caught: false, checker: '', seeds: seedsMax };
}

/** The world in which a break is looked for. */
export function worldFor(expectation: Expectation, seed: number): SimOptions {
  const drawn = drawOptions({ seed, minutes: 3, worldClass: 'default', breaks: [expectation.name] });
  const faults: Partial<Record<FaultKind, number>> = {};
  for (const kind of expectation.faults) faults[kind] = 8000;
  const options = { ...drawn, faults };
  return expectation.change?.(options) ?? options;
}

function takeover(options: SimOptions): SimOptions {
  return { ...options, domain: { ...options.domain, policy: 'takeover' } };
}

/** Between the token and the spawn lies a commit: on a slow disk much can happen in it. */
function slowDisk(options: SimOptions): SimOptions {
  return { ...options, disk: { commitMsMin: 200, commitMsMax: 1200 } };
}
