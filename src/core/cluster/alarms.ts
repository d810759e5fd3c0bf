/**
 * Alarms as state: what is wrong now, since when, and what to do about it. Level-triggered: the rules say which alarms
 * the facts call for (alarm-rules.ts), `settle` raises and clears the difference. An alarm that has to last before it
 * counts is waited for, so that a swact or a start raises nothing.
 */

import type { PersistEffect } from '../engine-interface.ts';
import { same } from '../kernel/same.ts';
import { STATE } from '../kernel/state.ts';
import type { HistoryEffect } from '../service/interface.ts';

export interface Alarm {
  readonly id: string;
  /** What it is about, e.g. `host=controller-0.network=oam-interface`; an id may stand for several entities at once. */
  readonly entity: string;
  readonly severity: 'minor' | 'major' | 'critical';
  readonly reason: string;
  /** What to do. */
  readonly repair: string;
  /** How long the facts have to call for it before it is raised. */
  readonly patienceMs: number;
}

interface Called {
  readonly alarm: Alarm;
  readonly since: number;
  readonly raised: boolean;
}

export class Alarms {
  #called = new Map<string, Called>();
  #wanted: readonly Alarm[] = [];
  #next: number | null = null;
  readonly #emit: (effect: PersistEffect | HistoryEffect) => void;

  get [STATE]() {
    return {
      called: this.#called,
      wanted: this.#wanted,
      next: this.#next,
    };
  }

  set [STATE](state) {
    this.#called = state.called;
    this.#wanted = state.wanted;
    this.#next = state.next;
  }

  constructor(emit: (effect: PersistEffect | HistoryEffect) => void) {
    this.#emit = emit;
  }

  /** Raises and clears until what stands is what is called for. Returns when to look again, or null. */
  settle(wanted: readonly Alarm[], now: number): number | null {
    if (same(wanted, this.#wanted) && (this.#next === null || now < this.#next)) return this.#next;
    const called = new Map<string, Called>();
    let next: number | null = null;
    for (const alarm of wanted) {
      const key = `${alarm.id} ${alarm.entity}`;
      const old = this.#called.get(key);
      const since = old?.since ?? now;
      const due = since + alarm.patienceMs;
      const raised = old?.raised === true || now >= due;
      if (raised && (old?.raised !== true || !isWordedAs(old.alarm, alarm))) this.#tell(alarm, old, true);
      else if (!raised) next = Math.min(next ?? due, due);
      called.set(key, { alarm, since, raised });
    }
    for (const [key, old] of this.#called) {
      if (old.raised && !called.has(key)) this.#tell(old.alarm, old, false);
    }
    this.#called = called;
    this.#wanted = wanted;
    this.#next = next;
    return next;
  }

  /** Those that stand, with the monotonic time since which the facts call for them. */
  all(): readonly (Alarm & { readonly since: number })[] {
    const raised = [...this.#called.values()].filter((called) => called.raised);
    return raised.map(({ alarm, since }) => ({ ...alarm, since }));
  }

  #tell({ id, entity, severity, reason, repair }: Alarm, old: Called | undefined, raised: boolean): void {
    this.#emit({ type: 'persist.alarm', id, entity, severity, reason, repair, raised });
    const from = old?.raised === true ? old.alarm.severity : 'clear';
    const to = raised ? severity : 'clear';
    // A new wording of a standing alarm is no event.
    if (from === to) return;
    this.#emit({
      type: 'history',
      entity: 'alarm',
      name: `${id} ${entity}`,
      from,
      to,
      cause: 'alarm',
      actor: 'engine',
      reason,
    });
  }
}

function isWordedAs(old: Alarm, alarm: Alarm): boolean {
  return old.severity === alarm.severity && old.reason === alarm.reason && old.repair === alarm.repair;
}
