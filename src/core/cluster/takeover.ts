/**
 * Take-over of a silent peer by policy (docs/SAFETY.md, rule 14d): announce, wait until it must have stopped, then act. Any
 * sign of its life ends it.
 */
import { STATE } from '../kernel/state.ts';
import type { Wait } from '../service/interface.ts';
import type { ClusterContext } from './context.ts';
import type { PeerState } from './peer-state.ts';
import type { DomainRole } from './role.ts';

const TIMER = 'cluster/announce';

interface Announcement {
  readonly number: number;
  readonly since: number;
  readonly until: number;
  /** The wait is over and the groups were taken; it stays on the wire until the exchange. */
  done: boolean;
  /** The silence, or our sight of it, was broken since it was done: the peer may be back and may have taken over. */
  lapsed: boolean;
}

export interface TakeoverOptions {
  readonly role: DomainRole;
  /** This node may lead and act: watched, not leaving, its store works, nobody else has its name. */
  readonly able: () => boolean;
  readonly highestNumber: () => number;
  readonly changed: () => void;
  /** The peer must have stopped by now: what it held is free, and this node leads. */
  readonly complete: (number: number, reason: string, now: number) => void;
  /** The deliberate fault `announce-wait` is off. */
  readonly waits: boolean;
}

export class Takeover {
  readonly #context: ClusterContext;
  readonly #options: TakeoverOptions;
  #announcement: Announcement | null = null;

  get [STATE]() {
    return {
      announcement: this.#announcement,
    };
  }

  set [STATE](state) {
    this.#announcement = state.announcement;
  }

  constructor(context: ClusterContext, options: TakeoverOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** On the wire; 0 = none. */
  get number(): number {
    return this.#announcement?.number ?? 0;
  }

  /** This node has taken over from the peer that is silent. */
  get isDone(): boolean {
    return this.#announcement?.done === true && !this.#announcement.lapsed;
  }

  forget(): void {
    this.#announcement = null;
  }

  judge(peer: PeerState, now: number): void {
    const { role, able } = this.#options;
    const silent = !peer.heard && peer.mayTake && peer.announcement === 0;
    const gain =
      role.state !== 'leader' ||
      this.#context.numbers.all().some(({ holder }) => holder !== this.#context.me);
    const announcement = this.#announcement;
    if (announcement === null) {
      if (silent && gain && able()) this.#announce(peer, now);
    } else if (announcement.done) {
      // It stays on the wire, and sm-watchdog lists nothing, until both know what the other runs, or we obey the peer's.
      if (peer.exchanged || peer.announcement > 0) this.#announcement = null;
      else if (!silent) announcement.lapsed = true;
      // What it took it has given up since, or it could not see for a while that the peer stayed away.
      else if (able() && gain && (announcement.lapsed || role.state !== 'leader')) this.#announce(peer, now);
    } else if (!silent || !able()) this.#break(peer);
    else if (now >= announcement.until) {
      announcement.done = true;
      const silence = Math.round(now - (peer.silentSince ?? now));
      this.#options.complete(announcement.number, `${peer.name} is silent for ${silence} ms`, now);
    }
  }

  wait(): Wait | null {
    if (this.#announcement === null || this.#announcement.done) return null;
    const { name } = this.#context.definitions.domain;
    const { number, since, until } = this.#announcement;
    const reason = `announced take-over number ${number}; the peer has its stop bound to stop`;
    return { entity: 'domain', name, reason, since, until };
  }

  #announce(peer: PeerState, now: number): void {
    const { role, waits, highestNumber } = this.#options;
    const { definitions, timers } = this.#context;
    const number = highestNumber() + 1;
    const waitMs = waits ? Math.max(peer.stopBoundMs, definitions.domain.stopBoundMs) : 0;
    this.#announcement = { number, since: now, until: now + waitMs, done: false, lapsed: false };
    role.setNumber(number);
    timers.set(TIMER, now + waitMs);
    this.#tell(role.state, 'announcing', 'silence', peer);
  }

  #break(peer: PeerState): void {
    this.#announcement = null;
    this.#context.timers.clear(TIMER);
    this.#options.changed();
    this.#tell('announcing', this.#options.role.state, 'silence-broken', peer);
  }

  #tell(from: string, to: string, cause: string, { reason }: PeerState): void {
    const { name } = this.#context.definitions.domain;
    this.#context.history({ entity: 'domain', name, from, to, cause, reason });
  }
}
