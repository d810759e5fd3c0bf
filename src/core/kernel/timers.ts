/**
 * Timers of a pure machine: arming one is an effect, its expiry comes back as an event with the generation it was armed
 * with, and an expiry of an older generation is dropped. One key, one timer: arming again replaces.
 */
import { STATE } from './state.ts';
export interface TimerEffect {
  readonly type: 'timer';
  readonly key: string;
  readonly generation: number;
  /** Monotonic time of expiry in ms; null = disarmed. */
  readonly at: number | null;
}

export interface TimerEvent {
  readonly type: 'timer';
  readonly key: string;
  readonly generation: number;
}

export interface ArmedTimer {
  readonly at: number;
  readonly generation: number;
}

export class Timers {
  readonly armed = new Map<string, ArmedTimer>();
  #generation = 0;
  readonly #emit: (effect: TimerEffect) => void;

  get [STATE]() {
    return {
      generation: this.#generation,
    };
  }

  set [STATE](state) {
    this.#generation = state.generation;
  }

  constructor(emit: (effect: TimerEffect) => void) {
    this.#emit = emit;
  }

  set(key: string, at: number): void {
    this.#generation += 1;
    this.armed.set(key, { at, generation: this.#generation });
    this.#emit({ type: 'timer', key, generation: this.#generation, at });
  }

  clear(key: string): void {
    const timer = this.armed.get(key);
    if (timer === undefined) return;
    this.armed.delete(key);
    this.#emit({ type: 'timer', key, generation: timer.generation, at: null });
  }

  /** True if this expiry is of the timer that is armed now; it is then disarmed. */
  take(event: TimerEvent): boolean {
    const timer = this.armed.get(event.key);
    if (timer === undefined || timer.generation !== event.generation) return false;
    this.armed.delete(event.key);
    return true;
  }
}
