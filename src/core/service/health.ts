/** What the members of a group amount to: status, condition, health number and reason. */
import { LIMITS } from '../kernel/limits.ts';
import {
  CONDITIONS,
  type Condition,
  type GroupState,
  rank,
  type Status,
  worseStatus,
} from '../kernel/names.ts';
import type { GroupRecord, HeldFailure, ServiceRecord } from './record.ts';

/** No member failed, degraded or warned. */
export const HEALTH_PERFECT = 2 ** 48 - 1;
const COUNT_MAX = 0xffff;
/** On the way out of activity, which a failure may be the reason of. */
const LEAVING: readonly GroupState[] = ['go-standby', 'disabling'];

export interface Aggregate {
  readonly status: Status;
  readonly condition: Condition;
  /** Larger = healthier. */
  readonly health: number;
  readonly reason: string;
  /** Gravest condition for which a member is not tried any more by itself. */
  readonly parked: Condition;
  /** When the next held failure is forgotten; Infinity = none. */
  readonly expires: number;
}

/** Complement, within 48 bits, of failed << 32 | degraded << 16 | warn. Plain numbers: 48 bits are a safe integer. */
export function healthOf(failed: number, degraded: number, warn: number): number {
  const cut = (count: number) => Math.min(count, COUNT_MAX);
  return HEALTH_PERFECT - (cut(failed) * 2 ** 32 + cut(degraded) * 2 ** 16 + cut(warn));
}

/** What a member's status means for its group, by its failure impact. */
export function implied(status: Status, impact: ServiceRecord['impact']): Status {
  if (status !== 'failed') return status;
  switch (impact) {
    case 'critical':
      return 'failed';
    case 'major':
      return 'degraded';
    case 'minor':
      return 'warn';
    case 'none':
      return '';
  }
}

/**
 * Takes the members together. A failure is held against a member for a while after it recovered, and until its group
 * has left, so that the cluster can see and act on one that comes and goes. Updates the hold times of the group.
 */
export function aggregate(group: GroupRecord, now: number, alone: boolean): Aggregate {
  const counts = { failed: 0, degraded: 0, warn: 0, healthy: 0 };
  let status: Status = '';
  let condition: Condition = '';
  let parked: Condition = '';
  let reasons: string[] = [];
  let expires = Number.POSITIVE_INFINITY;
  const works = isAtWork(group);
  for (const [index, member] of group.members.entries()) {
    const held = hold(group, index, now, alone);
    if (held !== undefined) expires = Math.min(expires, held.until);
    parked = graver(parked, member.transition.condition);
    const own: Status = held === undefined ? member.status : 'failed';
    const means = implied(own, member.impact);
    counts[means === '' ? 'healthy' : means] += 1;
    if (means === '') continue;
    const worst = worseStatus(status, means);
    if (worst !== status) reasons = [];
    if (means === worst) reasons.push(describe(member, own));
    status = worst;
    // A failure that its impact makes less of does not bring its condition along.
    if (means === own)
      condition = graver(condition, works ? member.condition : (held?.condition ?? member.condition));
  }
  const { redundancyModel, nActive } = group.definition;
  const shared = redundancyModel === 'N' && nActive > 1;
  return {
    status: status === 'failed' && shared && counts.healthy > 0 ? 'degraded' : status,
    condition,
    health: healthOf(counts.failed, counts.degraded, counts.warn),
    reason: listed(reasons),
    parked,
    expires,
  };
}

/** It does here what it is for: what failed before is a blemish still, and no reason to look for a better node. */
function isAtWork({ desired, members }: GroupRecord): boolean {
  return (
    desired === 'active' &&
    members.every((member) => member.state === 'enabled-active' && member.status !== 'failed')
  );
}

/** What is held against the member now, brought up to date. With its condition: the cluster judges by that. */
function hold(group: GroupRecord, index: number, now: number, alone: boolean): HeldFailure | undefined {
  const { status, condition } = group.members[index] ?? { status: '', condition: '' };
  const before = group.held[index];
  if (status === 'failed') {
    if (before?.until !== Number.POSITIVE_INFINITY) countFailure(group, now);
    group.held[index] = { until: Number.POSITIVE_INFINITY, condition };
  } else if (before?.until === Number.POSITIVE_INFINITY && !LEAVING.includes(group.state)) {
    // Not earlier: what is stopped has no failure any more, and the rest of its group is still being stopped for it.
    group.held[index] = { ...before, until: now + holdMs(group, alone) };
  }
  if ((group.held[index]?.until ?? 0) <= now) group.held[index] = undefined;
  return group.held[index];
}

function countFailure(group: GroupRecord, now: number): void {
  const first = now - group.failedAt >= LIMITS.failureForgottenMs;
  group.failures = first ? 1 : group.failures + 1;
  group.failedAt = now;
}

/** A single node forgets failures ten times sooner: there is no other node to act on them. */
function holdMs({ definition: { failureDebounceMs }, failures }: GroupRecord, alone: boolean): number {
  if (alone) return failureDebounceMs / 10;
  const { failureHoldMsMin, failureHoldMsMax } = LIMITS;
  return Math.max(failureDebounceMs, Math.min(failureHoldMsMin * 2 ** (failures - 1), failureHoldMsMax));
}

function graver(a: Condition, b: Condition): Condition {
  return rank(CONDITIONS, b) > rank(CONDITIONS, a) ? b : a;
}

function describe(member: ServiceRecord, status: Status): string {
  const condition = member.condition;
  const data = condition.startsWith('data-') || condition === 'FD-limit-reached';
  return `${member.name}(${member.reportedState}, ${status}${data ? `, ${condition}` : ''})`;
}

/** Joins with commas; what does not fit is said to be left out. */
function listed(reasons: readonly string[]): string {
  let text = '';
  for (const reason of reasons) {
    const longer = text === '' ? reason : `${text}, ${reason}`;
    if (longer.length > LIMITS.reasonCharactersMax - 5) return `${text}, ...`;
    text = longer;
  }
  return text;
}
