/** The least time in which the scripts of a switch-over can be run: what ours is held against. */
import type { Entry } from './journal.ts';

export type Script = Pick<Entry, 'service' | 'command' | 'beginMs' | 'endMs'>;

/**
 * Length of the list schedule, in ms: the scripts in the order in which they began, each by the first of `workers` that is
 * free, the start of a service not before its stop has ended. `extraMs`: what each needs before its first line.
 */
export function listScheduleMs(scripts: readonly Script[], workers: number, extraMs: number): number {
  const free = new Array<number>(workers).fill(0);
  const stopped = new Map<string, number>();
  for (const { service, command, beginMs, endMs } of scripts.toSorted((a, b) => a.beginMs - b.beginMs)) {
    const worker = free.indexOf(Math.min(...free));
    const from = command === 'start' ? (stopped.get(service) ?? 0) : 0;
    const end = Math.max(free[worker] ?? 0, from) + extraMs + (endMs - beginMs);
    free[worker] = end;
    if (command === 'stop') stopped.set(service, end);
  }
  return Math.max(...free);
}

/** What each of them took beside its own lines, in ms: to make its process and to load its interpreter. */
export function overheadMs(scripts: readonly Script[], workers: number, tookMs: number): number {
  const own = scripts.reduce((sum, { beginMs, endMs }) => sum + endMs - beginMs, 0);
  return Math.max(0, (workers * tookMs - own) / scripts.length);
}
