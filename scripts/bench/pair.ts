/** Two machines under one manager, ours or another, and what the measurements do to them. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasEnded } from '../../src/core/explain.ts';
import type { Machine } from '../../src/lab/machine.ts';
import { eventually, LabNode, type NodeView } from '../../src/lab/node.ts';
import type { Rack } from '../../src/lab/rack.ts';
import { SCRIPT } from './definitions.ts';
import { Journal, type Journaled } from './journal.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const PROGRAMS = join(PROJECT, 'dist');
/** An LSB script and an OCF agent at once. */
export const SERVICE_SCRIPT = join(PROJECT, 'scripts', 'bench', SCRIPT);
const LIMIT_MS = 60_000;

/** A node that can be switched on and lose its power. */
export interface PowerNode extends Journaled {
  readonly machine: Machine;
  boot(rack: Rack): Promise<void>;
  powerOff(): Promise<number>;
  /** For good, also where it has no power. */
  end(): Promise<void>;
}

/** All moments are ms since 1970, as in the journal. */
export abstract class Pair<N extends PowerNode> {
  readonly nodes: readonly [N, N];
  readonly journal: Journal<N>;
  readonly #rack: Rack;

  protected constructor(rack: Rack, nodes: readonly [N, N]) {
    this.#rack = rack;
    this.nodes = nodes;
    this.journal = new Journal(nodes);
  }

  /** Waits until both nodes know each other, every service is where it is to be, and nothing runs. Returns the active node. */
  abstract settled(): Promise<N>;

  /** Asks for everything to move away from the active node. Returns the moment when it was asked for. */
  abstract switchOver(from: N): Promise<number>;

  /** After a switch-over: the node may be active again. */
  async allow(_node: N): Promise<void> {}

  /** SIGKILL to a service's process; returns when. */
  async killService(node: N, service: string): Promise<number> {
    node.machine.kill(Number(readFileSync(join(node.services, `${service}.pid`), 'utf8')));
    return Date.now();
  }

  /** Switches both on at once; returns when. */
  async start(): Promise<number> {
    await Promise.all(this.nodes.map((node) => node.boot(this.#rack)));
    const at = Date.now();
    for (const node of this.nodes) node.machine.pressStart();
    return at;
  }

  /** Switches one on; returns when. */
  async startOne(node: N): Promise<number> {
    await node.boot(this.#rack);
    const at = Date.now();
    node.machine.pressStart();
    return at;
  }

  /** Returns when. */
  async powerOff(node: N): Promise<number> {
    const atMs = Date.now();
    await node.powerOff();
    this.journal.lostPower(node, atMs);
    return atMs;
  }

  async end(): Promise<void> {
    for (const node of this.nodes) await node.end();
  }

  other(node: N): N {
    return this.nodes[node === this.nodes[0] ? 1 : 0];
  }
}

/** A pair of our own. */
export class BenchPair extends Pair<LabNode> {
  /** `root`: a directory that does not exist yet. `definitions`: folder of the set. */
  constructor(rack: Rack, root: string, definitions: string) {
    mkdirSync(root, { recursive: true });
    const key = randomBytes(64);
    const node = (index: 0 | 1) =>
      new LabNode({ name: `controller-${index}`, index, root, key, definitions, programs: PROGRAMS }, rack);
    super(rack, [node(0), node(1)]);
    for (const { directory } of this.nodes) copyFileSync(SERVICE_SCRIPT, join(directory, 'init.d', SCRIPT));
  }

  async settled(): Promise<LabNode> {
    return eventually('the pair is at rest', LIMIT_MS, async () => {
      const views = await Promise.all(this.nodes.map((node) => node.view()));
      if (!views.every((view) => view !== null && isAtRest(view))) return null;
      const active = views.findIndex((view) => view?.groups.some(({ state }) => state === 'active'));
      return active < 0 ? null : (this.nodes[active] ?? null);
    });
  }

  async switchOver(from: LabNode): Promise<number> {
    const command = { kind: 'swact', node: from.name, group: '', why: 'bench', forMs: 0 };
    const at = Date.now();
    const reply = (await from.request('command', { actor: 'bench', command })) as {
      ok: boolean;
      message: string;
    };
    if (!reply.ok) throw new Error(`swact refused: ${reply.message}`);
    return at;
  }
}

function isAtRest(view: NodeView): boolean {
  return (
    view.peer?.exchanged === true &&
    view.groups.every(({ state }) => state === 'active' || state === 'standby' || state === 'disabled') &&
    view.services.every(({ running, wait }) => running === null && wait === null) &&
    view.operations.every(({ step }) => hasEnded(step))
  );
}
