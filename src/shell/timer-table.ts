/**
 * The timers of a pure core: one timer of Node for the earliest deadline. An expiry comes back with the key and generation
 * it was armed with; the core decides whether it still means something.
 */
import type { TimerEffect, TimerEvent } from '../core/kernel/timers.ts';
import type { Time } from './ports.ts';

export class TimerTable {
  readonly #time: Time;
  readonly #wake: () => void;
  readonly #armed = new Map<string, { readonly at: number; readonly generation: number }>();
  #wakeAt = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => {};

  /** `wake` is called when something may be due; the owner then calls `takeDue` and, after its work, `arm`. */
  constructor(time: Time, wake: () => void) {
    this.#time = time;
    this.#wake = wake;
  }

  apply(effect: TimerEffect): void {
    if (effect.at === null) this.#armed.delete(effect.key);
    else this.#armed.set(effect.key, { at: effect.at, generation: effect.generation });
  }

  /** Expired timers, earliest first; they are disarmed. */
  takeDue(now: number): TimerEvent[] {
    const due: { key: string; at: number; generation: number }[] = [];
    for (const [key, timer] of this.#armed) {
      if (timer.at <= now) due.push({ key, ...timer });
    }
    due.sort((a, b) => a.at - b.at);
    for (const { key } of due) this.#armed.delete(key);
    return due.map(({ key, generation }) => ({ type: 'timer', key, generation }));
  }

  /** How long the earliest of them should have expired; 0 = none should have. */
  overdueMs(now: number): number {
    let longest = 0;
    for (const { at } of this.#armed.values()) longest = Math.max(longest, now - at);
    return longest;
  }

  get size(): number {
    return this.#armed.size;
  }

  /** Sets the timer of Node for the earliest deadline. */
  arm(): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { at } of this.#armed.values()) earliest = Math.min(earliest, at);
    if (earliest === this.#wakeAt) return;
    this.#cancel();
    this.#wakeAt = earliest;
    if (earliest === Number.POSITIVE_INFINITY) {
      this.#cancel = () => {};
      return;
    }
    // Node's timers count whole milliseconds: round up, or the wake-up comes just before the deadline.
    const delayMs = Math.max(0, Math.ceil(earliest - this.#time.now()));
    this.#cancel = this.#time.after(delayMs, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#wake();
    });
  }

  stop(): void {
    this.#cancel();
    this.#armed.clear();
    this.#wakeAt = Number.POSITIVE_INFINITY;
  }
}
