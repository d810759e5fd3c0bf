/**
 * After a crash the state is the last commit: an action that was begun and has no end on the disk is looked at before the
 * service gets another order. Only a stop may go first: it is right whatever the state.
 */
import type { Restored } from '../../core/engine-interface.ts';
import type { RunEffect } from '../../core/service/interface.ts';
import type { ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

export class CrashConsistency implements Checker {
  readonly name = 'crash-consistency';
  readonly #world: World;
  /** node -> services whose state is unknown since the restart. */
  readonly #unknown = new Map<string, Set<string>>();

  constructor(world: World) {
    this.#world = world;
  }

  restarting(node: SimNode, restored: Restored): void {
    const sameLife = restored.kernelLife === node.kernelLife;
    this.#unknown.set(node.name, new Set(sameLife ? restored.intents.map(({ service }) => service) : []));
  }

  spawning(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    this.#recorded(node, service, effect);
    const unknown = this.#unknown.get(node.name);
    if (unknown === undefined || !unknown.delete(service.name)) return;
    if (effect.action === 'enable' || effect.action === 'go-active') {
      this.#world.violation(
        this.name,
        node.name,
        service.group,
        `${service.name}: ${effect.action} after a crash during an action, without an audit first`,
      );
    }
  }

  /** What is being started must be on the disk as begun. */
  #recorded(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    if (effect.action !== 'enable' && effect.action !== 'go-active') return;
    const intent = node.disk.intents.get(effect.run);
    if (intent?.service === service.name && intent.action === effect.action) return;
    this.#world.violation(
      this.name,
      node.name,
      service.group,
      `${service.name}: ${effect.action} starts and is not on the disk as begun`,
    );
  }
}
