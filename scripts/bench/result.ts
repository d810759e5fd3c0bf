/** What a benchmark says: one line of JSON. */

export interface Result {
  readonly name: string;
  readonly median: number;
  /** Least and greatest. */
  readonly spread: readonly [number, number];
  readonly n: number;
  readonly unit: string;
  /** Largest median that is good enough; null = for information. */
  readonly target: number | null;
  /** A median above the target is a failure: no matter of speed. */
  readonly isBound?: true;
  /** The same work, done by something else in the same run. */
  readonly beside?: { readonly what: string; readonly median: number; readonly ratio: number };
  /** Facts that explain the figure. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export type Add = (result: Result) => void;

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export interface Measured {
  readonly name: string;
  readonly values: readonly number[];
  readonly unit: string;
  readonly target: number | null;
  readonly isBound?: true;
  readonly beside?: { readonly what: string; readonly values: readonly number[] };
  readonly facts?: Readonly<Record<string, unknown>>;
}

export function resultOf({ name, values, unit, target, isBound, beside, facts }: Measured): Result {
  const median = medianOf(values);
  const other = beside === undefined ? null : medianOf(beside.values);
  return {
    name,
    median: round(median),
    spread: [round(Math.min(...values)), round(Math.max(...values))],
    n: values.length,
    unit,
    target: target === null ? null : round(target),
    ...(isBound === undefined ? {} : { isBound }),
    ...(other === null || beside === undefined
      ? {}
      : { beside: { what: beside.what, median: round(other), ratio: round(median / other) } }),
    ...(facts === undefined ? {} : { facts }),
  };
}

/** Three digits are more than the spread allows to believe. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}

/** Why the figure says that something is wrong, not slow; null = it does not. */
export function faultOf({ name, median, target, isBound, facts }: Result): string | null {
  const bothActiveMs = facts?.bothActiveMs;
  if (typeof bothActiveMs === 'number' && bothActiveMs > 0)
    return `${name}: both active for ${round(bothActiveMs)} ms`;
  return isBound === true && target !== null && median > target
    ? `${name}: ${median}, and not ${target}`
    : null;
}

/** For the last line: names of the figures that are not good enough. */
export function missed(results: readonly Result[]): object {
  return {
    missed: results
      .filter(({ median, target }) => target !== null && median > target)
      .map(({ name }) => name),
  };
}
