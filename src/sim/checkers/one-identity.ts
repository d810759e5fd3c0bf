/**
 * A node whose name another machine uses, and that hears it, stops within its stop bound and begins nothing while that
 * goes on. Judged only while its sm-watchdog runs undisturbed: a dead or stopped one hears nobody.
 */
import { regimeOf } from '../../core/arbiter/regime.ts';
import type { RunEffect } from '../../core/service/interface.ts';
import { acts, makesActive, type ServiceTruth } from '../executor.ts';
import type { SimNode } from '../node.ts';
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

/** Two of the other machine's hellos: after that it counts as gone. */
const HEARD_MS = 700;
/** Clocks of the node may be slow by so much, and what is looked at now and then is seen late. */
const SLACK = 1.1;
const SLACK_MS = 50;

export class OneIdentity implements Checker {
  readonly name = 'one-identity';
  readonly #world: World;
  readonly #heard = new Map<string, { readonly since: number; readonly life: number; last: number }>();

  /** The processes of the node that began what a service does: `node service` -> their lives. */
  readonly #begunBy = new Map<string, { readonly manager: number; readonly watchdog: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  sameNameHeard(node: SimNode): void {
    const { now } = this.#world;
    const { life } = node.watchdog;
    const heard = this.#heard.get(node.name);
    if (heard === undefined || heard.life !== life || now - heard.last > HEARD_MS) {
      this.#heard.set(node.name, { since: now, life, last: now });
      return;
    }
    heard.last = now;
    if (!this.#hasToBeStopped(node)) return;
    const acting = [...node.executor.services.values()].find(
      (service) => service.exclusive && acts(service) && !this.#isLeftBehind(node, service),
    );
    if (acting !== undefined) this.#fail(node, acting, 'still acts');
  }

  spawning(node: SimNode, service: ServiceTruth, effect: RunEffect): void {
    if (!service.exclusive || !makesActive(service, effect.action)) return;
    const { manager, watchdog } = node;
    this.#begunBy.set(`${node.name} ${service.name}`, { manager: manager.life, watchdog: watchdog.life });
    const heard = this.#heard.get(node.name);
    if (heard === undefined || this.#world.now - heard.last > HEARD_MS) return;
    if (this.#hasToBeStopped(node)) this.#fail(node, service, `${effect.action} begins`);
  }

  /**
   * Kernel state from before both processes died, where permission does not run out: nobody guards it, and only its stop script
   * ends it (docs/SAFETY.md, assumptions).
   */
  #isLeftBehind(node: SimNode, service: ServiceTruth): boolean {
    if (service.pid > 0 || !['stay', 'fence'].includes(regimeOf(node.definitions))) return false;
    const begun = this.#begunBy.get(`${node.name} ${service.name}`);
    return begun?.manager !== node.manager.life && begun?.watchdog !== node.watchdog.life;
  }

  #hasToBeStopped(node: SimNode): boolean {
    // Where a record is kept, whoever holds it goes on: the other machine can not hold it too.
    if (this.#world.options.arbiter.record !== 'none') return false;
    const heard = this.#heard.get(node.name);
    if (heard === undefined || heard.life !== node.watchdog.life || node.watchdog.stalled) return false;
    return this.#world.now - heard.since > SLACK * node.definitions.domain.stopBoundMs + SLACK_MS;
  }

  #fail(node: SimNode, service: ServiceTruth, what: string): void {
    this.#world.violation(
      this.name,
      node.name,
      service.group,
      `${service.name} ${what} while another machine uses the name of this node`,
    );
  }
}
