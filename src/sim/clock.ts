/**
 * A node's CLOCK_MONOTONIC: starts anew with each boot, runs at its own rate, never goes back. All true times are the
 * world's ms.
 */
export class NodeClock {
  readonly #rate: number;
  #bootedAt: number;
  readonly #origin: number;
  #last: number;
  /** True time since when it stands; null = it runs. */
  #stoodAt: number | null = null;

  constructor(rate: number, bootedAt: number, origin: number) {
    this.#rate = rate;
    this.#bootedAt = bootedAt;
    this.#origin = origin;
    this.#last = origin;
  }

  /** The machine is paused as a whole: its clock stands. */
  stand(trueNow: number): void {
    this.#stoodAt ??= trueNow;
  }

  /** It goes on where it stood, as if it had booted so much later. */
  goOn(trueNow: number): void {
    if (this.#stoodAt === null) return;
    this.#bootedAt += trueNow - this.#stoodAt;
    this.#stoodAt = null;
  }

  read(trueNow: number): number {
    if (this.#stoodAt !== null) return this.#last;
    this.#last = Math.max(this.#last, this.#origin + (trueNow - this.#bootedAt) * this.#rate);
    return this.#last;
  }

  /** A timer is never seen to expire before its time, whatever rounding did. */
  advanceTo(local: number): void {
    this.#last = Math.max(this.#last, local);
  }

  /** True time at which the clock will show `local`. */
  trueTime(local: number): number {
    return this.#bootedAt + (local - this.#origin) / this.#rate;
  }

  /** True duration of `localMs` on this clock. */
  trueDuration(localMs: number): number {
    return localMs / this.#rate;
  }
}
