/**
 * A group that waits for its notification: what the hooks of this node do at a change of the group is to be done before
 * the group goes on. It never waits for longer than its limit, and never when permission is lost.
 */
import type { GroupState } from '../kernel/names.ts';
import type { Context } from './context.ts';
import type { Wait } from './interface.ts';
import type { GroupRecord } from './record.ts';

export interface Hold {
  /** The change that the hooks are told of. */
  readonly state: GroupState;
  /** Monotonic ms. */
  readonly since: number;
  readonly until: number;
}

/** A group that is on its way; where it stands, nothing waits for it. */
const HELD: readonly GroupState[] = ['go-active', 'go-standby', 'disabling'];

/** At each change of state: the wait for an earlier change is over, and one for this may begin. */
export function holdAt(context: Context, group: GroupRecord): void {
  const { state, barrierMs } = group;
  const { now, timers } = context;
  if (barrierMs === 0 || !HELD.includes(state)) {
    release(context, group);
    return;
  }
  group.hold = { state, since: now, until: now + barrierMs };
  timers.set(group.holdKey, now + barrierMs);
}

export function release(context: Context, group: GroupRecord): void {
  if (group.hold === null) return;
  group.hold = null;
  group.view = null;
  context.timers.clear(group.holdKey);
  for (const member of group.members) context.wake(member);
  context.wakeGroup(group);
}

/** The limit has passed: the group goes on, and the history says so. */
export function giveUpHold(context: Context, group: GroupRecord): void {
  const { hold, name } = group;
  if (hold === null) return;
  const lastedMs = hold.until - hold.since;
  context.emit({
    type: 'history',
    entity: 'group',
    name,
    from: '',
    to: '',
    cause: 'notification-late',
    actor: 'engine',
    reason: `the hooks were told of ${hold.state} and did not end within ${lastedMs} ms: the group goes on`,
  });
  release(context, group);
}

export function holdReason({ name, hold }: GroupRecord): string {
  return hold === null ? '' : `waits for the notification hooks of ${name} (${hold.state})`;
}

export function holdWait(group: GroupRecord): Wait | null {
  const { hold, name } = group;
  if (hold === null) return null;
  return { entity: 'group', name, reason: holdReason(group), since: hold.since, until: hold.until };
}
