/**
 * The end of the pipe in `sm`: hands the engine's words to sm-watchdog and its facts to the engine, keeps a copy of the
 * deadline and the kill list, and restarts a watchdog that died or hangs, services untouched (docs/SAFETY.md, rule 10).
 */
import type { Duplex } from 'node:stream';
import type { EngineEffect, GuardFact } from '../core/engine-interface.ts';
import type { KillEntry } from '../core/guard/interface.ts';
import { splitReport } from '../core/link/parts.ts';
import { encodeReport } from '../core/link/report.ts';
import { Channel } from './pair/channel.ts';
import type { Copy, FromSm, FromWatchdog, PlainSmEvent, WatchdogStatus } from './pair/messages.ts';
import type { Started } from './pair/programs.ts';
import type { Verdict } from './perform.ts';
import type { GuardPort, KillListPort, Log, Time } from './ports.ts';
import { killProcess, ownIdentity } from './process-identity.ts';

const PING_INTERVAL_MS = 50;
/** A check that comes later than this after the one before was late itself: it judges nobody. */
const CHECK_LATE_MS = 100;
/** A new watchdog has to say its first word within this. */
const START_LIMIT_MS = 10_000;
const RESTART_BACKOFF_MS = [0, 100, 200, 400, 800, 1600] as const;
/** A restart is forgotten after this much good life. */
const RESTART_MEMORY_MS = 60_000;
const STATUS_LIMIT_MS = 300;
/** When things are calm, a spare watchdog is made ready. */
const SPARE_DELAY_MS = 2000;
/** How soon a deadline that is over is looked at again while the watchdog lives and acts. */
const DEADLINE_REPEAT_MS = 20;

export interface GuardClientOptions {
  /** The pipe to the watchdog that started us. */
  readonly stream: Duplex;
  /** P: a watchdog silent for half of it hangs. */
  readonly permissionMs: number;
  /** Starts a watchdog that adopts us as soon as we speak to it. */
  readonly startWatchdog: () => Started;
  readonly post: (fact: GuardFact) => void;
  readonly listed: (run: number, ok: boolean, reason: string) => void;
  /** The watchdog was asked to end in order. */
  readonly stop: (reason: string) => void;
  /** Kills everything of these services, without the watchdog. */
  readonly kill: (entries: readonly KillEntry[], reason: string) => void;
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
  #lastCheckAt = 0;
  #pings = 0;
  #restarts = 0;
  #restartedAt = 0;
  /**
   * Started beforehand and waiting for our first word: P has not the time for a start of node on a busy machine.
   */
  #spare: Started | null = null;
  #cancelTimers: (() => void)[] = [];
  // The copy.
  #deadline = Number.NEGATIVE_INFINITY;
  #lost = false;
  #holding = false;
  readonly #entries = new Map<string, KillEntry>();
  /** Listings without an answer, asked again of a new watchdog. */
  readonly #unanswered = new Map<number, PlainSmEvent>();
  #report: Extract<FromSm, { type: 'report' }> | null = null;
  readonly #statusWaits = new Map<number, (status: WatchdogStatus | null) => void>();
  #nextStatus = 1;

  constructor(options: GuardClientOptions) {
    this.#options = options;
  }

  start(): void {
    const now = this.#options.time.now();
    this.#lastCheckAt = now;
    this.#attach(this.#options.stream, () => {}, null);
    this.#check();
    this.#after(SPARE_DELAY_MS, () => this.#keepSpare());
  }

  get restarts(): number {
    return this.#restarts;
  }

  verdict(): Verdict {
    return { deadline: this.#deadline, lost: this.#lost };
  }

  send(effect: Extract<EngineEffect, { type: 'guard.send' }>): void {
    const parts = splitReport(encodeReport(effect.report));
    this.#report = {
      type: 'report',
      version: effect.version,
      parts: parts.map((part) => Buffer.from(part).toString('base64')),
      announceNumber: effect.announceNumber,
      leaving: effect.leaving,
    };
    this.#say(this.#report);
  }

  stop(services: readonly string[], reason: string): void {
    const entries = services.flatMap((service) => this.#entries.get(service) ?? []);
    // Nobody else is there to do it.
    if (!this.#greeted && entries.length > 0) this.#options.kill(entries, reason);
    this.#event({ type: 'sm.stop', services, reason });
  }

  hold(holding: boolean): void {
    this.#holding = holding;
    if (!holding) this.#entries.clear();
    this.#event({ type: 'sm.hold', holding });
    this.#watchDeadline();
  }

  verified(service: string): void {
    this.#entries.delete(service);
    this.#event({ type: 'sm.verified', service });
  }

  pulse(): void {
    this.#event({ type: 'sm.pulse' });
  }

  list(run: number, entry: KillEntry, activating: boolean): void {
    const event: PlainSmEvent = { type: 'sm.list', run, entry, activating };
    if (activating) this.#entries.set(entry.service, entry);
    this.#unanswered.set(run, event);
    this.#event(event);
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
    this.#killWatchdog = kill;
    this.#lastHeardAt = this.#options.time.now();
    const channel: Channel<FromWatchdog, FromSm> = new Channel(stream, {
      message: (message) => {
        if (this.#channel === channel) this.#receive(message);
      },
      closed: (reason) => {
        if (this.#channel === channel) this.#replace(reason);
      },
    });
    this.#channel = channel;
    channel.send({ type: 'life', process: ownIdentity(), copy });
    if (copy === null) return;
    if (this.#report !== null) channel.send(this.#report);
    for (const event of this.#unanswered.values()) channel.send({ type: 'event', event });
  }

  #receive(message: FromWatchdog): void {
    this.#lastHeardAt = this.#options.time.now();
    switch (message.type) {
      case 'life':
        this.#greeted = true;
        this.#killWatchdog = () => killProcess(message.process);
        // A watchdog that we started knows no more than we told it.
        if (this.#restarts === 0) this.#takeCopy(message.copy);
        return;
      case 'fact':
        this.#fact(message.fact);
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

  #takeCopy({ deadline, lost, holding, entries }: Copy): void {
    this.#deadline = deadline;
    this.#lost = lost;
    this.#holding = holding;
    for (const entry of entries) this.#entries.set(entry.service, entry);
    this.#watchDeadline();
  }

  #fact(fact: GuardFact): void {
    if (fact.type === 'guard.hello') {
      this.#deadline = fact.deadline;
      this.#lost = fact.lost;
    } else if (fact.type === 'guard.permission') {
      this.#deadline = fact.deadline;
      this.#lost = false;
    } else if (fact.type === 'guard.lost') this.#lost = true;
    this.#options.post(fact);
    this.#watchDeadline();
  }

  #event(event: PlainSmEvent): void {
    this.#say({ type: 'event', event });
  }

  #say(message: FromSm): void {
    this.#channel?.send(message);
  }

  // --- its life ------------------------------------------------------------------------------------------------------

  #check(): void {
    if (this.#ended) return;
    const { time, permissionMs } = this.#options;
    const now = time.now();
    const gap = now - this.#lastCheckAt;
    this.#lastCheckAt = now;
    // We were away ourselves: what the watchdog said meanwhile waits in the pipe.
    if (gap > CHECK_LATE_MS) this.#lastHeardAt += gap;
    const limitMs = this.#greeted ? permissionMs / 2 : START_LIMIT_MS;
    if (this.#channel !== null && now - this.#lastHeardAt > limitMs) {
      this.#channel.close(`no sign of life for ${Math.round(now - this.#lastHeardAt)} ms`);
    }
    this.#pings += 1;
    this.#say({ type: 'ping', number: this.#pings });
    this.#after(PING_INTERVAL_MS, () => this.#check());
  }

  /** Ends what is left of the old watchdog, starts a new one and hands it our copy. */
  #replace(reason: string): void {
    this.#channel = null;
    this.#greeted = false;
    if (this.#ended) return;
    const { log, time } = this.#options;
    log.error({ reason }, 'sm-watchdog is gone: starting another');
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
    this.#attach(started.stream, started.end, {
      deadline: this.#deadline,
      lost: this.#lost,
      holding: this.#holding,
      entries: [...this.#entries.values()],
    });
  }

  #keepSpare(): void {
    if (this.#greeted && this.#spare?.alive() !== true) this.#spare = this.#options.startWatchdog();
    this.#after(SPARE_DELAY_MS, () => this.#keepSpare());
  }

  // --- the deadline, in case the watchdog is not there ---------------------------------------------------------------

  #deadlineWatched = false;

  #watchDeadline(): void {
    if (this.#deadlineWatched || !this.#holding || this.#lost || this.#ended) return;
    if (this.#deadline === Number.POSITIVE_INFINITY) return;
    this.#deadlineWatched = true;
    const waitMs = Math.max(DEADLINE_REPEAT_MS, Math.ceil(this.#deadline - this.#options.time.now()));
    this.#after(waitMs, () => {
      // What the watchdog said meanwhile is read first: it renews far more often than it lets time run out.
      this.#options.time.defer(() => {
        this.#deadlineWatched = false;
        this.#enforceDeadline();
        this.#watchDeadline();
      });
    });
  }

  #enforceDeadline(): void {
    const { time, log, kill, post } = this.#options;
    const now = time.now();
    if (!this.#holding || this.#lost || now < this.#deadline) return;
    const watchdogLives = this.#greeted && now - this.#lastHeardAt < CHECK_LATE_MS;
    if (watchdogLives) return;
    const reason = 'permission ran out while sm-watchdog was away';
    log.error({ entries: this.#entries.size }, reason);
    this.#lost = true;
    kill([...this.#entries.values()], reason);
    post({ type: 'guard.lost', reason });
  }

  #after(delayMs: number, work: () => void): void {
    const cancel = this.#options.time.after(delayMs, () => {
      this.#cancelTimers = this.#cancelTimers.filter((other) => other !== cancel);
      work();
    });
    this.#cancelTimers.push(cancel);
  }

  #stopTimers(): void {
    for (const cancel of this.#cancelTimers) cancel();
    this.#cancelTimers = [];
  }
}
