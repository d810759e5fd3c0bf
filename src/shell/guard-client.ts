/**
 * The end of the pipe in `sm`: hands the engine's words to sm-watchdog and its facts to the engine, keeps a copy of the
 * deadline and the kill list, and restarts a watchdog that died or hangs, services untouched (docs/SAFETY.md, rule 10).
 */
import type { Duplex } from 'node:stream';
import type { Wish } from '../core/arbiter/interface.ts';
import type { ShotWindow } from '../core/arbiter/shot-window.ts';
import type { EngineEffect, GuardFact } from '../core/engine-interface.ts';
import {
  deadlineUnheard,
  type KillEntry,
  NO_PROOF,
  type PermissionProof,
  PULSE_INTERVAL_MS,
} from '../core/guard/interface.ts';
import { PART_BYTES_MAX } from '../core/link/frame.ts';
import { splitReport } from '../core/link/parts.ts';
import { encodeReport, encodeReportTail, REPORT_LIMITS } from '../core/link/report.ts';
import type { KillList } from './exec/kill-list.ts';
import { Channel } from './pair/channel.ts';
import {
  type Copy,
  type FromSm,
  type FromWatchdog,
  type KnownLives,
  NO_LIVES,
  type PlainSmEvent,
  RENEWAL_NUMBERS,
  type WatchdogStatus,
} from './pair/messages.ts';
import { openPage, type PageIn, type PageOut } from './pair/page.ts';
import { type Started, speaks } from './pair/programs.ts';
import type { Verdict } from './perform.ts';
import type { GuardPort, KillListPort, Log, Time } from './ports.ts';
import { killProcess, ownIdentity } from './process-identity.ts';

/**
 * Shares of P. A watchdog whose facts come with its heartbeats is not asked for a sign of life; one that was quiet for the
 * first share is, and hangs when it has not answered by the second (docs/SAFETY.md, rule 10).
 */
const ASK_AFTER = 0.3;
const HANGS_AFTER = 0.5;
/** Before the deadline of a node that holds: time for a successor to send its first heartbeat, and for the question. */
const SUCCESSOR_NEEDS = 0.25;
const ANSWER_NEEDS = 0.1;
/** A check that comes later than this was late itself: it judges nobody. */
const CHECK_LATE_MS = 100;
/** So long before the deadline a watchdog is asked, and has answered if it lives: nothing is done after the deadline. */
const DEADLINE_ASK_MS = 50;
/** A new watchdog has to say its first word within this. */
const START_LIMIT_MS = 10_000;
const RESTART_BACKOFF_MS = [0, 100, 200, 400, 800, 1600] as const;
/** A restart is forgotten after this much good life: the back-off is for a watchdog that does not live at all. */
const RESTART_MEMORY_MS = 5000;
const STATUS_LIMIT_MS = 300;
/** When things are calm, a spare watchdog is made ready. */
const SPARE_DELAY_MS = 2000;
const RENEW_AGAIN_MS = 5000;
/** How soon a deadline that is over is looked at again while the watchdog lives and acts. */
const DEADLINE_REPEAT_MS = 20;

export interface GuardClientOptions {
  /** The pipe to the watchdog that started us. */
  readonly stream: Duplex;
  /** P: a watchdog silent for half of it hangs. */
  readonly permissionMs: number;
  /** Starts a watchdog that adopts us as soon as we speak to it. */
  readonly startWatchdog: () => Started;
  /** For our pulse, of PULSE_NUMBERS; null = it is said. */
  readonly page: PageOut | null;
  /** The watchdog was looked at, and lives; also when that will not be done by itself any more. */
  readonly looked: () => void;
  /** Installation and plan of a watchdog that is started now. */
  readonly basis: string;
  /** Called before the watchdog with this number takes over from one that lives; its promise is waited for. */
  readonly takesOver: (pid: number) => Promise<void>;
  readonly post: (fact: GuardFact) => void;
  readonly listed: (run: number, ok: boolean, reason: string) => void;
  /** The watchdog was asked to end in order. */
  readonly stop: (reason: string) => void;
  /** The copy of the watchdog's: what is killed at the deadline where it does not answer. */
  readonly killList: Pick<KillList, 'add' | 'remove' | 'clear' | 'entries' | 'kill'>;
  /** Bound of that kill, of all services together: a part of S. */
  readonly killVerifyMs: number;
  readonly time: Time;
  readonly log: Log;
}

export class GuardClient implements GuardPort, KillListPort {
  readonly #options: GuardClientOptions;
  #channel: Channel<FromWatchdog, FromSm> | null = null;
  /** Ends the watchdog by SIGKILL, exactly it. */
  #killWatchdog: () => void = () => {};
  #greeted = false;
  #ended = false;
  #lastHeardAt = 0;
  #checkAt = 0;
  #isAsked = false;
  #cancelCheck: () => void = () => {};
  #pings = 0;
  /** The watchdog reads our page. Of a pulse that ends a time without one it is told. */
  #isRead = false;
  #hasPulsed = false;
  /** What it renews; null = it says it. */
  #renewals: PageIn | null = null;
  #restarts = 0;
  #restartedAt = 0;
  /**
   * Started beforehand and waiting for our first word: P has not the time for a start of node on a busy machine.
   */
  #spare: Started | null = null;
  /** The watchdog that started us is of another installation or plan, and is about to be replaced. */
  #isOutdated = false;
  #cancelTimers: (() => void)[] = [];
  // The copy.
  /** Of a watchdog that died before it said anything there is none, and the next one, until it greets, looks for what remains of it. */
  #hasCopy = false;
  #deadline = Number.NEGATIVE_INFINITY;
  #lost = false;
  #holding = false;
  #proof: PermissionProof = NO_PROOF;
  #lives: KnownLives = NO_LIVES;
  /** Listings without an answer, asked again of a new watchdog. */
  readonly #unanswered = new Map<number, PlainSmEvent>();
  #report: Extract<FromSm, { type: 'report' }> | null = null;
  #wish: PlainSmEvent | null = null;
  readonly #statusWaits = new Map<number, (status: WatchdogStatus | null) => void>();
  #nextStatus = 1;

  constructor(options: GuardClientOptions) {
    this.#options = options;
  }

  start(): void {
    this.#attach(this.#options.stream, () => {}, null);
    this.#after(SPARE_DELAY_MS, () => this.#keepSpare());
  }

  get restarts(): number {
    return this.#restarts;
  }

  verdict(): Verdict {
    this.look();
    return { deadline: this.#deadline, lost: this.#lost };
  }

  send(effect: Extract<EngineEffect, { type: 'guard.send' }>): void {
    const parts = splitReport(encodeReport(effect.report), PART_BYTES_MAX, REPORT_LIMITS.tailBytesMax);
    this.#report = {
      type: 'report',
      version: effect.version,
      parts: parts.map((part) => Buffer.from(part).toString('base64')),
      tail: Buffer.from(encodeReportTail(effect.report)).toString('base64'),
      announceNumber: effect.announceNumber,
      leaving: effect.leaving,
      grant: effect.grant,
    };
    this.#say(this.#report);
  }

  wish(wish: Wish): void {
    this.#wish = { type: 'sm.wish', wish };
    this.#event(this.#wish);
  }

  fencePeer(window: ShotWindow | null, kernelLife: string, tied: readonly string[]): void {
    this.#event({ type: 'sm.fence-peer', window, kernelLife, tied });
  }

  confirmDead(by: string): void {
    this.#event({ type: 'sm.confirm-dead', by });
  }

  hold(holding: boolean): void {
    this.#holding = holding;
    if (!holding) this.#options.killList.clear();
    this.#checkLater();
    this.#event({ type: 'sm.hold', holding });
    this.#watchDeadline();
  }

  verified(service: string): void {
    this.#options.killList.remove(service);
    this.#event({ type: 'sm.verified', service });
  }

  fence(reason: string): void {
    this.#event({ type: 'sm.fence', reason });
  }

  pulse(): void {
    const { page, time } = this.#options;
    if (this.#isRead && this.#hasPulsed && page?.write(time.now()) === true) return;
    this.#hasPulsed = true;
    this.#channel?.queue({ type: 'event', event: { type: 'sm.pulse' } });
  }

  get looksBySelf(): boolean {
    return this.#renewals !== null && ASK_AFTER * this.#options.permissionMs < PULSE_INTERVAL_MS;
  }

  /**
   * Reads what the watchdog has renewed without a word. Whatever makes a permission shorter, or rest on something else, is said;
   * so what stands here can only make it longer.
   */
  look(): void {
    const read = this.#renewals?.read() ?? null;
    if (read === null) return;
    const [deadline = 0, proofDeadline = 0, at = 0] = read;
    if (at > this.#lastHeardAt) {
      this.#lastHeardAt = Math.min(at, this.#options.time.now());
      this.#isAsked = false;
    }
    if (this.#lost || !(deadline > this.#deadline)) return;
    this.#proof = { ...this.#proof, deadline: Math.max(proofDeadline, this.#proof.deadline) };
    this.#fact({ type: 'guard.permission', deadline });
  }

  /** Awake for something else: what `sm` would wake up for before the next such moment is done now, where it is news. */
  glance(withinMs: number): void {
    if (this.#renewals === null || this.#ended || this.#isAsked || !this.#greeted) return;
    const at = this.#checkAt;
    if (at - this.#options.time.now() > withinMs) return;
    this.look();
    if (this.#checkDueAt() > at) this.#well();
  }

  flush(): void {
    this.#channel?.sendQueued();
  }

  list(run: number, entry: KillEntry, activating: boolean): void {
    const event: PlainSmEvent = { type: 'sm.list', run, entry, activating };
    if (activating) this.#options.killList.add(entry);
    this.#unanswered.set(run, event);
    this.#channel?.queue({ type: 'event', event });
  }

  /** What the watchdog knows; null when it does not answer. */
  status(): Promise<WatchdogStatus | null> {
    if (!this.#greeted) return Promise.resolve(null);
    const number = this.#nextStatus;
    this.#nextStatus += 1;
    return new Promise((resolve) => {
      const cancel = this.#options.time.after(STATUS_LIMIT_MS, () => this.#statusWaits.get(number)?.(null));
      this.#statusWaits.set(number, (status) => {
        this.#statusWaits.delete(number);
        cancel();
        resolve(status);
      });
      this.#say({ type: 'status', number });
    });
  }

  /** The orderly end: the watchdog ends too. */
  async bye(): Promise<void> {
    this.#ended = true;
    this.#stopTimers();
    this.#spare?.end();
    this.#say({ type: 'bye' });
    await this.#channel?.flush();
  }

  // --- the pipe ------------------------------------------------------------------------------------------------------

  #attach(stream: Duplex, kill: () => void, copy: Copy | null): void {
    this.#greeted = false;
    this.#isRead = false;
    this.#hasPulsed = false;
    this.#killWatchdog = kill;
    this.#lastHeardAt = this.#options.time.now();
    this.#isAsked = false;
    this.#checkLater();
    const channel: Channel<FromWatchdog, FromSm> = new Channel(stream, {
      message: (message) => {
        if (this.#channel !== channel) return;
        this.#lastHeardAt = this.#options.time.now();
        this.#isAsked = false;
        this.#receive(message);
        this.#checkLater();
        // A word puts the look off, with which our pulse goes.
        if (this.looksBySelf) this.#options.looked();
      },
      closed: (reason) => {
        if (this.#channel === channel) this.#replace(reason);
      },
    });
    this.#channel = channel;
    const { path } = this.#options.page ?? {};
    channel.send({
      type: 'life',
      process: ownIdentity(),
      copy,
      ...(path === undefined ? {} : { page: path }),
    });
    if (this.#report !== null) channel.send(this.#report);
    if (this.#wish !== null) channel.send({ type: 'event', event: this.#wish });
    for (const event of this.#unanswered.values()) channel.send({ type: 'event', event });
  }

  #receive(message: FromWatchdog): void {
    switch (message.type) {
      case 'life':
        this.#greeted = true;
        this.#killWatchdog = () => killProcess(message.process);
        if (message.page !== undefined) this.#openRenewals(message.page);
        // A watchdog that we started knows no more than we told it.
        this.#isOutdated = this.#restarts === 0 && message.basis !== this.#options.basis;
        if (this.#restarts > 0) return;
        this.#takeCopy(message.copy);
        if (this.#isOutdated)
          void this.#renew(`it was started from ${message.basis}, and this is ${this.#options.basis}`);
        return;
      case 'ready':
        return;
      case 'page':
        this.#isRead = true;
        return;
      case 'fact':
        this.#proof = message.proof ?? this.#proof;
        this.#fact(message.fact);
        return;
      case 'lives':
        this.#lives = message.lives;
        return;
      case 'copy':
        this.#takeCopy(message.copy);
        return;
      case 'listed':
        this.#unanswered.delete(message.run);
        this.#options.listed(message.run, message.ok, message.reason);
        return;
      case 'status':
        this.#statusWaits.get(message.number)?.(message.status);
        return;
      case 'stop':
        this.#options.stop(message.reason);
        return;
      case 'pong':
        return;
    }
  }

  #openRenewals(path: string): void {
    this.#renewals?.close();
    this.#renewals = openPage(path, RENEWAL_NUMBERS);
    if (this.#renewals !== null) this.#say({ type: 'page' });
  }

  #takeCopy({ deadline, proof, lost, holding, entries, lives }: Copy): void {
    this.#hasCopy = true;
    this.#proof = proof ?? NO_PROOF;
    this.#lives = lives ?? NO_LIVES;
    this.#deadline = deadline;
    this.#lost = lost;
    this.#holding = holding;
    for (const entry of entries) this.#options.killList.add(entry);
    this.#watchDeadline();
  }

  #fact(fact: GuardFact): void {
    if (fact.type === 'guard.hello') {
      // One that was given none has taken up by now what remained, and has told it.
      this.#hasCopy = true;
      this.#deadline = fact.deadline;
      this.#lost = fact.lost;
    } else if (fact.type === 'guard.permission') {
      this.#deadline = fact.deadline;
      this.#lost = fact.lost === true;
    } else if (fact.type === 'guard.limit') {
      this.#deadline = fact.deadline;
      this.#proof = { ...this.#proof, sole: false };
      this.#event({ type: 'sm.limited', ticket: fact.ticket });
    } else if (fact.type === 'guard.lost') this.#lost = true;
    // It may speak of another pair. What it guards it guards on, and the next one gets the copy.
    if (!this.#isOutdated) this.#options.post(fact);
    this.#watchDeadline();
  }

  #event(event: PlainSmEvent): void {
    this.#say({ type: 'event', event });
  }

  #say(message: FromSm): void {
    this.#channel?.send(message);
  }

  // --- its life ------------------------------------------------------------------------------------------------------

  /**
   * One timer, which every word of the watchdog puts off: while it speaks by itself, nothing wakes us up. Where its
   * heartbeats keep a permission alive, a successor must be able to send one before the deadline, so that it may be silent
   * for less than P/2 then.
   */
  #checkLater(): void {
    this.#cancelCheck();
    if (this.#ended) return;
    const { time } = this.#options;
    const at = this.#checkDueAt();
    this.#checkAt = at;
    const waitMs = Math.max(0, Math.ceil(at - time.now()));
    this.#cancelCheck = time.after(waitMs, () => {
      // What it said while we were busy waits in the pipe, and is read first.
      if (!this.#isWell()) time.defer(() => this.#check(at));
    });
  }

  /** It has renewed meanwhile, without a word. */
  #isWell(): boolean {
    if (this.#renewals === null) return false;
    this.look();
    if (this.#options.time.now() >= this.#checkDueAt()) return false;
    this.#well();
    return true;
  }

  /** What it has renewed puts off both timers: neither is a wake-up of its own. */
  #well(): void {
    this.#checkLater();
    this.#watchLater();
    this.#options.looked();
  }

  #checkDueAt(): number {
    const { askAt, hangsAt } = this.#limits();
    return this.#isAsked || !this.#greeted ? hangsAt : askAt;
  }

  #limits(): { readonly askAt: number; readonly hangsAt: number } {
    const { permissionMs } = this.#options;
    const heardAt = this.#lastHeardAt;
    if (!this.#greeted) return { askAt: heardAt, hangsAt: heardAt + START_LIMIT_MS };
    const answerMs = ANSWER_NEEDS * permissionMs;
    const lastChance =
      this.#holding && !this.#lost
        ? this.#deadline - SUCCESSOR_NEEDS * permissionMs
        : Number.POSITIVE_INFINITY;
    const wishedAt = Math.min(heardAt + ASK_AFTER * permissionMs, lastChance - 1.5 * answerMs);
    const askAt = Math.max(wishedAt, heardAt + answerMs);
    return {
      askAt,
      hangsAt: Math.max(Math.min(heardAt + HANGS_AFTER * permissionMs, lastChance), askAt + answerMs),
    };
  }

  #check(dueAt: number): void {
    // Heard meanwhile: there is another timer.
    if (this.#ended || this.#channel === null || dueAt !== this.#checkAt) return;
    if (this.#isWell()) return;
    const now = this.#options.time.now();
    // We were away ourselves, and so was perhaps the watchdog.
    if (now - dueAt > CHECK_LATE_MS) this.#lastHeardAt += now - dueAt;
    const quietMs = now - this.#lastHeardAt;
    if (now >= this.#limits().hangsAt) {
      this.#channel.close(`no sign of life for ${Math.round(quietMs)} ms`);
      return;
    }
    this.#ping();
    this.#isAsked = true;
    this.#checkLater();
  }

  #ping(): void {
    this.#pings += 1;
    this.#say({ type: 'ping', number: this.#pings });
  }

  /**
   * After an upgrade, or with other definitions: another watchdog takes the place of one that lives, as soon as it is
   * ready, so that the heartbeats hardly pause. Where that fails, the old one stays, and it is tried again.
   */
  async #renew(reason: string): Promise<void> {
    const { log, time, startWatchdog, takesOver } = this.#options;
    const spare = startWatchdog();
    this.#spare?.end();
    this.#spare = spare;
    const ready = await speaks(spare, START_LIMIT_MS, time);
    if (this.#ended || this.#spare !== spare) return;
    if (!ready) {
      log.error({ reason }, 'another sm-watchdog should take over, and does not start: the old one stays');
      this.#after(RENEW_AGAIN_MS, () => {
        if (this.#isOutdated) void this.#renew(reason);
      });
      return;
    }
    await takesOver(spare.pid ?? 0);
    if (this.#ended || this.#spare !== spare) return;
    log.info({ reason }, 'another sm-watchdog takes over');
    // First: at the end of the pipe it would end us and start another sm.
    this.#killWatchdog();
    this.#channel?.close(reason);
  }

  /** Ends what is left of the old watchdog, starts a new one and hands it our copy. */
  #replace(reason: string): void {
    // Also what it renewed last, if it has died.
    this.look();
    this.#renewals?.close();
    this.#renewals = null;
    this.#options.looked();
    this.#channel = null;
    this.#greeted = false;
    if (this.#ended) return;
    const { log, time } = this.#options;
    log[this.#isOutdated ? 'info' : 'error']({ reason }, 'sm-watchdog is gone: starting another');
    this.#killWatchdog();
    const now = time.now();
    if (now - this.#restartedAt > RESTART_MEMORY_MS) this.#restarts = 0;
    const index = Math.min(this.#restarts, RESTART_BACKOFF_MS.length - 1);
    this.#restarts += 1;
    this.#restartedAt = now;
    this.#after(RESTART_BACKOFF_MS[index] ?? 0, () => this.#startAnother());
  }

  #startAnother(): void {
    const { startWatchdog } = this.#options;
    const started = this.#spare?.alive() === true ? this.#spare : startWatchdog();
    this.#spare = null;
    this.#attach(started.stream, started.end, this.#hasCopy ? this.#copy() : null);
  }

  #copy(): Copy {
    return {
      deadline: this.#deadline,
      proof: this.#proof,
      lost: this.#lost,
      holding: this.#holding,
      entries: this.#options.killList.entries(),
      lives: this.#lives,
    };
  }

  #keepSpare(): void {
    if (this.#greeted && this.#spare?.alive() !== true) this.#spare = this.#options.startWatchdog();
    this.#after(SPARE_DELAY_MS, () => this.#keepSpare());
  }

  // --- the deadline, in case the watchdog is not there ---------------------------------------------------------------

  /** The deadline for which a timer is armed; null = none is. A later one is found when it ends. */
  #watchedDeadline: number | null = null;
  #cancelWatch: () => void = () => {};

  /** Behind a peer that does not hear us an sm-watchdog that does not answer may have missed that it takes over (rule 10). */
  get #deadlineAlone(): number {
    return deadlineUnheard(this.#deadline, this.#proof);
  }

  #watchDeadline(): void {
    const deadline = this.#deadlineAlone;
    if (!this.#holding || this.#lost || this.#ended || deadline === Number.POSITIVE_INFINITY) return;
    if (this.#watchedDeadline !== null && this.#watchedDeadline <= deadline) return;
    this.#cancelWatch();
    this.#watchedDeadline = deadline;
    const { time } = this.#options;
    const left = Math.ceil(deadline - time.now());
    // Asked in time, a watchdog that lives has answered when the deadline is there.
    const asksFirst = left > DEADLINE_ASK_MS;
    const waitMs = asksFirst ? left - DEADLINE_ASK_MS : left > 0 ? left : DEADLINE_REPEAT_MS;
    this.#cancelWatch = this.#after(waitMs, () => {
      // What the watchdog said meanwhile is read first: it renews far more often than it lets time run out.
      time.defer(() => {
        if (this.#watchedDeadline !== deadline) return;
        this.#watchedDeadline = null;
        if (asksFirst) this.#askBeforeDeadline();
        else this.#enforceDeadline();
        this.#watchDeadline();
      });
    });
  }

  /** Not where it is about to be asked: it must not reach the deadline without. */
  #watchLater(): void {
    const deadline = this.#deadlineAlone;
    const isLater = this.#watchedDeadline !== null && this.#watchedDeadline < deadline;
    if (!isLater || deadline - this.#options.time.now() <= DEADLINE_ASK_MS) return;
    this.#cancelWatch();
    this.#watchedDeadline = null;
    this.#watchDeadline();
  }

  #askBeforeDeadline(): void {
    this.look();
    if (this.#deadlineAlone - this.#options.time.now() <= DEADLINE_ASK_MS) this.#ping();
  }

  #enforceDeadline(): void {
    const { time, log, killList, killVerifyMs, post } = this.#options;
    this.look();
    const now = time.now();
    if (!this.#holding || this.#lost || now < this.#deadlineAlone) return;
    const watchdogLives = this.#greeted && now - this.#lastHeardAt <= DEADLINE_ASK_MS;
    if (watchdogLives) return this.#ping();
    const reason =
      now < this.#deadline
        ? 'the peer does not hear this node, and sm-watchdog, which would hear that it takes over, was away'
        : 'permission ran out while sm-watchdog was away';
    const services = killList.entries().map(({ service }) => service);
    log.error({ services }, reason);
    this.#lost = true;
    // Its turn is the next thing that comes after the kill, and the stop scripts with it.
    post({ type: 'guard.lost', reason });
    // What survives is the next watchdog's, which has the copy.
    const survivors = killList.kill(services, killVerifyMs);
    log.error({ services, survivors }, 'killed without sm-watchdog');
  }

  #after(delayMs: number, work: () => void): () => void {
    const over = (): void => {
      this.#cancelTimers = this.#cancelTimers.filter((other) => other !== cancel);
    };
    const cancel = this.#options.time.after(delayMs, () => {
      over();
      work();
    });
    this.#cancelTimers.push(cancel);
    return () => {
      cancel();
      over();
    };
  }

  #stopTimers(): void {
    this.#cancelCheck();
    for (const cancel of this.#cancelTimers) cancel();
    this.#cancelTimers = [];
  }
}
