/**
 * The clock of the guard: CLOCK_MONOTONIC plus the time that the machine was suspended, during which that clock stands
 * and the peer's does not. A permission must run out while we sleep (docs/SAFETY.md, rule 10: a gap in any clock).
 * Everything that is told to `sm` is told in its clock, CLOCK_MONOTONIC.
 */
import { openSync, readSync } from 'node:fs';
import type { GuardFact } from '../../core/engine-interface.ts';

/** /proc/uptime counts suspension, in steps of 10 ms. */
export const RESOLUTION_MS = 30;
/**
 * Asked twice within this time, a machine was not suspended between: before it sleeps and after it wakes it needs far longer,
 * by this clock, to stop and start its processes and devices. The frames of all links come within a millisecond.
 */
const SUSPENSION_TAKES_MS = 2;
/** Nothing that is dated before so many suspensions matters any more. */
const SUSPENSIONS_MAX = 16;

export class GuardClock {
  readonly #monotonic: () => number;
  readonly #uptime: () => number | null;
  readonly #base: number | null;
  /** When the uptime was read last. */
  #readAt = Number.NEGATIVE_INFINITY;
  /** Time of suspensions since the start. */
  #suspendedMs = 0;
  /** The latest, in order: when each was noticed, and the time of all before it. */
  readonly #suspensions: { readonly foundAt: number; readonly beforeMs: number }[] = [];

  constructor(monotonic: () => number, uptime: () => number | null = openUptime()) {
    this.#monotonic = monotonic;
    this.#uptime = uptime;
    // An interruption between the two readings makes the difference smaller, never larger.
    const readings = Array.from({ length: 5 }, () => this.#difference());
    this.#base = readings.includes(null) ? null : Math.max(...(readings as number[]));
  }

  now(): number {
    const now = this.#monotonic();
    if (now - this.#readAt < SUSPENSION_TAKES_MS) return now + this.#suspendedMs;
    this.#readAt = now;
    const difference = this.#difference();
    if (difference !== null && this.#base !== null) {
      const gap = difference - this.#base - this.#suspendedMs;
      if (gap > RESOLUTION_MS) this.#suspended(gap);
    }
    return this.#monotonic() + this.#suspendedMs;
  }

  /** The same without looking whether the machine slept since `now`: for the rest of a step. */
  reckon(): number {
    return this.#monotonic() + this.#suspendedMs;
  }

  /** How far the clock that counts suspensions is ahead of CLOCK_MONOTONIC; null = it can not be read. */
  ahead(): number | null {
    return this.#difference();
  }

  fromSm(time: number): number {
    return time + this.#suspendedMs;
  }

  /**
   * A moment that has been, in the clock of a process that did not count suspensions: what it dates before one was before it,
   * and must not be taken for later.
   */
  fromPast(time: number): number {
    const next = this.#suspensions.find(({ foundAt }) => time < foundAt);
    return time + (next?.beforeMs ?? this.#suspendedMs);
  }

  toSm(time: number): number {
    return time - this.#suspendedMs;
  }

  factToSm(fact: GuardFact): GuardFact {
    if (this.#suspendedMs === 0) return fact;
    if (fact.type === 'guard.hello' || fact.type === 'guard.limit') {
      return { ...fact, deadline: this.toSm(fact.deadline) };
    }
    if (fact.type === 'guard.permission') {
      const recorded = fact.recorded === undefined ? {} : { recorded: this.toSm(fact.recorded) };
      return { ...fact, ...recorded, deadline: this.toSm(fact.deadline) };
    }
    if (fact.type === 'guard.peer' && !fact.heard) return { ...fact, since: this.toSm(fact.since) };
    return fact;
  }

  #suspended(gapMs: number): void {
    this.#suspensions.push({ foundAt: this.#monotonic(), beforeMs: this.#suspendedMs });
    if (this.#suspensions.length > SUSPENSIONS_MAX) this.#suspensions.shift();
    this.#suspendedMs += gapMs;
  }

  #difference(): number | null {
    const uptime = this.#uptime();
    return uptime === null ? null : uptime - this.#monotonic();
  }
}

/** Milliseconds since boot, suspension included; null where it can not be read. The file stays open. */
export function openUptime(): () => number | null {
  let fd: number;
  try {
    fd = openSync('/proc/uptime', 'r');
  } catch {
    return () => null;
  }
  const buffer = Buffer.alloc(64);
  return () => {
    try {
      const length = readSync(fd, buffer, 0, buffer.length, 0);
      const seconds = Number.parseFloat(buffer.toString('latin1', 0, length));
      return Number.isFinite(seconds) ? seconds * 1000 : null;
    } catch {
      return null;
    }
  };
}
