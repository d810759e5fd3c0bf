/**
 * The process `sm` of a simulated node: the engine of the core in a loop that does what the real shell does. Removal goes
 * out at once, then the turn is committed, then the rest follows; nothing activating leaves a turn that was not stored.
 */
import type { Wish } from '../core/arbiter/interface.ts';
import { Engine } from '../core/engine.ts';
import type { EngineEffect, EngineEvent, GuardFact, PersistEffect } from '../core/engine-interface.ts';
import {
  deadlineUnheard,
  type KillEntry,
  NO_PROOF,
  type PermissionProof,
  PULSE_INTERVAL_MS,
} from '../core/guard/interface.ts';
import { HeldRenewal } from '../core/held-renewal.ts';
import { PART_BYTES_MAX } from '../core/link/frame.ts';
import { splitReport } from '../core/link/parts.ts';
import { encodeReport, encodeReportTail, REPORT_LIMITS } from '../core/link/report.ts';
import type { RunEffect, RunOutcome } from '../core/service/interface.ts';
import { inOrder } from '../core/turn-order.ts';
import { isPersist } from './disk.ts';
import type { ScriptRun } from './executor.ts';
import type { SimNode } from './node.ts';
import { SimProcess } from './process.ts';
import type { Scheduled } from './queue.ts';
import { killEntry } from './watchdog.ts';

const LOOP_DELAY_MS = 0.05;
/** It is asked, and has as long to answer. */
const WATCHDOG_ANSWERS_MS = 50;
const COMMIT_RETRY_MS = 100;
const START_MS: readonly [number, number] = [80, 250];

type ReportEffect = Extract<EngineEffect, { type: 'guard.send' }>;

/** What `sm` remembers of its watchdog: handed over to a new one (rule 10). */
interface GuardCopy {
  connected: boolean;
  deadline: number;
  proof: PermissionProof;
  lost: boolean;
  holding: boolean;
  readonly entries: Map<string, KillEntry>;
  answeredAt: number;
}

export class SimManager extends SimProcess {
  readonly #node: SimNode;
  readonly #timers = new Map<string, Scheduled>();
  readonly #listing = new Map<number, RunEffect>();
  readonly #running = new Map<number, RunEffect>();
  #engine: Engine | null = null;
  #inbox: EngineEvent[] = [];
  readonly #renewal = new HeldRenewal((fact, now) => this.#engine?.isMereRenewal(fact, now) === true);
  #busy = false;
  #turnDue = false;
  #effects: EngineEffect[] = [];
  #unsaved: PersistEffect[] = [];
  #storeFailed = false;
  #withheld: ReportEffect | null = null;
  #lastReport: ReportEffect | null = null;
  #lastWish: Wish | null = null;
  /** sm-watchdog is to be told that the loop lives, at the end of the turn. */
  #beatDue = false;
  #copy: GuardCopy = emptyCopy();
  /** Dies after this many more effects of a turn: a crash at an effect's boundary. */
  #crashAfter: number | null = null;
  /** Looks at the deadline; only the last one that was arranged counts. */
  #acts = 0;

  constructor(node: SimNode) {
    super(node.world);
    this.#node = node;
  }

  get engine(): Engine | null {
    return this.#engine;
  }

  get queueLength(): number {
    return this.#inbox.length;
  }

  /** The program is loaded for a while before its first turn. */
  start(): void {
    const { world, name, rng } = this.#node;
    this.begin();
    world.note('process', name, 'sm starts');
    const { life } = this;
    this.after(rng.between(...START_MS), () =>
      this.#node.executor.killOrphans(() => {
        if (this.life === life) this.deliver(() => this.#open());
      }),
    );
  }

  override end(): void {
    super.end();
    for (const timer of this.#timers.values()) timer.run = null;
    this.#timers.clear();
    this.#listing.clear();
    this.#running.clear();
    this.#engine = null;
    this.#inbox = [];
    this.#renewal.take();
    this.#effects = [];
    this.#unsaved = [];
    this.#storeFailed = false;
    this.#withheld = null;
    this.#lastReport = null;
    this.#lastWish = null;
    this.#busy = false;
    this.#turnDue = false;
    this.#copy = emptyCopy();
    this.#crashAfter = null;
    this.#node.executor.forgetWatches();
  }

  crashAfter(effects: number): void {
    this.#crashAfter = effects;
  }

  post(event: EngineEvent): void {
    if (!this.alive || this.#engine === null) return;
    const isCalm = !this.#busy && !this.#turnDue;
    if (isCalm && event.type === 'guard.permission' && this.#renewal.keep(event, this.#node.now())) return;
    this.#inbox.push(event);
    this.#schedule();
  }

  fact(told: GuardFact): void {
    const fact = this.world.sabotage.fact(told);
    if (fact === null) return;
    if (fact.type === 'guard.permission') {
      this.#copy.proof = this.#node.watchdog.guard?.proof() ?? this.#copy.proof;
      this.#setDeadline(fact.deadline);
    }
    if (fact.type === 'guard.limit') {
      this.#copy.proof = { ...this.#copy.proof, sole: false };
      this.#setDeadline(fact.deadline);
      this.#node.watchdog.post({ type: 'sm.limited', ticket: fact.ticket });
    }
    if (fact.type === 'guard.hello') {
      this.#setDeadline(fact.deadline);
      this.#copy.lost = fact.lost;
    }
    if (fact.type === 'guard.lost') this.#copy.lost = true;
    this.#copy.answeredAt = this.world.now;
    this.post(fact);
  }

  /** sm-watchdog put the service of this run on its list, or refused. */
  listed(run: number, ok: boolean, reason: string): void {
    const effect = this.#listing.get(run);
    if (effect === undefined) return;
    this.#listing.delete(run);
    if (ok) this.#spawn(effect);
    else this.#done(effect, { kind: 'refused', reason, transient: true }, 0);
  }

  /** The socket to sm-watchdog closed. A living `sm` starts a new one and hands its copy over. */
  watchdogGone(): void {
    if (!this.alive) return;
    this.#copy.connected = false;
    this.#act();
    if (this.#engine !== null) this.#node.startWatchdog(true);
  }

  /** A new sm-watchdog listens. */
  connect(): void {
    if (!this.alive || this.#engine === null || this.#copy.connected) return;
    const { watchdog, world } = this.#node;
    const invents = world.breaks.has('boot-void');
    const handsCopy = this.#copy.answeredAt > 0 || invents;
    if (invents) Object.assign(this.#copy, { deadline: Number.POSITIVE_INFINITY, holding: true });
    this.#copy.connected = true;
    this.#copy.answeredAt = this.world.now;
    if (handsCopy) {
      const { deadline, proof, holding, lost, entries } = this.#copy;
      const forged = world.breaks.has('copy-deadline');
      watchdog.post({
        type: 'sm.copy',
        deadline: forged ? Number.POSITIVE_INFINITY : deadline,
        proof: forged ? NO_PROOF : proof,
        holding,
        lost: lost && !forged,
        entries: [...entries.values()],
      });
    } else this.#takeCopy();
    watchdog.post({ type: 'sm.connected' });
    if (this.#lastReport !== null) this.#send(this.#lastReport);
    if (this.#lastWish !== null) watchdog.post({ type: 'sm.wish', wish: this.#lastWish });
  }

  /** What the living sm-watchdog knows, so that this `sm` could hand it to another. */
  #takeCopy(): void {
    const { watchdog } = this.#node;
    const view = watchdog.guard?.view();
    if (view === undefined) return;
    this.#copy.holding = view.holding;
    this.#copy.proof = view.proof;
    for (const service of view.entries) {
      this.#copy.entries.set(
        service,
        killEntry(
          service,
          this.world.shapes.get(service)?.kernelState === true && !this.world.breaks.has('kernel-state'),
        ),
      );
    }
  }

  // --- the loop ------------------------------------------------------------------------------------------------------

  #open(): void {
    const node = this.#node;
    const { world, disk, kernelLife } = node;
    const restored = disk.restored();
    world.checkers.restarting(node, restored);
    const engine = this.#guarded(
      () =>
        new Engine(
          {
            node: node.name,
            definitions: node.definitions,
            kernelLife,
            restored: world.sabotage.restored(restored, kernelLife),
            startedWallMs: node.wallMs(),
            breaks: world.breaks,
          },
          (effect) => this.#take(effect),
        ),
    );
    if (engine === undefined) return;
    this.#engine = engine;
    this.#turn(() => engine.start(node.now()));
    if (node.watchdog.alive) this.connect();
    else node.startWatchdog(false);
    this.#pulse();
    this.#checkWatchdog();
  }

  #schedule(): void {
    if (this.#busy || this.#turnDue) return;
    this.#turnDue = true;
    this.after(LOOP_DELAY_MS, () => {
      this.#turnDue = false;
      this.#turn(() => this.#drain());
    });
  }

  #tellRenewal(): void {
    const renewal = this.#renewal.take();
    if (renewal !== null) this.#engine?.step(renewal, this.#node.now(), true);
  }

  #drain(): void {
    const batch = this.#inbox;
    this.#inbox = [];
    if (batch.length > 0) this.#tellRenewal();
    const last = batch.length - 1;
    for (const [index, event] of batch.entries()) {
      if (event.type === 'timer') this.#timers.delete(event.key);
      this.#engine?.step(event, this.#node.now(), index < last);
    }
  }

  #turn(work: () => void): void {
    if (this.#busy) return;
    this.#guarded(work);
    if (this.#engine === null) return;
    const effects = this.#effects;
    this.#effects = [];
    const saved = [
      ...this.#unsaved,
      ...effects.filter(isPersist).filter((effect) => this.#isWritten(effect)),
    ];
    const rest = effects.filter((effect) => !isPersist(effect));
    if (saved.length === 0) {
      this.#finish(rest, true);
      return;
    }
    const { disk, rng } = this.#node;
    const { commitMsMin, commitMsMax } = this.world.options.disk;
    this.#busy = true;
    this.after(rng.between(commitMsMin, commitMsMax) + disk.slowMs, () => {
      const ok = disk.commit(saved, this.#node.kernelLife);
      this.#busy = false;
      this.#stored(ok, saved);
      this.#finish(rest, ok);
      if (this.#beatDue) this.#beat();
      if (this.#inbox.length > 0) this.#schedule();
    });
  }

  /** Everything, unless just that is broken on purpose. */
  #isWritten(effect: PersistEffect): boolean {
    const { breaks } = this.world;
    if (effect.type === 'persist.intent') return !breaks.has('intent-log');
    if (effect.type === 'persist.numbers') return !breaks.has('number-first');
    const unlocks = effect.type === 'persist.node' && effect.node.administrative === 'unlocked';
    return !unlocks || !breaks.has('unlock-stored');
  }

  #stored(ok: boolean, saved: PersistEffect[]): void {
    this.#unsaved = ok ? [] : saved;
    if (ok === !this.#storeFailed) {
      if (!ok) this.#retryCommit();
      return;
    }
    this.#storeFailed = !ok;
    this.post(ok ? { type: 'store.ok' } : { type: 'store.failed', reason: 'disk full' });
    if (!ok) this.#retryCommit();
  }

  #retryCommit(): void {
    this.after(COMMIT_RETRY_MS, () => {
      if (this.#unsaved.length > 0) this.#turn(() => {});
    });
  }

  /** A broken assertion ends the process, as it does in the real one. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.world.broken(this.#node, 'sm', error);
      this.#node.endManager('broken assertion');
      return undefined;
    }
  }

  // --- effects -------------------------------------------------------------------------------------------------------

  /** As the engine emits them: what removes activity is carried out at once, the rest waits for the commit. */
  #take(effect: EngineEffect): void {
    if (effect.type === 'timer') this.#timer(effect);
    else if (effect.type === 'history') this.world.history(this.#node, effect);
    else if (isRemoval(effect) && !this.world.breaks.has('commit-before-kill')) {
      // It holds again in the same turn: the release that waits for the commit must not come behind it.
      if (effect.type === 'guard.hold')
        this.#effects = this.#effects.filter(({ type }) => type !== 'guard.hold');
      this.#perform(effect);
    } else this.#effects.push(effect);
  }

  #finish(effects: readonly EngineEffect[], stored: boolean): void {
    const { life } = this;
    if (stored && this.#withheld !== null) {
      const report = this.#withheld;
      this.#withheld = null;
      if (!effects.some(({ type }) => type === 'guard.send')) this.#send(report);
    }
    for (const effect of inOrder(effects)) {
      if (this.#crashAfter !== null) {
        // Not while the other process hangs: that neither of the two is able is the class `resume`.
        if (this.#crashAfter === 0 && !this.#node.watchdog.stalled)
          return this.#node.endManager('crash between two effects');
        this.#crashAfter = Math.max(0, this.#crashAfter - 1);
      }
      if (stored || this.world.breaks.has('commit-first')) this.#perform(effect);
      else this.#performUnstored(effect);
      if (this.life !== life) return;
    }
  }

  /** A stop script that is begun meanwhile goes on. */
  #killService(service: string): void {
    const since = this.world.now;
    const spared = (run: ScriptRun) => !isActivating(run.effect) && run.startedAt >= since;
    this.#node.executor.kill([service], () => {}, spared);
  }

  #performUnstored(effect: EngineEffect): void {
    if (effect.type === 'guard.send' && !effect.leaving) this.#withheld = effect;
    else if (effect.type === 'guard.send') {
      this.#unsaved = this.#unsaved.filter(({ type }) => type !== 'persist.word');
      this.#perform(effect);
    } else if (
      effect.type === 'run' &&
      (isActivating(effect) || this.world.breaks.has('commit-before-kill'))
    ) {
      this.#done(effect, { kind: 'refused', reason: 'not stored: disk full', transient: true }, 0);
    } else this.#perform(effect);
  }

  #perform(effect: EngineEffect): void {
    const { executor, watchdog, world } = this.#node;
    switch (effect.type) {
      case 'run':
        return this.#run(effect);
      case 'kill':
        return this.#kill(effect.run);
      case 'kill.service':
        return this.#killService(effect.service);
      case 'watch':
        return executor.watch(effect.service, effect.pidFile !== null);
      case 'guard.send':
        if (effect.leaving) this.#node.disk.wordLife = this.#node.kernelLife;
        return this.#send(effect);
      case 'guard.hold':
        this.#copy.holding = effect.holding;
        if (!effect.holding) this.#copy.entries.clear();
        this.#act();
        watchdog.post({ type: 'sm.hold', holding: effect.holding });
        return;
      case 'guard.wish':
        this.#lastWish = effect.wish;
        watchdog.post({ type: 'sm.wish', wish: effect.wish });
        return;
      case 'guard.fence-peer':
        watchdog.post({
          ...effect,
          type: 'sm.fence-peer',
          window: this.world.breaks.has('fence-delay') ? null : effect.window,
        });
        return;
      case 'guard.confirm-dead':
        watchdog.post({ type: 'sm.confirm-dead', by: effect.by });
        return;
      case 'guard.fence':
        watchdog.post({ type: 'sm.fence', reason: effect.reason });
        return;
      case 'guard.verified':
        this.#copy.entries.delete(effect.service);
        watchdog.post({ type: 'sm.verified', service: effect.service });
        return;
      case 'reply':
        world.replied(this.#node, effect);
        return;
      case 'exit':
        this.#node.leave(effect.reason);
        return;
      default:
        return;
    }
  }

  #run(effect: RunEffect): void {
    const { watchdog, world } = this.#node;
    if (!effect.exclusive || effect.token === null) return this.#spawn(effect);
    const entry = killEntry(effect.service, effect.kernelState && !world.breaks.has('kernel-state'));
    this.#listing.set(effect.run, effect);
    if (!world.breaks.has('kill-list')) {
      this.#copy.entries.set(effect.service, entry);
      watchdog.post({ type: 'sm.list', run: effect.run, entry, activating: true });
    } else this.listed(effect.run, true, '');
    // Every look at the permission is one rule: sm-watchdog's answer, the second one of `sm`, and the time both take.
    if (world.breaks.has('perform-check')) this.listed(effect.run, true, '');
    this.after(2000, () => this.listed(effect.run, false, 'sm-watchdog did not answer'));
  }

  #kill(run: number): void {
    const waiting = this.#effects.findIndex((effect) => effect.type === 'run' && effect.run === run);
    const unspawned = this.#listing.get(run) ?? (this.#effects[waiting] as RunEffect | undefined);
    if (unspawned === undefined) {
      const effect = this.#running.get(run);
      // Said to be gone before it is, if just that is broken on purpose.
      if (effect !== undefined && this.world.breaks.has('abort-verified'))
        return this.#done(effect, { kind: 'aborted' }, 0);
      return this.#node.executor.abort(run);
    }
    this.#listing.delete(run);
    if (waiting >= 0) this.#effects.splice(waiting, 1);
    this.#done(unspawned, { kind: 'aborted' }, 0);
  }

  /** Rule 1: clock and verdict are looked at once more immediately before the spawn. */
  #spawn(effect: RunEffect): void {
    const { executor, world } = this.#node;
    const { token } = effect;
    if (token !== null && !world.breaks.has('perform-check')) {
      const now = this.#node.now();
      const expired = effect.exclusive && (this.#copy.lost || now >= this.#copy.deadline);
      if (expired || now >= token.deadline) {
        return this.#done(
          effect,
          { kind: 'refused', reason: 'permission ran out before the script could start', transient: true },
          0,
        );
      }
    }
    if (world.breaks.has('audit-first') && effect.action.startsWith('audit'))
      return this.#done(effect, { kind: 'exit', code: 7 }, 0);
    const { life } = this;
    this.#running.set(effect.run, effect);
    if (effect.killsInstead === true) return this.#killInstead(effect);
    executor.spawn(effect, (outcome, durationMs) => {
      if (this.life === life) this.deliver(() => this.#done(effect, outcome, durationMs));
    });
  }

  #killInstead(effect: RunEffect): void {
    const { life } = this;
    this.#node.executor.kill([effect.service], (survivors) => {
      if (this.life !== life) return;
      const outcome = { kind: 'killed', stopped: survivors.length === 0, reason: 'killed' } as const;
      this.deliver(() => this.#done(effect, outcome, 0));
    });
  }

  #done(effect: RunEffect, outcome: RunOutcome, durationMs: number): void {
    this.#running.delete(effect.run);
    this.post({ type: 'run.done', run: effect.run, outcome, outputTail: '', durationMs });
  }

  #send(report: ReportEffect): void {
    const effect = this.world.sabotage.report(report);
    this.#withheld = null;
    this.#lastReport = report;
    const { version, announceNumber, leaving, grant } = effect;
    const parts = splitReport(encodeReport(effect.report), PART_BYTES_MAX, REPORT_LIMITS.tailBytesMax);
    const tail = encodeReportTail(effect.report);
    this.#node.watchdog.post({ type: 'sm.report', version, parts, tail, announceNumber, leaving, grant });
  }

  #timer({ key, generation, at }: Extract<EngineEffect, { type: 'timer' }>): void {
    const armed = this.#timers.get(key);
    if (armed !== undefined) armed.run = null;
    this.#timers.delete(key);
    if (at === null || at === Number.POSITIVE_INFINITY) return;
    if (this.world.breaks.has('timer-kept') && key.startsWith('cluster/')) return;
    this.#timers.set(
      key,
      this.#node.timerAt(at, () => this.deliver(() => this.post({ type: 'timer', key, generation }), true)),
    );
  }

  // --- watching the watchdog -----------------------------------------------------------------------------------------

  #pulse(): void {
    const { clock } = this.#node;
    if (this.#busy) this.#beatDue = true;
    else this.#beat();
    this.after(clock.trueDuration(PULSE_INTERVAL_MS * 0.8), () => this.#pulse());
  }

  #beat(): void {
    this.#beatDue = false;
    this.#node.watchdog.post({ type: 'sm.pulse' });
  }

  /**
   * A watchdog that is hung for longer than P/2, or for so long that another one could hardly send before the deadline any more, is
   * killed; a new one is started and gets the copy.
   */
  #checkWatchdog(): void {
    const { clock, watchdog, world } = this.#node;
    const limitMs = clock.trueDuration(this.#node.definitions.domain.deadIntervalMs / 2);
    const { connected, holding, lost, deadline } = this.#copy;
    if (connected && watchdog.alive && !watchdog.stalled) this.#copy.answeredAt = world.now;
    const quietMs = world.now - this.#copy.answeredAt;
    const leftMs = holding && !lost ? clock.trueDuration(deadline - this.#node.now()) - limitMs / 2 : limitMs;
    const hung = connected && (quietMs > limitMs || (leftMs <= 0 && quietMs > limitMs / 5));
    if (hung && !world.breaks.has('watch-watchdog')) {
      this.#node.endWatchdog('hung');
    }
    this.after(Math.min(limitMs / 4, Math.max(leftMs, limitMs / 10)), () => this.#checkWatchdog());
  }

  #setDeadline(deadline: number): void {
    this.#copy.deadline = deadline;
    this.#copy.lost = false;
    this.#act();
  }

  /** `sm` acts at its copy of the deadline too, where nobody else is there to do it (rule 10). */
  #act(): void {
    const { holding, connected, proof } = this.#copy;
    // One that is there acts itself; but it has to be asked whether it is, while a deaf peer may announce.
    if (!holding || (connected && proof.isDeaf !== true)) return;
    this.#actAt(this.#deadlineAlone);
  }

  get #deadlineAlone(): number {
    const { deadline, proof } = this.#copy;
    return deadlineUnheard(deadline, proof);
  }

  #actAt(at: number): void {
    if (at === Number.POSITIVE_INFINITY) return;
    const { life } = this;
    this.#acts += 1;
    const act = this.#acts;
    this.#node.timerAt(at, () => {
      if (this.life !== life || this.#acts !== act) return;
      this.deliver(() => this.#judgeDeadline(), true);
    });
  }

  #judgeDeadline(): void {
    const { connected, holding, entries, lost, proof, answeredAt } = this.#copy;
    const { watchdog, world } = this.#node;
    const now = this.#node.now();
    if (!holding || lost || now < this.#deadlineAlone) return;
    if (connected) {
      if (proof.isDeaf !== true) return;
      const answers = watchdog.alive && !watchdog.stalled;
      if (answers) this.#copy.answeredAt = world.now;
      if (answers || world.now - answeredAt <= WATCHDOG_ANSWERS_MS)
        return this.#actAt(now + WATCHDOG_ANSWERS_MS);
    }
    this.#copy.lost = true;
    const { life } = this;
    // It does nothing else until all are dead.
    this.#node.executor.kill([...entries.keys()], () => {
      if (this.life !== life) return;
      this.deliver(() =>
        this.post({ type: 'guard.lost', reason: 'permission ran out and sm-watchdog is away' }),
      );
    });
  }
}

function emptyCopy(): GuardCopy {
  return {
    connected: false,
    deadline: Number.NEGATIVE_INFINITY,
    proof: NO_PROOF,
    lost: false,
    holding: false,
    entries: new Map(),
    answeredAt: 0,
  };
}

/** Takes activity away, or asks for a stricter watch: waits for no commit (rule 9). */
function isRemoval(effect: EngineEffect): boolean {
  switch (effect.type) {
    case 'kill':
    case 'kill.service':
    case 'guard.fence':
    case 'guard.verified':
      return true;
    case 'guard.hold':
      return effect.holding;
    default:
      return false;
  }
}

function isActivating(effect: RunEffect): boolean {
  return effect.token !== null || effect.action === 'enable' || effect.action === 'go-active';
}
