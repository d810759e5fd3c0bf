/**
 * Which events belong together. An incident lasts until everything that has begun in it is over; what comes after a pause
 * then has a cause of its own. Only alarms, which have patience, belong to what was before them for longer.
 */
import { isStart, isUnderWay, type RecordedEvent, thingOf } from './events.ts';

/** An alarm that is raised or cleared so long after the last change still belongs to it. */
const ALARM_PATIENCE_MS = 5000;
/** Something that comes this long after everything was settled does not follow from it. */
const PAUSE_MS = 1000;
/** What is under way for longer keeps no incident open: a group may wait for its peer for days. */
const UNDER_WAY_MS = 120_000;

export function incidentsOf(events: readonly RecordedEvent[]): RecordedEvent[][] {
  const incidents: RecordedEvent[][] = [];
  let current: RecordedEvent[] = [];
  /** By thing: when it was last on its way. */
  const underWay = new Map<string, { readonly node: string; readonly wallMs: number }>();
  /** Of the last event that was more than an alarm. */
  let changedAt = 0;
  for (const event of events) {
    const last = current.at(-1);
    if (last !== undefined && isNew(event, last, changedAt, underWay)) {
      incidents.push(current);
      current = [];
    }
    current.push(event);
    if (event.entity !== 'alarm' || current.length === 1) changedAt = event.wallMs;
    if (isStart(event))
      for (const [thing, { node }] of underWay) if (node === event.node) underWay.delete(thing);
    if (isUnderWay(event)) underWay.set(thingOf(event), event);
    else underWay.delete(thingOf(event));
  }
  return current.length === 0 ? incidents : [...incidents, current];
}

/** Somebody asked for it, and nothing was under way: whatever was before did not bring it about. */
function isOrder({ actor }: RecordedEvent): boolean {
  return actor !== 'engine' && actor !== 'peer' && actor !== '';
}

function isNew(
  event: RecordedEvent,
  last: RecordedEvent,
  changedAt: number,
  underWay: ReadonlyMap<string, { readonly wallMs: number }>,
): boolean {
  // The clock was set back: nothing tells how long it really was.
  if (event.wallMs - last.wallMs < -ALARM_PATIENCE_MS) return true;
  const open = [...underWay.values()].some(({ wallMs }) => event.wallMs - wallMs < UNDER_WAY_MS);
  if (open) return false;
  if (isOrder(event)) return true;
  return event.wallMs - changedAt >= (event.entity === 'alarm' ? ALARM_PATIENCE_MS : PAUSE_MS);
}
