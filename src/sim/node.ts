/** One simulated machine: power, clock, carriers, disk, what runs on it, and the two processes of the manager. */
import type { DefinitionSet } from '../core/definitions/model.ts';
import type { Remains } from '../core/guard/interface.ts';
import type { InterfaceRole } from '../core/kernel/names.ts';
import { SimArbiter } from './arbiter-process.ts';
import { NodeClock } from './clock.ts';
import { definitionsOf } from './definitions.ts';
import { Disk } from './disk.ts';
import { Executor } from './executor.ts';
import { SimManager } from './manager.ts';
import type { Prng } from './prng.ts';
import type { Scheduled } from './queue.ts';
import { SimWatchdog } from './watchdog.ts';
import type { World } from './world.ts';

const BOOT_MS: readonly [number, number] = [50, 600];
const WATCHDOG_START_MS: readonly [number, number] = [30, 100];
/** How soon init starts sm-watchdog again where no `sm` lives that would. */
const INIT_RESTART_MS: readonly [number, number] = [20, 100];
/** From the start of its process, where both died: to its first look at what remains, and until it is there. */
const FIRST_LOOK_MS: readonly [number, number] = [20, 100];
const UNGUARDED_START_MS: readonly [number, number] = [100, 1000];
/** From the restart of `sm` under other definitions until it replaces sm-watchdog, whose spare it has to load first. */
const RENEWAL_MS: readonly [number, number] = [300, 800];
const FENCE_MS: readonly [number, number] = [1, 20];
const FENCED_FOR_MS: readonly [number, number] = [1000, 10_000];

export class SimNode {
  readonly world: World;
  readonly index: number;
  readonly name: string;
  readonly peerName: string | null;
  readonly productUuid: string;
  definitions: DefinitionSet;
  readonly rng: Prng;
  readonly disk = new Disk();
  readonly executor: Executor;
  readonly watchdog: SimWatchdog;
  readonly arbiter: SimArbiter;
  readonly manager: SimManager;
  readonly #carrierFaults = new Map<InterfaceRole, number>();
  /** What the last sm-watchdog has left outside of itself, as long as the kernel lives. */
  remains: Remains | null = null;
  /** The definitions are by now those of the other node. */
  #isUpdated = false;
  #watchdogDue = false;
  #boots = 0;
  powered = false;
  /** `sm` left in order; nobody starts it until the next boot. */
  left = false;
  /** It was asked to, since this boot. */
  leaves = false;
  kernelLife = '';
  clock: NodeClock;
  /** What somebody set the wall clock forward by; nothing that matters may hang on it. */
  wallStepMs = 0;
  /** The whole machine stands, its clock too: what should happen on it waits here. */
  #standing: (() => void)[] | null = null;

  constructor(world: World, index: number) {
    const { nodes } = world.options;
    this.world = world;
    this.index = index;
    this.name = nodes[index] as string;
    this.peerName = nodes[1 - index] ?? null;
    this.rng = world.rng.fork(this.name);
    this.productUuid = this.rng.hex(16);
    this.clock = new NodeClock(1, 0, 0);
    this.definitions = definitionsOf(world.options, index);
    this.executor = new Executor(this, this.rng.fork('executor'));
    this.watchdog = new SimWatchdog(this);
    this.arbiter = new SimArbiter(this);
    this.manager = new SimManager(this);
  }

  powerOn(): void {
    if (this.powered) return;
    const { world, rng } = this;
    this.powered = true;
    this.left = false;
    this.leaves = false;
    this.#boots += 1;
    this.kernelLife = rng.hex(16);
    this.clock = new NodeClock(
      world.options.clockRates[this.index] ?? 1,
      world.now,
      rng.between(1000, 100_000),
    );
    world.note('power', this.name, 'on');
    world.checkers.powered(this);
    for (const role of world.network.roles) this.#tellCarrier(role);
    this.#later(rng.between(...BOOT_MS), () => this.startWatchdog(false));
  }

  powerOff(reason = ''): void {
    if (!this.powered) return;
    this.world.note('power', this.name, `off${reason === '' ? '' : `: ${reason}`}`);
    this.powered = false;
    this.#boots += 1;
    this.#watchdogDue = false;
    this.#standing = null;
    this.manager.end();
    this.watchdog.end();
    this.arbiter.end();
    this.remains = null;
    this.world.arbiters.poweredOff(this);
    this.executor.powerOff();
    this.world.checkers.powered(this);
  }

  selfFence(): void {
    const { world, rng } = this;
    world.count('self-fence');
    this.#later(rng.between(...FENCE_MS), () => {
      this.powerOff('self-fence');
      world.after(rng.between(...FENCED_FOR_MS), () => this.powerOn());
    });
  }

  // --- time and standing still ---------------------------------------------------------------------------------------

  wallMs(): number {
    return this.world.wallMs() + this.wallStepMs;
  }

  /** The monotonic clock, unless just that is broken on purpose. */
  now(): number {
    const step = this.world.breaks.has('wall-clock') ? this.wallStepMs : 0;
    return this.clock.read(this.world.now) + step;
  }

  /** As a paused virtual machine: nothing on it happens, and its clock does not know. */
  pause(): void {
    const { world, clock, executor } = this;
    if (!this.powered || this.#standing !== null) return;
    this.#standing = [];
    clock.read(world.now);
    clock.stand(world.now);
    this.manager.stop();
    this.watchdog.stop();
    this.arbiter.stop();
    executor.stand(true);
  }

  goOn(): void {
    const standing = this.#standing;
    if (standing === null) return;
    this.#standing = null;
    this.clock.goOn(this.world.now);
    this.executor.stand(false);
    this.watchdog.resume();
    this.arbiter.resume();
    this.manager.resume();
    for (const happen of standing) happen();
  }

  /** Now, or when the machine goes on. */
  awake(happen: () => void): void {
    if (this.#standing === null) happen();
    else this.#standing.push(happen);
  }

  // --- carriers ------------------------------------------------------------------------------------------------------

  carrier(role: InterfaceRole): boolean {
    return this.powered && (this.#carrierFaults.get(role) ?? 0) === 0;
  }

  carrierFault(role: InterfaceRole, change: 1 | -1): void {
    const count = Math.max(0, (this.#carrierFaults.get(role) ?? 0) + change);
    this.#carrierFaults.set(role, count);
    this.#tellCarrier(role);
  }

  clearCarrierFaults(): void {
    for (const role of this.#carrierFaults.keys()) {
      this.#carrierFaults.set(role, 0);
      this.#tellCarrier(role);
    }
  }

  #tellCarrier(role: InterfaceRole): void {
    const { linkDownDetectMs } = this.definitions.domain;
    const latestMs = this.clock.trueDuration(linkDownDetectMs) * this.world.options.carrierLateness;
    const delayMs = latestMs * this.rng.between(0.02, 0.9);
    this.watchdog.after(delayMs, () => this.watchdog.linkChanged(role));
  }

  // --- processes -----------------------------------------------------------------------------------------------------

  startWatchdog(copyExpected: boolean): void {
    if (!this.powered || this.watchdog.alive || this.#watchdogDue) return;
    this.#watchdogDue = true;
    const takesUp = this.remains !== null && !(copyExpected && this.manager.alive);
    const startMs = this.rng.between(...(takesUp ? UNGUARDED_START_MS : WATCHDOG_START_MS));
    if (takesUp) this.#later(Math.min(startMs, this.rng.between(...FIRST_LOOK_MS)), () => this.#takeUp());
    this.#later(startMs, () => {
      // The copy died with the `sm` that had it.
      const copy = copyExpected && this.manager.alive;
      const goesOn = this.remains !== null && !this.world.breaks.has('unguarded-start');
      if (copy || goesOn) this.#watchdogStarts(copy);
      else this.#killLeftOver(() => this.#watchdogStarts(false));
    });
  }

  /** Before the program is loaded: what must not be later than the deadline that was left behind. */
  #takeUp(): void {
    const { remains, world } = this;
    if (remains === null || world.breaks.has('unguarded-start')) return;
    const { deadline, lost, entries, proof } = remains;
    const { stopGraceMs, killVerifyMs } = proof.announced?.own ?? this.definitions.domain;
    const from = lost ? Math.min(this.now(), deadline) : deadline;
    if (from === Number.POSITIVE_INFINITY) return;
    const unless = (work: () => void) => () => {
      if (!this.watchdog.alive && this.remains === remains) work();
    };
    const services = entries.map(({ service }) => service);
    this.timerAt(
      from,
      unless(() => this.executor.kill(services, () => {})),
    );
    if (entries.some(({ kernelState }) => kernelState))
      this.timerAt(
        from + stopGraceMs + killVerifyMs,
        unless(() => this.selfFence()),
      );
  }

  #watchdogStarts(copyExpected: boolean): void {
    this.#watchdogDue = false;
    if (this.watchdog.alive) return;
    this.watchdog.start(copyExpected);
    this.arbiter.start();
    this.manager.deliver(() => this.manager.connect());
  }

  /** Without a copy nothing of an earlier life may go on (rule 10). */
  #killLeftOver(done: () => void): void {
    const services = [...this.executor.services.values()];
    const found = services.filter(({ exclusive, pid, runs }) => exclusive && (pid > 0 || runs.size > 0));
    if (found.length === 0) return done();
    this.executor.kill(
      found.map(({ name }) => name),
      done,
    );
  }

  endWatchdog(reason: string): void {
    if (!this.watchdog.alive) return;
    this.world.note('process', this.name, `sm-watchdog ends: ${reason}`);
    this.watchdog.end();
    this.arbiter.end();
    const { manager } = this;
    if (manager.alive) manager.deliver(() => manager.watchdogGone());
    else this.#initRestarts();
  }

  startManager(kill: boolean, reason: string): void {
    if (!this.powered || this.left) return;
    if (this.manager.alive) {
      if (!kill) return;
      this.world.note('process', this.name, `sm is killed: ${reason}`);
      this.manager.end();
    }
    this.manager.start();
  }

  endManager(reason: string): void {
    if (!this.manager.alive) return;
    this.world.note('process', this.name, `sm ends: ${reason}`);
    this.manager.end();
    if (this.watchdog.alive) this.watchdog.post({ type: 'sm.gone', reason });
    else this.#initRestarts();
  }

  /** Other definitions, as in the middle of an update: a new `sm` reads them, and replaces sm-watchdog when it is ready. */
  redefine(): void {
    this.#isUpdated = !this.#isUpdated;
    this.definitions = definitionsOf(this.world.options, this.index, this.#isUpdated);
    this.endManager('other definitions');
    const { life } = this.watchdog;
    const renew = () => {
      if (this.watchdog.life !== life) return;
      if (this.manager.alive && !this.manager.stalled) this.endWatchdog('other definitions');
      else this.#later(RENEWAL_MS[0], renew);
    };
    this.#later(this.rng.between(...RENEWAL_MS), renew);
  }

  /** The orderly end of `sm`, and soon of sm-watchdog, which repeats its last word a little. */
  leave(reason: string): void {
    this.left = true;
    this.endManager(reason);
    const { helloIntervalMs } = this.definitions.domain;
    this.#later(this.clock.trueDuration(2 * helloIntervalMs), () => {
      if (this.left) this.endWatchdog(reason);
    });
  }

  /** Asks `sm` to leave in order, as init does at a shutdown. */
  shutDown(reason: string): void {
    this.leaves = true;
    this.manager.deliver(() => this.manager.post({ type: 'shutdown', actor: 'init', reason }));
  }

  timerAt(local: number, run: () => void): Scheduled {
    const { world } = this;
    const boots = this.#boots;
    const at = this.world.breaks.has('wall-clock') ? local - this.wallStepMs : local;
    const expire = () => {
      if (item.run === null || this.#boots !== boots) return;
      if (this.#standing !== null) return this.awake(again);
      this.clock.advanceTo(at);
      run();
    };
    // The clock stood meanwhile: its time has not come yet.
    const again = () => void world.at(this.clock.trueTime(at), expire);
    const item = world.at(this.clock.trueTime(at), expire);
    return item;
  }

  #initRestarts(): void {
    this.#later(this.rng.between(...INIT_RESTART_MS), () => {
      if (!this.manager.alive && !this.left) this.startWatchdog(false);
    });
  }

  /** Not after the next power-off. */
  #later(delayMs: number, run: () => void): void {
    const boots = this.#boots;
    this.world.after(delayMs, () => {
      if (this.#boots === boots) this.awake(run);
    });
  }
}
