/** What the parts of the local engine share. */
import type { Timers } from '../kernel/timers.ts';
import type { LocalEffect } from './interface.ts';
import type { GroupRecord, ServiceRecord } from './record.ts';
import type { ResultRules } from './result.ts';
import type { Throttle } from './throttle.ts';

export interface Context {
  /** Monotonic ms of the event that is being worked on. */
  now: number;
  /** How often a service was found not to be active any more. */
  stops: number;
  readonly emit: (effect: LocalEffect) => void;
  readonly timers: Timers;
  readonly rules: ResultRules;
  /** Scripts that run at once on this node. */
  readonly places: Throttle<ServiceRecord>;
  /** Services that are enabled at once. */
  readonly tickets: Throttle<ServiceRecord>;
  /** Looks at the service again before the step ends. */
  wake(service: ServiceRecord): void;
  wakeGroup(group: GroupRecord): void;
}

/** Most urgent first. */
export const URGENCIES = ['stop', 'start', 'audit'] as const;

/** Delay before another try after so many failed ones in a row: none, none, 1 s, 2 s, 4 s, ... 30 s. */
export function backOffMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(BACK_OFF_MS_MAX, 1000 * 2 ** (failures - 2));
}

export const BACK_OFF_MS_MAX = 30_000;

/** Looks again at the service and at everybody whom its change can affect. */
export function wakeAround(context: Context, service: ServiceRecord): void {
  for (const neighbor of service.links.neighbors) context.wake(neighbor);
  context.wake(service);
}
