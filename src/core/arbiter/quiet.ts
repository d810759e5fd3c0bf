/**
 * How long a peer has to be quiet before it can be replaced by time, and since when it is. Every time is on our own
 * monotonic clock: what others write down about time is never compared with ours (docs/SAFETY.md, rule 14b).
 */
import type { PeerWord } from './interface.ts';

/** Rates of two monotonic clocks differ by at most this part (rule 13). */
const CLOCK_SLACK = 0.1;
const FIXED_MARGIN_MS = 20;

/** m of rule 13: 10 % of P + S, and 20 ms. */
export function marginMs(permissionMs: number, stopBoundMs: number): number {
  return CLOCK_SLACK * (permissionMs + stopBoundMs) + FIXED_MARGIN_MS;
}

/** P + S + m: a peer that has been quiet for this long has stopped. */
export function quietMs(permissionMs: number, stopBoundMs: number): number {
  return permissionMs + stopBoundMs + marginMs(permissionMs, stopBoundMs);
}

/** The quiet of the peer: its last frame and the last time its stamp was seen to move. */
export class Quiet {
  /** Of the stamp that was seen last; null = none was. */
  #nonce: string | null = null;
  #found = false;
  #movedAt: number;
  /** It was seen to move, not only found. */
  #moves = false;
  #word: PeerWord = NOTHING_HEARD;
  #permissionMs: number;
  #stopBoundMs: number;
  readonly #trustsThePast: boolean;

  /** Whoever was restarted has forgotten both and counts from its own start. */
  constructor(startedAt: number, permissionMs: number, stopBoundMs: number, breaks?: ReadonlySet<string>) {
    this.#trustsThePast = breaks?.has('count-from-start') === true;
    this.#movedAt = this.#trustsThePast ? Number.NEGATIVE_INFINITY : startedAt;
    this.#permissionMs = permissionMs;
    this.#stopBoundMs = stopBoundMs;
  }

  get word(): PeerWord {
    return this.#word;
  }

  get movedAt(): number {
    return this.#movedAt;
  }

  get moves(): boolean {
    return this.#moves;
  }

  get since(): number {
    return Math.max(this.#movedAt, this.#word.lastReceiptAt);
  }

  /** When it has been quiet for long enough, if nothing comes. */
  get overAt(): number {
    return this.since + quietMs(this.#permissionMs, this.#stopBoundMs);
  }

  heard(word: PeerWord): void {
    this.#word = word;
    this.#announced(word.permissionMs, word.stopBoundMs);
  }

  /** A stamp was read. True where it differs from the one before: `seenAt` is when we saw it, never when it was made. */
  stamped(nonce: string | null, permissionMs: number, stopBoundMs: number, seenAt: number): boolean {
    this.#announced(permissionMs, stopBoundMs);
    const first = !this.#found;
    this.#found = true;
    if (nonce === this.#nonce) return false;
    this.#nonce = nonce;
    // The first one that is read may be as old as the world, or a moment old.
    if (!(first && this.#trustsThePast)) this.#movedAt = seenAt;
    // One that is gone was taken away by somebody else: no sign of life.
    const moved = !first && nonce !== null;
    this.#moves ||= moved;
    return moved;
  }

  /** Its death was proven, and used: what moved was moved by the dead one. */
  died(): void {
    this.#moves = false;
  }

  /** The largest ever announced: the last permission may have been given under it (rule 4). */
  #announced(permissionMs: number, stopBoundMs: number): void {
    this.#permissionMs = Math.max(this.#permissionMs, permissionMs);
    this.#stopBoundMs = Math.max(this.#stopBoundMs, stopBoundMs);
  }
}

const NOTHING_HEARD: PeerWord = {
  heard: false,
  exchanged: false,
  leaving: false,
  lastReceiptAt: Number.NEGATIVE_INFINITY,
  permissionMs: 0,
  stopBoundMs: 0,
};
