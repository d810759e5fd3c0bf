/**
 * What the cluster knows of its arbiters and asks of them: what the record should say, whether the silent peer is to be
 * fenced, which numbers were ever shown (docs/SAFETY.md, rules 5, 14 to 16).
 */
import type { RecordedGroup, Wish } from '../arbiter/interface.ts';
import { type Regime, regimeOf } from '../arbiter/regime.ts';
import type { GuardFact } from '../engine-interface.ts';
import type { InterfaceRole } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import { STATE } from '../kernel/state.ts';
import type { ArbiterView, GatewayView } from '../view.ts';
import type { ClusterContext } from './context.ts';
import { PeerFencing } from './peer-fencing.ts';
import type { PeerState } from './peer-state.ts';
import type { DomainRole } from './role.ts';

type Fact<T extends GuardFact['type']> = Extract<GuardFact, { type: T }>;

const UNASKED: Omit<Fact<'guard.arbiter'>, 'type'> = {
  connected: false,
  cause: null,
  reason: 'sm-arbiter has not been heard of yet',
  sole: false,
  wantsProof: '',
};

export class Arbiters {
  readonly regime: Regime;
  /** Until then the record is known to be our own. */
  recordedUntil = Number.NEGATIVE_INFINITY;
  readonly #context: ClusterContext;
  readonly #role: DomainRole;
  #state = UNASKED;
  #record: Fact<'guard.record'> | null = null;
  #register: string;
  readonly #fencing: PeerFencing;
  readonly #gateways = new Map<InterfaceRole, GatewayView>();
  #wish: Wish | null = null;

  get [STATE]() {
    return {
      fencing: this.#fencing,
      gateways: this.#gateways,
      state: this.#state,
      record: this.#record,
      register: this.#register,
      wish: this.#wish,
    };
  }

  set [STATE](state) {
    this.#state = state.state;
    this.#record = state.record;
    this.#register = state.register;
    this.#wish = state.wish;
  }

  /** `register`, `offTimes`: what an earlier process has stored of them. */
  constructor(
    context: ClusterContext,
    role: DomainRole,
    { register = '', offTimes = '' }: { readonly register?: string; readonly offTimes?: string },
  ) {
    this.regime = regimeOf(context.definitions);
    this.#context = context;
    this.#role = role;
    this.#register = register;
    this.#fencing = new PeerFencing(context, role, offTimes);
  }

  /** How long the shots of this node at the other one take at most; 0 = it can not shoot. */
  get shotsMs(): number {
    return this.#fencing.shotsMs;
  }

  /** The highest number that the record ever showed here. */
  get number(): number {
    return this.#record?.number ?? 0;
  }

  /**
   * Where the peer is not heard, may this node add what nobody holds? The record is its `sole`; or it is its own by a keeper
   * that answers, and gives the group to nobody else: the peer adds nothing under a record of ours (rule 15).
   */
  mayAdd(group: string, now: number): boolean {
    const { connected, cause, sole } = this.#state;
    if (sole) return true;
    const record = this.#record;
    const { me } = this.#context;
    if (!connected || cause !== null || now >= this.recordedUntil || record === null || record.leader !== me)
      return false;
    if (!this.#role.leads || record.number > this.#role.number) return false;
    const holder = record.groups.find((entry) => entry.group === group)?.holder ?? '';
    return holder === '' || holder === me;
  }

  apply(
    fact: Fact<
      | 'guard.record'
      | 'guard.arbiter'
      | 'guard.readiness'
      | 'guard.gateway'
      | 'guard.fenced'
      | 'guard.refused'
    >,
    now: number,
  ): void {
    switch (fact.type) {
      case 'guard.arbiter': {
        const { type: _, ...state } = fact;
        this.#state = state;
        return;
      }
      case 'guard.record':
        return this.#onRecord(fact);
      case 'guard.readiness':
        return this.#fencing.onReadiness(fact.readiness, now);
      case 'guard.gateway': {
        const { type: _, ...gateway } = fact;
        this.#gateways.set(gateway.role, gateway);
        return;
      }
      case 'guard.fenced':
        return this.#fencing.onResult(fact.result, now);
      case 'guard.refused':
        if (fact.what === 'fence-peer') return this.#fencing.onRefused(fact.reason, now);
        this.#context.history({
          entity: 'node',
          name: this.#context.peer?.name ?? '',
          from: 'confirmed dead',
          to: 'refused',
          cause: 'confirm-dead',
          reason: fact.reason,
        });
    }
  }

  /** A watchdog that greets knows nothing of what was said to the one before. */
  forget(): void {
    this.#wish = null;
    this.#fencing.forget();
    this.recordedUntil = Number.NEGATIVE_INFINITY;
    this.#state = UNASKED;
    this.#gateways.clear();
  }

  /** What the record should say, where one is kept. */
  tellWish(): void {
    if (this.regime !== 'record') return;
    const { numbers, emit } = this.#context;
    const all = numbers.all();
    const groups: RecordedGroup[] = this.#role.leads
      ? all.map(({ group, holder, holderActivation: activation }) => ({ group, holder, activation }))
      : [];
    const holds = all.filter(({ held }) => held > 0).map(({ group, held }) => ({ group, activation: held }));
    const wish = { leads: this.#role.leads, number: this.#role.number, groups, holds };
    if (same(wish, this.#wish)) return;
    this.#wish = wish;
    emit({ type: 'guard.wish', wish });
  }

  /** Fences the peer where only its death lets this node go on, and there is something to gain (rule 16). */
  judgeFencing(peer: PeerState, able: boolean, now: number): void {
    const { connected, wantsProof } = this.#state;
    const forced = this.regime === 'fence' || (this.regime === 'record' && wantsProof !== '');
    this.#fencing.judge(peer, { able, forced, connected }, now);
  }

  #onRecord(fact: Fact<'guard.record'>): void {
    this.#record = fact;
    const { numbers, emit } = this.#context;
    const known = new Set(numbers.all().map(({ group }) => group));
    for (const { group, activation } of fact.groups) if (known.has(group)) numbers.see(group, activation);
    if (fact.register === '' || fact.register === this.#register) return;
    this.#register = fact.register;
    emit({ type: 'persist.register', register: fact.register });
  }

  view(): ArbiterView {
    const { connected, cause, reason, sole, wantsProof } = this.#state;
    const record = this.#record;
    return {
      regime: this.regime,
      connected,
      cause,
      reason,
      sole,
      wantsProof,
      recordLeader: record?.leader ?? '',
      recordNumber: record?.number ?? 0,
      recordMode: record?.mode ?? null,
      devices: this.#fencing.audits,
      gateways: [...this.#gateways.values()],
      lastFence: this.#fencing.lastResult,
    };
  }
}
