/**
 * The own ends of the links: carrier and address, whether the peer's frames come on them, and what gateways and managed hosts
 * say of them. They say nothing of the peer: a link that does not count can only make this node stop, or not take over
 * (docs/SAFETY.md, rule 14d).
 */
import { type HostsVote, reachesHosts } from '../arbiter/hosts-vote.ts';
import type { FromArbiter } from '../arbiter/messages.ts';
import type { GuardFact } from '../engine-interface.ts';
import { INTERFACE_ROLES, type InterfaceRole } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import { type GatewayState, Gateways, NO_ANSWER, NO_HOSTS } from './gateways.ts';
import type { GuardView } from './interface.ts';
import type { LinkEnd, Peer } from './peer.ts';

const UNSEEN = 'not looked at yet';
/** A frame of the peer within so many says that its link is whole. */
const HEARD_HELLOS = 2;

export interface OwnLinksOptions {
  readonly roles: readonly InterfaceRole[];
  readonly peer: Peer;
  readonly deadIntervalMs: number;
  readonly helloIntervalMs: () => number;
  readonly tell: (fact: GuardFact) => void;
  readonly breaks?: ReadonlySet<string>;
}

export class OwnLinks {
  readonly #options: OwnLinksOptions;
  readonly #links: readonly LinkEnd[];
  readonly #gateways = new Gateways();
  /** The managed hosts, asked on a link, are a witness of the same kind. */
  readonly #hosts = new Gateways();
  #toldGateways: readonly GatewayState[] = [];

  constructor(options: OwnLinksOptions) {
    this.#options = options;
    this.#links = options.roles.map((role) => ({
      role,
      up: false,
      upReason: UNSEEN,
      counts: false,
      countsSince: Number.POSITIVE_INFINITY,
      sequence: -1,
      lastReceivedAt: Number.NEGATIVE_INFINITY,
      lastFreshEchoAt: Number.NEGATIVE_INFINITY,
      heard: false,
    }));
  }

  get all(): readonly LinkEnd[] {
    return this.#links;
  }

  of(role: InterfaceRole): LinkEnd | undefined {
    return this.#links.find((link) => link.role === role);
  }

  /** L of rule 14d: the links whose fresh echoes arrived in the d before the last receipt. Empty = unknown. */
  lastHeard(): readonly LinkEnd[] {
    const from = this.#options.peer.lastReceiptAt - this.#options.deadIntervalMs;
    return this.#links.filter((link) => link.lastFreshEchoAt >= from);
  }

  /** L, and while that is unknown every link. */
  acting(): readonly LinkEnd[] {
    const known = this.lastHeard();
    return known.length > 0 ? known : this.#links;
  }

  /** Of those that act, none counts, and each was looked at. */
  areGone(): boolean {
    return this.acting().every((link) => !link.counts && link.upReason !== UNSEEN);
  }

  // --- what is seen at the own end -----------------------------------------------------------------------------------

  /** True = it says something new. */
  see(link: LinkEnd, up: boolean, reason: string, now: number): boolean {
    if (link.up === up && link.upReason === reason) return false;
    link.up = up;
    link.upReason = reason;
    if (!up) link.heard = false;
    this.judge(link, now);
    this.#tell(link);
    return true;
  }

  hear(link: LinkEnd, now: number): void {
    this.setHeard(link, now);
    this.judge(link, now);
  }

  setHeard(link: LinkEnd, now: number): void {
    const heard = link.up && now - link.lastReceivedAt < this.#options.deadIntervalMs;
    if (heard === link.heard) return;
    link.heard = heard;
    this.#tell(link);
  }

  /** While frames of the peer come on it, a link is not cut off, whatever its gateway does. True = it has changed. */
  judge(link: LinkEnd, now: number): boolean {
    const { helloIntervalMs, breaks } = this.#options;
    const isSilent = this.#gateways.isSilent(link.role) || this.#hosts.isSilent(link.role);
    const isCutOff = isSilent && breaks?.has('gateway') !== true;
    const isHeard = now - link.lastReceivedAt < HEARD_HELLOS * helloIntervalMs();
    const counts = link.up && (isHeard || !isCutOff);
    if (counts === link.counts) return false;
    link.counts = counts;
    link.countsSince = counts ? now : Number.POSITIVE_INFINITY;
    return true;
  }

  /** True = one that counted does so no more. */
  judgeAll(now: number): boolean {
    const changed = this.#links.filter((link) => this.judge(link, now));
    for (const link of changed) this.#tell(link);
    return changed.some((link) => !link.counts);
  }

  // --- witnesses -----------------------------------------------------------------------------------------------------

  onGateway({ role, answers, reason }: Extract<FromArbiter, { type: 'gateway' }>): void {
    this.#gateways.told(role, answers, reason);
    this.#tellGateways();
  }

  onHosts(vote: HostsVote): void {
    const reached = reachesHosts(vote);
    if (reached === null) this.#hosts.forget(vote.role);
    else this.#hosts.told(vote.role, reached, '');
  }

  /** A link whose witnesses have nothing to say counts by its carrier. */
  forgetWitnesses(): void {
    this.#gateways.forget();
    this.#hosts.forget();
  }

  whyCutOff(role: InterfaceRole): string {
    return this.#gateways.isSilent(role) ? NO_ANSWER : NO_HOSTS;
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  /** To an `sm` that knows nothing of them yet. */
  tellAll(): void {
    for (const link of this.#links) this.#tell(link);
    this.#toldGateways = [];
    this.#tellGateways();
  }

  /** For the peer: which are up, and on which of them it is heard. */
  bits(): number {
    let bits = 0;
    for (const link of this.#links) {
      const index = INTERFACE_ROLES.indexOf(link.role);
      if (link.up) bits |= 1 << index;
      if (link.heard) bits |= 1 << (index + 4);
    }
    return bits;
  }

  view(): GuardView['links'] {
    return this.#links.map(({ role, up, upReason, heard, lastReceivedAt }) => ({
      role,
      up,
      upReason,
      heard,
      lastReceivedAt,
    }));
  }

  #tell(link: LinkEnd): void {
    const reason = !link.up
      ? link.upReason
      : link.heard
        ? 'up, the peer is heard'
        : `no frames of the peer arrive on it${link.counts ? '' : `, and ${this.whyCutOff(link.role)}`}`;
    this.#options.tell({ type: 'guard.link', role: link.role, up: link.up, heard: link.heard, reason });
  }

  #tellGateways(): void {
    const states = this.#gateways.states();
    for (const state of states)
      if (!this.#toldGateways.some((told) => same(told, state)))
        this.#options.tell({ type: 'guard.gateway', ...state });
    this.#toldGateways = states;
  }
}
