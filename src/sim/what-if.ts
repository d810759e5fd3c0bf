/**
 * What would happen: the definitions of a real domain in a quiet simulated world, brought to where the real one stands, and
 * then the event that somebody asks about. Scripts take as long as they are known to take, and succeed.
 */
import type { DefinitionSet, GroupDefinition } from '../core/definitions/model.ts';
import type { ServiceAction } from '../core/kernel/names.ts';
import type { HistoryEffect } from '../core/service/interface.ts';
import { notConverged } from './convergence.ts';
import { simulatedSet } from './definitions.ts';
import { acts } from './executor.ts';
import type { SimNode } from './node.ts';
import { type GroupShape, PAIR, type SimOptions } from './options.ts';
import { QUIET_WORLD } from './quiet.ts';
import { World } from './world.ts';

/** What happens, all of it at one moment. */
export interface WhatIfEvent {
  /** Nodes that lose their power. */
  readonly kill: readonly string[];
  /** Links that are cut in both directions, by their number. */
  readonly cut: readonly number[];
  /** Nodes whose groups are ordered to the other one. */
  readonly swact: readonly string[];
  /** Services whose processes die, wherever they are active. */
  readonly die: readonly string[];
  /** No arbiter answers from then on: neither the record nor a fence device. */
  readonly arbitersDie: boolean;
}

export interface WhatIfRequest {
  readonly definitions: DefinitionSet;
  /** Median of what was recorded, ms; null = nothing was. */
  readonly scriptMs: (service: string, action: ServiceAction) => number | null;
  /** The node on which exclusive groups are to begin. */
  readonly active: string;
  readonly locked: readonly string[];
  readonly event: WhatIfEvent;
}

/** One entry of a history. */
export interface TimelineLine {
  /** Since the event. */
  readonly atMs: number;
  readonly node: string;
  readonly entity: HistoryEffect['entity'] | 'power';
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** A group that was away for a while. */
export interface GroupGap {
  readonly group: string;
  readonly from: string;
  /** '' = nobody has it in the end. */
  readonly to: string;
  /** Since the event; null = it did not come back. */
  readonly goneAtMs: number;
  readonly backAtMs: number | null;
}

export interface WhatIfResult {
  /** Why the world did not come to where the question begins; '' = it did. */
  readonly problem: string;
  readonly timeline: readonly TimelineLine[];
  readonly gaps: readonly GroupGap[];
  /** Groups for which both nodes act at once, and from when on, ms since the event. */
  readonly overlaps: readonly { readonly group: string; readonly atMs: number }[];
  /** Until all is where it stays, ms since the event. */
  readonly totalMs: number;
  /** Service and action without a recorded time, as far as they ran after the event. */
  readonly assumed: readonly string[];
}

const STEP_MS = 500;
/** A start of all services, one after the other if need be. */
const SETTLE_MS_MAX = 1_800_000;
/** Nothing changes for so long: longer than d, S, the patience for links and the first back-offs. */
const CALM_MS = 15_000;
const AFTER_MS_MAX = 1_800_000;

/** The same question in `seed` different worlds of equal kind: delays of packets and commits differ. */
export function whatIf(request: WhatIfRequest, seed: number): WhatIfResult {
  return new Question(request, seed).answer();
}

class Question {
  readonly #request: WhatIfRequest;
  readonly #world: World;
  readonly #timeline: TimelineLine[] = [];
  readonly #gaps = new Map<string, { from: string; goneAtMs: number; backAtMs: number | null }>();
  readonly #assumed = new Set<string>();
  /** Who had a group last. */
  readonly #last = new Map<string, string>();
  readonly #groups: readonly GroupDefinition[];
  #eventAt: number | null = null;
  #lastChangeAt = 0;

  constructor(request: WhatIfRequest, seed: number) {
    this.#request = request;
    this.#groups = [...request.definitions.groups.values()];
    this.#world = new World(this.#options(seed), {
      history: (atMs, node, entry) => this.#told(atMs, node, entry),
      trace: (atMs, _node, kind) => {
        if (kind === 'service') this.#moved(atMs);
      },
    });
  }

  answer(): WhatIfResult {
    const problem = this.#settle();
    if (problem === '') {
      this.#happen();
      this.#untilCalm(AFTER_MS_MAX);
    }
    const totalMs = this.#eventAt === null ? 0 : Math.max(0, this.#lastChangeAt - this.#eventAt);
    const gaps = [...this.#gaps].map(([group, gap]) => ({ group, ...gap, to: this.#holder(group) }));
    const assumed = [...this.#assumed].sort();
    return { problem, timeline: this.#timeline, gaps, overlaps: this.#overlaps(), totalMs, assumed };
  }

  #overlaps(): WhatIfResult['overlaps'] {
    const first = new Map<string, number>();
    for (const { checker, group, atMs } of this.#world.violations)
      if (checker === 'single-active' && !first.has(group)) first.set(group, atMs - (this.#eventAt ?? 0));
    return [...first].map(([group, atMs]) => ({ group, atMs }));
  }

  #options(seed: number): SimOptions {
    const definitions = simulatedSet(this.#request.definitions);
    const groups = this.#groups.map(({ name, members }): GroupShape => {
      const services = members.flatMap(({ service, failureImpact: impact }) => {
        const definition = definitions.services.get(service);
        if (definition === undefined) return [];
        const { kernelState, actions } = definition;
        return [{ name: service, promotable: actions.has('go-active'), kernelState, after: '', impact }];
      });
      // What else there is to a group is in the definitions.
      return { ...PAIR, name, services };
    });
    return {
      ...QUIET_WORLD,
      seed,
      nodes: definitions.nodes,
      links: definitions.interfaces.length,
      groups,
      definitions,
      scriptMs: (service, action) => {
        const known = this.#request.scriptMs(service, action);
        if (known === null && this.#eventAt !== null && !action.startsWith('audit'))
          this.#assumed.add(`${service} ${action}`);
        return known;
      },
    };
  }

  /** First the node that is to be active, then the other one, then the locks. Who may not begin alone gets its groups by a swact. */
  #settle(): string {
    const { active, locked } = this.#request;
    const order = [...this.#world.nodes].sort(
      (a, b) => Number(b.name === active) - Number(a.name === active),
    );
    for (const node of order) {
      node.powerOn();
      this.#untilCalm(SETTLE_MS_MAX);
    }
    const elsewhere = this.#groups
      .filter(({ exclusive }) => exclusive)
      .some(({ name }) => this.#holder(name) !== active);
    const other = this.#world.nodes.find(({ name }) => name !== active);
    if (elsewhere && other !== undefined) {
      this.#command('swact', other.name);
      this.#untilCalm(SETTLE_MS_MAX);
    }
    const problem = notConverged(this.#world);
    if (problem !== null) return problem;
    for (const node of locked) this.#command('lock', node);
    if (locked.length > 0) this.#untilCalm(SETTLE_MS_MAX);
    return '';
  }

  #happen(): void {
    const { kill, cut, swact, die, arbitersDie } = this.#request.event;
    const { network, nodes, arbiters } = this.#world;
    this.#eventAt = this.#world.now;
    for (const { name } of this.#groups) this.#last.set(name, this.#holder(name));
    this.#lastChangeAt = this.#eventAt;
    if (arbitersDie) {
      arbiters.stop(1);
      for (const { index } of nodes) arbiters.bmcFault(index, 'down', 1);
    }
    for (const name of kill) {
      this.#tell({ node: name, entity: 'power', name, from: 'on', to: 'off', reason: 'as asked' });
      this.#world.node(name).powerOff();
    }
    for (const link of cut) {
      const role = network.roles[link];
      if (role !== undefined) for (const { index } of nodes) network.cut(role, index);
    }
    for (const name of swact) this.#command('swact', name);
    for (const name of die) {
      for (const { executor } of nodes) {
        const service = executor.services.get(name);
        if (service !== undefined) executor.processDies(service);
      }
    }
  }

  #command(kind: 'swact' | 'lock', node: string): void {
    const command = { kind, node, group: '', why: 'what if', forMs: 0 };
    this.#world.command(this.#world.node(node), command);
  }

  #untilCalm(limitMs: number): void {
    const end = this.#world.now + limitMs;
    this.#lastChangeAt = Math.max(this.#lastChangeAt, this.#world.now);
    while (this.#world.now < end && this.#world.now - this.#lastChangeAt < CALM_MS)
      this.#world.run(this.#world.now + STEP_MS);
  }

  #told(atMs: number, node: string, { entity, name, from, to, reason }: HistoryEffect): void {
    if (entity !== 'alarm') this.#lastChangeAt = atMs;
    this.#tell({ node, entity, name, from, to, reason });
  }

  #tell(line: Omit<TimelineLine, 'atMs'>): void {
    if (this.#eventAt !== null) this.#timeline.push({ atMs: this.#world.now - this.#eventAt, ...line });
  }

  /** Something began or ended: which groups are there as a whole? */
  #moved(atMs: number): void {
    if (this.#eventAt === null) return;
    const at = atMs - this.#eventAt;
    for (const { name, exclusive } of this.#groups) {
      if (!exclusive) continue;
      const gap = this.#gaps.get(name);
      const isThere = this.#holder(name) !== '';
      if (!isThere && gap === undefined)
        this.#gaps.set(name, { from: this.#last.get(name) ?? '', goneAtMs: at, backAtMs: null });
      else if (!isThere && gap !== undefined) gap.backAtMs = null;
      else if (isThere && gap !== undefined) gap.backAtMs ??= at;
      if (isThere) this.#last.set(name, this.#holder(name));
    }
  }

  #holder(group: string): string {
    const isWhole = ({ executor }: SimNode): boolean => {
      const members = [...executor.services.values()].filter((service) => service.group === group);
      return members.length > 0 && members.every(acts);
    };
    return this.#world.nodes.find(isWhole)?.name ?? '';
  }
}
