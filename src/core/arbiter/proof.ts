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
  /** A sign of life came since our start. */
  #lived = false;
  /** A deliberate fault: the proof is kept. */
  readonly #kept: boolean;

  constructor(breaks?: ReadonlySet<string>) {
    this.#kept = breaks?.has('proof-once') === true;
  }

  get proof(): DeathProof | null {
    return this.#proof;
  }

  /** False where it is about another life than the peer's last one. `UNHEARD` serves a lone starter only. */
  offer(proof: DeathProof): boolean {
    const fits =
      proof.kernelLife === UNHEARD ? !this.#lived : (this.#lastLife ?? proof.kernelLife) === proof.kernelLife;
    if (fits) this.#proof = proof;
    return fits;
  }

  /** Null where it has grown old: who was proven dead is let alone for so long only. */
  at(now: number): DeathProof | null {
    const proof = this.#proof;
    return proof !== null && (this.#kept || now < proof.at + PROOF_LIFE_MS) ? proof : null;
  }

  /** A frame of whichever life. */
  sign(): void {
    this.#lived = true;
    if (!this.#kept) this.#proof = null;
  }

  /** A frame, or a stamp that moved: whoever sent it lives. */
  alive(kernelLife: LifeId): void {
    this.#lived = true;
    this.#lastLife = kernelLife;
    if (!this.#kept) this.#proof = null;
  }

  /** A stamp as it was found, perhaps years old. Beside a sign of life it tells nothing: it may be of the life before. */
  found(kernelLife: LifeId): void {
    if (this.#lived) return;
    this.#lastLife = kernelLife;
    if (this.#proof !== null && ![UNHEARD, kernelLife].includes(this.#proof.kernelLife)) this.#proof = null;
  }

  /** For one take-over. */
  use(): void {
    if (!this.#kept) this.#proof = null;
  }
}
