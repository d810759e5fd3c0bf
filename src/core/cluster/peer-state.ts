/** What `sm` knows of the other node, from sm-watchdog's facts. */

import type { GuardFact } from '../engine-interface.ts';
import { STATE } from '../kernel/state.ts';
import { type GroupReport, type LifeId, type Report, saysItEnds } from '../link/types.ts';

type PeerFact = Extract<
  GuardFact,
  {
    type:
      | 'guard.peer'
      | 'guard.report'
      | 'guard.peer-links'
      | 'guard.silence-broken'
      | 'guard.announcement'
      | 'guard.granted'
      | 'guard.withdrawn';
  }
>;

/** Why nothing is begun on an older report (PeerState.isCurrent). */
export const NEWS_AWAITED = 'a newer report of the peer is on its way';

export type Grant = Omit<Extract<GuardFact, { type: 'guard.granted' }>, 'type'>;

export class PeerState {
  readonly name: string;
  heard = false;
  processLife: LifeId = '';
  kernelLife: LifeId;
  /** The newest report of the life that is heard; null = not exchanged. */
  report: Report | null = null;
  reportVersion = 0;
  /** Of the newest report that it has begun to send: higher while that is on its way. */
  #versionSent = 0;
  managerDownMs = 0;
  linkBits = 0;
  /**
   * The peer's signed word that it stops and that nothing of it is active. It holds on in the silence after it; of a peer that is
   * heard again only what it says then counts, for it may have been back meanwhile.
   */
  leaving = false;
  silentSince: number | null = null;
  mayTake = false;
  reason = 'not heard yet';
  stopBoundMs: number;
  /** Number with which a deaf peer announces that it takes over; 0 = it does not. */
  announcement = 0;
  /** The watchdog says that it may be replaced; void at its next frame. */
  grant: Grant | null = null;
  /**
   * Ticket of a grant on which this `sm` does not act; 0 = none. It is published all the same: sm-watchdog lists nothing before
   * `sm` knows of the grant.
   */
  refused = 0;
  /** Kernel life that this process has heard itself; '' = none yet. */
  heardLife: LifeId = '';
  readonly #groups = new Map<string, GroupReport>();
  /** The report was told since the peer is heard: one from before a silence says nothing of what was done in it. */
  #current = false;
  /** The report was told since sm-watchdog greeted. */
  #isTold = false;

  get [STATE]() {
    return {
      groups: this.#groups,
      versionSent: this.#versionSent,
      current: this.#current,
      isTold: this.#isTold,
    };
  }

  set [STATE](state) {
    this.#versionSent = state.versionSent;
    this.#current = state.current;
    this.#isTold = state.isTold;
  }

  constructor(name: string, kernelLife: LifeId, stopBoundMs: number) {
    this.name = name;
    this.kernelLife = kernelLife;
    this.stopBoundMs = stopBoundMs;
  }

  /** Both ways heard, and its report of this life is here. */
  get exchanged(): boolean {
    return this.heard && this.report !== null && this.#current;
  }

  /**
   * Exchanged, and no newer report is on its way: whoever took over says so in the one that comes before it acts. An older one
   * gives nobody the right to begin.
   */
  get isCurrent(): boolean {
    return this.exchanged && this.reportVersion === this.#versionSent;
  }

  /** Its newest word, told by the sm-watchdog that is there, is that it ends: this `sm` of it begins nothing any more. */
  get ends(): boolean {
    const { report, leaving, reportVersion } = this;
    return (
      this.#isTold && leaving && report !== null && saysItEnds(report) && reportVersion === this.#versionSent
    );
  }

  /** Something lets this node act in its place. */
  get isReplaceable(): boolean {
    return this.grant !== null && this.grant.ticket !== this.refused;
  }

  /** What it reports of a group; undefined where that does not count: not exchanged, or it said that it leaves. */
  group(name: string): GroupReport | undefined {
    return this.exchanged && !this.leaving ? this.#groups.get(name) : undefined;
  }

  /** Its own word in the newest report, also of one that is silent by now. */
  get lockedForGood(): boolean {
    const own = this.report?.nodes.find(({ name }) => name === this.name);
    return own?.administrative === 'locked' && own.lockedUntil === 0;
  }

  /** Why it can not be given anything; '' = it can. */
  get absence(): string {
    if (!this.heard) return `${this.name} is not heard (${this.reason})`;
    if (!this.exchanged) return `${this.name} is heard, its report is awaited`;
    if (this.leaving) return `${this.name} is leaving`;
    return '';
  }

  /** Another sm-watchdog, or another connection to it, tells everything anew: nothing that an earlier one told holds on. */
  forget(): void {
    this.heard = false;
    this.#current = false;
    this.#isTold = false;
    this.announcement = 0;
    this.mayTake = false;
    this.grant = null;
    this.refused = 0;
    this.silentSince = null;
    this.reason = 'not heard since sm-watchdog greeted';
  }

  apply(fact: PeerFact): void {
    switch (fact.type) {
      case 'guard.peer':
        this.stopBoundMs = fact.stopBoundMs;
        return fact.heard ? this.#onHeard(fact) : this.#onUnheard(fact);
      case 'guard.report':
        this.report = fact.report;
        this.#current = this.heard;
        this.#isTold = true;
        this.reportVersion = fact.version;
        this.#versionSent = fact.version;
        this.#groups.clear();
        for (const group of fact.report.groups) this.#groups.set(group.name, group);
        this.#links(fact);
        return;
      case 'guard.peer-links':
        this.#versionSent = fact.reportVersion;
        return this.#links(fact);
      case 'guard.granted': {
        const { type: _, ...grant } = fact;
        this.grant = grant;
        return;
      }
      case 'guard.withdrawn':
        this.grant = null;
        return;
      case 'guard.silence-broken':
        // Something of it lives: what the one before said last is not the last any more.
        this.#isTold = false;
        this.silentSince = null;
        this.mayTake = false;
        this.grant = null;
        return;
      case 'guard.announcement':
        this.announcement = fact.number;
        return;
    }
  }

  #onHeard(fact: Extract<GuardFact, { type: 'guard.peer'; heard: true }>): void {
    this.heard = true;
    this.leaving = false;
    this.silentSince = null;
    this.mayTake = false;
    this.grant = null;
    this.heardLife = fact.kernelLife;
    this.reason = 'heard';
    if (fact.processLife !== this.processLife) this.#forgetReport();
    this.processLife = fact.processLife;
    this.kernelLife = fact.kernelLife;
  }

  #onUnheard(fact: Extract<GuardFact, { type: 'guard.peer'; heard: false }>): void {
    this.heard = false;
    this.#current = false;
    this.silentSince = fact.since;
    this.mayTake = fact.mayTake;
    this.reason = fact.reason;
  }

  #links(fact: {
    readonly linkBits: number;
    readonly managerDownMs: number;
    readonly leaving: boolean;
  }): void {
    this.linkBits = fact.linkBits;
    this.managerDownMs = fact.managerDownMs;
    this.leaving = fact.leaving;
  }

  #forgetReport(): void {
    this.report = null;
    this.reportVersion = 0;
    this.#versionSent = 0;
    this.leaving = false;
    this.#groups.clear();
  }
}
