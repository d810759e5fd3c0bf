/**
 * A fixed number of tickets. A ticket belongs to its owner: who has one is given none, who has none returns none, so
 * tickets can neither be lost nor multiplied. Who finds none left stands in a queue, and is served in its order.
 */
import { STATE } from '../kernel/state.ts';
export class Throttle<Owner> {
  readonly size: number;
  readonly #holders = new Set<Owner>();
  /** By urgency, most urgent first; each in order of arrival. */
  readonly #queues: readonly Set<Owner>[];

  get [STATE]() {
    return {
      holders: this.#holders,
      queues: this.#queues,
    };
  }

  constructor(size: number, urgencies = 1) {
    this.size = size;
    this.#queues = Array.from({ length: urgencies }, () => new Set<Owner>());
  }

  get held(): number {
    return this.#holders.size;
  }

  get free(): number {
    return Math.max(0, this.size - this.#holders.size);
  }

  holds(owner: Owner): boolean {
    return this.#holders.has(owner);
  }

  /**
   * True if the owner has a ticket now; else it waits in the queue of its urgency (0 = most urgent). `beyond` takes one
   * even when none is left: for what must not wait.
   */
  take(owner: Owner, urgency = 0, beyond = false): boolean {
    if (this.#holders.has(owner)) return true;
    if (this.free === 0 && !beyond) {
      this.leave(owner);
      this.#queues[urgency]?.add(owner);
      return false;
    }
    this.leave(owner);
    this.#holders.add(owner);
    return true;
  }

  /** Returns the ticket; nothing happens if the owner has none. */
  release(owner: Owner): void {
    this.#holders.delete(owner);
  }

  /** Takes the owner out of the queues. */
  leave(owner: Owner): void {
    for (const queue of this.#queues) queue.delete(owner);
  }

  /** Takes the next one out of the queues if a ticket is free for it. */
  next(): Owner | null {
    if (this.free === 0) return null;
    for (const queue of this.#queues) {
      for (const owner of queue) {
        queue.delete(owner);
        return owner;
      }
    }
    return null;
  }
}
