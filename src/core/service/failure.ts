/**
 * Failures of a service, counted three ways: scripts that failed in one visit of a state, scripts that failed on the way
 * from one standing state to the next, and disturbances over time.
 */
import type { Condition, Status } from '../kernel/names.ts';
import type { Context } from './context.ts';
import { wakeAround } from './context.ts';
import type { ServiceRecord, StatusSource } from './record.ts';
import { cut } from './tell.ts';
import { setWait } from './wait.ts';

export function countDisturbance(service: ServiceRecord, reason: string): void {
  service.failCount += 1;
  service.disturbance = reason;
  service.view = null;
}

export function clearTransition(service: ServiceRecord): void {
  setSource(service.transition, '');
}

export function forgetFailures(service: ServiceRecord): void {
  service.actionFailures = 0;
  service.transitionFailures = 0;
  service.startFailures = 0;
  service.otherFailures = 0;
  service.startAfter = 0;
  service.otherAfter = 0;
}

/** A failed script on the way between two standing states. */
export function countTransition(context: Context, service: ServiceRecord, reason: string): void {
  service.actionFailures += 1;
  service.transitionFailures += 1;
  const { definition } = service;
  if (service.transitionFailures >= definition.maxTransitionFailures) {
    const text = `failed ${service.transitionFailures} times on one way: ${reason}`;
    fail(context, service, 'fatal-failure', text);
  } else if (service.actionFailures >= definition.maxActionFailures) {
    fail(context, service, 'action-failure', `failed ${service.actionFailures} times: ${reason}`);
  }
}

/** True, with a wait, if the script of this state failed too often to be run again by itself. */
export function isGivenUp(context: Context, service: ServiceRecord): boolean {
  const { definition } = service;
  const given = service.fatal || service.actionFailures >= definition.maxActionFailures;
  if (given) setWait(context, service, 'recover', `waits for recover: ${service.reason}`, null);
  return given;
}

export function fail(context: Context, service: ServiceRecord, condition: Condition, reason: string): void {
  if (service.transition.condition === 'fatal-failure') return;
  setSource(service.transition, 'failed', condition);
  service.reason = cut(reason);
  service.cause = condition;
  service.view = null;
  // A dead end for this one may be a way for others.
  wakeAround(context, service);
}

export function setSource(source: StatusSource, status: Status, condition: Condition = ''): void {
  source.status = status;
  source.condition = condition;
}
