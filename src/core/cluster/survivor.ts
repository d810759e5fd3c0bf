/**
 * The survivor rules: while any path works, the leader compares both nodes' own link ends, management 4, cluster-host 2,
 * oam 1 (docs/ARCHITECTURE.md, "Failover while both see each other"). A difference has to last before groups move: a
 * link that flaps moves nothing.
 */

import type { InterfaceDefinition } from '../definitions/model.ts';
import { INTERFACE_ROLES } from '../kernel/names.ts';
import { STATE } from '../kernel/state.ts';

/** Minus the weights of the configured links that are down at their own end; 0 = all well. */
export function linkScore(
  interfaces: readonly Pick<InterfaceDefinition, 'role' | 'weight'>[],
  linkBits: number,
): number {
  let score = 0;
  for (const { role, weight } of interfaces) {
    if ((linkBits & (1 << INTERFACE_ROLES.indexOf(role))) === 0) score -= weight;
  }
  return score === 0 ? 0 : score;
}

/** The comparison that counts: it follows the measured one only after `holdMs` without a change. */
export class SteadyScores {
  #measured = { mine: 0, theirs: 0 };
  #since = Number.NEGATIVE_INFINITY;
  steady = { mine: 0, theirs: 0 };
  readonly #holdMs: number;

  get [STATE]() {
    return {
      measured: this.#measured,
      since: this.#since,
    };
  }

  set [STATE](state) {
    this.#measured = state.measured;
    this.#since = state.since;
  }

  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  /** Returns when to look again, or null. */
  measure(mine: number, theirs: number, now: number): number | null {
    if (mine !== this.#measured.mine || theirs !== this.#measured.theirs) {
      this.#measured = { mine, theirs };
      this.#since = now;
    }
    const { steady } = this;
    if (steady.mine === mine && steady.theirs === theirs) return null;
    // Getting well needs no patience: it moves nothing by itself.
    if (now - this.#since >= this.#holdMs || mine === theirs) {
      this.steady = { mine, theirs };
      return null;
    }
    return this.#since + this.#holdMs;
  }
}
