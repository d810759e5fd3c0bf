/**
 * sm-watchdog: runs the guard on real sockets, clocks and processes, and keeps `sm` running (docs/SAFETY.md, rule 10).
 * It reads files at its start only; from then on it needs no disk, no exec and no help, except to start `sm`.
 */
import type { Duplex } from 'node:stream';
import type { GuardFact } from '../../core/engine-interface.ts';
import { Guard } from '../../core/guard/guard.ts';
import {
  type GuardEffect,
  type GuardEvent,
  type GuardOptions,
  type KillEntry,
  LINK_TIMERS,
  NO_PROOF,
  type PermissionProof,
  type Remains,
} from '../../core/guard/interface.ts';
import { same } from '../../core/kernel/same.ts';
import type { FromArbiter } from '../arbiter/messages.ts';
import type { KillList } from '../exec/kill-list.ts';
import { ticksNow, ticksOf } from '../exec/procfs.ts';
import { EXIT_SOFTWARE } from '../exit-codes.ts';
import { LateCompilation } from '../late-compilation.ts';
import { Channel } from '../pair/channel.ts';
import {
  type FromSm,
  type FromWatchdog,
  type KnownLives,
  NO_LIVES,
  PULSE_NUMBERS,
  type WatchdogStatus,
} from '../pair/messages.ts';
import { openPage, type PageIn, type PageOut } from '../pair/page.ts';
import type { Started } from '../pair/programs.ts';
import type { Log, Time } from '../ports.ts';
import { killProcess, ownIdentity } from '../process-identity.ts';
import type { ServiceManager } from '../systemd.ts';
import { TimerTable } from '../timer-table.ts';
import { fromArbiter, toArbiter } from './arbiter-clock.ts';
import type { ArbiterLink, ArbiterLinkOptions } from './arbiter-link.ts';
import { GuardClock } from './guard-clock.ts';
import type { Found, RemainsFile } from './remains.ts';
import type { SelfFence } from './self-fence.ts';
import type { Wire, WireHandlers } from './wire.ts';

/**
 * About once a second the pid files of the kill list and the keys are looked at, and systemd is told that we live: with the first
 * hello after this time, which wakes us up anyway,
 */
const REFRESH_INTERVAL_MS = 900;
/** and where hellos are rarer, after this time. */
const REFRESH_LIMIT_MS = 1500;
/** Longest orderly stop; after it everything is killed. */
export const STOP_LIMIT_MS = 120_000;

export interface WatchdogOptions {
  readonly guard: GuardOptions;
  /** null = no peer. */
  readonly wire: ((handlers: WireHandlers) => Wire) | null;
  /** What starts `sm-arbiter` and talks with it; null = there is nothing to ask. */
  readonly arbiter: ((handlers: ArbiterHandlers) => ArbiterLink) | null;
  readonly killList: KillList;
  readonly selfFence: (killRecorded: () => void) => SelfFence;
  readonly startSm: () => Started;
  /** The pipe to the `sm` that started us; null = we start it. */
  readonly adopted: Duplex | null;
  /** What is kept for a successor, should both processes die. */
  readonly remains: Pick<RemainsFile, 'add' | 'remove' | 'clear' | 'lives' | 'keep' | 'forget'>;
  /** What a predecessor has kept, in the clock of `time`; null = nothing. */
  readonly inherited: () => Pick<Found, 'deadline' | 'proof' | 'lost' | 'entries' | 'lives'> | null;
  /** For renewals, of RENEWAL_NUMBERS; null = they are said. */
  readonly page: PageOut | null;
  /** Installation and plan that it was started from. */
  readonly basis: string;
  readonly serviceManager: ServiceManager;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  readonly time: Time;
  readonly log: Log;
}

/** Words of `sm-arbiter`, in the clock of the guard's messages. */
export type ArbiterHandlers = Pick<ArbiterLinkOptions, 'connected' | 'told' | 'gone'>;

interface Manager {
  readonly channel: Channel<FromSm, FromWatchdog>;
  /** Ends it, exactly it, by SIGKILL. */
  kill: () => void;
  /** Known from its first word on. */
  pid: number | null;
  /** It reads our page. */
  reads: boolean;
  /** The page of its pulse; null = it says it. */
  pulses: PageIn | null;
}

export class WatchdogProcess {
  readonly #options: WatchdogOptions;
  readonly #clock: GuardClock;
  readonly #guard: Guard;
  readonly #compilation: LateCompilation;
  readonly #timers: TimerTable;
  readonly #wire: Wire | null;
  readonly #arbiter: ArbiterLink | null;
  readonly #selfFence: SelfFence;
  #queue: GuardEvent[] = [];
  #stepping = false;
  #manager: Manager | null = null;
  #stopReason: string | null = null;
  /** By `sm`: the node ends, and no other `sm` is started. */
  #saidBye = false;
  #ended = false;
  #smStarts = 0;
  #stepMsMax = 0;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    const { time } = options;
    this.#clock = new GuardClock(time.now);
    this.#compilation = new LateCompilation(time);
    this.#timers = new TimerTable({ ...time, now: () => this.#clock.reckon() }, () => this.#step([]));
    this.#guard = new Guard({ ...options.guard, inherited: () => this.#inherit() }, (effect) =>
      this.#perform(effect),
    );
    this.#wire =
      options.wire?.({
        frame: (role, frame) => this.#step([{ type: 'frame', role, frame }]),
        duplicate: (_role, processLife, { kernelLife, productUuid }) =>
          this.#step([{ type: 'duplicate', processLife, kernelLife, productUuid }]),
        link: (role, up, reason) => this.#step([{ type: 'link', role, up, reason }]),
      }) ?? null;
    this.#arbiter =
      options.arbiter?.({
        connected: () => this.#step([{ type: 'arbiter.connected' }]),
        told: (message) => this.#told(message),
        gone: (reason) => this.#step([{ type: 'arbiter.gone', reason }]),
      }) ?? null;
    this.#selfFence = options.selfFence(() => this.#killRecorded());
  }

  start(): void {
    const { adopted, remains } = this.#options;
    remains.lives(this.#lives());
    this.#guarded(() => this.#guard.start(this.#clock.now()));
    if (adopted === null) this.#listen();
    else this.#attach(adopted, () => {});
    this.#arbiter?.start();
    this.#refresh();
  }

  /** Not before the copy is here: without it a recorded frame would be news. */
  #listening = false;
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#wire?.start();
  }

  /** The orderly stop: `sm` stops its services and says bye; both end. */
  stop(reason: string): void {
    if (this.#stopReason !== null) return;
    this.#stopReason = reason;
    const { log, time } = this.#options;
    log.info({ reason }, 'stopping in order');
    this.#options.serviceManager.stopping(reason);
    this.#manager?.channel.send({ type: 'stop', reason });
    time.after(STOP_LIMIT_MS, () => {
      log.error({}, `not stopped in order within ${STOP_LIMIT_MS} ms: everything is killed`);
      this.#endByForce();
    });
  }

  /** The peer takes over when it hears nothing more: what a kill does not end must be gone by then (rule 13). */
  #endByForce(): void {
    if (this.#ended) return;
    const { killList, guard } = this.#options;
    const survivors = this.#killRecorded();
    const doubted = killList
      .entries()
      .filter(({ service, kernelState }) => kernelState || survivors.includes(service))
      .map(({ service }) => service);
    if (guard.peer === null || doubted.length === 0) return this.#end(1);
    this.#fence(`not verified as stopped within ${STOP_LIMIT_MS} ms: ${doubted.join(', ')}`);
  }

  /** Before the guard goes on with it. */
  #inherit(): Remains | null {
    const found = this.#options.inherited();
    if (found === null) return null;
    const { deadline, proof, lost, entries, lives } = found;
    this.#recall(lives);
    for (const entry of entries) this.#list(entry);
    this.#wire?.watchClosely(true);
    const copy = { deadline, proof, lost, holding: true, entries, lives: this.#lives() };
    this.#manager?.channel.send({ type: 'copy', copy });
    return { lost, entries, ...this.#fromSm(deadline, proof) };
  }

  #recall(lives: KnownLives): void {
    this.#wire?.recall(lives);
    this.#options.remains.lives(this.#lives());
  }

  #fromSm(deadline: number, proof: PermissionProof): Pick<Remains, 'deadline' | 'proof'> {
    return {
      deadline: this.#clock.fromSm(deadline),
      proof: { ...proof, deadline: this.#clock.fromSm(proof.deadline) },
    };
  }

  /** Keeps for a successor what it would have to know, before anybody can rely on it. */
  #keepRemains(): void {
    if (this.#guard.awaitsCopy) return;
    const remains = this.#guard.remains();
    const kept = remains === null ? null : { ...remains, deadline: this.#clock.toSm(remains.deadline) };
    this.#options.remains.keep(kept === null ? null : { ...kept, proof: this.#proof() }, () =>
      this.#clock.ahead(),
    );
  }

  // --- the guard -----------------------------------------------------------------------------------------------------

  /** Timers that are due come before what waited in sockets and pipes (the guard's contract). */
  #step(events: readonly GuardEvent[]): void {
    if (this.#ended) return;
    this.#queue.push(...events);
    if (this.#stepping) return;
    this.#guarded(() => {
      do {
        const now = this.#clock.now();
        const due = this.#timers.takeDue(now);
        if (due.some(({ key }) => key === 'hello')) {
          this.#takePulse(now);
          if (now - this.#refreshedAt >= REFRESH_INTERVAL_MS) this.#isStale = true;
        }
        if (due.some(({ key }) => LINK_TIMERS.has(key))) this.#lookAtLinks(now);
        for (const timer of due) this.#guard.step(timer, now);
        const event = this.#queue.shift();
        if (event !== undefined) this.#guard.step(event, this.#clock.reckon());
      } while (this.#queue.length > 0);
    });
  }

  /** At each hello it is judged whether `sm` lives, and it is told that we do. */
  #takePulse(now: number): void {
    this.#renewals.isNews = true;
    const [at] = this.#manager?.pulses?.read() ?? [];
    if (at !== undefined)
      this.#guard.step({ type: 'sm.pulse', at: Math.min(now, this.#clock.fromSm(at)) }, now);
  }

  /**
   * What is sent on a link renews our permission, and silence lets us take over, only if the link is up at our own end
   * (docs/SAFETY.md, rules 3 and 14d): that is found out right before, so that nothing is decided by an old look.
   */
  #lookAtLinks(now: number): void {
    const waiting = this.#queue;
    this.#queue = [];
    this.#wire?.look();
    for (const event of this.#queue) this.#guard.step(event, now);
    this.#queue = waiting;
  }

  #guarded(work: () => void): void {
    const { time, log } = this.#options;
    const started = time.now();
    this.#stepping = true;
    try {
      work();
      this.#keepRemains();
      this.#writeRenewals();
    } catch (error) {
      // A guard that does not know what it does guards nothing: `sm` starts another and hands its copy over.
      log.fatal({ error: error instanceof Error ? error.stack : String(error) }, 'broken invariant');
      this.#ended = true;
      this.#options.exit(EXIT_SOFTWARE);
      return;
    } finally {
      this.#stepping = false;
    }
    this.#timers.arm();
    if (this.#isStale) this.#refresh();
    this.#stepMsMax = Math.max(this.#stepMsMax, time.now() - started);
    if (this.#queue.length > 0) this.#step([]);
  }

  #perform(effect: GuardEffect): void {
    const { log, killList } = this.#options;
    switch (effect.type) {
      case 'send':
        this.#wire?.send(effect.role, effect.frame);
        return;
      case 'tell':
        this.#tell(effect);
        return;
      case 'listed':
        this.#keepRemains();
        this.#manager?.channel.queue(effect);
        return;
      case 'ask-arbiter':
        this.#keepRemains();
        this.#arbiter?.send(toArbiter(effect.message, this.#clock));
        return;
      case 'freeze':
        if (effect.frozen) log.warn({ services: effect.services }, 'services frozen after a gap');
        else log.info({ services: effect.services }, 'services thawed');
        killList.setFrozen(effect.services, effect.frozen);
        return;
      case 'kill':
        // It takes its time, and why it is done has to outlive us.
        this.#keepRemains();
        this.#kill(effect);
        return;
      case 'self-fence':
        this.#fence(effect.reason);
        return;
      case 'start-sm':
        this.#startSm(effect.kill, effect.reason);
        return;
      case 'timer':
        this.#timers.apply(effect);
    }
  }

  #tell({ fact }: Extract<GuardEffect, { type: 'tell' }>): void {
    if (fact.type === 'guard.peer' && fact.heard) this.#wire?.confirmPeer(fact.processLife);
    if (fact.type === 'guard.lost') this.#options.log.error({ reason: fact.reason }, 'permission lost');
    const isRenewal = fact.type === 'guard.permission';
    // The parts of a report go out at one moment, and all renew to the same: said once.
    if (isRenewal && fact.deadline === this.#saidDeadline) return;
    this.#saidDeadline = isRenewal && fact.lost !== true ? fact.deadline : null;
    const proof = isRenewal ? this.#proof() : null;
    if (proof === null) this.#renewals.proof = null;
    else if (this.#isMere(fact, proof)) return;
    const word: FromWatchdog = {
      type: 'fact',
      fact: this.#clock.factToSm(this.#explained(fact)),
      ...(proof === null ? {} : { proof }),
    };
    // Nobody waits for a renewal; what changes something is not held up by a kill in the same step.
    if (isRenewal) this.#manager?.channel.queue(word);
    else this.#manager?.channel.send(word);
    // From the end of an announcement on, the frames that made it are old ones.
    const isNews = fact.type === 'guard.peer' ? fact.heard : fact.type === 'guard.announcement';
    if (!isNews) return;
    const lives = this.#lives();
    this.#options.remains.lives(lives);
    this.#manager?.channel.send({ type: 'lives', lives });
  }

  /** Of a renewal that nothing was said after; null = something was. */
  #saidDeadline: number | null = null;

  // --- renewals ------------------------------------------------------------------------------------------------------

  /** In the clock of `sm`. `proof`: with the newest renewal that nothing else was said after; null = something was. */
  readonly #renewals: { deadline: number; proof: PermissionProof | null; isNews: boolean } = {
    deadline: Number.NEGATIVE_INFINITY,
    proof: null,
    isNews: false,
  };

  /**
   * Most of what a calm node would say is that a permission that lives runs on. `sm` finds that on the page when it needs it,
   * and is woken up by a word only for what is different. In a domain with a record the engine acts on every renewal.
   */
  #isMere(fact: GuardFact, proof: PermissionProof): boolean {
    const renewals = this.#renewals;
    const { deadline, proof: said } = renewals;
    const word = fact.type === 'guard.permission' && fact.lost !== true ? fact : null;
    renewals.deadline = word === null ? deadline : this.#clock.toSm(word.deadline);
    renewals.proof = word === null ? null : proof;
    renewals.isNews = true;
    const isMere =
      this.#manager?.reads === true &&
      said !== null &&
      this.#options.guard.regime !== 'record' &&
      this.#options.time.now() < deadline &&
      deadline < renewals.deadline &&
      same({ ...said, deadline: 0 }, { ...proof, deadline: 0 });
    // What is said must not be contradicted by what is read after it.
    if (!isMere) this.#writeRenewals();
    return isMere;
  }

  #writeRenewals(): void {
    const { page, time } = this.#options;
    const { deadline, proof, isNews } = this.#renewals;
    if (!isNews || page === null) return;
    this.#renewals.isNews = false;
    page.write(deadline, proof?.deadline ?? Number.NEGATIVE_INFINITY, time.now());
  }

  #proof(): PermissionProof {
    const proof = this.#guard.proof();
    return { ...proof, deadline: this.#clock.toSm(proof.deadline) };
  }

  #told(message: FromArbiter): void {
    // Noticed first: what was asked for before the machine slept is older than it looks.
    this.#clock.now();
    this.#step([{ type: 'arbiter.told', message: fromArbiter(message, this.#clock) }]);
  }

  #lives(): KnownLives {
    return this.#wire?.lives() ?? NO_LIVES;
  }

  /** The guard sees only that a link is silent; here it is known what was dropped meanwhile, and why. */
  #explained(fact: GuardFact): GuardFact {
    if (fact.type !== 'guard.link' || !fact.up || fact.heard) return fact;
    return { ...fact, reason: this.#wire?.silenceReason(fact.role) || fact.reason };
  }

  #kill({ services, lostAt, reason }: Extract<GuardEffect, { type: 'kill' }>): void {
    const { killList, log, guard } = this.#options;
    const sm = this.#manager?.pid ?? null;
    const spared = sm === null ? null : { sm, since: ticksNow() - ticksOf(this.#clock.now() - lostAt) };
    const survivors = killList.kill(services, guard.domain.killVerifyMs, spared);
    this.#queue.push({ type: 'killed', services, survivors });
    log.warn({ services, survivors, reason }, 'killed');
  }

  /** Where a watchdog device resets the machine, this process stays until then, and does nothing: another would go on. */
  #fence(reason: string): void {
    this.#ended = true;
    this.#options.remains.forget();
    this.#selfFence.fire(reason);
    this.#timers.stop();
    void this.#wire?.stop();
    this.#waitForReset();
  }

  #waitForReset(): void {
    const { serviceManager, time } = this.#options;
    serviceManager.alive();
    time.after(REFRESH_INTERVAL_MS, () => this.#waitForReset());
  }

  /** Returns the services of which something still lives. */
  #killRecorded(): string[] {
    const { killList, guard } = this.#options;
    const services = killList.entries().map(({ service }) => service);
    const survivors = killList.kill(services, guard.domain.killVerifyMs);
    this.#manager?.kill();
    this.#arbiter?.stop();
    return survivors;
  }

  /** A pid file on a mount that hangs is waited for, perhaps for ever; the sign of life to systemd is not. */
  #refreshing = false;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #isStale = false;
  #cancelRefresh = (): void => {};
  #refresh(): void {
    if (this.#ended) return;
    const { serviceManager, killList, time, guard } = this.#options;
    this.#isStale = false;
    this.#refreshedAt = this.#clock.reckon();
    this.#cancelRefresh();
    this.#cancelRefresh = time.after(REFRESH_LIMIT_MS, () => this.#refresh());
    serviceManager.alive();
    // Whoever does not notice the end of permission must not keep the machine from being reset.
    if (this.#timers.overdueMs(this.#clock.reckon()) < guard.domain.deadIntervalMs) this.#selfFence.alive();
    this.#arbiter?.look();
    void this.#wire?.tend();
    if (this.#refreshing) return;
    this.#refreshing = true;
    const over = () => {
      this.#refreshing = false;
    };
    killList.refresh().then(over, over);
  }

  // --- sm ------------------------------------------------------------------------------------------------------------

  #startSm(kill: boolean, reason: string): void {
    const { log, startSm } = this.#options;
    const old = this.#manager;
    this.#manager = null;
    if (old !== null) {
      old.kill();
      old.pulses?.close();
      old.channel.close(reason);
    }
    // Nobody is there to start, also where the guard takes that for a hang.
    if (this.#saidBye) return old === null ? undefined : this.#linger();
    this.#smStarts += 1;
    log[this.#smStarts > 1 ? 'error' : 'info']({ reason, killed: kill }, 'starting sm');
    const started = startSm();
    this.#attach(started.stream, started.end);
  }

  #attach(stream: Duplex, kill: () => void): void {
    const channel: Channel<FromSm, FromWatchdog> = new Channel(stream, {
      message: (message) => {
        if (this.#manager?.channel === channel) this.#receive(this.#manager, message);
      },
      closed: (reason) => {
        if (this.#manager?.channel === channel) this.#gone(this.#manager, reason);
      },
    });
    this.#manager = { channel, kill, pid: null, reads: false, pulses: null };
    const { deadline, lost, holding } = this.#guard.view();
    const entries = this.#options.killList.entries();
    const lives = this.#lives();
    const proof = this.#proof();
    const copy = { deadline: this.#clock.toSm(deadline), proof, lost, holding, entries, lives };
    const { basis, page } = this.#options;
    Object.assign(this.#renewals, { deadline: copy.deadline, proof: null });
    const { path } = page ?? {};
    channel.send({
      type: 'life',
      process: ownIdentity(),
      basis,
      copy,
      ...(path === undefined ? {} : { page: path }),
    });
  }

  #gone(manager: Manager, reason: string): void {
    this.#manager = null;
    manager.pulses?.close();
    if (this.#saidBye) return this.#linger();
    // A process without its pipe is no use, and must not act beside the next one.
    manager.kill();
    this.#step([{ type: 'sm.gone', reason: `sm is gone: ${reason}` }]);
    this.#listen();
  }

  #receive(manager: Manager, message: FromSm): void {
    switch (message.type) {
      case 'life':
        manager.kill = () => killProcess(message.process);
        manager.pid = message.process.pid;
        this.#openPulses(manager, message.page);
        this.#adopt(message);
        // It speaks once its control socket is open.
        this.#options.serviceManager.ready();
        if (this.#stopReason !== null) manager.channel.send({ type: 'stop', reason: this.#stopReason });
        return;
      case 'page':
        manager.reads = true;
        return;
      case 'event':
        this.#note(message.event);
        this.#step([message.event]);
        return;
      case 'report': {
        this.#compilation.noteWork();
        const { type: _type, ...report } = message;
        const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
        const parts = message.parts.map(bytesOf);
        // An sm of an earlier installation sends none.
        this.#step([{ ...report, type: 'sm.report', parts, tail: bytesOf(message.tail ?? '') }]);
        return;
      }
      case 'ping':
        manager.channel.send({ type: 'pong', number: message.number });
        return;
      case 'status':
        manager.channel.send({ type: 'status', number: message.number, status: this.#status() });
        return;
      case 'config':
      case 'plan':
        // It was started with us, and what it has read so far is known.
        return;
      case 'bye':
        this.#saidBye = true;
    }
  }

  #openPulses(manager: Manager, path: string | undefined): void {
    if (path === undefined) return;
    manager.pulses = openPage(path, PULSE_NUMBERS);
    if (manager.pulses !== null) manager.channel.send({ type: 'page' });
  }

  /** The copy comes before the greeting, so that what is told first is already true. */
  #adopt({ copy }: Extract<FromSm, { type: 'life' }>): void {
    if (copy === null) {
      this.#step([{ type: 'sm.connected' }]);
      return this.#listen();
    }
    this.#recall(copy.lives ?? NO_LIVES);
    this.#listen();
    for (const entry of copy.entries) this.#list(entry);
    this.#wire?.watchClosely(copy.holding);
    const permission = this.#fromSm(copy.deadline, copy.proof ?? NO_PROOF);
    this.#step([{ ...copy, type: 'sm.copy', ...permission }, { type: 'sm.connected' }]);
  }

  #list(entry: KillEntry): void {
    this.#options.killList.add(entry);
    this.#options.remains.add(entry);
  }

  /** Keeps the handles in step with the guard's list. */
  #note(event: GuardEvent): void {
    const { killList, remains } = this.#options;
    if (event.type === 'sm.list' && event.activating) this.#list(event.entry);
    if (event.type === 'sm.verified') {
      killList.remove(event.service);
      remains.remove(event.service);
    }
    if (event.type !== 'sm.hold') return;
    this.#wire?.watchClosely(event.holding);
    if (event.holding) return;
    killList.clear();
    remains.clear();
  }

  #status(): WatchdogStatus {
    const silence: Record<string, string> = {};
    for (const { role } of this.#options.guard.interfaces) {
      silence[role] = this.#wire?.silenceReason(role) ?? '';
    }
    return {
      guard: this.#guard.view(),
      processLife: this.#options.guard.processLife,
      pid: process.pid,
      basis: this.#options.basis,
      silence,
      counters: this.#wire?.counters() ?? null,
      smStarts: this.#smStarts,
      arbiterStarts: this.#arbiter?.starts ?? 0,
      stepMsMax: this.#stepMsMax,
    };
  }

  /** The signed word that we leave is repeated a little, for one datagram may be lost. */
  #linger(): void {
    const { time, guard } = this.#options;
    time.after(guard.peer === null ? 0 : 2 * guard.domain.helloIntervalMs, () => this.#end(0));
  }

  #end(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.remains.forget();
    this.#timers.stop();
    this.#arbiter?.stop();
    if (code === 0) this.#selfFence.close();
    const exit = () => this.#options.exit(code);
    if (this.#wire === null) exit();
    else this.#wire.stop().then(exit, exit);
  }
}
