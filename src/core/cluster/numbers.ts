/**
 * The numbers of the groups (docs/SAFETY.md, rule 5): which activation number this node holds, which it gave up for ever,
 * the highest one ever seen, and the leader's record of who holds a group. Every change is persisted in its own turn.
 */

import type { GroupNumbers, PersistEffect } from '../engine-interface.ts';
import { assert } from '../kernel/assert.ts';
import { STATE } from '../kernel/state.ts';

/** What a node gives itself between its last report and its death: one in ten seconds of a cut of hours. */
const UNSEEN_SINCE_REPORT = 1000;
/** Or while the other one was not there: one every minute for two years. */
const UNSEEN_AT_ALL = 1_000_000;

export class Numbers {
  readonly #byGroup = new Map<string, GroupNumbers>();
  readonly #emit: (effect: PersistEffect) => void;

  get [STATE]() {
    return {
      byGroup: this.#byGroup,
    };
  }

  constructor(
    groups: Iterable<string>,
    restored: readonly GroupNumbers[],
    emit: (effect: PersistEffect) => void,
  ) {
    for (const group of groups) {
      this.#byGroup.set(group, { group, held: 0, stopped: 0, max: 0, holder: '', holderActivation: 0 });
    }
    for (const numbers of restored)
      if (this.#byGroup.has(numbers.group)) this.#byGroup.set(numbers.group, numbers);
    this.#emit = emit;
  }

  of(group: string): GroupNumbers {
    const numbers = this.#byGroup.get(group);
    assert(numbers !== undefined, () => `no numbers of group ${group}`);
    return numbers;
  }

  all(): GroupNumbers[] {
    return [...this.#byGroup.values()];
  }

  anyHeld(): boolean {
    for (const { held } of this.#byGroup.values()) if (held > 0) return true;
    return false;
  }

  /** A number was seen anywhere: later grants start above it. */
  see(group: string, activation: number): void {
    if (activation > this.of(group).max) this.#change(group, { max: activation });
  }

  /** A dead peer is replaced, which may have given numbers that nobody has seen. `known`: its report was here once. */
  leap(known: boolean): void {
    const by = known ? UNSEEN_SINCE_REPORT : UNSEEN_AT_ALL;
    for (const { group, max } of this.all()) if (max > 0) this.#change(group, { max: max + by });
  }

  /** This node may run the group under this number from now on. */
  hold(group: string, activation: number): void {
    const { stopped, max } = this.of(group);
    assert(activation > stopped, () => `${group}: activation ${activation} was given up before`);
    this.#change(group, { held: activation, max: Math.max(max, activation) });
  }

  /** `stopped(g, k)`: what this node held, or was sent, is given up for ever. */
  giveUp(group: string, activation: number): void {
    const { stopped, max, held } = this.of(group);
    if (activation <= stopped && held === 0) return;
    this.#change(group, {
      held: 0,
      stopped: Math.max(stopped, activation),
      max: Math.max(max, activation),
    });
  }

  /** The leader's record; '' = nobody. */
  record(group: string, holder: string, activation: number): void {
    const numbers = this.of(group);
    if (numbers.holder === holder && numbers.holderActivation === activation) return;
    this.#change(group, { holder, holderActivation: activation, max: Math.max(numbers.max, activation) });
  }

  #change(group: string, change: Partial<GroupNumbers>): void {
    const numbers = { ...this.of(group), ...change };
    this.#byGroup.set(group, numbers);
    this.#emit({ type: 'persist.numbers', numbers });
  }
}
