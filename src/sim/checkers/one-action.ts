/**
 * No two scripts of one service run at once on a node; above all, nothing opposite starts before the old one is really
 * gone.
 */
import type { ServiceAction } from '../../core/kernel/names.ts';
import type { RunEffect } from '../../core/service/interface.ts';
import type { ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

const OPPOSITES: Readonly<Partial<Record<ServiceAction, readonly ServiceAction[]>>> = {
  enable: ['disable'],
  disable: ['enable', 'go-active'],
  'go-active': ['go-standby', 'disable'],
  'go-standby': ['go-active'],
};

export class OneAction implements Checker {
  readonly name = 'one-action';
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  spawning(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    for (const { effect: running } of service.runs) {
      const opposite = OPPOSITES[effect.action]?.includes(running.action) ?? false;
      this.#world.violation(
        opposite ? 'opposite-order' : this.name,
        node.name,
        service.group,
        `${service.name}: ${effect.action} starts while ${running.action} still runs`,
      );
    }
  }
}
