/**
 * When nobody was active, and when two were: of each group the times between one node's activity and the next, and those
 * that two nodes share, as far as the histories at hand can tell. What only one node knows is said to be of that node;
 * what is a bound is said to be one.
 */
import { isGroupState, isStart, type NodeHistory, type RecordedEvent, silenceIn, stateOf } from './events.ts';

export interface Absence {
  readonly group: string;
  readonly fromMs: number;
  /** null = nobody has become active since. */
  readonly toMs: number | null;
  /** '' = nowhere; a name: not on that node, and of the other one nothing is known. */
  readonly node: string;
  /** False: it was not longer than this; the node that had it could not write down its end. */
  readonly exact: boolean;
  /** Who was active after it; '' = nobody. */
  readonly by: string;
}

/** Two nodes were active for a group that only one may be active for. */
export interface Overlap {
  readonly group: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** False: it was not shorter than this; a history ends while its node is active. */
  readonly exact: boolean;
}

interface Span {
  readonly node: string;
  readonly fromMs: number;
  toMs: number | null;
  exact: boolean;
}

/** `complete`: the histories are those of all nodes of the domain. */
export function absencesOf(histories: readonly NodeHistory[], complete: boolean): Absence[] {
  const lastHeard = silences(histories);
  const absences: Absence[] = [];
  const groups = new Set(
    histories.flatMap(({ events }) => events.filter(isGroupState).map(({ name }) => name)),
  );
  for (const group of groups) {
    const spans = histories.flatMap((history) => activityOf(history, group, lastHeard));
    if (complete) absences.push(...gapsOf(group, spans, ''));
    else {
      for (const history of histories) {
        const own = spans.filter(({ node }) => node === history.node);
        absences.push(
          ...gapsOf(group, own, history.node).filter((gap) => !mayHaveMoved(history, gap)),
          ...takenOver(history, group, own),
        );
      }
    }
  }
  return absences.sort((a, b) => a.fromMs - b.fromMs);
}

/** What is shorter can be the clocks: after they were compared they agree that well. */
const CLOCKS_MS = 500;

export function overlapsOf(histories: readonly NodeHistory[]): Overlap[] {
  const lastHeard = silences(histories);
  const overlaps: Overlap[] = [];
  for (const group of grantedIn(histories)) {
    const spans = histories.flatMap((history) => {
      // A node that wrote nothing any more may have died then.
      const lastMs = history.events.at(-1)?.wallMs ?? 0;
      return activityOf(history, group, lastHeard).map((span) => ({ ...span, endMs: span.toMs ?? lastMs }));
    });
    for (const [index, one] of spans.entries())
      for (const other of spans.slice(index + 1)) {
        const fromMs = Math.max(one.fromMs, other.fromMs);
        const first = one.endMs <= other.endMs ? one : other;
        if (one.node === other.node || first.endMs - fromMs < CLOCKS_MS) continue;
        overlaps.push({ group, fromMs, toMs: first.endMs, exact: first.toMs !== null });
      }
  }
  return overlaps.sort((a, b) => a.fromMs - b.fromMs);
}

/** A number is given for groups only of which not every node may be active. */
function grantedIn(histories: readonly NodeHistory[]): ReadonlySet<string> {
  const grants = histories.flatMap(({ events }) =>
    events.filter(({ entity, cause }) => entity === 'group' && cause === 'grant'),
  );
  return new Set(grants.map(({ name }) => name));
}

/** Last receipts of nodes that fell silent, told by the one that took over. */
function silences(histories: readonly NodeHistory[]): { readonly node: string; readonly atMs: number }[] {
  return histories.flatMap(({ node, events }) =>
    events.flatMap((event) => {
      const ms = event.entity === 'domain' ? silenceIn(event.reason) : null;
      const silent = histories.find((other) => other.node !== node)?.node;
      return ms === null || silent === undefined ? [] : [{ node: silent, atMs: event.wallMs - ms }];
    }),
  );
}

function activityOf(
  { node, events }: NodeHistory,
  group: string,
  lastHeard: readonly { readonly node: string; readonly atMs: number }[],
): Span[] {
  const spans: Span[] = [];
  let open: Span | null = null;
  let last: RecordedEvent | null = null;
  for (const event of events) {
    if (open !== null && isStart(event) && event.cause === 'boot') {
      const lastMs = last?.wallMs ?? event.wallMs;
      const heard = lastHeard.find(
        (row) => row.node === node && row.atMs >= lastMs - 1 && row.atMs < event.wallMs,
      );
      open.toMs = heard?.atMs ?? lastMs;
      open.exact = false;
      open = null;
    }
    last = event;
    if (!isGroupState(event) || event.name !== group) continue;
    // What was before the first event is known by where that event leads from.
    if (spans.length === 0 && stateOf(event.from) === 'active') {
      open = { node, fromMs: events[0]?.wallMs ?? event.wallMs, toMs: null, exact: true };
      spans.push(open);
    }
    if (stateOf(event.to) === 'active') {
      if (open === null) {
        open = { node, fromMs: event.wallMs, toMs: null, exact: true };
        spans.push(open);
      }
      continue;
    }
    // A restart of `sm` audits what runs on: it was active all the time if it is found so.
    const resuming = stateOf(event.from) === 'initial' && stateOf(event.to) === 'go-active';
    if (open === null || resuming) continue;
    open.toMs = event.wallMs;
    open = null;
  }
  return spans;
}

function gapsOf(group: string, spans: readonly Span[], node: string): Absence[] {
  const gaps: Absence[] = [];
  const sorted = [...spans].sort((a, b) => a.fromMs - b.fromMs);
  let until: Span | null = null;
  for (const span of sorted) {
    if (until !== null && until.toMs !== null && span.fromMs > until.toMs) {
      const { toMs, exact } = until;
      gaps.push({ group, fromMs: toMs, toMs: span.fromMs, node, exact, by: span.node });
    }
    if (until === null || span.toMs === null || (until.toMs !== null && span.toMs > until.toMs)) until = span;
    if (until.toMs === null) return gaps;
  }
  if (until?.toMs !== undefined && until?.toMs !== null)
    gaps.push({ group, fromMs: until.toMs, toMs: null, node, exact: until.exact, by: '' });
  return gaps;
}

/** The node gave the group up in order, so that the other one could take it: its own gap says nothing. */
function mayHaveMoved({ events }: NodeHistory, { group, fromMs, toMs }: Absence): boolean {
  return (
    toMs === null ||
    events.some(
      ({ entity, name, cause, wallMs }) =>
        entity === 'group' &&
        name === group &&
        (cause === 'stopped' || cause === 'disable' || cause === 'go-standby') &&
        wallMs >= fromMs &&
        wallMs <= toMs,
    )
  );
}

/** From the last word of a holder that fell silent until the group was active here. */
function takenOver({ events }: NodeHistory, group: string, own: readonly Span[]): Absence[] {
  const absences: Absence[] = [];
  for (const { entity, name, cause, reason, wallMs } of events) {
    if (entity !== 'group' || name !== group || cause !== 'released') continue;
    const ms = silenceIn(reason);
    if (ms === null) continue;
    const next = own.find(({ fromMs }) => fromMs >= wallMs);
    const [fromMs, toMs] = [wallMs - ms, next?.fromMs ?? null];
    absences.push({ group, fromMs, toMs, node: '', exact: false, by: next?.node ?? '' });
  }
  return absences;
}
