/**
 * Faults: a plan drawn before the world begins, so that it can be printed, cut down and repeated. Each fault ends by
 * itself after its duration.
 */
import { regimeOf } from '../core/arbiter/regime.ts';
import type { OperationKind } from '../core/link/types.ts';
import type { ServiceTruth } from './executor.ts';
import { Imposter } from './imposter.ts';
import type { SimNode } from './node.ts';
import { FAULT_KINDS, type FaultKind, type SimOptions } from './options.ts';
import { Prng } from './prng.ts';
import type { World } from './world.ts';

export interface Fault {
  readonly at: number;
  readonly kind: FaultKind;
  /** Index of the node, or of the sender where a direction of a link is meant. */
  readonly node: number;
  /** Picks a link or a service; in [0, 1). */
  readonly which: number;
  readonly durationMs: number;
}

const DURATIONS_MS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  'power-off': [500, 30_000],
  'power-off-both': [500, 15_000],
  'kill-sm': [0, 0],
  'stall-sm': [20, 8000],
  'kill-watchdog': [0, 0],
  'stall-watchdog': [20, 3000],
  'kill-both': [0, 0],
  'crash-in-turn': [0, 4],
  'cut-one-way': [50, 20_000],
  'cut-both-ways': [50, 20_000],
  'cut-all-one-way': [50, 10_000],
  'carrier-down': [50, 20_000],
  'carrier-down-all': [50, 10_000],
  'loss-burst': [200, 10_000],
  'process-death': [0, 0],
  'script-hangs': [0, 0],
  'script-fails': [1, 3],
  'script-lies': [0, 0],
  'script-slow': [0, 0],
  'commit-fails': [50, 15_000],
  'commit-slow': [500, 10_000],
  'delay-burst': [200, 10_000],
  'clock-step': [0, 0],
  'equal-identity': [500, 15_000],
  'stall-twice': [20, 3000],
  shutdown: [1000, 20_000],
  swact: [0, 0],
  'swact-force': [0, 0],
  lock: [0, 0],
  unlock: [0, 0],
  'cut-all': [50, 20_000],
  'stall-node': [50, 5000],
  'pause-node': [50, 5000],
  'disk-rollback': [500, 15_000],
  'arbiter-down': [200, 20_000],
  'arbiter-cut': [100, 15_000],
  'arbiter-late': [500, 10_000],
  'register-restored': [0, 0],
  alone: [200, 10_000],
  'kill-arbiter': [0, 0],
  'stall-arbiter': [20, 5000],
  'bmc-down': [500, 20_000],
  'bmc-lies': [500, 20_000],
  'bmc-wrong': [500, 20_000],
  'confirm-dead': [0, 0],
  'confirm-alive': [0, 0],
  redefine: [0, 0],
  isolated: [50, 20_000],
};

/** Frames of a link wait in full buffers: late, and in order. */
const DELAY_MS_MAX = 2500;
/** A wall clock is set to something that is wrong by up to half a day. */
const CLOCK_STEP_MS: readonly [number, number] = [50, 12 * 3_600_000];
/** The disk that comes back is up to so much older. */
const ROLLBACK_MS_MAX = 60_000;
/** Between two stalls of the same process. */
const BREATH_MS: readonly [number, number] = [1, 60];

/** A commit of a slow disk: from hardly noticed to long enough that `sm` counts as hung. */
const SLOW_COMMIT_MS: readonly [number, number] = [20, 2500];

export function drawPlan(options: SimOptions): Fault[] {
  const plan: Fault[] = [];
  const endMs = options.minutes * 60_000;
  for (const kind of FAULT_KINDS) {
    const interval = options.faults[kind];
    if (interval === undefined) continue;
    const rng = new Prng(`plan/${options.seed}/${kind}`);
    const [from, to] = DURATIONS_MS[kind];
    for (let at = rng.exponential(interval); at < endMs; at += rng.exponential(interval)) {
      // Short ones are as likely as long ones: many faults hide in the first second.
      const durationMs = to > 4 ? from * (to / from) ** rng.float() : rng.integer(from, to);
      const node = rng.integer(0, options.nodes.length - 1);
      plan.push({ at, kind, node, which: rng.float(), durationMs: Math.round(durationMs) });
    }
  }
  return plan.sort((a, b) => a.at - b.at);
}

export class FaultInjector {
  readonly #world: World;
  #commitFaults = new Map<SimNode, number>();
  readonly #snapshots = new Map<Fault, () => void>();
  /** No other machine uses a name, and nothing is brought back, after this time: the end of all faults. */
  #endedAt = Number.POSITIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
  }

  schedule(plan: readonly Fault[]): void {
    for (const fault of plan) {
      if (fault.kind === 'disk-rollback') this.#takeSnapshot(fault);
      this.#world.at(fault.at, () => this.#inject(fault));
    }
  }

  #takeSnapshot(fault: Fault): void {
    const { disk } = this.#world.nodes[fault.node] as SimNode;
    this.#world.at(fault.at - fault.which * ROLLBACK_MS_MAX, () =>
      this.#snapshots.set(fault, disk.snapshot()),
    );
  }

  /** Ends every fault: from here on the world is well. */
  healAll(): void {
    const world = this.#world;
    world.note('fault', '', 'all faults end');
    world.network.healAll();
    world.arbiters.healAll();
    this.#commitFaults.clear();
    this.#endedAt = world.now;
    for (const node of world.nodes) {
      node.clearCarrierFaults();
      node.disk.failing = false;
      node.disk.slowMs = 0;
      node.goOn();
      node.watchdog.resume();
      node.arbiter.resume();
      node.manager.resume();
      for (const service of node.executor.services.values()) service.faults.length = 0;
      // Who left in order comes back with the next boot only.
      if (node.left || node.leaves) node.powerOff();
      node.powerOn();
    }
  }

  #inject(fault: Fault): void {
    const node = this.#world.nodes[fault.node];
    if (node === undefined) return;
    const done = this.#apply(fault, node);
    this.#world.count(done ? fault.kind : 'skipped');
    if (done)
      this.#world.note(
        'fault',
        node.name,
        `${fault.kind} ${done}${fault.durationMs > 4 ? ` ${fault.durationMs} ms` : ''}`,
      );
  }

  /** What was done, for the trace; '' = it does not apply now. */
  #apply(fault: Fault, node: SimNode): string {
    const { kind, durationMs } = fault;
    switch (kind) {
      case 'power-off':
        return this.#powerOff([node], durationMs);
      case 'power-off-both':
        return this.#powerOff(this.#world.nodes, durationMs);
      case 'disk-rollback':
        return this.#rollBack(fault, node);
      case 'shutdown':
        return this.#shutDown(node, durationMs);
      case 'clock-step':
        return stepClock(fault, node);
      case 'equal-identity':
        return this.#useName(node, durationMs);
      case 'kill-sm':
      case 'stall-sm':
      case 'kill-watchdog':
      case 'stall-watchdog':
      case 'kill-both':
      case 'redefine':
      case 'stall-twice':
      case 'stall-node':
      case 'pause-node':
      case 'crash-in-turn':
        return this.#disturbProcess(fault, node);
      case 'cut-one-way':
      case 'cut-both-ways':
      case 'cut-all-one-way':
      case 'cut-all':
      case 'carrier-down':
      case 'carrier-down-all':
      case 'isolated':
      case 'loss-burst':
      case 'delay-burst':
        return this.#disturbNetwork(fault, node);
      case 'process-death':
      case 'script-hangs':
      case 'script-fails':
      case 'script-lies':
      case 'script-slow':
        return this.#disturbService(fault, node);
      case 'commit-fails':
      case 'commit-slow':
        return this.#disturbDisk(fault, node);
      case 'arbiter-down':
      case 'arbiter-cut':
      case 'arbiter-late':
      case 'register-restored':
      case 'alone':
      case 'kill-arbiter':
      case 'stall-arbiter':
      case 'bmc-down':
      case 'bmc-lies':
      case 'bmc-wrong':
        return this.#disturbArbiter(fault, node);
      case 'confirm-dead':
      case 'confirm-alive':
        return this.#confirm(kind === 'confirm-dead', node);
      case 'swact':
      case 'swact-force':
      case 'lock':
      case 'unlock':
        return this.#command(kind, fault, node);
    }
  }

  #powerOff(nodes: readonly SimNode[], durationMs: number): string {
    const world = this.#world;
    const powered = nodes.filter((node) => node.powered);
    for (const node of powered) {
      node.powerOff();
      world.after(durationMs, () => node.powerOn());
    }
    return powered.length > 0 ? powered.map(({ name }) => name).join(' ') : '';
  }

  /** Power off, and a disk from earlier when it comes back. */
  #rollBack(fault: Fault, node: SimNode): string {
    const restore = this.#snapshots.get(fault);
    if (!node.powered || restore === undefined) return '';
    const done = this.#powerOff([node], fault.durationMs);
    restore();
    this.#world.checkers.rolledBack(node);
    return done;
  }

  /** `sm` leaves in order; the machine boots again after a while, whatever it still waits for. */
  #shutDown(node: SimNode, durationMs: number): string {
    if (!node.powered || !node.manager.alive || node.left) return '';
    node.shutDown('drawn');
    this.#world.after(durationMs, () => {
      if (!node.left && !node.leaves) return;
      node.powerOff();
      node.powerOn();
    });
    return node.name;
  }

  /** Another machine with the same key sends heartbeats in the name of this node, to it and to its peer. */
  #useName(node: SimNode, durationMs: number): string {
    const world = this.#world;
    if (world.nodes.length < 2) return '';
    const until = world.now + durationMs;
    const imposter = new Imposter(world, node.name, world.rng.fork(`imposter at ${world.now}`));
    const send = () => {
      if (world.now >= Math.min(until, this.#endedAt)) return;
      imposter.hello();
      world.after(node.definitions.domain.helloIntervalMs, send);
    };
    send();
    return node.name;
  }

  /** Never both processes of a node stopped at once, nor one while the other is away: that is class `resume`. */
  #disturbProcess({ kind, which, durationMs }: Fault, node: SimNode): string {
    const { manager, watchdog, name } = node;
    if (!node.powered || !manager.alive || !watchdog.alive) return '';
    if (kind !== 'stall-node' && kind !== 'pause-node' && (manager.stalled || watchdog.stalled)) return '';
    switch (kind) {
      case 'kill-sm':
        node.endManager('SIGKILL');
        return name;
      case 'kill-watchdog':
        node.endWatchdog('SIGKILL');
        return name;
      case 'kill-both':
        node.endManager('SIGKILL');
        node.endWatchdog('SIGKILL');
        return name;
      case 'crash-in-turn':
        manager.crashAfter(durationMs);
        return name;
      case 'stall-sm':
        manager.stall(durationMs);
        return name;
      case 'stall-watchdog':
        watchdog.stall(durationMs);
        return name;
      case 'stall-twice':
        return this.#stallTwice(node, which, durationMs);
      case 'redefine':
        node.redefine();
        return name;
      case 'pause-node':
        node.pause();
        this.#world.after(durationMs, () => node.goOn());
        return name;
      default:
        manager.stall(durationMs);
        watchdog.stall(durationMs);
        return name;
    }
  }

  /** Between the two it runs for a moment: long enough to take in something, maybe not all. */
  #stallTwice(node: SimNode, which: number, durationMs: number): string {
    const stalled = which < 0.5 ? node.manager : node.watchdog;
    const other = which < 0.5 ? node.watchdog : node.manager;
    const [from, to] = BREATH_MS;
    const { life } = stalled;
    stalled.stall(durationMs);
    this.#world.after(durationMs + from + (to - from) * ((which * 2) % 1), () => {
      if (stalled.life === life && other.alive && !other.stalled) stalled.stall(durationMs);
    });
    return `${node.name} ${which < 0.5 ? 'sm' : 'sm-watchdog'}`;
  }

  #disturbNetwork({ kind, which, durationMs }: Fault, node: SimNode): string {
    const { network, nodes } = this.#world;
    if (nodes.length < 2) return '';
    const all = kind.includes('all') || kind === 'isolated';
    const role = network.roles[Math.floor(which * network.roles.length)];
    const roles = all ? network.roles : role === undefined ? [] : [role];
    const from = kind === 'cut-both-ways' || kind === 'cut-all' ? [0, 1] : [node.index];
    const what = `${roles.join(' ')} ${kind.startsWith('carrier') ? 'at' : 'from'} ${from.map((index) => nodes[index]?.name).join(' and ')}`;
    const change = (on: boolean) => {
      for (const link of roles) {
        if (kind.startsWith('carrier')) node.carrierFault(link, on ? 1 : -1);
        else if (kind === 'isolated') network.isolate(link, node.index, on ? 1 : -1);
        else if (kind === 'loss-burst') network.lose(link, node.index, on ? 0.1 + 0.4 * which : 0);
        else if (kind === 'delay-burst')
          network.delay(link, node.index, on ? DELAY_MS_MAX * ((which * 7) % 1) ** 2 : 0);
        else for (const index of from) on ? network.cut(link, index) : network.heal(link, index);
      }
    };
    change(true);
    // Its gateways tell that node that it is cut off.
    if (kind !== 'isolated' && !this.#bearable()) {
      change(false);
      return '';
    }
    this.#world.after(durationMs, () => change(false));
    return what;
  }

  /**
   * Under policy `takeover` two live nodes must not be parted in the middle: some frame has to get through in some
   * direction, or what parts them is a carrier that one of them sees as down (docs/SAFETY.md, assumptions).
   */
  #bearable(): boolean {
    const { network, options, nodes } = this.#world;
    if (regimeOf(this.#world.definitions) !== 'takeover' || options.worldClass === 'cut') return true;
    const bounds = nodes.map(({ definitions: { domain } }) => domain.deadIntervalMs + domain.stopBoundMs);
    return network.connected() || network.middleWhole(3 * Math.max(...bounds));
  }

  #disturbService({ kind, which, durationMs }: Fault, node: SimNode): string {
    if (!node.powered) return '';
    const services = [...node.executor.services.values()];
    const running = services.filter(({ pid }) => pid > 0);
    const pool: readonly ServiceTruth[] = kind === 'process-death' ? running : services;
    const service = pool[Math.floor(which * pool.length)];
    if (service === undefined) return '';
    if (kind === 'process-death') node.executor.processDies(service);
    else if (kind === 'script-hangs') service.faults.push('hangs');
    else if (kind === 'script-lies') service.faults.push('lies');
    else if (kind === 'script-slow') service.faults.push('slow');
    else for (let i = 0; i < durationMs; i++) service.faults.push('fails');
    return service.name;
  }

  #disturbDisk({ kind, which, durationMs }: Fault, node: SimNode): string {
    const world = this.#world;
    if (!node.powered) return '';
    if (kind === 'commit-slow') {
      const slowMs = Math.round(SLOW_COMMIT_MS[0] * (SLOW_COMMIT_MS[1] / SLOW_COMMIT_MS[0]) ** which);
      node.disk.slowMs = slowMs;
      world.after(durationMs, () => {
        if (node.disk.slowMs === slowMs) node.disk.slowMs = 0;
      });
      return `${node.name} by ${slowMs} ms`;
    }
    node.disk.failing = true;
    const count = (this.#commitFaults.get(node) ?? 0) + 1;
    this.#commitFaults.set(node, count);
    world.after(durationMs, () => {
      if (this.#commitFaults.get(node) === count) node.disk.failing = false;
    });
    return node.name;
  }

  #disturbArbiter({ kind, which, durationMs }: Fault, node: SimNode): string {
    const world = this.#world;
    const { arbiters, network } = world;
    const { index, name } = node;
    const during = (change: (by: 1 | -1) => void): string => {
      change(1);
      world.after(durationMs, () => change(-1));
      return name;
    };
    switch (kind) {
      case 'arbiter-down':
        return during((by) => arbiters.stop(by));
      case 'arbiter-cut':
        return during((by) => arbiters.cut(index, by));
      case 'arbiter-late':
        return during((by) => arbiters.late(by > 0 ? 0.05 + 0.5 * which : 0));
      case 'alone':
        return during((by) => {
          arbiters.cut(index, by);
          for (const role of network.roles)
            for (const from of [0, 1]) by > 0 ? network.cut(role, from) : network.heal(role, from);
        });
      case 'kill-arbiter':
        if (!node.arbiter.alive) return '';
        node.arbiter.die('SIGKILL');
        return name;
      case 'stall-arbiter':
        if (!node.arbiter.alive) return '';
        node.arbiter.stall(durationMs);
        return name;
      case 'bmc-down':
      case 'bmc-lies':
        return during((by) => arbiters.bmcFault(index, kind === 'bmc-down' ? 'down' : 'lies', by));
      case 'bmc-wrong':
        return during((by) => arbiters.plug(index, by > 0 ? { on: which < 0.5 } : null));
      default:
        return this.#restoreRegister(which);
    }
  }

  /** Brought back as it was up to a minute before, while the pair sees each other. */
  #restoreRegister(which: number): string {
    const world = this.#world;
    const restore = world.arbiters.register.snapshot();
    const laterMs = which * ROLLBACK_MS_MAX;
    world.after(laterMs, () => {
      if (world.now > this.#endedAt) return;
      const met = world.nodes.every(({ manager }) => {
        const view = manager.engine?.view(0);
        return view?.peer?.exchanged === true;
      });
      if (!met) return;
      restore();
      if (which < 0.5) world.arbiters.register.identity = `restored at ${Math.round(world.now)}`;
      world.note('fault', '', `the register is as it was ${Math.round(laterMs)} ms ago`);
    });
    return 'later';
  }

  /** An operator at the other node. `truly`: has seen that it has no power, and keeps it so for a while. */
  #confirm(truly: boolean, node: SimNode): string {
    const asked = this.#world.nodes[1 - node.index];
    if (asked === undefined || !asked.manager.alive || node.powered === truly) return '';
    this.#world.command(asked, { kind: 'confirm-dead', node: node.name, why: 'drawn' });
    return node.name;
  }

  #command(kind: OperationKind, { which }: Fault, node: SimNode): string {
    const asked = this.#world.nodes[which < 0.5 ? 0 : 1] ?? node;
    if (!asked.manager.alive) return '';
    this.#world.command(asked, { kind, node: node.name, group: '', why: 'drawn', forMs: 0 });
    return `${node.name} asked at ${asked.name}`;
  }
}

function stepClock({ which }: Fault, node: SimNode): string {
  const [from, to] = CLOCK_STEP_MS;
  const size = Math.round(from * (to / from) ** ((which * 2) % 1));
  node.wallStepMs = which < 0.5 ? -size : size;
  return `${node.name} to ${node.wallStepMs} ms off`;
}
