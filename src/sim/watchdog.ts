/** The process sm-watchdog of a simulated node: the pure guard of the core with sockets, timers and kills around it. */

import { canFence, regimeOf } from '../core/arbiter/regime.ts';
import type { GuardFact } from '../core/engine-interface.ts';
import { Guard } from '../core/guard/guard.ts';
import type { GuardEffect, GuardEvent, KillEntry } from '../core/guard/interface.ts';
import type { InterfaceRole } from '../core/kernel/names.ts';
import type { Admission } from '../core/link/admission.ts';
import { ReplayGuard } from '../core/link/replay.ts';
import type { Frame } from '../core/link/types.ts';
import type { ScriptRun } from './executor.ts';
import type { SimNode } from './node.ts';
import { SimProcess } from './process.ts';
import type { Scheduled } from './queue.ts';
import type { Receiver } from './sabotage.ts';

export const CLUSTER_ID = 'c1'.repeat(8);
/** The socket pair between the two processes. */
const LOCAL_DELAY_MS: readonly [number, number] = [0.03, 0.3];

export class SimWatchdog extends SimProcess {
  readonly #node: SimNode;
  readonly #timers = new Map<string, Scheduled>();
  #guard: Guard | null = null;
  #replay = new ReplayGuard();
  #processLife = '';
  #lastSequence = 0;
  #taken = new WeakSet<Frame | Uint8Array>();
  /** Only where `seq-order` is broken. */
  readonly #renumbers = new Map<number, number>();
  #lastTellAt = 0;
  #lastPostAt = 0;

  constructor(node: SimNode) {
    super(node.world);
    this.#node = node;
  }

  get guard(): Guard | null {
    return this.#guard;
  }

  start(copyExpected: boolean): void {
    const { world, name, peerName, kernelLife, productUuid, definitions, rng } = this.#node;
    this.begin();
    this.#timers.clear();
    this.#replay = new ReplayGuard();
    const processLife = rng.hex(16);
    this.#processLife = processLife;
    world.note('process', name, `sm-watchdog starts${copyExpected ? ', a copy is expected' : ''}`);
    const guard = new Guard(
      {
        node: name,
        peer: peerName,
        clusterId: CLUSTER_ID,
        domain: definitions.domain,
        interfaces: definitions.interfaces,
        processLife,
        // Broken on purpose: a mere restart of this process looks like the death of everything on the node.
        kernelLife: world.breaks.has('kernel-life') ? processLife : kernelLife,
        productUuid,
        regime: regimeOf(definitions),
        fences: peerName !== null && canFence(definitions, peerName),
        copyExpected,
        inherited: () => (world.breaks.has('unguarded-start') ? null : this.#node.remains),
        breaks: world.breaks,
      },
      (effect) => this.#perform(effect),
    );
    this.#guard = guard;
    this.#lastSequence = 0;
    this.#taken = new WeakSet();
    this.#renumbers.clear();
    if (world.breaks.has('count-from-start')) this.#liveBefore(guard);
    else this.#call(() => guard.start(this.#node.now()));
    for (const role of world.network.roles) this.linkChanged(role);
  }

  /** Broken on purpose: the silence before this process lived counts as one that it listened to. */
  #liveBefore(guard: Guard): void {
    const { helloIntervalMs, waitIntervalMs, deadIntervalMs } = this.#node.definitions.domain;
    const now = this.#node.now();
    let at = now - waitIntervalMs - 2 * deadIntervalMs;
    this.#call(() => guard.start(at));
    for (; at < now; at += helloIntervalMs) {
      for (const role of this.world.network.roles) {
        const up = this.#node.carrier(role);
        guard.step({ type: 'link', role, up, reason: up ? 'carrier' : 'no carrier' }, at);
      }
    }
  }

  override end(): void {
    super.end();
    for (const timer of this.#timers.values()) timer.run = null;
    this.#timers.clear();
    if (this.#guard?.awaitsCopy === false) this.#node.remains = this.#guard.remains();
    this.#guard = null;
  }

  linkChanged(role: InterfaceRole): void {
    const up = this.#node.carrier(role);
    if (!up && this.world.breaks.has('carrier-watch')) return;
    this.step({ type: 'link', role, up, reason: up ? 'carrier' : 'no carrier' });
  }

  receive(role: InterfaceRole, packet: Frame | Uint8Array): void {
    this.deliver(() => {
      const admission =
        packet instanceof Uint8Array ? this.#open(role, packet) : this.#admitObject(role, packet);
      if (admission.verdict === 'dropped') return;
      if (admission.verdict === 'duplicate-identity') return this.#onDuplicate(admission.frame);
      const { world, name } = this.#node;
      if (this.#taken.has(packet))
        world.violation('no-replay', name, '', `one datagram is taken twice on ${role}`);
      this.#taken.add(packet);
      const frame = world.sabotage.frame(this.#renumbered(admission.frame), () => this.#receiver());
      this.step({ type: 'frame', role, frame });
    });
  }

  /** Broken on purpose: every frame that comes is the newest one; what goes out echoes as if nothing had happened. */
  #renumbered(frame: Frame): Frame {
    if (!this.world.breaks.has('seq-order')) return frame;
    const sequence = this.#renumbers.size + 1;
    this.#renumbers.set(sequence, frame.header.sequence);
    return { ...frame, header: { ...frame.header, sequence } };
  }

  #sendFrame(role: InterfaceRole, frame: Frame): void {
    const echoSequence = this.#renumbers.get(frame.header.echoSequence) ?? frame.header.echoSequence;
    const spoilt = this.#renumbers.size > 0;
    this.#lastSequence = frame.header.sequence;
    this.world.network.send(
      this.#node.index,
      role,
      spoilt ? { ...frame, header: { ...frame.header, echoSequence } } : frame,
    );
  }

  #onDuplicate({ header: { processLife, kernelLife, productUuid } }: Frame): void {
    this.world.checkers.sameNameHeard(this.#node);
    if (this.world.breaks.has('duplicate-identity')) return;
    this.step({ type: 'duplicate', processLife, kernelLife, productUuid });
  }

  #receiver(): Receiver {
    const { deadIntervalMs, stopBoundMs } = this.#node.definitions.domain;
    return {
      processLife: this.#processLife,
      lastSequence: this.#lastSequence,
      deadIntervalMs,
      stopBoundMs,
    };
  }

  #open(role: InterfaceRole, datagram: Uint8Array): Admission {
    const { wire } = this.world;
    const { name, peerName } = this.#node;
    return wire === null
      ? { verdict: 'dropped', cause: 'malformed' }
      : wire.open(
          datagram,
          {
            clusterId: CLUSTER_ID,
            role,
            authType: 'hmac-sha512',
            ownName: name,
            peerName: peerName ?? '',
            ownProcessLife: this.#processLife,
            ownEarlierLives: [],
          },
          this.#replay,
        );
  }

  /** What is left of admission where frames travel as objects: who speaks, and the replay window. */
  #admitObject(role: InterfaceRole, frame: Frame): Admission {
    const { processLife, sequence, sender } = frame.header;
    const fresh = this.#replay.admit(processLife, role, sequence);
    if (!fresh && !this.world.breaks.has('replay-window')) return { verdict: 'dropped', cause: 'replayed' };
    return { verdict: sender === this.#node.name ? 'duplicate-identity' : 'accepted', frame };
  }

  /** From `sm`, over the socket pair, in order. */
  post(event: GuardEvent): void {
    const { world, rng } = this.#node;
    this.#lastPostAt = Math.max(this.#lastPostAt, world.now + rng.between(...LOCAL_DELAY_MS));
    this.after(this.#lastPostAt - world.now, () => this.step(event));
  }

  step(event: GuardEvent): void {
    const guard = this.#guard;
    if (guard === null) return;
    this.#call(() => guard.step(event, this.#node.now()));
  }

  /** A broken assertion ends the process, as it does in the real one. */
  #call(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.world.broken(this.#node, 'sm-watchdog', error);
      this.#node.endWatchdog('broken assertion');
    }
  }

  #perform(effect: GuardEffect): void {
    const node = this.#node;
    const { world } = node;
    switch (effect.type) {
      case 'send':
        return this.#sendFrame(effect.role, effect.frame);
      case 'tell':
        this.#tell(effect.fact);
        return;
      case 'listed': {
        const { run, ok, reason } = effect;
        this.#toManager(() => node.manager.listed(run, ok, reason));
        return;
      }
      case 'freeze':
        node.executor.freeze(effect.services, effect.frozen);
        return;
      case 'kill':
        world.note('guard', node.name, `kills ${effect.services.join(' ')}: ${effect.reason}`);
        this.#atOnce(() => this.#kill(effect));
        return;
      case 'self-fence':
        world.note('guard', node.name, `fences itself: ${effect.reason}`);
        if (world.breaks.has('self-fence')) return;
        this.#atOnce(() => node.selfFence());
        return;
      case 'ask-arbiter':
        node.arbiter.post(effect.message);
        return;
      case 'start-sm':
        if (!world.breaks.has('restart-sm') || effect.reason === 'start')
          node.startManager(effect.kill, effect.reason);
        return;
      case 'timer':
        this.#timer(effect);
    }
  }

  /** Removal waits for nothing (rule 9), unless just that is broken on purpose: then it waits for a working store. */
  #atOnce(remove: () => void): void {
    if (!this.world.breaks.has('commit-before-kill') || !this.#node.disk.failing) return remove();
    this.after(20, () => this.#atOnce(remove));
  }

  #kill({ services, lostAt }: Extract<GuardEffect, { type: 'kill' }>): void {
    const { life } = this;
    const { executor, manager, clock } = this.#node;
    const spared = (run: ScriptRun) =>
      manager.alive && run.effect.token === null && clock.read(run.startedAt) >= lostAt;
    executor.kill(
      services,
      (survivors) => {
        if (this.life === life) this.deliver(() => this.step({ type: 'killed', services, survivors }));
      },
      spared,
    );
  }

  #tell(fact: GuardFact): void {
    const { world, name } = this.#node;
    if (fact.type === 'guard.peer' && fact.heard) this.#replay.confirm(fact.processLife);
    const text = factText(fact);
    if (text !== '') world.note('guard', name, text);
    this.#toManager(() => this.#node.manager.fact(fact));
  }

  #toManager(run: () => void): void {
    const { world, manager, rng } = this.#node;
    this.#lastTellAt = Math.max(this.#lastTellAt, world.now + rng.between(...LOCAL_DELAY_MS));
    const { life } = this;
    manager.after(this.#lastTellAt - world.now, () => {
      if (this.life === life) run();
    });
  }

  #timer({ key, generation, at }: Extract<GuardEffect, { type: 'timer' }>): void {
    const armed = this.#timers.get(key);
    if (armed !== undefined) armed.run = null;
    this.#timers.delete(key);
    if (at === null || at === Number.POSITIVE_INFINITY) return;
    this.#timers.set(
      key,
      this.#node.timerAt(at, () => this.deliver(() => this.step({ type: 'timer', key, generation }), true)),
    );
  }
}

/** What of a fact belongs into a trace; '' = nothing. */
function factText(fact: GuardFact): string {
  switch (fact.type) {
    case 'guard.peer':
      if (fact.heard) return `hears the peer${fact.newKernelLife ? ', rebooted' : ''}`;
      return `peer not heard, ${fact.mayTake ? 'may' : 'may not'} take over: ${fact.reason}`;
    case 'guard.lost':
      return `permission lost: ${fact.reason}`;
    case 'guard.announcement':
      return fact.number > 0 ? `peer announces ${fact.number}` : 'announcement ended';
    case 'guard.silence-broken':
      return 'silence broken';
    case 'guard.granted':
      return `may replace the peer: ${fact.reason}`;
    case 'guard.refused':
      return `${fact.what} refused: ${fact.reason}`;
    case 'guard.duplicate':
      return fact.processLife === ''
        ? 'nobody else uses this name any more'
        : 'another machine uses this name';
    default:
      return '';
  }
}

export function killEntry(service: string, kernelState: boolean): KillEntry {
  return { service, cgroup: null, pidFile: '', marker: service, kernelState, enabledAt: null };
}
