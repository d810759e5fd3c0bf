/** A pair of real nodes for measurements, and the journal of its services' scripts, which is the witness of every time. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasEnded } from '../../src/core/explain.ts';
import { eventually, LabNode, type NodeView } from '../../src/lab/node.ts';
import type { Rack } from '../../src/lab/rack.ts';
import { SCRIPT } from './definitions.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const PROGRAMS = join(PROJECT, 'dist');
export const SERVICE_SCRIPT = join(PROJECT, 'scripts', 'bench', SCRIPT);
const LIMIT_MS = 60_000;

/** One start or stop, in ms since 1970. */
export interface Entry {
  readonly node: string;
  readonly service: string;
  readonly command: 'start' | 'stop';
  readonly beginMs: number;
  readonly endMs: number;
}

export class BenchPair {
  readonly nodes: readonly [LabNode, LabNode];
  readonly #rack: Rack;
  /** When which node lost its power, in ms since 1970. */
  readonly #offs: { readonly node: string; readonly atMs: number }[] = [];

  /** `root`: a directory that does not exist yet. `definitions`: folder of the set. */
  constructor(rack: Rack, root: string, definitions: string) {
    this.#rack = rack;
    mkdirSync(root, { recursive: true });
    const key = randomBytes(64);
    const node = (index: 0 | 1) =>
      new LabNode({ name: `controller-${index}`, index, root, key, definitions, programs: PROGRAMS }, rack);
    this.nodes = [node(0), node(1)];
    for (const { directory, services } of this.nodes) {
      copyFileSync(SERVICE_SCRIPT, join(directory, 'init.d', SCRIPT));
      writeFileSync(join(services, 'journal'), '');
    }
  }

  /** Switches both on at once; returns when, in ms since 1970. */
  async start(): Promise<number> {
    await Promise.all(this.nodes.map((node) => node.boot(this.#rack)));
    const at = Date.now();
    for (const node of this.nodes) node.machine.pressStart();
    return at;
  }

  /** Switches one on; returns when, in ms since 1970. */
  async startOne(node: LabNode): Promise<number> {
    await node.boot(this.#rack);
    const at = Date.now();
    node.machine.pressStart();
    return at;
  }

  /** Returns when, in ms since 1970. */
  async powerOff(node: LabNode): Promise<number> {
    const atMs = Date.now();
    await node.powerOff();
    // On a machine they lie in memory.
    for (const name of readdirSync(node.services))
      if (name.endsWith('.pid')) rmSync(join(node.services, name));
    this.#offs.push({ node: node.name, atMs });
    return atMs;
  }

  async end(): Promise<void> {
    for (const node of this.nodes) await node.end();
  }

  journal(): Entry[] {
    return this.nodes.flatMap((node) =>
      readFileSync(join(node.services, 'journal'), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => {
          const [service = '', command = '', begin, end] = line.split(' ');
          const entry = { node: node.name, service, command: command as Entry['command'] };
          return { ...entry, beginMs: Number(begin) * 1000, endMs: Number(end) * 1000 };
        }),
    );
  }

  /** Waits until each of the services was started on the node after that moment; returns when the last start had ended. */
  async allStarted(services: readonly string[], node: LabNode, sinceMs: number): Promise<number> {
    return eventually(`${services.length} services started on ${node.name}`, LIMIT_MS, () =>
      this.#lastStart(services, node, sinceMs),
    );
  }

  /** The same on any one node. */
  async allStartedSomewhere(services: readonly string[], sinceMs: number): Promise<number> {
    return eventually(`${services.length} services started`, LIMIT_MS, () => {
      const ends = this.nodes.map((node) => this.#lastStart(services, node, sinceMs));
      return ends.find((end) => end !== null) ?? null;
    });
  }

  #lastStart(services: readonly string[], node: LabNode, sinceMs: number): number | null {
    const ends = new Map<string, number>();
    for (const entry of this.journal()) {
      if (entry.node !== node.name || entry.command !== 'start' || entry.endMs < sinceMs) continue;
      if (!ends.has(entry.service)) ends.set(entry.service, entry.endMs);
    }
    return services.every((name) => ends.has(name)) ? Math.max(...ends.values()) : null;
  }

  /** Waits until both nodes know each other, every group is where it is to be, and nothing runs. Returns the active node. */
  async settled(): Promise<LabNode> {
    return eventually('the pair is at rest', LIMIT_MS, async () => {
      const views = await Promise.all(this.nodes.map((node) => node.view()));
      if (!views.every((view) => view !== null && isAtRest(view))) return null;
      const active = views.findIndex((view) => view?.groups.some(({ state }) => state === 'active'));
      return active < 0 ? null : (this.nodes[active] ?? null);
    });
  }

  other(node: LabNode): LabNode {
    return this.nodes[node === this.nodes[0] ? 1 : 0];
  }

  /** For how long any service was active on both nodes: from the begin of a start to the end of the stop. */
  bothActiveMs(): number {
    const lives = this.#lives();
    let both = 0;
    for (const a of lives) {
      for (const b of lives) {
        if (a.service !== b.service || a.node >= b.node) continue;
        both += Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));
      }
    }
    return both;
  }

  #lives(): { service: string; node: string; fromMs: number; toMs: number }[] {
    const entries = this.journal();
    return entries
      .filter(({ command }) => command === 'start')
      .map(({ node, service, beginMs }) => {
        const stop = entries.find(
          (entry) =>
            entry.node === node &&
            entry.service === service &&
            entry.command === 'stop' &&
            entry.endMs > beginMs,
        );
        const off = this.#offs.find((each) => each.node === node && each.atMs > beginMs);
        const toMs = Math.min(stop?.endMs ?? Number.POSITIVE_INFINITY, off?.atMs ?? Number.POSITIVE_INFINITY);
        return { service, node, fromMs: beginMs, toMs };
      });
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

/**
 * The least that a switch-over costs here: a shell that stops all services and then starts them, `workers` at a time, and
 * does nothing else. In ms.
 */
export function plainSwitchOver(directory: string, services: readonly string[], workers: number): number {
  mkdirSync(directory, { recursive: true });
  const run = (command: 'start' | 'stop'): void => {
    const options = { input: `${services.join('\n')}\n`, env: { ...process.env, directory } };
    const script = ['sh', '-c', `service=$1 exec ${SERVICE_SCRIPT} ${command}`, 'sh'];
    execFileSync('xargs', ['-P', String(workers), '-n', '1', ...script], options);
  };
  run('start');
  const from = performance.now();
  run('stop');
  run('start');
  const took = performance.now() - from;
  run('stop');
  return took;
}

/** Runs a program to its end and returns how long it took, in ms. */
export function timed(program: readonly string[]): { readonly ms: number; readonly stdout: string } {
  const [file = '', ...args] = program;
  const from = performance.now();
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${program.join(' ')} failed: ${stderr.trim().slice(-500)}`);
  return { ms: performance.now() - from, stdout };
}
