/** What the history can not tell: what was forgotten, when nobody wrote, and where the clock was set. */
import { isStart, type NodeHistory, type RecordedEvent } from './events.ts';

export type Notice =
  /** Older events were deleted to make room. `toMs`: the oldest that is left. */
  | { readonly kind: 'trimmed'; readonly node: string; readonly toMs: number }
  /** Nothing is stored at all. */
  | { readonly kind: 'empty'; readonly node: string }
  /**
   * `sm` did not run. `exact`: it has told its end; else it ended at some time after `fromMs`, its last word. `boot`: the
   * kernel was started anew meanwhile, so nothing of the node ran on. `toMs` null: it has not come back.
   */
  | {
      readonly kind: 'not-running';
      readonly node: string;
      readonly fromMs: number;
      readonly toMs: number | null;
      readonly exact: boolean;
      readonly boot: boolean;
    }
  /** The clock was set back: times before and after it do not compare. */
  | { readonly kind: 'clock-back'; readonly node: string; readonly atMs: number; readonly byMs: number }
  /** Clocks of two nodes that do not agree. `byMs` > 0: `node` is ahead of `than`. */
  | {
      readonly kind: 'clocks-differ';
      readonly node: string;
      readonly than: string;
      readonly byMs: number;
      readonly events: number;
    };

/** Clocks that are kept by a time server move by less than this at once. */
const STEP_MS = 500;

export function noticesOf({ node, events }: NodeHistory): Notice[] {
  const [first] = events;
  if (first === undefined) return [{ kind: 'empty', node }];
  const notices: Notice[] = first.id > 1 ? [{ kind: 'trimmed', node, toMs: first.wallMs }] : [];
  let previous: RecordedEvent | null = null;
  for (const event of events) {
    if (previous !== null) {
      const byMs = previous.wallMs - event.wallMs;
      if (byMs > STEP_MS) notices.push({ kind: 'clock-back', node, atMs: previous.wallMs, byMs });
      if (isStart(event)) notices.push(absence(previous, event));
    }
    previous = event;
  }
  if (previous !== null && hasEnded(previous)) {
    const fromMs = previous.wallMs;
    notices.push({ kind: 'not-running', node, fromMs, toMs: null, exact: true, boot: false });
  }
  return notices;
}

function absence(last: RecordedEvent, start: RecordedEvent): Notice {
  const [fromMs, toMs] = [last.wallMs, start.wallMs];
  const boot = start.cause === 'boot';
  return { kind: 'not-running', node: start.node, fromMs, toMs, exact: hasEnded(last), boot };
}

function hasEnded(event: RecordedEvent): boolean {
  return event.entity === 'daemon' && event.to === 'not running';
}

/** True if the notice says something about this time. */
export function concerns(notice: Notice, fromMs: number, toMs: number): boolean {
  switch (notice.kind) {
    case 'trimmed':
      return fromMs < notice.toMs;
    case 'not-running':
      return notice.fromMs <= toMs && (notice.toMs ?? Number.POSITIVE_INFINITY) >= fromMs;
    case 'clock-back':
      return notice.atMs - notice.byMs <= toMs && notice.atMs >= fromMs;
    default:
      return true;
  }
}
