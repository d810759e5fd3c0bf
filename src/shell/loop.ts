/**
 * The loop of `sm`, the single writer: drain events, step the engine, remove what has to go, commit once, and only then
 * do the rest (docs/ARCHITECTURE.md, "One turn").
 *
 * Effects that remove activity are carried out the moment the engine emits them, before the commit and whether or not it
 * succeeds. Effects that add activity, or that tell the peer something, go out only when the turn is stored.
 */
import type { EngineEffect, EngineEvent } from '../core/engine-interface.ts';
import { HeldRenewal } from '../core/held-renewal.ts';
import { LIMITS } from '../core/kernel/limits.ts';
import type { HistoryEffect, RunEffect } from '../core/service/interface.ts';
import { inOrder, placeOf, STARTS } from '../core/turn-order.ts';
import type { EngineView } from '../core/view.ts';
import type {
  CommitResult,
  EnginePort,
  GuardPort,
  Log,
  PerformerPort,
  SavedEffect,
  StorePort,
  Time,
  WordPort,
} from './ports.ts';
import { TimerTable } from './timer-table.ts';
import { Unsaved } from './unsaved.ts';

/** Wait before a failed commit is tried again: doubles from the first to the second. */
export const COMMIT_RETRY_MS_MIN = 100;
export const COMMIT_RETRY_MS_MAX = 1000;
/**
 * How long commits may fail before the engine is told, which then gives its groups to the peer. Nothing is activated
 * meanwhile; a lock that somebody holds for a moment is no reason to move services.
 */
export const STORE_PATIENCE_MS = 2000;
/**
 * Longest time between two pulses, nearly: an idle loop turns too, so that its pulse tells the truth. A little longer than the
 * usual hello interval, because every hello brings a renewal, which is answered by a pulse.
 */
export const IDLE_TURN_MS = 240;
/**
 * Turns follow each other within a millisecond while scripts end; one pulse tells as much as twenty. With the longest time
 * between two turns it stays well below the time after which sm-watchdog takes us for stalled.
 */
const PULSE_INTERVAL_MS = 100;
/** Events kept for the log of a broken invariant. */
const RECENT_EVENTS = 64;

type Reply = Extract<EngineEffect, { type: 'reply' }>;
type SendReport = Extract<EngineEffect, { type: 'guard.send' }>;

/** Effects that wait for the commit of their turn. */
type DeferredEffect = Extract<
  EngineEffect,
  {
    type:
      | 'run'
      | 'watch'
      | 'heartbeat'
      | 'guard.send'
      | 'guard.hold'
      | 'guard.wish'
      | 'guard.fence-peer'
      | 'guard.confirm-dead'
      | 'reply'
      | 'exit'
      | 'restart';
  }
>;

export interface LoopStatistics {
  readonly turns: number;
  readonly events: number;
  /** Longest turn, commit included. */
  readonly turnMsMax: number;
  /** Longest time that an event waited for its turn. */
  readonly lagMsMax: number;
  readonly commits: number;
  readonly commitMsMax: number;
  readonly commitsFailed: number;
  /** Why the newest commit failed; '' while the store works. */
  readonly storeFailure: string;
  readonly historyDropped: number;
  readonly queue: number;
  readonly timers: number;
}

export interface LoopOptions {
  readonly engine: (emit: (effect: EngineEffect) => void) => EnginePort;
  readonly store: StorePort;
  readonly performer: PerformerPort;
  readonly guard: GuardPort;
  readonly word: WordPort;
  readonly time: Time;
  readonly log: Log;
  readonly reply: (reply: Reply) => void;
  /** Every history entry, when it is stored. */
  readonly published: (entry: HistoryEffect) => void;
  readonly exit: (reason: string) => void;
  /** End the process; another one is started in its place. */
  readonly restart: (reason: string) => void;
  /** The engine broke an invariant: end the process at once. The loop does nothing more. */
  readonly fatal: (error: unknown, recent: readonly EngineEvent[]) => void;
}

export class Loop {
  readonly #options: LoopOptions;
  readonly #engine: EnginePort;
  readonly #timers: TimerTable;
  readonly #unsaved = new Unsaved();
  #queue: { readonly event: EngineEvent; readonly at: number }[] = [];
  #toSave: SavedEffect[] = [];
  #deferred: DeferredEffect[] = [];
  #recent: EngineEvent[] = [];
  readonly #renewal: HeldRenewal;
  #scheduled = false;
  #stopped = false;
  /** The engine is at work: only now may it have effects. */
  #inTurn = false;
  /** The same, or what it wanted is being done. */
  #isTurning = false;
  #cancelIdle: () => void = () => {};
  #cancelRetry: () => void = () => {};
  /** A commit has failed, and the time to try again has not come. */
  #awaitsRetry = false;
  #retryMs = COMMIT_RETRY_MS_MIN;
  #storeFailure = '';
  #failedSince = 0;
  /** The engine was told that the store failed. */
  #failureTold = false;
  #withheldReport: SendReport | null = null;
  #pulsedAt = Number.NEGATIVE_INFINITY;
  #turns = 0;
  #events = 0;
  #turnMsMax = 0;
  #lagMsMax = 0;
  #commits = 0;
  #commitMsMax = 0;
  #commitsFailed = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#timers = new TimerTable(options.time, () => this.#schedule());
    this.#engine = options.engine((effect) => this.#take(effect));
    this.#renewal = new HeldRenewal((fact, now) => this.#engine.isMereRenewal(fact, now));
  }

  /** The first turn: the engine's start. */
  start(): void {
    this.#turn((now) => this.#engine.start(now));
  }

  /** Takes an event in; it is handled in the next turn, never within the caller. */
  post(event: EngineEvent): void {
    const at = this.#options.time.now();
    const isCalm = !this.#scheduled && !this.#stopped && !this.#isTurning;
    if (isCalm && event.type === 'guard.permission' && this.#renewal.keep(event, at)) return this.#idle(at);
    this.#queue.push({ event, at });
    this.#schedule();
  }

  /** Nothing is to be done; but we live. */
  idle(): void {
    if (!this.#scheduled && !this.#stopped && !this.#isTurning) this.#idle(this.#options.time.now());
  }

  view(): EngineView {
    if (!this.#renewal.isEmpty && !this.#isTurning) this.#turn(() => this.#tellRenewal(false));
    return this.#engine.view(this.#options.time.now());
  }

  statistics(): LoopStatistics {
    return {
      turns: this.#turns,
      events: this.#events,
      turnMsMax: this.#turnMsMax,
      lagMsMax: this.#lagMsMax,
      commits: this.#commits,
      commitMsMax: this.#commitMsMax,
      commitsFailed: this.#commitsFailed,
      storeFailure: this.#storeFailure,
      historyDropped: this.#unsaved.historyDropped,
      queue: this.#queue.length,
      timers: this.#timers.size,
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.stop();
    this.#cancelIdle();
    this.#cancelRetry();
  }

  #tellRenewal(more: boolean): void {
    const renewal = this.#renewal.take();
    if (renewal !== null) this.#step(renewal, more);
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#options.time.defer(() => {
      this.#scheduled = false;
      this.#turn(() => this.#drain());
    });
  }

  #drain(): void {
    const { time } = this.#options;
    const started = time.now();
    const events: EngineEvent[] = this.#timers.takeDue(started);
    for (const { event, at } of this.#queue.splice(0, LIMITS.eventsPerTurnMax)) {
      this.#lagMsMax = Math.max(this.#lagMsMax, started - at);
      events.push(event);
    }
    if (events.length > 0) this.#tellRenewal(true);
    const last = events.length - 1;
    for (const [index, event] of events.entries()) this.#step(event, index < last);
  }

  #step(event: EngineEvent, more: boolean): void {
    this.#events += 1;
    this.#recent.push(event);
    if (this.#recent.length > 2 * RECENT_EVENTS) this.#recent = this.#recent.slice(-RECENT_EVENTS);
    this.#engine.step(event, this.#options.time.now(), more);
  }

  #turn(work: (now: number) => void): void {
    if (this.#stopped) return;
    this.#options.guard.look();
    this.#isTurning = true;
    try {
      this.#turnOnce(work);
    } finally {
      this.#isTurning = false;
    }
  }

  #turnOnce(work: (now: number) => void): void {
    const { time } = this.#options;
    const started = time.now();
    this.#cancelIdle();
    this.#inTurn = true;
    try {
      work(started);
    } catch (error) {
      this.stop();
      this.#options.fatal(error, this.#recent.slice(-RECENT_EVENTS));
      return;
    } finally {
      this.#inTurn = false;
    }
    this.#finish();
    this.#turns += 1;
    this.#turnMsMax = Math.max(this.#turnMsMax, time.now() - started);
    if (this.#stopped) return;
    this.#pulse(started);
    this.#timers.arm();
    this.#armIdle();
    if (this.#queue.length > 0) this.#schedule();
  }

  #idle(now: number): void {
    this.#pulse(now);
    this.#cancelIdle();
    this.#armIdle();
  }

  #armIdle(): void {
    if (this.#options.guard.looksBySelf) return;
    this.#cancelIdle = this.#options.time.after(IDLE_TURN_MS, () => this.#schedule());
  }

  #pulse(now: number): void {
    if (now - this.#pulsedAt < PULSE_INTERVAL_MS) return;
    this.#pulsedAt = now;
    this.#options.guard.pulse();
  }

  /** Called by the engine for each effect, in order. */
  #take(effect: EngineEffect): void {
    if (!this.#inTurn) throw new Error(`effect ${effect.type} outside of a turn`);
    const { performer, guard } = this.#options;
    switch (effect.type) {
      case 'kill':
        this.#killRun(effect.run, effect.reason);
        return;
      case 'kill.service':
        performer.killService(effect.service, effect.reason);
        return;
      case 'guard.verified':
        guard.verified(effect.service);
        return;
      case 'guard.fence':
        guard.fence(effect.reason);
        return;
      case 'guard.hold':
        // Being watched starts at once; the release from it keeps its place among the other effects.
        if (effect.holding) {
          this.#deferred = this.#deferred.filter((other) => other.type !== 'guard.hold');
          guard.hold(true);
        } else this.#deferred.push(effect);
        return;
      case 'timer':
        this.#timers.apply(effect);
        return;
      case 'run':
      case 'watch':
      case 'heartbeat':
      case 'guard.send':
      case 'guard.wish':
      case 'guard.fence-peer':
      case 'guard.confirm-dead':
      case 'reply':
      case 'exit':
      case 'restart':
        this.#deferred.push(effect);
        return;
      default:
        this.#toSave.push(effect);
    }
  }

  /** A run of this very turn has not started: it is taken back instead. */
  #killRun(run: number, reason: string): void {
    const waiting = this.#deferred.findIndex((effect) => effect.type === 'run' && effect.run === run);
    if (waiting < 0) {
      this.#options.performer.kill(run, reason);
      return;
    }
    this.#deferred.splice(waiting, 1);
    this.post({ type: 'run.done', run, outcome: { kind: 'aborted' }, outputTail: '', durationMs: 0 });
  }

  /** The commit of the turn and what had to wait for it. */
  #finish(): void {
    const saved = this.#toSave;
    const deferred = this.#deferred;
    this.#toSave = [];
    this.#deferred = [];
    const result = this.#commit(saved);
    if (result.ok) this.#release(deferred);
    let words = true;
    for (const effect of inOrder(deferred)) {
      // What was said goes out before the first process is made, which takes as long as many words.
      if (words && placeOf(effect) === STARTS) this.#options.guard.flush();
      words &&= placeOf(effect) < STARTS;
      if (result.ok) this.#perform(effect);
      else this.#performUnstored(effect, result.reason);
    }
  }

  #commit(effects: readonly SavedEffect[]): CommitResult {
    const { store, time, log } = this.#options;
    if (effects.length === 0 && this.#unsaved.empty) return { ok: true };
    if (!this.#unsaved.empty || this.#storeFailure !== '') {
      this.#unsaved.add(effects);
      // A failing disk may block for long: it is not asked again in every turn.
      if (this.#awaitsRetry) return { ok: false, reason: this.#storeFailure };
      effects = this.#unsaved.all();
    }
    const started = time.now();
    const result = store.commit(effects);
    const durationMs = time.now() - started;
    this.#commitMsMax = Math.max(this.#commitMsMax, durationMs);
    if (result.ok) {
      this.#commits += 1;
      this.#unsaved.clear();
      if (this.#storeFailure !== '') {
        log.warn({ durationMs }, 'the store works again');
        this.#storeFailure = '';
        if (this.#failureTold) this.post({ type: 'store.ok' });
        this.#failureTold = false;
      }
      this.#retryMs = COMMIT_RETRY_MS_MIN;
      for (const effect of effects) if (effect.type === 'history') this.#options.published(effect);
      return result;
    }
    this.#commitFailed(effects, result.reason);
    return result;
  }

  #commitFailed(effects: readonly SavedEffect[], reason: string): void {
    const { log, time } = this.#options;
    this.#commitsFailed += 1;
    if (this.#unsaved.empty) this.#unsaved.add(effects);
    if (this.#storeFailure === '') {
      log.error({ reason }, 'the state could not be stored: nothing new is activated until it can');
      this.#failedSince = time.now();
    }
    if (!this.#failureTold && time.now() - this.#failedSince >= STORE_PATIENCE_MS) {
      this.#failureTold = true;
      this.post({ type: 'store.failed', reason });
    }
    this.#storeFailure = reason;
    this.#awaitsRetry = true;
    this.#cancelRetry = time.after(this.#retryMs, () => {
      // The timer says when, not the clock: it may fire just before its time, and on an idle node no other turn follows.
      this.#awaitsRetry = false;
      this.#schedule();
    });
    this.#retryMs = Math.min(2 * this.#retryMs, COMMIT_RETRY_MS_MAX);
  }

  /** What earlier turns held back is stored now; a newer one of this turn replaces it. */
  #release(deferred: readonly DeferredEffect[]): void {
    const report = this.#withheldReport;
    this.#withheldReport = null;
    if (report !== null && !deferred.some((effect) => effect.type === 'guard.send')) this.#perform(report);
  }

  #perform(effect: DeferredEffect): void {
    const { performer, guard } = this.#options;
    switch (effect.type) {
      case 'run':
        performer.run(effect);
        return;
      case 'watch':
        performer.watch(effect.service, effect.pidFile);
        return;
      case 'heartbeat':
        performer.heartbeat(effect.service, effect.on);
        return;
      case 'guard.send':
        // Said also where the mark can not be made: a node that ends in order has to end, and its store, which works, has
        // beside what was stopped that the next sm settles anew with the peer before it leads (docs/SAFETY.md, rule 14c).
        if (effect.leaving) this.#options.word.keep();
        guard.send(effect);
        return;
      case 'guard.hold':
        guard.hold(effect.holding);
        return;
      case 'guard.wish':
        guard.wish(effect.wish);
        return;
      case 'guard.fence-peer':
        guard.fencePeer(effect.window, effect.kernelLife, effect.tied);
        return;
      case 'guard.confirm-dead':
        guard.confirmDead(effect.by);
        return;
      case 'reply':
        this.#options.reply(effect);
        return;
      case 'exit':
        this.stop();
        this.#options.exit(effect.reason);
        return;
      case 'restart':
        this.stop();
        this.#options.restart(effect.reason);
    }
  }

  /** Stopping goes on without a store; starting and promising do not. */
  #performUnstored(effect: DeferredEffect, reason: string): void {
    switch (effect.type) {
      case 'run':
        if (isActivating(effect)) this.#options.performer.refuse(effect, `not stored: ${reason}`);
        else this.#perform(effect);
        return;
      case 'guard.send':
        // That nothing of this node is active any more is said at once: it takes activity away, and waits for no commit. But the
        // next sm has to know of it too: a word that would be forgotten is not given.
        this.#withheldReport = effect.leaving ? null : effect;
        if (effect.leaving) this.#unsaved.wordGiven();
        if (effect.leaving && this.#options.word.keep()) this.#options.guard.send(effect);
        return;
      // An operator's word counts when it is in the history; the answer says that it is not.
      case 'guard.confirm-dead':
        return;
      case 'reply':
        this.#perform(
          effect.ok ? { ...effect, ok: false, code: 'not-stored', message: `not stored: ${reason}` } : effect,
        );
        return;
      case 'restart':
        // What could not be stored would be forgotten.
        this.#options.log.error({ reason }, 'not started anew: the state could not be stored');
        return;
      default:
        this.#perform(effect);
    }
  }
}

/** True for a script that makes something run which did not. */
export function isActivating(effect: RunEffect): boolean {
  return effect.token !== null || effect.action === 'enable' || effect.action === 'go-active';
}
