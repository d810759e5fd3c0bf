/**
 * The two times by which nodes count with each other: P, how long a node acts after what it has renewed, and S, how long it
 * then needs to stop. Each announces its own in every frame. The other side counts with the largest that it was told; a
 * longer one of the own counts only when the other side can know it (docs/SAFETY.md, rule 4).
 */
import { quietMs } from '../arbiter/quiet.ts';
import type { DomainDefinition } from '../definitions/model.ts';

/** ms. */
export interface Times {
  readonly permissionMs: number;
  readonly stopBoundMs: number;
}

/** What a node lives by itself; S in its parts. */
export type OwnTimes = Pick<
  DomainDefinition,
  'helloIntervalMs' | 'deadIntervalMs' | 'stopBoundMs' | 'stopGraceMs' | 'killVerifyMs' | 'linkDownDetectMs'
>;

/** For a successor: whoever is started anew would know its own definitions alone. */
export interface AnnouncedTimes {
  readonly peer: Times;
  readonly own: OwnTimes;
}

export function ownTimes(domain: OwnTimes): OwnTimes {
  const { helloIntervalMs, deadIntervalMs, stopBoundMs, stopGraceMs, killVerifyMs, linkDownDetectMs } =
    domain;
  return { helloIntervalMs, deadIntervalMs, stopBoundMs, stopGraceMs, killVerifyMs, linkDownDetectMs };
}

/**
 * What is right by both, as long as the other side may know either: of each the smaller. The heartbeats too, for a short
 * permission does not live by the pace of a long one; a loss of a link is noticed as late as the slower one allows.
 */
export function shorterOf(one: OwnTimes, other: OwnTimes): OwnTimes {
  return {
    helloIntervalMs: Math.min(one.helloIntervalMs, other.helloIntervalMs),
    deadIntervalMs: Math.min(one.deadIntervalMs, other.deadIntervalMs),
    stopBoundMs: Math.min(one.stopBoundMs, other.stopBoundMs),
    stopGraceMs: Math.min(one.stopGraceMs, other.stopGraceMs),
    killVerifyMs: Math.min(one.killVerifyMs, other.killVerifyMs),
    linkDownDetectMs: Math.max(one.linkDownDetectMs, other.linkDownDetectMs),
  };
}

/** The largest P and S that the peer announced while its last permission lived; never below a floor. */
export class LargestTimes implements Times {
  readonly #floor: Times;
  #largest: Times;
  /** When a frame last announced no less. */
  #announcedAt = Number.NEGATIVE_INFINITY;

  constructor(floor: Times) {
    this.#floor = floor;
    this.#largest = floor;
  }

  get permissionMs(): number {
    return this.#largest.permissionMs;
  }

  get stopBoundMs(): number {
    return this.#largest.stopBoundMs;
  }

  /** Whoever said so may live by it. True = it is more than was known. */
  raise(told: Times, now: number): boolean {
    const { permissionMs, stopBoundMs } = this.#largest;
    if (told.permissionMs >= permissionMs && told.stopBoundMs >= stopBoundMs) this.#announcedAt = now;
    if (told.permissionMs <= permissionMs && told.stopBoundMs <= stopBoundMs) return false;
    this.#announcedAt = now;
    this.#largest = largerOf(this.#largest, told);
    return true;
  }

  /**
   * A newest frame of the peer itself. What began under larger times than these is over when P + S + m have passed since they
   * were announced last.
   */
  settle(told: Times, now: number): void {
    this.raise(told, now);
    const { permissionMs, stopBoundMs } = this.#largest;
    if (now - this.#announcedAt > quietMs(permissionMs, stopBoundMs))
      this.#largest = largerOf(this.#floor, told);
  }
}

function largerOf(one: Times, other: Times): Times {
  return {
    permissionMs: Math.max(one.permissionMs, other.permissionMs),
    stopBoundMs: Math.max(one.stopBoundMs, other.stopBoundMs),
  };
}
