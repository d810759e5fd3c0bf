/**
 * When a cut heals of which both nodes came out active, one of the two goes on untouched and the other one stops; never both
 * (docs/SAFETY.md, rule 20). Judged only in worlds in which nothing but cuts happens: anything else may end the other one too.
 */
import { acts, type ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

/** Who stops after this does it for another reason. */
const TOGETHER_MS = 3000;

interface Group {
  /** node -> services of the group that act there. */
  readonly acting: Map<string, Set<string>>;
  /** The last time that one of two stopped and left the other one alone. */
  left: { readonly by: string; readonly at: number } | null;
}

export class OneGoesOn implements Checker {
  readonly name = 'one-goes-on';
  readonly #world: World;
  readonly #judged: boolean;
  readonly #groups = new Map<string, Group>();

  constructor(world: World) {
    this.#world = world;
    this.#judged = Object.keys(world.options.faults).every((kind) => kind === 'cut-all');
  }

  changed(node: SimNode, service: ServiceTruth): void {
    if (!this.#judged || !service.exclusive) return;
    const group = this.#groups.get(service.group) ?? { acting: new Map(), left: null };
    this.#groups.set(service.group, group);
    const services = group.acting.get(node.name) ?? new Set();
    group.acting.set(node.name, services);
    const before = services.size;
    if (acts(service)) services.add(service.name);
    else services.delete(service.name);
    if (before === 0 || services.size > 0) return;
    this.#stopped(node, service.group, group);
  }

  #stopped(node: SimNode, name: string, group: Group): void {
    const { now } = this.#world;
    const { left } = group;
    if ([...group.acting.values()].some(({ size }) => size > 0)) group.left = { by: node.name, at: now };
    else if (left !== null && left.by !== node.name && now - left.at < TOGETHER_MS)
      this.#world.violation(this.name, node.name, name, `it stops too, after ${left.by} has stopped for it`);
  }
}
