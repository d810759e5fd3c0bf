/**
 * Most of what an idle node hears is that its permission runs on, several times a second. Where the engine would only note the
 * date, it gets the newest one before it decides anything, and no turn is made for it: in `sm` and in the simulator.
 */
import type { EngineEvent, GuardFact } from './engine-interface.ts';

type Renewal = Extract<EngineEvent, { type: 'guard.permission' }>;

export class HeldRenewal {
  readonly #isMere: (fact: GuardFact, now: number) => boolean;
  #held: Renewal | null = null;

  /** `isMere`: the engine's own answer (`Engine.isMereRenewal`). */
  constructor(isMere: (fact: GuardFact, now: number) => boolean) {
    this.#isMere = isMere;
  }

  get isEmpty(): boolean {
    return this.#held === null;
  }

  /** True = it is kept, in the place of the one before. */
  keep(renewal: Renewal, now: number): boolean {
    const { deadline } = this.#held ?? {};
    const isMere =
      deadline === undefined ? this.#isMere(renewal, now) : renewal.recorded === undefined && now < deadline;
    if (isMere) this.#held = renewal;
    return isMere;
  }

  /** What the engine has to hear before anything else; null = nothing. None of those in its place came too late. */
  take(): Renewal | null {
    const renewal = this.#held;
    this.#held = null;
    return renewal === null ? null : { ...renewal, unbroken: true };
  }
}
