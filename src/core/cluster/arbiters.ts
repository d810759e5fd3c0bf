/**
 * What the cluster knows of its arbiters and asks of them: what the record should say, whether the silent peer is to be
 * fenced, which numbers were ever shown (docs/SAFETY.md, rules 5, 14 to 16).
 */
import { fencingLimitMs } from '../arbiter/fence.ts';
import { FenceAudits, levelsOf, usableLevels, withoutDevice } from '../arbiter/fence-audits.ts';
import { fenceDelayMs } from '../arbiter/fence-rules.ts';
import type { RecordedGroup, Wish } from '../arbiter/interface.ts';
import { canFence, type Regime, regimeOf } from '../arbiter/regime.ts';
import type { DefinitionSet } from '../definitions/model.ts';
import type { GuardFact } from '../engine-interface.ts';
import type { InterfaceRole } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import type { ArbiterView, GatewayView } from '../view.ts';
import type { ClusterContext } from './context.ts';
import type { PeerState } from './peer-state.ts';
import type { DomainRole } from './role.ts';

const FENCE_TIMER = 'cluster/fence-peer';
/** After a fencing of a peer that was not heard since. */
const FENCE_AGAIN_MS = 5000;

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
  readonly #audits = new FenceAudits();
  readonly #gateways = new Map<InterfaceRole, GatewayView>();
  #wish: Wish | null = null;
  /** A fencing was asked for and has no result yet. */
  #fencing = false;
  #fenceAt = Number.NEGATIVE_INFINITY;
  #lastFence = '';

  constructor(context: ClusterContext, role: DomainRole, register: string) {
    this.regime = regimeOf(context.definitions);
    this.#context = context;
    this.#role = role;
    this.#register = register;
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
        return this.#audits.note(fact.readiness);
      case 'guard.gateway': {
        const { type: _, ...gateway } = fact;
        this.#gateways.set(gateway.role, gateway);
        return;
      }
      case 'guard.fenced':
        this.#fencing = false;
        this.#fenceAt = now;
        this.#lastFence = `${fact.result.outcome}${fact.result.reason === '' ? '' : `: ${fact.result.reason}`}`;
        return this.#tell('fencing', fact.result.outcome, 'fence', fact.result.reason);
      case 'guard.refused':
        if (fact.what === 'fence-peer') this.#refused(fact.reason, now);
        else this.#tell('confirmed dead', 'refused', 'confirm-dead', fact.reason);
    }
  }

  #refused(reason: string, now: number): void {
    if (this.#lastFence !== reason) this.#tell('fencing', 'refused', 'fence', reason);
    this.#fencing = false;
    this.#fenceAt = now;
    this.#lastFence = reason;
  }

  /** A watchdog that greets knows nothing of what was said to the one before. */
  forget(): void {
    this.#wish = null;
    this.#fencing = false;
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
    const { definitions, timers, emit, numbers } = this.#context;
    // What it came to says nothing about another silence.
    if (peer.heard) this.#fenceAt = Number.NEGATIVE_INFINITY;
    if (!canFence(definitions, peer.name) || peer.heard || peer.silentSince === null || !able) {
      return timers.clear(FENCE_TIMER);
    }
    const forced = this.regime === 'fence' || (this.regime === 'record' && this.#state.wantsProof !== '');
    const gain = !this.#role.leads || numbers.all().some(({ holder }) => holder === peer.name);
    if (!forced || !gain || peer.grant !== null || this.#fencing || !this.#state.connected) return;
    const at = this.#fenceAt + FENCE_AGAIN_MS;
    if (now < at) {
      if (timers.armed.get(FENCE_TIMER)?.at !== at) timers.set(FENCE_TIMER, at);
      return;
    }
    const devices = definitions.arbiters?.fencing.devices ?? [];
    const { levels, doubts } = usableLevels(levelsOf(devices, peer.name), this.#audits);
    if (levels.length === 0) return this.#refused(withoutDevice(peer.name, doubts), now);
    this.#fencing = true;
    const delayMs = this.#delayMs(peer.name);
    const reason =
      delayMs === 0 ? peer.reason : `${peer.reason}; not before ${Math.round(delayMs)} ms are over`;
    this.#tell('silent', 'fencing', 'fence', reason);
    emit({ type: 'guard.fence-peer', delayMs, kernelLife: peer.heardLife, tied: this.#audits.tied });
  }

  /** While the peer shoots this node with all the time that its devices are given, this node does not shoot back. */
  #delayMs(peer: string): number {
    const { definitions, me } = this.#context;
    const { domain, arbiters } = definitions;
    if (arbiters === undefined) return 0;
    const { devices, verifyGapMs: gapMs, delayMs } = arbiters.fencing;
    const levels = levelsOf(devices, me);
    // Nobody shoots back.
    if (levels.length === 0) return 0;
    const mine = { criticalGroups: this.#criticalGroups(me), leads: this.#role.leads };
    const theirs = { criticalGroups: this.#criticalGroups(peer), leads: this.#role.leader === peer };
    return fenceDelayMs(mine, theirs, delayMs, fencingLimitMs({ levels, gapMs }), domain.deadIntervalMs);
  }

  /** Groups that a node holds of which the failure of a member is critical. */
  #criticalGroups(node: string): number {
    const { numbers, definitions } = this.#context;
    return numbers.all().filter(({ group, holder }) => holder === node && isCritical(definitions, group))
      .length;
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

  #tell(from: string, to: string, cause: string, reason: string): void {
    const name = this.#context.peer?.name ?? '';
    this.#context.history({ entity: 'node', name, from, to, cause, reason });
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
      devices: this.#audits.all,
      gateways: [...this.#gateways.values()],
      lastFence: this.#lastFence,
    };
  }
}

function isCritical({ groups }: Pick<DefinitionSet, 'groups'>, group: string): boolean {
  return groups.get(group)?.members.some(({ failureImpact }) => failureImpact === 'critical') === true;
}
