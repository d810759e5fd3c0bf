/** The process sm-arbiter of a simulated node: the keeper and the fencing of the core between sm-watchdog and the arbiters. */
import { DiskKeeper } from '../core/arbiter/disk-keeper.ts';
import { type FenceEffect, Fencing } from '../core/arbiter/fence.ts';
import { proofOf } from '../core/arbiter/fence-rules.ts';
import type {
  Answer,
  ArbiterFact,
  DiskRequest,
  KeeperEffect,
  KeeperEvent,
  KeeperOptions,
  PeerWord,
  RegisterRequest,
} from '../core/arbiter/interface.ts';
import type { FromArbiter, ToArbiter } from '../core/arbiter/messages.ts';
import { RegisterKeeper } from '../core/arbiter/register-keeper.ts';
import type { TimerEffect } from '../core/kernel/timers.ts';
import type { LifeId } from '../core/link/types.ts';
import type { SimNode } from './node.ts';
import { SimProcess } from './process.ts';
import type { Scheduled } from './queue.ts';

const LOCAL_DELAY_MS: readonly [number, number] = [0.03, 0.3];
const START_MS: readonly [number, number] = [20, 120];
/** sm-watchdog notices that its pipe is closed, and starts another. */
const RESTART_MS: readonly [number, number] = [5, 60];
/** Time on of the fence device whose shot was proven, where it is switched on again. */
const AUDIT_MS = 20_000;

interface Keeper {
  start(now: number): void;
  retell(): void;
  /** Answers of its own arbiter, or what every keeper hears. */
  step(event: KeeperEvent<unknown>, now: number): void;
}

export class SimArbiter extends SimProcess {
  readonly #node: SimNode;
  readonly #timers = new Map<string, Scheduled>();
  #keeper: Keeper | null = null;
  #fencing: Fencing | null = null;
  #word: PeerWord | null = null;
  #starts = 0;
  #lastTellAt = 0;
  #lastPostAt = 0;

  constructor(node: SimNode) {
    super(node.world);
    this.#node = node;
  }

  /** Some time after sm-watchdog has begun, as a child of it. */
  start(): void {
    const { world, rng, definitions } = this.#node;
    if (definitions.arbiters === undefined || this.alive) return;
    const { life } = this.#node.watchdog;
    world.after(rng.between(...START_MS), () => {
      if (this.#node.watchdog.life === life && !this.alive) this.#node.awake(() => this.#begin());
    });
  }

  #begin(): void {
    const node = this.#node;
    this.begin();
    this.#starts += 1;
    this.#fencing = null;
    this.#word = null;
    this.#lastPostAt = 0;
    this.#toWatchdog(() => node.watchdog.step({ type: 'arbiter.connected' }));
    this.#keeper = this.#makeKeeper();
    this.#keeper?.start(node.now());
    this.#audit();
  }

  override end(): void {
    super.end();
    for (const timer of this.#timers.values()) timer.run = null;
    this.#timers.clear();
    this.#keeper = null;
    this.#fencing = null;
  }

  /** SIGKILL: sm-watchdog starts another. */
  die(reason: string): void {
    if (!this.alive) return;
    const { world, watchdog, name, rng } = this.#node;
    world.note('process', name, `sm-arbiter ends: ${reason}`);
    this.end();
    const { life } = watchdog;
    watchdog.after(rng.between(...RESTART_MS), () => {
      if (watchdog.life !== life) return;
      watchdog.step({ type: 'arbiter.gone', reason });
      this.start();
    });
  }

  /** From sm-watchdog, in order. */
  post(message: ToArbiter): void {
    if (!this.alive) return;
    const { world, rng } = this.#node;
    this.#lastPostAt = Math.max(this.#lastPostAt, world.now + rng.between(...LOCAL_DELAY_MS));
    this.after(this.#lastPostAt - world.now, () => this.#receive(message));
  }

  #receive(message: ToArbiter): void {
    const now = this.#node.now();
    switch (message.type) {
      case 'peer':
        this.#word = message.word;
        if (message.word.heard) this.#fencing?.step({ type: 'alive' }, now);
        this.#keeper?.step({ type: 'peer', word: message.word }, now);
        return;
      case 'fence':
        return this.#fence(message.kernelLife, message.delayMs);
      case 'retell':
        return this.#keeper?.retell();
      default:
        this.#keeper?.step(message, now);
    }
  }

  #tell(message: FromArbiter): void {
    const { watchdog, world, name } = this.#node;
    const text = message.type === 'fact' ? factText(message.fact) : '';
    if (text !== '') world.note('guard', name, text);
    this.#toWatchdog(() => watchdog.step({ type: 'arbiter.told', message }));
  }

  #toWatchdog(run: () => void): void {
    const { world, watchdog, rng } = this.#node;
    this.#lastTellAt = Math.max(this.#lastTellAt, world.now + rng.between(...LOCAL_DELAY_MS));
    const { life } = this;
    watchdog.after(this.#lastTellAt - world.now, () => {
      if (this.life === life) run();
    });
  }

  // --- the record ----------------------------------------------------------------------------------------------------

  #makeKeeper(): Keeper | null {
    const node = this.#node;
    const { arbiters, domain } = node.definitions;
    const record = arbiters?.etcd ?? arbiters?.disk;
    if (record === undefined || record === null || node.peerName === null) return null;
    const options: KeeperOptions = {
      node: node.name,
      peer: node.peerName,
      permissionMs: domain.deadIntervalMs,
      stopBoundMs: domain.stopBoundMs,
      kernelLife: node.kernelLife,
      instance: node.rng.fork(`keeper ${node.kernelLife} ${this.#starts}`).hex(8),
      intervalMs: record.stampIntervalMs,
      limitMs: record.requestLimitMs,
      breaks: this.world.breaks,
    };
    const { arbiters: shared } = this.world;
    const now = node.now();
    if (arbiters?.etcd === null) {
      return new DiskKeeper(options, now, (effect: KeeperEffect<DiskRequest>) =>
        this.#perform(effect, (body, limitMs, done) => shared.askDisk(node, body, limitMs, done)),
      );
    }
    const knownRegister = node.disk.register;
    return new RegisterKeeper({ ...options, knownRegister }, now, (effect: KeeperEffect<RegisterRequest>) =>
      this.#perform(effect, (body, limitMs, done) => shared.askRegister(node, body, limitMs, done)),
    );
  }

  #perform<Request>(
    effect: KeeperEffect<Request>,
    ask: (body: Request, limitMs: number, done: (answer: Answer<unknown>) => void) => void,
  ): void {
    const { life } = this;
    switch (effect.type) {
      case 'timer':
        return this.#timer(`keeper/${effect.key}`, effect, (event) =>
          this.#keeper?.step(event, this.#node.now()),
        );
      case 'fact':
        return this.#tell({ type: 'fact', fact: effect.fact });
      case 'ask':
        return ask(effect.body, effect.limitMs, (answer) => {
          if (this.life !== life) return;
          this.deliver(() =>
            this.#keeper?.step({ type: 'answer', request: effect.request, answer }, this.#node.now()),
          );
        });
    }
  }

  // --- fencing -------------------------------------------------------------------------------------------------------

  #fence(kernelLife: LifeId, delayMs: number): void {
    const node = this.#node;
    const { fencing } = node.definitions.arbiters ?? {};
    const device = fencing?.devices.find((each) => each.node === node.peerName);
    if (this.#fencing !== null || fencing === undefined || device === undefined) return;
    const target = {
      node: device.node,
      levels: [[device.name]],
      statusLimitMs: device.statusLimitMs,
      offLimitMs: device.offLimitMs,
      verifyLimitMs: device.verifyLimitMs,
      gapMs: fencing.verifyGapMs,
    };
    this.world.note('guard', node.name, `fences ${device.node}, not before ${Math.round(delayMs)} ms`);
    const run = new Fencing(target, (effect) => this.#performFence(effect, kernelLife), this.world.breaks);
    this.#fencing = run;
    run.start(delayMs, node.now());
  }

  #performFence(effect: FenceEffect, kernelLife: LifeId): void {
    const node = this.#node;
    const { world } = node;
    switch (effect.type) {
      case 'timer':
        return this.#timer(`fence/${effect.key}`, effect, (event) => this.#fencing?.step(event, node.now()));
      case 'power': {
        const { request, action, limitMs } = effect;
        const { life } = this;
        return world.arbiters.askBmc(node, world.node(node.peerName ?? ''), action, limitMs, (answer) => {
          if (this.life !== life) return;
          this.deliver(() => this.#fencing?.step({ type: 'answer', request, answer }, node.now()));
        });
      }
      case 'result': {
        const { result } = effect;
        this.#fencing = null;
        const proof = proofOf(result, kernelLife, node.now());
        world.note(
          'guard',
          node.name,
          `fencing: ${result.outcome}${result.reason === '' ? '' : `: ${result.reason}`}`,
        );
        this.#tell({ type: 'fenced', result, proof });
        if (proof !== null) this.#keeper?.step({ type: 'proof', proof }, node.now());
      }
    }
  }

  /** Its device read on while the peer is heard: what the real one finds out more about. */
  #audit(): void {
    const node = this.#node;
    const device = node.definitions.arbiters?.fencing.devices.find((each) => each.node === node.peerName);
    if (device === undefined) return;
    const { life } = this;
    this.world.arbiters.askBmc(
      node,
      this.world.node(device.node),
      'status',
      device.statusLimitMs,
      (answer) => {
        if (this.life !== life) return;
        const ready = answer.kind === 'known' && !(this.#word?.heard === true && answer.value === 'off');
        const cause = answer.kind === 'unknown' ? answer.cause : ready ? null : ('lying' as const);
        const readiness = {
          arbiter: device.name,
          ready,
          cause,
          reason: ready ? '' : 'not as it should be',
          checkedAt: answer.answeredAt,
          tookMs: answer.answeredAt - answer.askedAt,
        };
        this.deliver(() => this.#tell({ type: 'readiness', readiness }));
        this.after(AUDIT_MS, () => this.#audit());
      },
    );
  }

  #timer(name: string, { key, generation, at }: TimerEffect, expired: (event: TimerEffect) => void): void {
    const armed = this.#timers.get(name);
    if (armed !== undefined) armed.run = null;
    this.#timers.delete(name);
    if (at === null || at === Number.POSITIVE_INFINITY) return;
    const event = { type: 'timer', key, generation, at } as const;
    this.#timers.set(
      name,
      this.#node.timerAt(at, () => this.deliver(() => expired(event), true)),
    );
  }
}

/** What of a fact belongs into a trace; '' = nothing. */
function factText(fact: ArbiterFact): string {
  switch (fact.type) {
    case 'arbiter.numbers': {
      const groups = fact.groups.map(
        ({ group, holder, activation }) => `${group} ${holder || 'nobody'}/${activation}`,
      );
      return `record: ${fact.mode}, ${fact.leader} leads under ${fact.number}; ${groups.join(', ')}`;
    }
    case 'arbiter.limit':
      return 'the record is about to let the peer in';
    case 'arbiter.lost':
      return `the record is lost: ${fact.reason}`;
    case 'arbiter.state':
      return fact.cause === null ? 'the arbiter answers' : `the arbiter: ${fact.cause}: ${fact.reason}`;
    case 'arbiter.wants-proof':
      return fact.wanted ? `a proof is needed: ${fact.reason}` : 'no proof is needed';
    default:
      return '';
  }
}
