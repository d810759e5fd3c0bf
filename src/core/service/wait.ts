/**
 * Waits: why a service does not go on, since when, and until when at most.
 *
 * Waiting for another service is no failure and has no limit. It is a warning after a minute if that service is wanted
 * here, for then it is late. Where it is not wanted here (it is active on the other node) waiting is as it should be:
 * the wait is shown, and nothing else.
 */
import type { Context } from './context.ts';
import type { ServiceRecord, WaitKind } from './record.ts';

/** A wait for a service that is wanted here is a warning after this time. */
export const LATE_DEPENDENCY_MS = 60_000;

/** Sets or renews the wait; the same kind of wait keeps its start. */
export function setWait(
  context: Context,
  service: ServiceRecord,
  kind: WaitKind,
  reason: string,
  until: number | null,
): void {
  const before = service.wait;
  service.waitRenewed = true;
  if (kind !== 'dependency') setLate(context, service, false);
  if (before !== null && service.waitKind === kind && before.reason === reason && before.until === until) {
    return;
  }
  const since = before !== null && service.waitKind === kind ? before.since : context.now;
  service.wait = { entity: 'service', name: service.name, reason, since, until };
  service.waitKind = kind;
  service.view = null;
  context.wakeGroup(service.group);
}

export function clearWait(context: Context, service: ServiceRecord): void {
  if (service.wait === null) return;
  service.wait = null;
  service.waitKind = null;
  service.view = null;
  setLate(context, service, false);
  context.wakeGroup(service.group);
}

/** Starts or stops the time after which waiting for a dependency is a warning. */
export function setLate(context: Context, service: ServiceRecord, late: boolean): void {
  const key = service.timerKeys.get('wait') ?? '';
  if (!late) {
    context.timers.clear(key);
    service.waiting = '';
  } else if (service.waiting === '' && !context.timers.armed.has(key)) {
    context.timers.set(key, (service.wait?.since ?? context.now) + LATE_DEPENDENCY_MS);
  }
}
