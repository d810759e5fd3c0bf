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
