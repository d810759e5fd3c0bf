import type { Log, Time } from '../../../src/shell/ports.ts';

/** A clock that stands until it is told to go; deferred work runs when asked for. */
export class FakeTime implements Time {
  /** Timers count whole milliseconds, and may fire up to one before their time as the clock tells it. */
  earlyMs = 0;
  /** Timers that have expired. */
  expired = 0;
  #now = 1000;
  #deferred: (() => void)[] = [];
  #timers: { at: number; work: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  defer(work: () => void): void {
    this.#deferred.push(work);
  }

  after(delayMs: number, work: () => void): () => void {
    const timer = { at: this.#now + delayMs - this.earlyMs, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Runs deferred work until none is left. */
  settle(): void {
    for (let rounds = 0; this.#deferred.length > 0; rounds += 1) {
      if (rounds > 1000) throw new Error('deferred work never ends');
      const works = this.#deferred;
      this.#deferred = [];
      for (const work of works) work();
    }
  }

  /** The process stands still: what was due comes after it, all at once. */
  stall(durationMs: number): void {
    this.#now += durationMs;
  }

  advance(durationMs: number): void {
    const end = this.#now + durationMs;
    this.settle();
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      this.expired += 1;
      next.work();
      this.settle();
    }
    this.#now = end;
  }
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  fatal: () => {},
};
