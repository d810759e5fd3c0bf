/** What this node is in the domain, and the leadership number: every change is stored in its own turn. */
import type { PersistEffect } from '../engine-interface.ts';
import type { DomainState } from '../kernel/names.ts';
import type { ClusterContext } from './context.ts';

export class DomainRole {
  readonly #context: Pick<ClusterContext, 'me' | 'definitions' | 'history'>;
  readonly #emit: (effect: PersistEffect) => void;
  state: DomainState = 'waiting';
  since = 0;
  leader = '';
  number: number;
  /** The number under which it began to lead: whoever follows it under that one, or a higher, knows that it leads. */
  ledFrom = 0;
  /** Has exchanged with a peer, or has led, since this kernel life began, and has given no word that it leaves (rule 7). */
  settled: boolean;
  /** The last leader that it knows of is itself: stored before the peer is told otherwise. */
  led: boolean;

  constructor(
    context: Pick<ClusterContext, 'me' | 'definitions' | 'history'>,
    restored: { readonly number: number; readonly settled: boolean; readonly led: boolean },
    emit: (effect: PersistEffect) => void,
  ) {
    this.#context = context;
    this.#emit = emit;
    this.number = restored.number;
    this.settled = restored.settled;
    this.led = restored.led;
  }

  get leads(): boolean {
    return this.state === 'leader';
  }

  lead(number: number, reason: string, now: number): void {
    if (!this.leads) this.ledFrom = number;
    this.number = number;
    this.settled = true;
    this.led = true;
    this.#become('leader', this.#context.me, reason, now);
  }

  follow(leader: string, number: number, reason: string, now: number): void {
    this.number = number;
    this.settled = true;
    this.led = false;
    this.#become('backup', leader, reason, now);
  }

  wait(reason: string, now: number): void {
    this.#become('waiting', '', reason, now);
  }

  setNumber(number: number): void {
    this.number = number;
    this.#persist();
  }

  /** A word that was given stands: who leaves and is back at once lets the peer lead, which may not have read it yet. */
  unsettle(): void {
    this.settled = false;
    this.led = false;
    this.#persist();
  }

  #become(state: DomainState, leader: string, reason: string, now: number): void {
    const from = this.state;
    const same = from === state && this.leader === leader;
    this.state = state;
    this.leader = leader;
    if (from !== state) this.since = now;
    this.#persist();
    // The leader takes a new number whenever its `sm` is restarted: no event for who goes on following it.
    if (same && state === 'backup') return;
    const to = state === 'leader' ? `leader, number ${this.number}` : state;
    const { name } = this.#context.definitions.domain;
    this.#context.history({ entity: 'domain', name, from, to, cause: 'leadership', reason });
  }

  #persist(): void {
    const { state, leader, number, settled, led } = this;
    const designation = state === 'leader' || state === 'backup' ? state : 'unknown';
    this.#emit({ type: 'persist.domain', state, designation, leader, number, settled, led });
  }
}
