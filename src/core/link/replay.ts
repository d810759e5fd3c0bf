/**
 * Which authentic frames are new. Each process life has, on each interface, the highest sequence heard and the 64 before
 * it: a frame counts if it is newer, or within these and not seen yet. What is older is worthless anyway, because
 * permission is renewed by echoes of recent sequences only.
 *
 * A life that we have never heard starts a window of its own; that alone neither ends the known peer nor makes the
 * newcomer one. The peer's life is named by `confirm`, when it echoed ours; its life before is ended then, and frames of
 * an ended life are replays for ever.
 */
import type { InterfaceRole } from '../kernel/names.ts';
import type { LifeId } from './types.ts';

/** Sequences below the highest one that may still come late. */
export const REPLAY_WINDOW = 64;
/** Lives whose windows are kept: the peer's and a few strangers'. The longest unheard stranger goes first. */
export const LIVES_MAX = 8;
/** Ended lives that are remembered; one that is forgotten is a stranger without our echo. */
export const ENDED_LIVES_MAX = 64;

/** What a successor has to know, so that recorded frames say as little to it: of the peer's lives, oldest first. */
export interface PeerLives {
  readonly ended: readonly LifeId[];
  /** The peer as it was heard last, and the highest sequence of it; null = none was ever confirmed. */
  readonly current: { readonly life: LifeId; readonly sequence: number } | null;
}

const WINDOW_MASK = (1n << BigInt(REPLAY_WINDOW + 1)) - 1n;

interface Window {
  highest: number;
  /** Bit i: sequence `highest - i` was seen. */
  seen: bigint;
}

export class ReplayGuard {
  /** In the order in which the lives were last heard, the latest last. */
  readonly #lives = new Map<LifeId, Map<InterfaceRole, Window>>();
  readonly #ended = new Set<LifeId>();
  #confirmed: LifeId | null = null;
  /** Up to here a predecessor has heard the peer. */
  #heardBefore: PeerLives['current'] = null;

  /** True if the frame is new; it is remembered then. Call it for authentic frames only. */
  admit(life: LifeId, role: InterfaceRole, sequence: number): boolean {
    if (this.#ended.has(life)) return false;
    const windows = this.#touch(life);
    const window = windows.get(role) ?? this.#windowBefore(life);
    if (window === null) {
      windows.set(role, { highest: sequence, seen: 1n });
      return true;
    }
    windows.set(role, window);
    return advance(window, sequence);
  }

  known(): PeerLives {
    const life = this.#confirmed;
    const highest = [...(this.#lives.get(life ?? '')?.values() ?? [])].map((window) => window.highest);
    const sequence = Math.max(0, this.#windowBefore(life)?.highest ?? 0, ...highest);
    return { ended: [...this.#ended], current: life === null ? null : { life, sequence } };
  }

  /** What a predecessor knew. Before the first frame. */
  recall({ ended, current }: PeerLives): void {
    for (const life of ended) this.end(life);
    this.#heardBefore = current;
    if (current !== null) this.confirm(current.life);
  }

  /** This life echoed ours: it is the peer. The one before it has ended. */
  confirm(life: LifeId): void {
    if (this.#confirmed === life || this.#ended.has(life)) return;
    if (this.#confirmed !== null) this.end(this.#confirmed);
    this.#confirmed = life;
    this.#touch(life);
  }

  end(life: LifeId): void {
    if (this.#confirmed === life) this.#confirmed = null;
    this.#lives.delete(life);
    this.#ended.add(life);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= ENDED_LIVES_MAX) break;
      this.#ended.delete(oldest);
    }
  }

  #windowBefore(life: LifeId | null): Window | null {
    const before = this.#heardBefore;
    return before === null || before.life !== life ? null : { highest: before.sequence, seen: WINDOW_MASK };
  }

  #touch(life: LifeId): Map<InterfaceRole, Window> {
    const windows = this.#lives.get(life) ?? new Map<InterfaceRole, Window>();
    this.#lives.delete(life);
    this.#lives.set(life, windows);
    for (const longestUnheard of this.#lives.keys()) {
      if (this.#lives.size <= LIVES_MAX) break;
      if (longestUnheard !== this.#confirmed && longestUnheard !== life) this.#lives.delete(longestUnheard);
    }
    return windows;
  }
}

function advance(window: Window, sequence: number): boolean {
  const ahead = sequence - window.highest;
  if (ahead > 0) {
    window.seen = ahead > REPLAY_WINDOW ? 1n : ((window.seen << BigInt(ahead)) | 1n) & WINDOW_MASK;
    window.highest = sequence;
    return true;
  }
  if (-ahead > REPLAY_WINDOW) return false;
  const bit = 1n << BigInt(-ahead);
  if ((window.seen & bit) !== 0n) return false;
  window.seen |= bit;
  return true;
}
