/** Where a service shall be now, and why: read off what is known of it, nothing is changed here. */
import type { ServiceAction, ServiceState } from '../kernel/names.ts';
import { forcedDownBy, unmetWhile } from './dependency.ts';
import type { ServiceRecord } from './record.ts';
import type { Goal, ServiceEvent } from './service-table.ts';

const UNSTOPPED: readonly ServiceState[] = ['unknown', 'disabling', 'enabled-go-standby', 'shutdown'];

/** Where the service shall be now. */
export function goalOf(service: ServiceRecord): Goal {
  if (service.revoked) return 'disabled';
  if (service.desired === 'initial' || service.fatal) return 'none';
  if (service.restart !== null || forcedDownBy(service) !== null) return 'disabled';
  if (isParked(service)) return 'disabled';
  const { state } = service;
  if (state === 'enabled-active' || state === 'enabled-standby') {
    if (unmetWhile(service, state) !== null) return 'disabled';
  }
  if (service.desired === 'enabled-active') return 'active';
  return service.desired === 'enabled-standby' && service.standbyCapable ? 'standby' : 'disabled';
}

/** Too many failures within their time: it is not enabled, or promoted, any more. */
export function isParked(service: ServiceRecord): boolean {
  const { definition, state } = service;
  if (service.failCount < definition.maxFailures) return false;
  if (state === 'disabled' || state === 'enabling-throttle' || state === 'disabling') return true;
  return state === 'enabled-standby' && service.desired === 'enabled-active';
}

/** Believed to be disabled because there is no audit to ask: only its stop script can prove it. */
export function needsProof(service: ServiceRecord): boolean {
  return (
    service.maybeActive &&
    service.managed &&
    service.group.definition.exclusive &&
    service.run === null &&
    auditOf(service) === null &&
    service.definition.actions.has('disable')
  );
}

/**
 * Its right to be active is gone and its stop script has failed: what it started is killed and looked for, which proves as
 * much. Not where it holds what outlives processes: that only its own scripts take off.
 */
export function isKilledInstead(service: ServiceRecord): boolean {
  return service.revoked && service.actionFailures > 0 && !service.definition.kernelState;
}

/** Its scripts have failed too often to stop or demote it, or to say whether it runs. */
export function isStuck({ state, transition: { condition } }: ServiceRecord): boolean {
  return UNSTOPPED.includes(state) && (condition === 'action-failure' || condition === 'fatal-failure');
}

export function requestReason(service: ServiceRecord, event: ServiceEvent, goal: Goal): string {
  if (event === 'audit') return 'audit requested';
  const forced = forcedDownBy(service);
  if (goal === 'disabled' && forced !== null) {
    return `${forced} stops, and needs ${service.name} stopped first`;
  }
  if (service.restart !== null) {
    return `${service.restart === 'safe' ? 'restart safe' : 'restart'} requested: ${service.restartReason}`;
  }
  if (goal === 'disabled' && (service.state === 'enabled-active' || service.state === 'enabled-standby')) {
    const unmet = unmetWhile(service, service.state);
    if (unmet !== null) return unmet.reason;
  }
  return `${service.desired} state requested`;
}

/** The audit that can tell the state, whichever it is. */
export function auditOf(service: ServiceRecord): ServiceAction | null {
  const { actions } = service.definition;
  if (actions.has('audit-enabled')) return 'audit-enabled';
  return actions.has('audit-disabled') ? 'audit-disabled' : null;
}

export function standingAudit(service: ServiceRecord): ServiceAction | null {
  const audit = service.state === 'disabled' ? 'audit-disabled' : 'audit-enabled';
  return service.definition.actions.has(audit) ? audit : null;
}

export function auditPeriod(service: ServiceRecord): number {
  const audit = standingAudit(service);
  return audit === null ? 0 : (service.definition.actions.get(audit)?.intervalMs ?? 0);
}

/** It is wanted stopped, by itself and not for the sake of others. */
export function wantedDown(service: ServiceRecord): boolean {
  return service.desired === 'disabled' || (service.desired === 'enabled-standby' && !service.standbyCapable);
}
