/** The answer to a what-if question, in words and as JSON. */
import type { DefinitionSet } from '../core/definitions/model.ts';
import { duration } from '../core/explain.ts';
import { median } from '../core/story/durations.ts';
import type { TimelineLine, WhatIfResult } from './what-if.ts';

export interface WhatIfSummary {
  readonly ok: boolean;
  readonly problem: string;
  readonly groups: readonly {
    readonly group: string;
    readonly from: string;
    readonly to: string;
    /** From its loss to its return, ms; null = it did not return in one of the runs. */
    readonly medianMs: number | null;
    readonly worstMs: number | null;
  }[];
  /** Groups for which both nodes act at once in one of the runs: what the policy of the domain does not exclude. */
  readonly overlaps: readonly string[];
  readonly totalMedianMs: number;
  readonly totalWorstMs: number;
  readonly runs: number;
  readonly assumed: readonly string[];
  readonly timeline: readonly TimelineLine[];
}

/** What decides beside the two nodes, and whether it answers; '' = there is nothing. */
export function arbitersText({ arbiters }: DefinitionSet, die: boolean): string {
  if (arbiters === undefined) return '';
  const { etcd, disk, fencing } = arbiters;
  const words = [
    ...(etcd === null ? [] : ['the record in etcd']),
    ...(disk === null ? [] : ['the record on the shared disk']),
    ...new Set(fencing.devices.map(({ node }) => `the power of ${node}`)),
  ];
  if (words.length === 0) return '';
  return `arbiters: ${words.join(', ')}: ${die ? 'none answers from this moment on' : 'each answers'}`;
}

/** The timeline is that of the first run; the times are over all of them. */
export function summaryOf(results: readonly WhatIfResult[]): WhatIfSummary {
  const [first] = results;
  if (first === undefined) throw new RangeError('a summary of no runs');
  const problem = results.find((result) => result.problem !== '')?.problem ?? '';
  const groups = first.gaps.map(({ group, from, to }) => {
    const times = results.map(({ gaps }) => {
      const gap = gaps.find((candidate) => candidate.group === group);
      if (gap === undefined) return 0;
      return gap.backAtMs === null ? Number.POSITIVE_INFINITY : gap.backAtMs - gap.goneAtMs;
    });
    return { group, from, to, medianMs: finite(median(times)), worstMs: finite(Math.max(...times)) };
  });
  const totals = results.map(({ totalMs }) => totalMs);
  return {
    ok: problem === '',
    problem,
    groups,
    overlaps: [...new Set(results.flatMap(({ overlaps }) => overlaps.map(({ group }) => group)))],
    totalMedianMs: Math.round(median(totals)),
    totalWorstMs: Math.round(Math.max(...totals)),
    runs: results.length,
    assumed: first.assumed,
    timeline: first.timeline.map((line) => ({ ...line, atMs: Math.round(line.atMs) })),
  };
}

export function linesOf(summary: WhatIfSummary): string[] {
  if (!summary.ok) return [`the services do not come to where the question begins: ${summary.problem}`];
  const lines = summary.timeline.map(
    ({ atMs, node, entity, name, from, to, reason }) =>
      `${String(atMs).padStart(7)} ms  ${node.padEnd(14)} ${entity} ${name}: ${from} -> ${to}${reason === '' ? '' : `  (${reason})`}`,
  );
  for (const { group, from, to, medianMs, worstMs } of summary.groups) {
    const where = to === '' ? `${from} -> nowhere` : `${from} -> ${to}`;
    const time = medianMs === null ? 'does not come back' : `away for ${duration(medianMs)}`;
    const worst = worstMs === null ? 'in the worst run for ever' : `at most ${duration(worstMs)}`;
    lines.push(`group ${group}: ${where}, ${time}${medianMs === null ? '' : `, ${worst}`}`);
  }
  for (const group of summary.overlaps)
    lines.push(
      `BOTH NODES ACT for group ${group}: neither hears the other, and there is no arbiter between them`,
    );
  if (summary.groups.length === 0) lines.push('no group is away for a moment');
  lines.push(
    `all in order after ${duration(summary.totalMedianMs)}, at most ${duration(summary.totalWorstMs)}, in ${summary.runs} ${summary.runs === 1 ? 'run' : 'runs'}`,
  );
  if (summary.assumed.length > 0)
    lines.push(`no time was recorded, and one was assumed, for: ${summary.assumed.join(', ')}`);
  return lines;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value) : null;
}
