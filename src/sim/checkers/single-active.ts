/**
 * No two nodes act for one exclusive group at once: no service of it is active, and no script makes one active, on two
 * powered nodes at the same true moment.
 */
import { acts, makesActive, type ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

export class SingleActive implements Checker {
  readonly name = 'single-active';
  readonly #world: World;
  /** group -> node -> services of it that act there. */
  readonly #acting = new Map<string, Map<string, Set<string>>>();
  readonly #reported = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  changed(node: SimNode, service: ServiceTruth): void {
    if (!service.exclusive) return;
    const acting = this.#services(service.group, node.name);
    if (!acts(service) && !activating(service)) {
      acting.delete(service.name);
      if (acting.size === 0) this.#reported.delete(service.group);
      return;
    }
    acting.add(service.name);
    for (const [other, services] of this.#acting.get(service.group) ?? []) {
      if (other === node.name || services.size === 0 || this.#reported.has(service.group)) continue;
      this.#reported.add(service.group);
      const theirs = [...services].join(' ');
      this.#world.violation(
        this.name,
        node.name,
        service.group,
        `${[...acting].join(' ')} acts here while ${theirs} acts on ${other}`,
      );
    }
  }

  /** Nodes that act for the group now. */
  nodes(group: string): string[] {
    return [...(this.#acting.get(group) ?? [])]
      .filter(([, services]) => services.size > 0)
      .map(([node]) => node);
  }

  #services(group: string, node: string): Set<string> {
    let nodes = this.#acting.get(group);
    if (nodes === undefined) {
      nodes = new Map();
      this.#acting.set(group, nodes);
    }
    let services = nodes.get(node);
    if (services === undefined) {
      services = new Set();
      nodes.set(node, services);
    }
    return services;
  }
}

function activating(service: ServiceTruth): boolean {
  if (service.frozen || service.standing) return false;
  for (const { effect, ended } of service.runs)
    if (!ended && makesActive(service, effect.action)) return true;
  return false;
}
