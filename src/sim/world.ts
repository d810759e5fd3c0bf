/** A whole cluster in one deterministic world: true time, the event queue, the nodes, the network and the judges. */

import type { DefinitionSet } from '../core/definitions/model.ts';
import type { EngineEffect, OperatorCommand } from '../core/engine-interface.ts';
import type { HistoryEffect } from '../core/service/interface.ts';
import { SimArbiters } from './arbiters.ts';
import { Checkers } from './checkers/index.ts';
import { Network, type Wire } from './network.ts';
import { SimNode } from './node.ts';
import type { ServiceShape, SimOptions } from './options.ts';
import { Digest, Prng } from './prng.ts';
import { EventQueue, type Scheduled } from './queue.ts';
import { Sabotage } from './sabotage.ts';

/** Wall clock at true time 0: 2026-01-01. */
const WALL_ORIGIN_MS = 1_767_225_600_000;

export type NoteKind =
  | 'power'
  | 'process'
  | 'service'
  | 'group'
  | 'guard'
  | 'engine'
  | 'history'
  | 'fault'
  | 'command'
  | 'violation';

/** One line of a trace; `atMs` is true time. */
export type Tracer = (atMs: number, node: string, kind: NoteKind, text: string) => void;

export interface Violation {
  readonly checker: string;
  readonly atMs: number;
  readonly node: string;
  readonly group: string;
  readonly text: string;
}

type Reply = Extract<EngineEffect, { type: 'reply' }>;

export interface WorldParts {
  readonly trace?: Tracer;
  /** Real bytes and signatures on the wire; without it frames travel as objects. */
  readonly wire?: Wire;
  /** Every entry of a node's history, at true time. */
  readonly history?: (atMs: number, node: string, entry: HistoryEffect) => void;
}

export class World {
  readonly options: SimOptions;
  readonly rng: Prng;
  readonly shapes: ReadonlyMap<string, ServiceShape>;
  readonly breaks: ReadonlySet<string>;
  readonly sabotage: Sabotage;
  readonly network: Network;
  readonly arbiters: SimArbiters;
  readonly nodes: readonly SimNode[];
  readonly checkers: Checkers;
  readonly wire: Wire | null;
  readonly violations: Violation[] = [];
  readonly counts = new Map<string, number>();
  now = 0;
  readonly #queue = new EventQueue();
  readonly #digest = new Digest();
  readonly #trace: Tracer | null;
  readonly #history: WorldParts['history'];
  readonly #replies = new Map<number, (reply: Reply) => void>();
  #nextRequest = 1;

  constructor(options: SimOptions, parts: WorldParts = {}) {
    this.options = options;
    this.rng = new Prng(`world/${options.seed}`);
    this.shapes = new Map(
      options.groups.flatMap(({ services }) => services.map((shape) => [shape.name, shape])),
    );
    this.breaks = new Set(options.breaks);
    this.sabotage = new Sabotage(this.breaks);
    this.#trace = parts.trace ?? null;
    this.#history = parts.history;
    this.wire = parts.wire ?? null;
    this.network = new Network(this, this.rng.fork('network'));
    this.arbiters = new SimArbiters(this, this.rng.fork('arbiters'));
    this.checkers = new Checkers(this);
    this.nodes = options.nodes.map((_, index) => new SimNode(this, index));
  }

  /** What all nodes agree on: the groups. Times may differ from node to node. */
  get definitions(): DefinitionSet {
    return (this.nodes[0] as SimNode).definitions;
  }

  node(name: string): SimNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  at(time: number, run: () => void): Scheduled {
    return this.#queue.push(Math.max(time, this.now), run);
  }

  after(delayMs: number, run: () => void): Scheduled {
    return this.#queue.push(this.now + Math.max(0, delayMs), run);
  }

  /** Lets the world happen until `time`, or until `stop` says so. */
  run(time: number, stop: () => boolean = () => false): void {
    for (;;) {
      const next = this.#queue.pop(time);
      if (next === null) break;
      this.now = next.at;
      next.run?.();
      if (stop()) return;
    }
    this.now = time;
  }

  /** What every wall clock shows that nobody has set. */
  wallMs(): number {
    return WALL_ORIGIN_MS + Math.floor(this.now);
  }

  /** Gives a command to the node's `sm`, as its control socket would; no answer if it is not there. */
  command(node: SimNode, command: OperatorCommand, answered: (reply: Reply) => void = () => {}): void {
    const request = this.#nextRequest++;
    this.#replies.set(request, answered);
    const { kind } = command;
    const target = 'node' in command ? command.node : command.service;
    this.note('command', node.name, `${kind} ${target}`);
    node.manager.deliver(() =>
      node.manager.post({ type: 'command', request, actor: 'operator', wallMs: node.wallMs(), command }),
    );
  }

  replied(node: SimNode, reply: Reply): void {
    this.note('command', node.name, `${reply.ok ? 'accepted' : `refused: ${reply.code}: ${reply.message}`}`);
    this.#replies.get(reply.request)?.(reply);
    this.#replies.delete(reply.request);
  }

  /** A line of the trace; what happens in the world is also part of the digest. */
  note(kind: NoteKind, node: string, text: string): void {
    if (kind !== 'history') this.#digest.add(`${this.now.toFixed(3)} ${node} ${text}`);
    this.#trace?.(this.now, node, kind, text);
  }

  digest(text: string): void {
    this.#digest.add(`${this.now.toFixed(3)} ${text}`);
  }

  digestText(): string {
    return this.#digest.toString();
  }

  history(node: SimNode, entry: HistoryEffect): void {
    this.#history?.(this.now, node.name, entry);
    if (this.#trace === null) return;
    const { entity, name, from, to, cause, reason } = entry;
    const why = reason === '' ? '' : ` | ${reason}`;
    this.note('history', node.name, `${entity} ${name}: ${from} -> ${to} (${cause})${why}`);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  violation(checker: string, node: string, group: string, text: string): void {
    if (this.options.unjudged?.includes(checker) === true) return;
    this.violations.push({ checker, atMs: this.now, node, group, text });
    this.note('violation', node, `${checker}: ${group}: ${text}`);
  }

  /** A process broke one of its own assertions. */
  broken(node: SimNode, process: string, error: unknown): void {
    const text = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
    this.violation('assertion', node.name, '', `${process}: ${text}`);
  }
}
