/** Everything is bounded: queues, and every wait has a reason; a wait with a limit does not outlive it. */
import type { World } from '../world.ts';
import type { Checker } from './index.ts';

const QUEUE_MAX = 1024;
/** A node that is stopped or busy may look at a limit this much later. */
const LIMIT_SLACK_MS = 10_000;

export class Bounded implements Checker {
  readonly name = 'bounded';
  readonly #world: World;
  readonly #reported = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  sample(): void {
    for (const node of this.#world.nodes) {
      const { manager } = node;
      if (!manager.alive || manager.engine === null || manager.stalled) continue;
      if (manager.queueLength > QUEUE_MAX) this.#fail(node.name, `${manager.queueLength} events wait for sm`);
      const now = node.clock.read(this.#world.now);
      for (const wait of manager.engine.view(now).waits) {
        const what = `${wait.entity} ${wait.name}`;
        if (wait.reason === '') this.#fail(node.name, `${what} waits without a reason`);
        if (wait.since > now) this.#fail(node.name, `${what} waits since a time to come`);
        if (wait.until !== null && wait.until + LIMIT_SLACK_MS < now) {
          this.#fail(
            node.name,
            `${what} still waits ${Math.round(now - wait.until)} ms after its limit: ${wait.reason}`,
          );
        }
      }
    }
  }

  #fail(node: string, text: string): void {
    const key = `${node} ${text.replace(/\d+/g, '')}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#world.violation(this.name, node, '', text);
  }
}
