/**
 * The judges of a simulated world. Those of safety look at what exists at true time on powered machines, and at what is on
 * the disks; what a node believes is never asked (docs/SAFETY.md, rule 22). Two judge liveness, and do ask: `bounded` looks
 * at the waits that a node shows, for their reasons and limits are a promise about what is shown, and convergence
 * (../convergence.ts) asks the views whether the nodes agree and nothing is pending, beside the truth of both.
 */
import type { Restored } from '../../core/engine-interface.ts';
import type { RunEffect } from '../../core/service/interface.ts';
import type { ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import { ActivationNumbers } from './activation-numbers.ts';
import { Bounded } from './bounded.ts';
import { CrashConsistency } from './crash-consistency.ts';
import { LockedGainsNothing } from './locked-gains-nothing.ts';
import { OneAction } from './one-action.ts';
import { OneGoesOn } from './one-goes-on.ts';
import { OneIdentity } from './one-identity.ts';
import { OneShot } from './one-shot.ts';
import { SingleActive } from './single-active.ts';

export interface Checker {
  readonly name: string;
  /** What a service is, runs or no longer runs has changed. */
  changed?(node: SimNode, service: ServiceTruth): void;
  /** A script starts now. */
  spawning?(node: SimNode, service: ServiceTruth, effect: RunEffect): void;
  /** A node's power went on or off. */
  powered?(node: SimNode): void;
  /** A node switches the power of another one off. */
  shot?(from: SimNode, target: SimNode): void;
  /** A new `sm` read its store. */
  restarting?(node: SimNode, restored: Restored): void;
  /** A frame of another machine with this node's name reached its sm-watchdog. */
  sameNameHeard?(node: SimNode): void;
  /** A node's disk was set back to an older state. */
  rolledBack?(node: SimNode): void;
  /** Now and then. */
  sample?(): void;
}

export class Checkers {
  readonly #checkers: readonly Checker[];

  constructor(world: World) {
    this.#checkers = [
      new SingleActive(world),
      new ActivationNumbers(world),
      new OneAction(world),
      new OneIdentity(world),
      new OneShot(world),
      new OneGoesOn(world),
      new CrashConsistency(world),
      new LockedGainsNothing(world),
      new Bounded(world),
    ];
  }

  changed(node: SimNode, service: ServiceTruth): void {
    for (const checker of this.#checkers) checker.changed?.(node, service);
  }

  spawning(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    for (const checker of this.#checkers) checker.spawning?.(node, service, effect);
  }

  powered(node: SimNode): void {
    for (const checker of this.#checkers) checker.powered?.(node);
  }

  shot(from: SimNode, target: SimNode): void {
    for (const checker of this.#checkers) checker.shot?.(from, target);
  }

  restarting(node: SimNode, restored: Restored): void {
    for (const checker of this.#checkers) checker.restarting?.(node, restored);
  }

  sameNameHeard(node: SimNode): void {
    for (const checker of this.#checkers) checker.sameNameHeard?.(node);
  }

  rolledBack(node: SimNode): void {
    for (const checker of this.#checkers) checker.rolledBack?.(node);
  }

  sample(): void {
    for (const checker of this.#checkers) checker.sample?.();
  }
}
