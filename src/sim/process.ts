/**
 * A process of a simulated node: it can be killed, and stopped and continued. What reaches it while it is stopped waits:
 * timers first, as the shell promises, then datagrams and messages in order of arrival.
 */
import type { World } from './world.ts';

/** Messages and datagrams that wait for a stopped process; what comes later is dropped, as by a full socket buffer. */
const WAITING_MAX = 4096;

export class SimProcess {
  readonly world: World;
  alive = false;
  stalled = false;
  /** Counts starts: what was scheduled for an earlier life never happens in a later one. */
  life = 0;
  #waitingTimers: (() => void)[] = [];
  #waiting: (() => void)[] = [];
  #resumeAt = 0;
  /** Stopped until `resume`, whatever stall ends meanwhile. */
  #stopped = false;

  constructor(world: World) {
    this.world = world;
  }

  begin(): void {
    this.life += 1;
    this.alive = true;
    this.stalled = false;
    this.#stopped = false;
    this.#waiting = [];
    this.#waitingTimers = [];
  }

  end(): void {
    this.life += 1;
    this.alive = false;
    this.stalled = false;
    this.#stopped = false;
    this.#waiting = [];
    this.#waitingTimers = [];
  }

  /** Runs now, or when the process is continued. */
  deliver(run: () => void, timer = false): void {
    if (!this.alive) return;
    if (!this.stalled) return run();
    const waiting = timer ? this.#waitingTimers : this.#waiting;
    if (waiting.length < WAITING_MAX) waiting.push(run);
  }

  /** Delivers after a delay, to this life of the process only. */
  after(delayMs: number, run: () => void): void {
    const { life } = this;
    this.world.after(delayMs, () => {
      if (this.life === life) this.deliver(run);
    });
  }

  /** Until `resume`. */
  stop(): void {
    if (!this.alive) return;
    this.stalled = true;
    this.#stopped = true;
  }

  stall(durationMs: number): void {
    if (!this.alive) return;
    const { life } = this;
    this.stalled = true;
    this.#resumeAt = Math.max(this.#resumeAt, this.world.now + durationMs);
    this.world.after(durationMs, () => {
      if (this.life === life && !this.#stopped && this.world.now >= this.#resumeAt) this.resume();
    });
  }

  resume(): void {
    this.#stopped = false;
    if (!this.alive || !this.stalled) return;
    this.stalled = false;
    const { life } = this;
    for (const timers of [true, false]) {
      const waiting = timers ? this.#waitingTimers : this.#waiting;
      if (timers) this.#waitingTimers = [];
      else this.#waiting = [];
      for (const run of waiting) {
        if (this.life !== life) return;
        this.deliver(run, timers);
      }
    }
  }
}
