/** The process sm-watchdog of a simulated node: the pure guard of the core with sockets, timers and kills around it. */

import type { GuardFact } from '../core/engine-interface.ts';
import { Guard } from '../core/guard/guard.ts';
import type { GuardEffect, GuardEvent, KillEntry } from '../core/guard/interface.ts';
import type { InterfaceRole } from '../core/kernel/names.ts';
import { ReplayGuard } from '../core/link/replay.ts';
import type { Frame } from '../core/link/types.ts';
import type { ScriptRun } from './executor.ts';
import type { SimNode } from './node.ts';
import { SimProcess } from './process.ts';
import type { Scheduled } from './queue.ts';

export const CLUSTER_ID = 'c1'.repeat(8);
/** The socket pair between the two processes. */
const LOCAL_DELAY_MS: readonly [number, number] = [0.03, 0.3];

export class SimWatchdog extends SimProcess {
  readonly #node: SimNode;
  readonly #timers = new Map<string, Scheduled>();
  #guard: Guard | null = null;
  #replay = new ReplayGuard();
  #processLife = '';
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
    const { world, name, peerName, kernelLife, productUuid, clock, rng } = this.#node;
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
        domain: world.definitions.domain,
        interfaces: world.definitions.interfaces,
        processLife,
        // Broken on purpose: a mere restart of this process looks like the death of everything on the node.
        kernelLife: world.breaks.has('kernel-life') ? processLife : kernelLife,
        productUuid,
        copyExpected,
        breaks: world.breaks,
      },
      (effect) => this.#perform(effect),
    );
    this.#guard = guard;
    this.#call(() => guard.start(clock.read(world.now)));
    for (const role of world.network.roles) this.linkChanged(role);
  }

  override end(): void {
    super.end();
    for (const timer of this.#timers.values()) timer.run = null;
    this.#timers.clear();
    this.#guard = null;
  }

  linkChanged(role: InterfaceRole): void {
    const up = this.#node.carrier(role);
    this.step({ type: 'link', role, up, reason: up ? 'carrier' : 'no carrier' });
  }

  receive(role: InterfaceRole, packet: Frame | Uint8Array): void {
    this.deliver(() => {
      const frame = packet instanceof Uint8Array ? this.#open(role, packet) : this.#admitObject(role, packet);
      if (frame !== null) this.step({ type: 'frame', role, frame });
    });
  }

  #open(role: InterfaceRole, datagram: Uint8Array): Frame | null {
    const { wire } = this.world;
    const { name, peerName } = this.#node;
    return wire === null
      ? null
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

  /** What is left of admission where frames travel as objects: the replay window. */
  #admitObject(role: InterfaceRole, frame: Frame): Frame | null {
    const { processLife, sequence } = frame.header;
    const fresh = this.#replay.admit(processLife, role, sequence);
    return fresh || this.world.breaks.has('replay-window') ? frame : null;
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
    this.#call(() => guard.step(event, this.#node.clock.read(this.world.now)));
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
        world.network.send(node.index, effect.role, effect.frame);
        return;
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
        this.#atOnce(() => node.selfFence());
        return;
      case 'start-sm':
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
    case 'guard.duplicate':
      return 'duplicate identity';
    default:
      return '';
  }
}

export function killEntry(service: string, kernelState: boolean): KillEntry {
  return { service, cgroup: null, pidFile: '', marker: service, kernelState, enabledAt: null };
}
