/**
 * When this node fences its silent peer, and what it announces of it beforehand: of two nodes that can shoot each other one
 * shoots, and the other one waits until it is dead or the time for that is over (docs/SAFETY.md, rule 16).
 */

import { type FenceResult, fencingLimitMs } from '../arbiter/fence.ts';
import { FenceAudits, levelsOf, usableLevels, withoutDevice } from '../arbiter/fence-audits.ts';
import { fenceWaitMs, shootsSecond } from '../arbiter/fence-rules.ts';
import type { Readiness } from '../arbiter/interface.ts';
import { canFence } from '../arbiter/regime.ts';
import {
  budgetsOf,
  nextWindow,
  OffTimes,
  type ShotBudget,
  type ShotWindow,
  shotsMs,
} from '../arbiter/shot-window.ts';
import type { FenceDeviceDefinition } from '../definitions/arbiter-model.ts';
import type { DefinitionSet } from '../definitions/model.ts';
import { STATE } from '../kernel/state.ts';
import type { LifeId } from '../link/types.ts';
import type { ClusterContext } from './context.ts';
import type { PeerState } from './peer-state.ts';
import type { DomainRole } from './role.ts';

const TIMER = 'cluster/fence-peer';
/** After a fencing of a peer that was not heard since. */
const AGAIN_MS = 5000;
/** A peer that can shoot, and sees a reason to, has done so by then. */
const THREATENED_MS = 60_000;
/** A report is sent every second: what was announced so long before a silence has been read. */
const READ_AFTER_MS = 3000;

interface Need {
  /** This node could go on in the peer's place. */
  readonly able: boolean;
  /** Nothing but the peer's death lets it. */
  readonly forced: boolean;
  /** There is an `sm-arbiter`. */
  readonly connected: boolean;
}

export class PeerFencing {
  readonly #context: ClusterContext;
  readonly #role: DomainRole;
  readonly #audits = new FenceAudits();
  readonly #offTimes: OffTimes;
  /** Asked for, and without a result yet. */
  #running = false;
  #endedAt = Number.NEGATIVE_INFINITY;
  #lastResult = '';
  /**
   * Of this silence, whatever becomes of sm-watchdog in it: since when only the peer's death lets this node go on. null = the peer is
   * heard, or something else may.
   */
  #forcedAt: number | null = null;
  /** What a life of the peer has announced. Who does not hear us sends reports of version 1, which can not say it. */
  #peerShots: { readonly life: LifeId; readonly ms: number } | null = null;
  #shotsMs: number;
  /** The least that was announced shortly before, and until when. */
  #before = { ms: Number.POSITIVE_INFINITY, until: Number.NEGATIVE_INFINITY };

  get [STATE]() {
    return {
      audits: this.#audits,
      offTimes: this.#offTimes,
      running: this.#running,
      endedAt: this.#endedAt,
      lastResult: this.#lastResult,
      forcedAt: this.#forcedAt,
      peerShots: this.#peerShots,
      shotsMs: this.#shotsMs,
      before: this.#before,
    };
  }

  set [STATE](state) {
    this.#running = state.running;
    this.#endedAt = state.endedAt;
    this.#lastResult = state.lastResult;
    this.#forcedAt = state.forcedAt;
    this.#peerShots = state.peerShots;
    this.#shotsMs = state.shotsMs;
    this.#before = state.before;
  }

  constructor(context: ClusterContext, role: DomainRole, offTimes: string) {
    this.#context = context;
    this.#role = role;
    this.#offTimes = new OffTimes(offTimes);
    this.#shotsMs = this.#measure();
  }

  get audits(): readonly Readiness[] {
    return this.#audits.all;
  }

  get lastResult(): string {
    return this.#lastResult;
  }

  /** What is announced: the longest time that the shots of this node take from their begin; 0 = it can not shoot. */
  get shotsMs(): number {
    return this.#shotsMs;
  }

  onReadiness(readiness: Readiness, now: number): void {
    this.#audits.note(readiness);
    this.#announce(now);
  }

  onResult({ outcome, reason, off }: FenceResult, now: number): void {
    this.#end(`${outcome}${reason === '' ? '' : `: ${reason}`}`, now);
    this.#tell('fencing', outcome, reason);
    if (off === undefined) return;
    const measured = this.#devices.filter(({ name }) => off.devices.includes(name));
    // Each of them: a device that another one waited for is thought to be slower than it is.
    const news = measured.filter((device) => this.#offTimes.note(device, off.tookMs));
    if (news.length === 0) return;
    this.#context.emit({ type: 'persist.off-times', text: this.#offTimes.text });
    this.#announce(now);
  }

  onRefused(reason: string, now: number): void {
    if (this.#lastResult !== reason) this.#tell('fencing', 'refused', reason);
    this.#end(reason, now);
  }

  /** A watchdog that greets knows of no fencing. */
  forget(): void {
    this.#running = false;
  }

  judge(peer: PeerState, { able, forced, connected }: Need, now: number): void {
    const { definitions, timers, emit } = this.#context;
    // What it came to says nothing about another silence.
    if (peer.heard) this.#endedAt = Number.NEGATIVE_INFINITY;
    const ms = peer.report?.shotsMs;
    if (ms !== undefined) this.#peerShots = { life: peer.processLife, ms };
    const silent = canFence(definitions, peer.name) && !peer.heard && peer.silentSince !== null;
    if (peer.heard || !forced) this.#forcedAt = null;
    else if (silent) this.#forcedAt ??= now;
    if (!silent || !able) return timers.clear(TIMER);
    if (this.#forcedAt === null || peer.isReplaceable || this.#running || !connected) return;
    if (!this.#gains(peer) && !(now < this.#forcedAt + THREATENED_MS && this.#isThreatened(peer))) return;
    const at = this.#endedAt + AGAIN_MS;
    if (now < at) {
      if (timers.armed.get(TIMER)?.at !== at) timers.set(TIMER, at);
      return;
    }
    const { levels, doubts } = usableLevels(levelsOf(this.#devices, peer.name), this.#audits);
    if (levels.length === 0) return this.onRefused(withoutDevice(peer.name, doubts), now);
    this.#running = true;
    const window = this.#window(peer, this.#forcedAt, now);
    const waitMs = Math.max(0, Math.round((window?.from ?? now) - now));
    this.#tell(
      'silent',
      'fencing',
      waitMs === 0 ? peer.reason : `${peer.reason}; not before ${waitMs} ms are over`,
    );
    emit({ type: 'guard.fence-peer', window, kernelLife: peer.heardLife, tied: this.#audits.tied });
  }

  #gains(peer: PeerState): boolean {
    return !this.#role.leads || this.#context.numbers.all().some(({ holder }) => holder === peer.name);
  }

  /**
   * The peer, which has less to lose, would shoot this node for what it runs; so this one, which is first, does. Not an `sm` that
   * has not heard it: it knows neither how long the silence lasts nor of a word that the peer leaves.
   */
  #isThreatened(peer: PeerState): boolean {
    const { numbers, me } = this.#context;
    if (peer.leaving || peer.heardLife === '' || levelsOf(this.#devices, me).length === 0) return false;
    return numbers.all().some(({ holder }) => holder === me);
  }

  /** null = the peer has no device that could shoot back. */
  #window(peer: PeerState, base: number, now: number): ShotWindow | null {
    const { definitions, me } = this.#context;
    const { deadIntervalMs } = definitions.domain;
    const { verifyGapMs: gapMs, delayMs = 0 } = definitions.arbiters?.fencing ?? { verifyGapMs: 0 };
    const threats = levelsOf(this.#devices, me);
    if (threats.length === 0) return null;
    const mine = { criticalGroups: this.#criticalGroups(me), leads: this.#role.leads };
    const theirs = {
      criticalGroups: this.#criticalGroups(peer.name),
      leads: this.#role.leader === peer.name,
    };
    const second = shootsSecond(mine, theirs);
    const { until, ms } = this.#before;
    // What the peer has not read for certain, it does not wait for.
    const ownMs = base < until + READ_AFTER_MS ? Math.min(ms, this.#shotsMs) : this.#shotsMs;
    const announced = this.#peerShots?.life === peer.processLife ? this.#peerShots.ms : undefined;
    const peerMs = announced ?? fencingLimitMs({ levels: threats, gapMs });
    const waitMs = fenceWaitMs(delayMs, second ? peerMs : ownMs, deadIntervalMs);
    const roundMs = waitMs + (second ? ownMs : peerMs) + deadIntervalMs;
    const budgets = this.#budgets(peer.name).map((budget) => within(budget, ownMs));
    const needsMs = Math.max(...budgets.map(({ offMs }) => offMs));
    const rounds = { base, delayMs: second ? waitMs : 0, ownMs, roundMs };
    return { ...nextWindow(rounds, needsMs, now), budgets };
  }

  #budgets(peer: string): readonly ShotBudget[] {
    const { levels } = usableLevels(levelsOf(this.#devices, peer), this.#audits);
    return budgetsOf(levels, this.#audits, this.#offTimes);
  }

  #announce(now: number): void {
    const ms = this.#measure();
    // Who can not shoot any more takes nothing back: the peer would count with the limits, and wait longer.
    if (ms === 0 || ms === this.#shotsMs) return;
    const { until, ms: before } = this.#before;
    const told = this.#shotsMs === 0 ? Number.POSITIVE_INFINITY : this.#shotsMs;
    this.#before = { ms: now < until + READ_AFTER_MS ? Math.min(before, told) : told, until: now };
    this.#shotsMs = ms;
  }

  #measure(): number {
    const { peer, definitions } = this.#context;
    if (peer === null) return 0;
    const { levels } = usableLevels(levelsOf(this.#devices, peer.name), this.#audits);
    return shotsMs(levels, definitions.arbiters?.fencing.verifyGapMs ?? 0, this.#budgets(peer.name));
  }

  get #devices(): readonly FenceDeviceDefinition[] {
    return this.#context.definitions.arbiters?.fencing.devices ?? [];
  }

  /** Groups that a node holds of which the failure of a member is critical. */
  #criticalGroups(node: string): number {
    const { numbers, definitions } = this.#context;
    return numbers.all().filter(({ group, holder }) => holder === node && isCritical(definitions, group))
      .length;
  }

  #end(result: string, now: number): void {
    this.#running = false;
    this.#endedAt = now;
    this.#lastResult = result;
  }

  #tell(from: string, to: string, reason: string): void {
    const name = this.#context.peer?.name ?? '';
    this.#context.history({ entity: 'node', name, from, to, cause: 'fence', reason });
  }
}

/** Where less was announced than this device is known to need by now. */
function within(budget: ShotBudget, ownMs: number): ShotBudget {
  return { ...budget, offMs: Math.min(budget.offMs, Math.max(ownMs - budget.readMs, ownMs / 2)) };
}

function isCritical({ groups }: Pick<DefinitionSet, 'groups'>, group: string): boolean {
  return groups.get(group)?.members.some(({ failureImpact }) => failureImpact === 'critical') === true;
}
