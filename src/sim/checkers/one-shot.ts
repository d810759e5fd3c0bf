/**
 * In a cut of two nodes that can shoot each other one shoots, and the other one waits for so long that it is dead by then
 * (docs/SAFETY.md, rule 16). Judged only in worlds in which nothing but cuts happens: who is held up may shoot late, and
 * then both are gone for a while, which is an outage and no split.
 */
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

export class OneShot implements Checker {
  readonly name = 'one-shot';
  readonly #world: World;
  readonly #judged: boolean;

  constructor(world: World) {
    this.#world = world;
    this.#judged = Object.keys(world.options.faults).every((kind) => kind === 'cut-all');
  }

  /** The shooter has no power: somebody has shot it while its own shot was on the way. */
  shot(from: SimNode, target: SimNode): void {
    if (this.#judged && !from.powered)
      this.#world.violation(
        this.name,
        target.name,
        '',
        `it is shot by ${from.name}, which it has shot before`,
      );
  }
}
