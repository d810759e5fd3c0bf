/** The process sm-arbiter of a simulated node: the keeper and the fencing of the core between sm-watchdog and the arbiters. */
import { DiskKeeper } from '../core/arbiter/disk-keeper.ts';
import { type FenceEffect, Fencing } from '../core/arbiter/fence.ts';
import { FenceAudits, levelsOf, usableLevels } from '../core/arbiter/fence-audits.ts';
import { deviceReadiness, proofOf } from '../core/arbiter/fence-rules.ts';
import type {
  Answer,
  ArbiterFact,
  DiskRequest,
  KeeperEffect,
  KeeperEvent,
  KeeperOptions,
  PeerWord,
  Readiness,
  RegisterRequest,
} from '../core/arbiter/interface.ts';
import type { FromArbiter, ToArbiter } from '../core/arbiter/messages.ts';
import { RegisterKeeper } from '../core/arbiter/register-keeper.ts';
import type { GatewayDefinition } from '../core/definitions/arbiter-model.ts';
import type { TimerEffect } from '../core/kernel/timers.ts';
import type { LifeId } from '../core/link/types.ts';
import type { BmcReading } from './arbiters.ts';
import type { SimNode } from './node.ts';
import { SimProcess } from './process.ts';
import type { Scheduled } from './queue.ts';

const LOCAL_DELAY_MS: readonly [number, number] = [0.03, 0.3];
const START_MS: readonly [number, number] = [20, 120];
/** sm-watchdog notices that its pipe is closed, and starts another. */
const RESTART_MS: readonly [number, number] = [5, 60];
/** Between two audits of the fence device of the peer. */
const AUDIT_MS = 20_000;
/** After so many dead intervals a peer that lost its power is not heard any more. */
const SILENCES = 2;

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
  #audits = new FenceAudits();
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
    this.#audits = new FenceAudits();
    this.#word = null;
    this.#lastPostAt = 0;
    this.#toWatchdog(() => node.watchdog.step({ type: 'arbiter.connected' }));
    this.#keeper = this.#makeKeeper();
    this.#keeper?.start(node.now());
    this.#auditAgain();
    for (const gateway of this.#node.definitions.arbiters?.gateways ?? []) this.#ping(gateway);
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
        return this.#onPeer(message.word, now);
      case 'fence':
        return this.#fence(message);
      case 'replaced':
        return;
      case 'retell':
        return this.#keeper?.retell();
      default:
        this.#keeper?.step(message, now);
    }
  }

  #onPeer(word: PeerWord, now: number): void {
    const before = this.#word;
    this.#word = word;
    if (word.lastReceiptAt > (before?.lastReceiptAt ?? Number.NEGATIVE_INFINITY))
      this.#fencing?.step({ type: 'alive' }, now);
    if (word.heard && before?.heard !== true && this.#audits.tied.length === 0) this.#audit();
    this.#keeper?.step({ type: 'peer', word }, now);
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

  #fence({ kernelLife, window, tied }: Extract<ToArbiter, { type: 'fence' }>): void {
    const node = this.#node;
    const { fencing } = node.definitions.arbiters ?? {};
    if (this.#fencing !== null || fencing === undefined || node.peerName === null) return;
    this.#audits.vouch(tied, node.now());
    const { levels, doubts } = usableLevels(levelsOf(fencing.devices, node.peerName), this.#audits);
    const target = { node: node.peerName, levels, doubts, gapMs: fencing.verifyGapMs };
    const inMs = (at: number): number => Math.round(at - node.now());
    const when =
      window === null
        ? 'at once'
        : `after ${Math.max(0, inMs(window.from))} ms, and not after ${inMs(window.until)}`;
    this.world.note('guard', node.name, `fences ${node.peerName} ${when}`);
    const run = new Fencing(target, (effect) => this.#performFence(effect, kernelLife), this.world.breaks);
    this.#fencing = run;
    run.start(window, node.now());
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
        return world.arbiters.askBmc(node, world.node(node.peerName ?? ''), action, limitMs, (reading) => {
          if (this.life !== life) return;
          const answer = only('power', reading);
          this.deliver(() => this.#fencing?.step({ type: 'answer', request, answer }, node.now()));
        });
      }
      case 'result': {
        const { result } = effect;
        this.#fencing = null;
        const proof = proofOf(result, kernelLife, this.#word?.lastReceiptAt ?? Number.NEGATIVE_INFINITY);
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

  #auditAgain(): void {
    this.#audit();
    this.after(AUDIT_MS, () => this.#auditAgain());
  }

  /** As the real one: what was read while the peer is heard counts when it is still heard long enough after it. */
  #audit(): void {
    const node = this.#node;
    const { arbiters, domain } = node.definitions;
    const device = arbiters?.fencing.devices.find((each) => each.node === node.peerName);
    if (device === undefined) return;
    const { life } = this;
    const peer = this.world.node(device.node);
    const heardBefore = this.#word?.heard === true;
    this.world.arbiters.askBmc(node, peer, 'status', device.statusLimitMs, (reading) => {
      if (this.life !== life) return;
      const power = only('power', reading);
      const isOff = power.kind === 'known' && power.value === 'off';
      this.after(heardBefore && isOff ? SILENCES * domain.deadIntervalMs : 0, () => {
        const heard = heardBefore && this.#word?.heard === true;
        const identity = heard ? only('identity', reading) : null;
        const known = heard ? { node: device.node, productUuid: peer.productUuid } : null;
        this.#audited(deviceReadiness({ device: device.name, power, identity, peer: known }));
      });
    });
  }

  #audited(judged: Readiness): void {
    const readiness = this.world.breaks.has('device-tie') ? { ...judged, tie: 'tied' as const } : judged;
    this.deliver(() => {
      this.#audits.note(readiness);
      this.#tell({ type: 'readiness', readiness });
    });
  }

  /** An answer comes at once; that none comes is known after the limit. */
  #ping(gateway: GatewayDefinition): void {
    const { world, index, clock } = this.#node;
    const { role, pingIntervalMs, pingLimitMs } = gateway;
    const answers = world.network.reachesGateway(role, index);
    const tookMs = clock.trueDuration(answers ? 1 : pingLimitMs);
    this.after(tookMs, () => this.#tell({ type: 'gateway', role, answers, reason: '' }));
    this.after(tookMs + clock.trueDuration(pingIntervalMs), () => this.#ping(gateway));
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

/** One of the two things that a fence device tells. */
function only<Name extends keyof BmcReading>(
  name: Name,
  answer: Answer<BmcReading>,
): Answer<BmcReading[Name]> {
  return answer.kind === 'known' ? { ...answer, value: answer.value[name] } : answer;
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
