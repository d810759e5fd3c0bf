/**
 * A proof of death: it is about one kernel life of the peer, is void as soon as another one, or that one again, gives a
 * sign of life, serves one take-over, and is not kept (docs/SAFETY.md, rule 14a).
 */
import type { LifeId } from '../link/types.ts';
import type { DeathProof } from './interface.ts';

/** In the place of a kernel life: whichever it had, nothing was heard of it since our own start. */
export const UNHEARD: LifeId = '';

/** What was seen longer ago proves nothing any more: somebody may have switched it on again. */
export const PROOF_LIFE_MS = 60_000;

export class ProofOfDeath {
  #proof: DeathProof | null = null;
  /** The kernel life that the peer was last known to have; null = none is known. */
  #lastLife: LifeId | null = null;
  /** The one of its last frame; null = none came since our start. */
  #heardLife: LifeId | null = null;
  /** When the last sign of life came since our start; -Infinity = none has. */
  #livedAt = Number.NEGATIVE_INFINITY;
  /** A deliberate fault: the proof is kept. */
  readonly #kept: boolean;

  constructor(breaks?: ReadonlySet<string>) {
    this.#kept = breaks?.has('proof-once') === true;
  }

  get proof(): DeathProof | null {
    return this.#proof;
  }

  /**
   * False where it is about another life than the peer's last one. Who asks for it goes by frames: where only a stamp has moved
   * since, a proof that is later than that is about the life of the stamp. `UNHEARD` serves a lone starter only.
   */
  offer(proof: DeathProof): boolean {
    const { kernelLife, at } = proof;
    const isOfLast = (this.#lastLife ?? kernelLife) === kernelLife;
    const knew = (this.#heardLife ?? kernelLife) === kernelLife;
    const isOfStamp = this.#hasLived && knew && at > this.#livedAt;
    const fits = kernelLife === UNHEARD ? !this.#hasLived : isOfLast || isOfStamp;
    if (fits) this.#proof = proof;
    return fits;
  }

  /** Null where it has grown old: who was proven dead is let alone for so long only. */
  at(now: number): DeathProof | null {
    const proof = this.#proof;
    return proof !== null && (this.#kept || now < proof.at + PROOF_LIFE_MS) ? proof : null;
  }

  /** A frame of whichever life. */
  sign(now: number): void {
    this.#livedAt = now;
    if (!this.#kept) this.#proof = null;
  }

  /** A frame. */
  heard(kernelLife: LifeId, now: number): void {
    this.#heardLife = kernelLife;
    this.moved(kernelLife, now);
  }

  /** A stamp was seen to move: whoever wrote it lives. */
  moved(kernelLife: LifeId, now: number): void {
    this.#lastLife = kernelLife;
    this.sign(now);
  }

  /** A stamp as it was found, perhaps years old. Beside a sign of life it tells nothing: it may be of the life before. */
  found(kernelLife: LifeId): void {
    if (this.#hasLived) return;
    this.#lastLife = kernelLife;
    if (this.#proof !== null && ![UNHEARD, kernelLife].includes(this.#proof.kernelLife)) this.#proof = null;
  }

  get #hasLived(): boolean {
    return this.#livedAt > Number.NEGATIVE_INFINITY;
  }

  /** For one take-over. */
  use(): void {
    if (!this.#kept) this.#proof = null;
  }
}
