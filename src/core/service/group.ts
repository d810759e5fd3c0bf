/** The group machine at work: GROUP_TABLE says what to do at which event, this does it, and takes members together. */
import { lookup } from '../kernel/machine.ts';
import type { GroupState } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import type { Context } from './context.ts';
import { isStuck } from './goal.ts';
import { GROUP_TABLE, type GroupEvent, type GroupWork } from './group-table.ts';
import { aggregate } from './health.ts';
import { holdAt, holdWait } from './hold.ts';
import type { GroupView, Wait } from './interface.ts';
import type { GroupRecord, ServiceRecord } from './record.ts';
import { chain, shownState } from './tell.ts';

/** What a swact, or an operator, waits for in these states. */
const TRANSITIONS: readonly GroupState[] = ['go-active', 'go-standby', 'disabling'];

/** Service states of a group that is standby: nothing of it is active, and nothing is being stopped. */
const STANDBY_STATES = ['enabled-standby', 'enabling-throttle', 'enabling', 'disabled'];

export class GroupMachine {
  readonly #context: Context;
  /** The domain has no other node. */
  readonly #alone: boolean;

  constructor(context: Context, nodes: number) {
    this.#context = context;
    this.#alone = nodes === 1;
  }

  apply(group: GroupRecord, event: GroupEvent): void {
    const work = lookup(`group ${group.name}`, GROUP_TABLE, group.state, event);
    if (work !== null) this.#do(group, work, event);
    this.#context.wakeGroup(group);
  }

  /** Members, their waits or their activity changed: takes them together anew, goes on if all are there. */
  refresh(group: GroupRecord): void {
    this.apply(group, 'members-changed');
    const result = aggregate(group, this.#context.now, this.#alone);
    group.status = result.status;
    group.condition = result.condition;
    group.health = result.health;
    group.parked = result.parked;
    const unfinished = TRANSITIONS.includes(group.state) ? waitingMember(group) : null;
    group.reason = result.reason || unfinished || group.desiredReason;
    this.#armExpiry(group, result.expires);
    if (group.maybeActive === 0 && group.token === null) group.activation = 0;
    const view = viewOf(group);
    if (!same(view, group.view)) group.view = view;
    this.#tell(group);
    if (!TRANSITIONS.includes(group.state)) group.actor = 'engine';
  }

  view(group: GroupRecord): GroupView {
    group.view ??= viewOf(group);
    return group.view;
  }

  wait(group: GroupRecord): Wait | null {
    if (!TRANSITIONS.includes(group.state)) return null;
    const held = holdWait(group);
    if (held !== null) return held;
    const reason = waitingMember(group) ?? group.desiredReason;
    return { entity: 'group', name: group.name, reason, since: group.since, until: null };
  }

  #do(group: GroupRecord, work: GroupWork, event: GroupEvent): void {
    switch (work) {
      case 'activate':
        this.#enter(group, isActive(group) ? 'active' : 'go-active', event);
        break;
      case 'stand':
        this.#enter(group, isStandby(group) ? 'standby' : 'go-standby', event);
        break;
      case 'stop':
        this.#enter(group, isDisabled(group) ? 'disabled' : 'disabling', event);
        break;
      case 'check-active':
        if (isActive(group)) this.#enter(group, 'active', event);
        break;
      case 'check-standby':
        if (isStandby(group) && group.hold === null) this.#enter(group, 'standby', event);
        break;
      case 'check-disabled':
        if (isDisabled(group) && group.hold === null) this.#enter(group, 'disabled', event);
        break;
    }
  }

  #enter(group: GroupRecord, state: GroupState, cause: string): void {
    if (group.state === state) return;
    group.state = state;
    group.since = this.#context.now;
    group.cause = cause;
    holdAt(this.#context, group);
  }

  #armExpiry(group: GroupRecord, expires: number): void {
    const armed = this.#context.timers.armed.get(group.timerKey)?.at ?? Number.POSITIVE_INFINITY;
    if (armed === expires) return;
    if (expires === Number.POSITIVE_INFINITY) this.#context.timers.clear(group.timerKey);
    else this.#context.timers.set(group.timerKey, expires);
  }

  #tell(group: GroupRecord): void {
    const { desired, state, status, condition } = group;
    const text = `${desired} ${state} ${status} ${condition}`;
    if (text === group.savedText) return;
    group.savedText = text;
    const shown = shownState(state, status);
    if (shown !== group.shown) {
      const { name, actor, cause } = group;
      const reason = chain(group.reason, group.desiredReason);
      const history = { type: 'history', entity: 'group', name, from: group.shown, to: shown } as const;
      this.#context.emit({ ...history, cause, actor, reason });
    }
    group.shown = shown;
    this.#context.emit({ type: 'persist.group', group: group.name, desired, state, status, condition });
  }
}

function viewOf(group: GroupRecord): GroupView {
  return {
    name: group.name,
    desired: group.desired,
    state: group.state,
    status: group.status,
    condition: group.condition,
    health: group.health,
    reason: group.reason,
    // Told to be over only when the hooks were told of it: the other node begins at that word.
    inactive: group.maybeActive === 0 && group.hold === null,
    activation: group.activation,
    parked: group.parked,
    stuck: stuckReason(group),
  };
}

function stuckReason({ desired, wanted, maybeActive, members }: GroupRecord): string {
  if (!wanted || maybeActive === 0 || desired === 'active') return '';
  const member = members.find(isStuck);
  return member === undefined ? '' : `${member.name}(${member.state}) ${member.reason}`;
}

function isActive(group: GroupRecord): boolean {
  return group.members.every((member) => member.state === 'enabled-active');
}

function isStandby(group: GroupRecord): boolean {
  return group.maybeActive === 0 && group.members.every((member) => STANDBY_STATES.includes(member.state));
}

function isDisabled(group: GroupRecord): boolean {
  return group.members.every((member) => member.state === 'disabled');
}

/** Why the first member that is not there yet is not there. Waiting for a running script comes last. */
function waitingMember(group: GroupRecord): string | null {
  const waiting = group.members.filter((member) => member.wait !== null);
  const member = waiting.find((candidate) => candidate.waitKind !== 'run') ?? waiting[0];
  return member === undefined ? null : textOf(member);
}

function textOf(member: ServiceRecord): string {
  return `${member.name}(${member.state}) ${member.wait?.reason ?? ''}`;
}
