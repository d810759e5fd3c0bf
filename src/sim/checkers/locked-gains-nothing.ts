/**
 * A locked node gains nothing: once the lock of a node is done and on its own disk, no exclusive group becomes active on
 * it until an operator asks for its unlock.
 */
import type { RunEffect } from '../../core/service/interface.ts';
import { makesActive, type ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

export class LockedGainsNothing implements Checker {
  readonly name = 'locked-gains-nothing';
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  spawning(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    if (!service.exclusive || !makesActive(service, effect.action)) return;
    const { disk, name } = node;
    if (disk.nodes.get(name)?.administrative !== 'locked') return;
    const locking = [...disk.operations.values()].some(
      (operation) => operation.kind === 'lock' && operation.node === name && operation.step !== 'done',
    );
    if (locking) return;
    const latest = latestOf(disk.numbers.get(service.group)?.held);
    if (latest !== effect.token?.activation || !this.#acted(node, service.group)) {
      this.#world.violation(
        this.name,
        name,
        service.group,
        `${service.name}: ${effect.action} on a locked node`,
      );
    }
  }

  /** Some service of the group acts here already: it keeps what it holds until the peer can take it. */
  #acted(node: SimNode, group: string): boolean {
    for (const service of node.executor.services.values()) {
      if (service.group === group && service.role === 'active') return true;
    }
    return false;
  }
}

function latestOf(held: number | undefined): number {
  return held ?? 0;
}
