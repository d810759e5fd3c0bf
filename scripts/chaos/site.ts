/** The pair that chaos happens to: power, disks, wires and processes of its two nodes, and how all of it is made well again. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded } from '../../src/core/explain.ts';
import type { LabArbiter } from '../../src/lab/arbiters.ts';
import { type MachineProcess, monotonicMs } from '../../src/lab/machine.ts';
import type { LabNode, NodeView } from '../../src/lab/node.ts';
import type { Rack } from '../../src/lab/rack.ts';
import type { Disk } from './disk.ts';
import type { Observer } from './observer.ts';
import type { Wires } from './wires.ts';

const GROUP = 'lab-services';
const WATCH_INTERVAL_MS = 25;
const ACCEPTED = 'accepted';

export interface Controller {
  readonly node: LabNode;
  readonly disk: Disk;
}

const PROGRAMS = ['sm', 'sm-watchdog', 'sm-arbiter'] as const;
export type Program = (typeof PROGRAMS)[number];

/** Which of the node's own programs it is, by its arguments or the title that it gave itself; null = none. */
export function programOf(words: readonly string[]): Program | null {
  const title = PROGRAMS.find((name) => name === words[0]);
  if (title !== undefined) return title;
  const path = words.find((word) => /\/bin\/sm[a-z-]*\.js$/.test(word)) ?? '';
  const name = PROGRAMS.find((program) => path.endsWith(`/${program}.js`)) ?? null;
  if (name !== 'sm' || words.includes('--engine')) return name;
  // It becomes sm-watchdog.
  return words.includes('--foreground') ? 'sm-watchdog' : null;
}

export class Site {
  readonly rack: Rack;
  readonly controllers: readonly [Controller, Controller];
  readonly wires: Wires;
  readonly observer: Observer;
  /** null = there is none. */
  readonly arbiter: LabArbiter | null;
  readonly tell: (line: string) => void;
  /** How often a node ended itself, or was shot. */
  ends = 0;
  #ordered = new Set<LabNode>();
  #ending = new Map<LabNode, Promise<void>>();
  readonly #watch: NodeJS.Timeout;

  constructor(parts: Pick<Site, 'rack' | 'controllers' | 'wires' | 'observer' | 'arbiter' | 'tell'>) {
    this.rack = parts.rack;
    this.controllers = parts.controllers;
    this.wires = parts.wires;
    this.observer = parts.observer;
    this.arbiter = parts.arbiter;
    this.tell = parts.tell;
    this.#watch = setInterval(() => this.#lookForEnds(), WATCH_INTERVAL_MS);
  }

  /** Which controller is meant: what is active shows in its stamps. Nobody is: the first one counts as active. */
  controller(on: 'active' | 'standby'): Controller {
    const [active] = this.observer.active();
    const index = this.controllers[1].node.name === active ? 1 : 0;
    return this.controllers[on === 'active' ? index : 1 - index]!;
  }

  other({ node }: Controller): Controller {
    return this.controllers[1 - node.index]!;
  }

  /** Resolves when nothing of the node is left. A disk that hangs would keep its processes, and with them its address. */
  powerOff({ node, disk }: Controller): Promise<void> {
    const ending = this.#ending.get(node) ?? this.#end(node, disk);
    this.#ending.set(node, ending);
    return ending;
  }

  async powerOn({ node }: Controller): Promise<void> {
    await this.#ending.get(node);
    this.#ending.delete(node);
    await node.boot(this.rack);
    this.arbiter?.hasPower(node);
    node.machine.pressStart();
  }

  /** Processes of one of the node's own programs; none if it has no power. */
  programs({ node }: Controller, program: Program): MachineProcess[] {
    if (!node.hasPower) return [];
    const { machine } = node;
    // The first process has the program's arguments as its own.
    try {
      return machine
        .processes()
        .filter(({ here, words }) => here !== machine.init && programOf(words) === program);
    } catch {
      // It is just losing its power.
      return [];
    }
  }

  /** An operator's order, given on a node. Returns what is answered. */
  async order(on: LabNode, kind: 'swact' | 'lock' | 'unlock', node: LabNode): Promise<string> {
    if (kind === 'lock') this.#ordered.add(node);
    const answer = await this.#command(on, { kind, node: node.name, group: '', why: 'chaos', forMs: 0 });
    // A lock that got no answer, for nobody was there, may not have been one.
    const isUnlocked = answer === ACCEPTED || answer.includes(`${node.name} is not locked`);
    if (kind === 'unlock' && isUnlocked) this.#ordered.delete(node);
    return answer;
  }

  /** An operator says on a node that the other one is dead, again and again until it is silent there and so accepted. */
  async confirmDead(on: LabNode, node: LabNode, limitMs: number): Promise<string> {
    const command = { kind: 'confirm-dead', node: node.name, again: node.name, why: 'chaos' };
    for (const end = monotonicMs() + limitMs; ; await sleep(WATCH_INTERVAL_MS)) {
      const answer = await this.#command(on, command);
      if (answer === ACCEPTED || monotonicMs() > end) return answer;
    }
  }

  async #command(on: LabNode, command: object): Promise<string> {
    try {
      const reply = (await on.request('command', { actor: 'chaos', command })) as {
        ok: boolean;
        message: string;
      };
      return reply.ok ? ACCEPTED : `refused: ${reply.message}`;
    } catch (error) {
      return `no answer: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** What the hands of an operator and the service manager would put right. Called until the pair is whole. */
  async heal(): Promise<void> {
    for (const controller of this.controllers) {
      const { node, disk } = controller;
      disk.mend();
      if (!node.hasPower || this.#ending.has(node)) {
        await this.powerOff(controller);
        await this.powerOn(controller);
      } else if (
        this.programs(controller, 'sm').length + this.programs(controller, 'sm-watchdog').length ===
        0
      ) {
        node.startProgram();
      }
    }
    for (const node of this.#ordered) await this.order(node, 'unlock', node);
  }

  /**
   * The node on which all is active: seen so by the observer since then, while both managers have nothing more to do. null = not
   * yet.
   */
  async whole(sinceMs: number): Promise<string | null> {
    const active = this.observer.wholeOn(sinceMs);
    if (active === null || this.#ordered.size > 0 || this.controllers.some(({ node }) => !node.hasPower))
      return null;
    const views = await Promise.all(this.controllers.map(({ node }) => node.view()));
    const isQuiet = this.controllers.every(({ node }, i) =>
      isSettled(views[i] ?? null, node.name === active ? 'active' : 'standby'),
    );
    return isQuiet && this.observer.wholeOn(sinceMs) === active ? active : null;
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    for (const controller of this.controllers) {
      await this.powerOff(controller);
      controller.disk.end();
    }
  }

  async #end(node: LabNode, disk: Disk): Promise<void> {
    disk.mend();
    await node.end();
    this.arbiter?.lostPower(node, true);
    this.observer.interrupted(node.name);
  }

  /** A node whose first process ends has lost its power at once, whatever its other processes wait for. */
  #lookForEnds(): void {
    for (const controller of this.controllers) {
      const { node } = controller;
      if (this.#ending.has(node) || !isOver(node)) continue;
      this.ends += 1;
      this.tell(`   ${node.name} has ended itself${this.arbiter?.kind === 'fence' ? ', or was shot' : ''}`);
      this.powerOff(controller).catch((error: unknown) => this.tell(`   ${String(error)}`));
    }
  }
}

function isOver(node: LabNode): boolean {
  let init: number;
  try {
    init = node.machine.init;
  } catch {
    return false;
  }
  try {
    return readFileSync(`/proc/${init}/cmdline`).length === 0;
  } catch {
    return true;
  }
}

function isSettled(view: NodeView | null, state: string): boolean {
  return (
    view !== null &&
    view.peer?.exchanged === true &&
    view.groups.some(({ name, state: found }) => name === GROUP && found === state) &&
    view.services.every(({ running, wait }) => running === null && wait === null) &&
    view.operations.every(({ step }) => hasEnded(step))
  );
}
