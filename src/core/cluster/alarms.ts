/** Alarms as state: raised once, cleared once, each with what to do. */
import type { PersistEffect } from '../engine-interface.ts';

export interface Alarm {
  readonly id: string;
  readonly entity: string;
  readonly severity: 'minor' | 'major' | 'critical';
  readonly reason: string;
  readonly repair: string;
}

export class Alarms {
  readonly #raised = new Map<string, Alarm & { readonly since: number }>();
  readonly #emit: (effect: PersistEffect) => void;

  constructor(emit: (effect: PersistEffect) => void) {
    this.#emit = emit;
  }

  raise(alarm: Alarm, now: number): void {
    const old = this.#raised.get(alarm.id);
    if (old?.reason === alarm.reason && old.entity === alarm.entity) return;
    this.#raised.set(alarm.id, { ...alarm, since: old?.since ?? now });
    this.#emit({ type: 'persist.alarm', ...alarm, raised: true });
  }

  clear(id: string, _now: number): void {
    const alarm = this.#raised.get(id);
    if (alarm === undefined) return;
    this.#raised.delete(id);
    const { entity, severity, reason, repair } = alarm;
    this.#emit({ type: 'persist.alarm', id, entity, severity, reason, repair, raised: false });
  }

  all(): readonly (Alarm & { readonly since: number })[] {
    return [...this.#raised.values()];
  }
}

export const POLICY_ALARMS = {
  takeover: (entity: string) => ({
    id: 'no-arbiter-takeover',
    entity,
    severity: 'minor' as const,
    reason:
      'no arbiter is configured: a silent peer is replaced after silence with our own links up, so a cut of all links in the middle lets both act',
    repair: 'configure an arbiter, or set SM_DOMAIN_SAFETY.SILENCE_POLICY to stay',
  }),
  stay: (entity: string) => ({
    id: 'no-arbiter-stay',
    entity,
    severity: 'minor' as const,
    reason:
      'no arbiter is configured: a silent peer is not replaced until its death is proven or it says so itself',
    repair: 'configure an arbiter, or set SM_DOMAIN_SAFETY.SILENCE_POLICY to takeover',
  }),
};

export const duplicateAlarm = (entity: string, life: string) => ({
  id: 'duplicate-identity',
  entity,
  severity: 'critical' as const,
  reason: `another machine sends signed frames under the name of this node (life ${life.slice(0, 8)})`,
  repair: 'stop sm on one of the two machines, correct its node name in sm.yaml, restart sm here',
});

export const definitionsAlarm = (entity: string) => ({
  id: 'definitions-differ',
  entity,
  severity: 'major' as const,
  reason:
    'the two nodes were loaded with different definitions; groups that only one of them knows are run by that one alone',
  repair: 'compare with smctl check --json on both nodes and load the same set',
});
