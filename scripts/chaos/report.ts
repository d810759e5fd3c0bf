/** What a run of `make chaos` amounts to: the last line and the exit code. Pure. */
import type { Verdict } from '../../src/lab/verdict.ts';
import { ASSUMPTIONS, type Assumption, assumptionBrokenBy, type Kind } from './schedule.ts';

/** A time in which two nodes were active for the group, or answered for its address. */
export interface Double {
  readonly fromMs: number;
  readonly durationMs: number;
  /** Who saw it. */
  readonly seenBy: readonly ('stamps' | 'neighbour')[];
}

/** What is closer to each other than this is one double activity. */
const MERGE_MS = 300;

/** In order, each once, whoever saw it and in how many pieces. */
export function merged(doubles: readonly Double[]): Double[] {
  const found: Double[] = [];
  for (const next of doubles.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = found.at(-1);
    if (last === undefined || next.fromMs > last.fromMs + last.durationMs + MERGE_MS) {
      found.push(next);
      continue;
    }
    const untilMs = Math.max(last.fromMs + last.durationMs, next.fromMs + next.durationMs);
    const seenBy = [...new Set([...last.seenBy, ...next.seenBy])];
    found.splice(-1, 1, { fromMs: last.fromMs, durationMs: untilMs - last.fromMs, seenBy });
  }
  return found;
}

export interface PastRound {
  readonly fromMs: number;
  readonly untilMs: number;
  /** What was really done, with the moment; what met a node without power was not. */
  readonly done: readonly { readonly kind: Kind; readonly atMs: number }[];
  /** What was drawn and could not be done: it met nothing that it could be done to, or failed. */
  readonly missed: readonly Kind[];
}

export interface Tally {
  readonly rounds: readonly PastRound[];
  readonly doubles: readonly Double[];
  /** Times in which no node was active, from the first activity to the end. */
  readonly gaps: readonly { readonly fromMs: number; readonly durationMs: number }[];
  /** The pair was whole and active on exactly one node at the end of every round. */
  readonly recovered: boolean;
  /** Why it was not, or why the witnesses can not judge; '' = nothing of that. */
  readonly reason: string;
  readonly minutes: number;
  /** Kinds that the machine or the run has no means for, each with the reason. */
  readonly leftOut: Partial<Record<Kind, string>>;
  /** The kinds were chosen by hand: few of them, or few faults, are no failure then. */
  readonly isRestricted: boolean;
}

/** Less than this proves too little. */
const FAULTS_PER_MINUTE_MIN = 6;
/** Of a run of ten minutes or more; a shorter one needs one for each minute. */
const KINDS_MIN = 10;

const roundAt = (rounds: readonly PastRound[], atMs: number): PastRound | undefined =>
  rounds.findLast(({ fromMs }) => fromMs <= atMs);

/** The one that a fault of the round broke; null = none. */
function brokenAt(rounds: readonly PastRound[], atMs: number): Assumption | null {
  const kinds = roundAt(rounds, atMs)?.done ?? [];
  return kinds.map(({ kind }) => assumptionBrokenBy(kind)).find((broken) => broken !== null) ?? null;
}

/** What rounds that break an assumption came to. */
function apart({ rounds, doubles }: Tally, assumption: Assumption): object {
  const faults = rounds
    .flatMap(({ done }) => done)
    .filter(({ kind }) => assumptionBrokenBy(kind) === assumption);
  const found = doubles.filter(({ fromMs }) => brokenAt(rounds, fromMs) === assumption);
  const longestMs = Math.max(0, ...found.map(({ durationMs }) => durationMs));
  return { faults: faults.length, overlaps: found.length, overlap_ms: Math.round(longestMs) };
}

/** A gap begins with the last stamp before it, so a little before what caused it. */
const LATE_MS = 50;
/** These take the service away for a while wherever they hit the active. */
const TAKING: ReadonlySet<Kind> = new Set<Kind>([
  'power-off',
  'power-off-both',
  'kill-service',
  'kill-both',
  'kill-scripts',
  'stop-scripts',
  'swact',
  'lock',
  'stop-node',
]);

/**
 * Longest gap by kind, ms; kinds without any are left out. A gap is counted under the last fault of its round before it that
 * takes the service away by itself, or else under the last one of any kind.
 */
export function longestGaps({ rounds, gaps }: Pick<Tally, 'rounds' | 'gaps'>): Partial<Record<Kind, number>> {
  const longest: Partial<Record<Kind, number>> = {};
  for (const { fromMs, durationMs } of gaps) {
    const before = (roundAt(rounds, fromMs)?.done ?? [])
      .filter(({ atMs }) => atMs <= fromMs + LATE_MS)
      .toSorted((a, b) => a.atMs - b.atMs);
    const cause = before.findLast(({ kind }) => TAKING.has(kind)) ?? before.at(-1);
    if (cause === undefined) continue;
    longest[cause.kind] = Math.max(longest[cause.kind] ?? 0, Math.round(durationMs));
  }
  return longest;
}

function count(kinds: readonly Kind[]): Partial<Record<Kind, number>> {
  const counts: Partial<Record<Kind, number>> = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** How often each kind was done. */
export function countsByKind(rounds: readonly PastRound[]): Partial<Record<Kind, number>> {
  return count(rounds.flatMap(({ done }) => done.map(({ kind }) => kind)));
}

/** '' = enough of both was done to say something. */
function tooLittle({ minutes, isRestricted }: Tally, faults: number, kinds: number): string {
  if (isRestricted) return '';
  if (faults < minutes * FAULTS_PER_MINUTE_MIN) return `only ${faults} faults in ${minutes} minutes`;
  return kinds < Math.min(minutes, KINDS_MIN) ? `faults of only ${kinds} kinds in ${minutes} minutes` : '';
}

/** `more` ends the line. Double activity in a round that breaks an assumption is told apart, and is no failure. */
export function concludeChaos(tally: Tally, more: object = {}): Verdict {
  const { rounds, recovered, reason } = tally;
  const counts = countsByKind(rounds);
  const faults = Object.values(counts).reduce((sum, each) => sum + each, 0);
  const kinds = Object.keys(counts).length;
  const overlaps = tally.doubles.filter(({ fromMs }) => brokenAt(rounds, fromMs) === null).length;
  const reasons = [
    overlaps > 0 ? `two nodes were active at once, ${overlaps} times` : '',
    reason || tooLittle(tally, faults, kinds),
  ].filter((text) => text !== '');
  const line = {
    faults,
    kinds,
    overlaps,
    recovered,
    gaps: longestGaps(tally),
    ...Object.fromEntries(ASSUMPTIONS.map((each) => [each, apart(tally, each)])),
    missed: count(rounds.flatMap(({ missed }) => missed)),
    left_out: tally.leftOut,
    ...more,
    ...(reasons.length > 0 && { reason: reasons.join('; ') }),
  };
  return { line: JSON.stringify(line), code: reasons.length === 0 && recovered ? 0 : 1 };
}
