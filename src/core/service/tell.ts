/** What others are told of a service: its view, its history, its row in the store. */
import { LIMITS } from '../kernel/limits.ts';
import type { Context } from './context.ts';
import type { ServiceView } from './interface.ts';
import type { ServiceRecord } from './record.ts';

/** Tells everybody if state, status or condition changed since the last time. */
export function changed(context: Context, service: ServiceRecord, cause = ''): void {
  const { desired, state, status, condition, saved } = service;
  if (
    saved.state === state &&
    saved.status === status &&
    saved.condition === condition &&
    saved.desired === desired
  ) {
    return;
  }
  service.saved = { desired, state, status, condition };
  service.view = null;
  service.unsaved = true;
  context.wakeGroup(service.group);
  const shown = shownState(state, status);
  if (shown !== service.shown) tellHistory(context, service, service.shown, shown, cause || service.cause);
  service.shown = shown;
}

function tellHistory(
  context: Context,
  service: ServiceRecord,
  from: string,
  to: string,
  cause: string,
): void {
  context.emit({
    type: 'history',
    entity: 'service',
    name: service.name,
    from,
    to,
    cause,
    actor: service.actor,
    reason: chain(service.reason, service.because, service.desiredReason),
  });
}

export function serviceView(service: ServiceRecord): ServiceView {
  service.view ??= {
    name: service.name,
    group: service.group.name,
    desired: service.desired,
    state: service.state,
    status: service.status,
    condition: service.condition,
    failCount: service.failCount,
    managed: service.managed,
    running: service.run?.action ?? null,
    reason: service.reason,
    wait: service.wait,
  };
  return service.view;
}

/** State and status as one word, as the log of StarlingX prints them. */
export function shownState(state: string, status: string): string {
  return status === '' ? state : `${state}-${status}`;
}

/** Reasons, nearest first. */
export function chain(...reasons: readonly string[]): string {
  return reasons
    .filter((reason, index) => reason !== '' && reasons.indexOf(reason) === index)
    .map(cut)
    .join(' <- ');
}

export function cut(text: string): string {
  return text.length <= LIMITS.reasonCharactersMax
    ? text
    : `${text.slice(0, LIMITS.reasonCharactersMax - 3)}...`;
}
