/**
 * What a leader does: it plans from a picture of both nodes and takes each exclusive group one step on its way there,
 * where it runs now, stopped first, then given under a new number; the peer gets its orders with the next report.
 */

import type { GroupDefinition } from '../definitions/model.ts';
import { type GroupDesiredState, INTERFACE_ROLES } from '../kernel/names.ts';
import { STATE } from '../kernel/state.ts';
import { type Picture, type Placement, plan, type Want } from '../plan/plan.ts';
import { type Unit, unitsOf } from '../plan/units.ts';
import type { LinkView } from '../view.ts';
import { type ClusterContext, groupOn } from './context.ts';
import { newNode } from './node-records.ts';
import type { OwnGroups } from './own-groups.ts';
import { NEWS_AWAITED } from './peer-state.ts';
import { refusal, type Verdict } from './permission.ts';
import { linkScore, SteadyScores } from './survivor.ts';

const LINKS_TIMER = 'cluster/links';

export interface LeadingOptions {
  readonly verdict: (now: number) => Verdict;
  readonly changed: () => void;
  /** This node's own link ends. */
  readonly links: () => Iterable<LinkView>;
  /** Why this node is not ready. */
  readonly readyReason: () => string;
  /** The peer is silent and may have taken this group over: what is active stays, nothing is added. */
  readonly mayHaveTakenOver: (group: string, now: number) => boolean;
  /** The peer is not heard, or has read that this node leads. */
  readonly knowsLeader: () => boolean;
  /** The deliberate fault `stop-before-start` is off. */
  readonly stopsFirst: boolean;
}

export class Leading {
  readonly #context: ClusterContext;
  readonly #own: OwnGroups;
  readonly #options: LeadingOptions;
  readonly #scores: SteadyScores;
  readonly #units: readonly Unit[];
  /** To the peer. */
  readonly #orders = new Map<string, GroupDesiredState>();
  #placements: readonly Placement[] = [];

  get [STATE]() {
    return {
      scores: this.#scores,
      orders: this.#orders,
      placements: this.#placements,
    };
  }

  set [STATE](state) {
    this.#placements = state.placements;
  }

  constructor(context: ClusterContext, own: OwnGroups, options: LeadingOptions) {
    this.#context = context;
    this.#own = own;
    this.#options = options;
    this.#units = unitsOf(context.definitions.groups);
    this.#scores = new SteadyScores(context.definitions.failPendingMs);
  }

  get placements(): readonly Placement[] {
    return this.#placements;
  }

  get orders(): ReadonlyMap<string, GroupDesiredState> {
    return this.#orders;
  }

  begin(): void {
    this.#orders.clear();
  }

  end(): void {
    this.#orders.clear();
    this.#placements = [];
  }

  drive(now: number): void {
    const { definitions } = this.#context;
    this.#placements = plan(definitions, this.#picture(now), this.#units);
    const byGroup = new Map<string, Placement[]>();
    for (const placement of this.#placements) {
      const placements = byGroup.get(placement.group);
      if (placements === undefined) byGroup.set(placement.group, [placement]);
      else placements.push(placement);
    }
    for (const group of definitions.groups.values()) {
      const placements = byGroup.get(group.name) ?? [];
      if (group.exclusive) this.#move(group, placements, now);
      else
        for (const placement of placements)
          this.#order(group, placement.node, placement.want, placement.reasons.join('; '), now);
    }
  }

  #move(group: GroupDefinition, placements: readonly Placement[], now: number): void {
    const { numbers, me } = this.#context;
    this.#reconcile(group.name);
    const target = placements.find((placement) => placement.want === 'active')?.node ?? '';
    const { stopsFirst } = this.#options;
    const before = numbers.of(group.name).holder;
    if (target !== '' && (before === '' || (!stopsFirst && before !== target))) {
      const obstacle = stopsFirst ? this.#obstacle(group, target, now) : '';
      if (obstacle === '') this.#give(group.name, target, now);
      else this.#own.refuse(group.name, obstacle, now);
    }
    const { holder } = numbers.of(group.name);
    if (holder !== '' && holder !== me) this.#own.forgetRefusal(group.name);
    for (const placement of placements) {
      const mayHave = placement.want !== 'active' || holder === placement.node;
      const reason = placement.reasons.join('; ');
      this.#order(group, placement.node, mayHave ? placement.want : 'standby', reason, now);
    }
  }

  /** The record follows what both nodes say they run (store and audit together). */
  #reconcile(name: string): void {
    const { numbers, peer, me } = this.#context;
    const { held, holder, holderActivation, stopped } = numbers.of(name);
    if (held > 0 && (holder === '' || holder === me || held > holderActivation))
      return numbers.record(name, me, held);
    if (holder === me && held === 0) return numbers.record(name, '', Math.max(holderActivation, stopped));
    const theirs = peer?.group(name);
    if (theirs === undefined || peer === null) return;
    if (theirs.runs > 0 && (holder === '' || theirs.runs > holderActivation))
      return numbers.record(name, peer.name, theirs.runs);
    const gaveUp = theirs.runs === 0 && theirs.inactive && theirs.stopped >= holderActivation;
    if (holder === peer.name && gaveUp) numbers.record(name, '', holderActivation);
  }

  /** Why a group that nobody holds can not be given to the target yet; '' = it can. */
  #obstacle(group: GroupDefinition, target: string, now: number): string {
    const { definitions, peer, me } = this.#context;
    if (target === me && this.#options.mayHaveTakenOver(group.name, now))
      return peer?.exchanged === true
        ? NEWS_AWAITED
        : `${peer?.name} is silent and may have taken over: what is active stays, nothing is added`;
    if (target === me && !this.#options.knowsLeader())
      return `${peer?.name} has not read yet that ${me} leads`;
    if (target !== me && !this.#own.inactive(group.name))
      return `${me} has not yet verified that it does not run it`;
    if (target === me && peer?.group(group.name)?.inactive === false)
      return `${peer.name} has not yet verified that it does not run it`;
    const first = group.activeOnlyIfActive;
    if (first === '' || !definitions.groups.has(first)) return '';
    const state = groupOn(this.#context, target, first)?.state ?? 'unknown';
    return state === 'active' ? '' : `waits until ${first} is active on ${target}: it is ${state} there`;
  }

  #give(group: string, target: string, now: number): void {
    const { numbers, me, history } = this.#context;
    if (target === me) {
      const reason = refusal(this.#options.verdict(now));
      if (reason !== null) return this.#own.refuse(group, reason, now);
    }
    const activation = numbers.of(group).max + 1;
    numbers.record(group, target, activation);
    if (target === me) numbers.hold(group, activation);
    this.#own.forgetRefusal(group);
    const reason = `activation ${activation}`;
    const to = `held by ${target}`;
    history({ entity: 'group', name: group, from: 'held by nobody', to, cause: 'grant', reason });
  }

  #order(group: GroupDefinition, node: string, want: Want, reason: string, now: number): void {
    const { me, peer } = this.#context;
    // A node runs its core groups by itself.
    if (node === me) return group.core ? undefined : this.#own.want(group, want, reason, now);
    // To somebody who can not be asked nothing is said: it would obey a verdict about its absence when it comes back.
    const order = peer?.absence === '' ? want : 'initial';
    if (this.#orders.get(group.name) === order) return;
    this.#orders.set(group.name, order);
    this.#options.changed();
  }

  #picture(now: number): Picture {
    const { definitions, numbers, operations, nodes, local, peer, me } = this.#context;
    const holders = new Map(numbers.all().map(({ group, holder }) => [group, holder] as const));
    const avoided = new Set<string>();
    for (const { kind, node, step } of operations.pending()) {
      if ((kind === 'swact' || kind === 'swact-force') && step !== 'requested') avoided.add(node);
    }
    const score = this.#linkScores(now);
    const theirs = peer?.exchanged === true ? (peer.report?.groups ?? []) : [];
    const pictures = definitions.nodes.map((name) => {
      const { administrative, ready } = nodes.find(name) ?? newNode(name);
      const mine = name === me;
      return {
        name,
        absent: mine ? '' : (peer?.absence ?? 'unknown node'),
        administrative,
        ready: ready === 'enabled',
        notReadyReason: mine ? this.#options.readyReason() : 'it says so',
        linkScore: mine ? score.mine : score.theirs,
        groups: new Map((mine ? local.groups() : theirs).map((group) => [group.name, group] as const)),
      };
    });
    return { nodes: pictures, holders, avoided };
  }

  #linkScores(now: number): { mine: number; theirs: number } {
    const { definitions, peer, timers } = this.#context;
    if (peer?.exchanged !== true) return { mine: 0, theirs: 0 };
    const { interfaces } = definitions;
    let bits = 0;
    for (const { role, up } of this.#options.links()) if (up) bits |= 1 << INTERFACE_ROLES.indexOf(role);
    const next = this.#scores.measure(linkScore(interfaces, bits), linkScore(interfaces, peer.linkBits), now);
    if (next === null) timers.clear(LINKS_TIMER);
    else if (timers.armed.get(LINKS_TIMER)?.at !== next) timers.set(LINKS_TIMER, next);
    return this.#scores.steady;
  }
}
