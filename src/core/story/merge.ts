/** Two nodes' histories as one: by time, but never against the order in which either node has written its own. */
import type { NodeHistory, RecordedEvent } from './events.ts';
import type { Notice } from './gaps.ts';

/** Clocks nearer than this are taken to agree: what both nodes tell of one thing, they tell within a few hellos. */
const AGREE_MS = 250;
/** An alarm of one node and the other's are the same one within this, besides what the clocks differ by. */
const SPREAD_MS = 500;
const COMMON_MIN = 2;

export interface Merged {
  /** With the other nodes' times in the clock of the first. */
  readonly histories: readonly NodeHistory[];
  readonly events: readonly RecordedEvent[];
  readonly notices: readonly Notice[];
}

export function mergeHistories(histories: readonly NodeHistory[]): Merged {
  const [first] = histories;
  if (first === undefined) return { histories, events: [], notices: [] };
  const notices: Notice[] = [];
  const aligned = histories.map((history) => {
    if (history === first) return history;
    const { byMs, events } = clockDifference(first, history);
    if (Math.abs(byMs) < AGREE_MS) return history;
    notices.push({ kind: 'clocks-differ', node: history.node, than: first.node, byMs, events });
    return { ...history, events: history.events.map((event) => ({ ...event, wallMs: event.wallMs - byMs })) };
  });
  return { histories: aligned, events: interleave(aligned.map(({ events }) => events)), notices };
}

function interleave(lists: readonly (readonly RecordedEvent[])[]): RecordedEvent[] {
  const next = lists.map(() => 0);
  const merged: RecordedEvent[] = [];
  for (;;) {
    let earliest: RecordedEvent | null = null;
    let list = 0;
    for (const [index, events] of lists.entries()) {
      const head = events[next[index] ?? 0];
      if (head === undefined || (earliest !== null && earliest.wallMs <= head.wallMs)) continue;
      earliest = head;
      list = index;
    }
    if (earliest === null) return merged;
    merged.push(earliest);
    next[list] = (next[list] ?? 0) + 1;
  }
}

/**
 * How far `other`'s clock is ahead, by the alarms that both nodes raise and clear at the same moment because they follow
 * from what both know. The n-th event of a kind here is held against the n-th from the end there: histories begin
 * anywhere, and end now.
 */
function clockDifference(one: NodeHistory, other: NodeHistory): { byMs: number; events: number } {
  const theirs = commonEvents(other);
  const differences: number[] = [];
  for (const [key, times] of commonEvents(one)) {
    const others = theirs.get(key) ?? [];
    const count = Math.min(times.length, others.length);
    for (let back = 1; back <= count; back++)
      differences.push((others.at(-back) ?? 0) - (times.at(-back) ?? 0));
  }
  differences.sort((a, b) => a - b);
  const median = differences[Math.floor(differences.length / 2)] ?? 0;
  const events = differences.filter((byMs) => Math.abs(byMs - median) <= SPREAD_MS).length;
  // A few that agree, and they are most of them: otherwise the pairs are no pairs.
  const certain = events >= COMMON_MIN && 2 * events > differences.length;
  return certain ? { byMs: median, events } : { byMs: 0, events: 0 };
}

/** Alarms about what both nodes know: a locked node, a group of the domain. */
function commonEvents({ events }: NodeHistory): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const { entity, name, from, to, wallMs } of events) {
    if (entity !== 'alarm' || !/^(400\.001|400\.002|node-locked) /.test(name)) continue;
    const key = `${name} ${from} ${to}`;
    const known = times.get(key) ?? [];
    known.push(wallMs);
    times.set(key, known);
  }
  return times;
}
