/**
 * Every activation of an exclusive group carries a token, and its number is on the disk of the node that acts. A node
 * never acts under a lower number than before. Between the nodes numbers rise too, and none is used by both, unless a node
 * may replace a silent one by time: it can not know what the other used last, and `single-active` judges that
 * the other has stopped. Nor where the kernel in which the other used its number is gone, and no report of the other has come
 * since: two that were booted alone in turn, each told by an operator that the other is dead, have nobody who could know.
 */
import { type Regime, regimeOf } from '../../core/arbiter/regime.ts';
import type { RunEffect } from '../../core/service/interface.ts';
import { makesActive, type ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

/** Of a group's number, from the first script under it. */
interface Use {
  readonly node: string;
  readonly activation: number;
  readonly kernelLife: string;
  readonly at: number;
}

export class ActivationNumbers implements Checker {
  readonly name = 'activation-numbers';
  readonly #world: World;
  #regimeFound: Regime | null = null;
  readonly #latest = new Map<string, Use>();

  constructor(world: World) {
    this.#world = world;
  }

  spawning(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    if (!service.exclusive || !makesActive(service, effect.action)) return;
    const { group } = service;
    const { token } = effect;
    if (token === null || token.group !== group) return this.#fail(node, group, `${service.name}: no token`);
    const { activation } = token;
    const stored = node.disk.numbers.get(group);
    if (stored === undefined || stored.held !== activation || stored.max < activation) {
      this.#fail(node, group, `acts under ${activation}, its disk says ${stored?.held ?? 'nothing'}`);
    }
    const latest = this.#latest.get(group);
    if (latest !== undefined && this.#isComparable(latest, node)) {
      if (activation < latest.activation) {
        this.#fail(
          node,
          group,
          `acts under ${activation} after ${latest.node} acted under ${latest.activation}`,
        );
      } else if (activation === latest.activation && latest.node !== node.name) {
        this.#fail(node, group, `acts under ${activation}, which is ${latest.node}'s`);
      }
    }
    if (latest?.activation !== activation || latest.node !== node.name) {
      this.#world.note('group', node.name, `${group} is activated under ${activation}`);
      this.#latest.set(group, {
        node: node.name,
        activation,
        kernelLife: node.kernelLife,
        at: this.#world.now,
      });
    }
  }

  /** A node knows its own numbers, and the other one's where only that one's word or proven death lets it in. */
  #isComparable(latest: Use, node: SimNode): boolean {
    if (latest.node === node.name) return true;
    if (this.#regime !== 'stay' && this.#regime !== 'fence') return false;
    const other = this.#world.node(latest.node);
    const isOver = !other.powered || other.kernelLife !== latest.kernelLife;
    return !isOver || this.#world.network.reportedAt(other.index) >= latest.at;
  }

  get #regime(): Regime {
    this.#regimeFound ??= regimeOf(this.#world.definitions);
    return this.#regimeFound;
  }

  /** What it used since is nowhere any more: outside of the assumptions, numbers may come again. */
  rolledBack(node: SimNode): void {
    for (const [group, latest] of this.#latest) if (latest.node === node.name) this.#latest.delete(group);
  }

  #fail(node: SimNode, group: string, text: string): void {
    this.#world.violation(this.name, node.name, group, text);
  }
}
