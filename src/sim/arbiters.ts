/**
 * The arbiters of a simulated world, as an adversary would run them: a register that is linearizable while everything
 * around it goes wrong, a disk whose I/O hangs and lands late, and the BMC of each node, which may lie.
 */

import type { PowerAction, PowerAnswer } from '../core/arbiter/fence.ts';
import type {
  Answer,
  ArbiterCause,
  DiskReply,
  DiskRequest,
  RegisterReply,
  RegisterRequest,
} from '../core/arbiter/interface.ts';
import type { SimNode } from './node.ts';
import type { Prng } from './prng.ts';
import { RegisterModel } from './register.ts';
import type { World } from './world.ts';

/** A request that takes its time is done when nobody waits for it any more. */
const LATE_MS: readonly [number, number] = [50, 4000];
const BMC_MS: readonly [number, number] = [20, 150];
const BMC_OFF_MS: readonly [number, number] = [100, 1200];
/** Of a slow one; just within what the definitions give it. */
const BMC_SLOW_OFF_MS = 2900;
/** After a node was shot somebody comes and switches it on again. */
const SHOT_FOR_MS: readonly [number, number] = [2000, 12_000];

type Done<Value> = (answer: Answer<Value>) => void;

/** Does not answer; says done and does nothing; takes long to switch off. */
export type BmcFault = 'down' | 'lies' | 'slow';

/** What a fence device tells: power, and whose machine it has the power of. */
export interface BmcReading {
  readonly power: PowerAnswer;
  readonly identity: string;
}

/** Whose product UUID no node has. */
const ANOTHER_MACHINE = '0'.repeat(16);

export class SimArbiters {
  readonly #world: World;
  readonly #rng: Prng;
  readonly register: RegisterModel;
  readonly #sectors = ['', ''];
  /** The I/O of each node that is not over; nothing else is begun beside it, whoever asks. */
  readonly #hung: (symbol | null)[] = [null, null];
  /** How many faults are in the way of each node. */
  readonly #cuts = [0, 0];
  #down = 0;
  /** Everything is late for so often. */
  #lateShare = 0;
  readonly #bmcFaults: Readonly<Record<BmcFault, number[]>> = { down: [0, 0], lies: [0, 0], slow: [0, 0] };
  /** The machine that has the fence device of each node instead of it. */
  readonly #wrong: ({ on: boolean } | null)[];

  constructor(world: World, rng: Prng) {
    this.#world = world;
    this.#rng = rng;
    this.register = new RegisterModel(world.breaks);
    const { arbiter, nodes } = world.options;
    this.#wrong = nodes.map((_, index) => (arbiter.wrong.includes(index) ? { on: rng.chance(0.5) } : null));
  }

  // --- faults --------------------------------------------------------------------------------------------------------

  cut(node: number, change: 1 | -1): void {
    this.#cuts[node] = Math.max(0, (this.#cuts[node] ?? 0) + change);
  }

  stop(change: 1 | -1): void {
    this.#down = Math.max(0, this.#down + change);
  }

  late(share: number): void {
    this.#lateShare = share;
  }

  bmcFault(node: number, kind: BmcFault, change: 1 | -1): void {
    const faults = this.#bmcFaults[kind];
    faults[node] = Math.max(0, (faults[node] ?? 0) + change);
  }

  #bmcHas(node: number, kind: BmcFault): boolean {
    return (this.#bmcFaults[kind][node] ?? 0) > 0;
  }

  /** The fence device of a node has the power of this machine from now on; null = the node's own. */
  plug(node: number, machine: { on: boolean } | null): void {
    this.#wrong[node] = machine;
  }

  healAll(): void {
    this.#wrong.fill(null);
    this.#cuts.fill(0);
    for (const faults of Object.values(this.#bmcFaults)) faults.fill(0);
    this.#down = 0;
    this.#lateShare = 0;
  }

  reaches(node: number): boolean {
    return this.#down === 0 && this.#cuts[node] === 0;
  }

  // --- requests ------------------------------------------------------------------------------------------------------

  askRegister(node: SimNode, request: RegisterRequest, limitMs: number, done: Done<RegisterReply>): void {
    const once = this.#dated(node, limitMs, done);
    if (!this.reaches(node.index) || this.#isLost()) return;
    this.#world.after(this.#delayMs(), () => {
      // What was on its way when the arbiter went down is not done, unless it waits in a queue somewhere.
      if (!this.reaches(node.index) && !this.#rng.chance(0.3)) return;
      const reply = this.register.apply(request);
      if (!this.reaches(node.index) || this.#isLost()) return;
      this.#world.after(this.#delayMs(), () => {
        if (this.reaches(node.index)) once(reply);
      });
    });
  }

  askDisk(node: SimNode, { write }: DiskRequest, limitMs: number, done: Done<DiskReply>): void {
    const { index } = node;
    const once = this.#dated(node, limitMs, done);
    if (this.#hung[index] !== null) return;
    if (!this.reaches(index) && this.#rng.chance(0.7)) return;
    const io = Symbol('I/O');
    this.#hung[index] = io;
    const delay = () => (this.reaches(index) ? this.#delayMs() : this.#rng.between(...LATE_MS));
    this.#world.after(delay(), () => {
      // A machine without power writes nothing more: what it had begun is done or is not.
      if (this.#hung[index] !== io) return;
      if (write !== null) this.#sectors[index] = write;
      this.#world.after(delay(), () => {
        if (this.#hung[index] !== io) return;
        this.#hung[index] = null;
        once({ own: this.#sectors[index] ?? '', peer: this.#sectors[1 - index] ?? '' });
      });
    });
  }

  /** The power of a node is gone, and with it what its disk controller still had to write, or not. */
  poweredOff(node: SimNode): void {
    this.#hung[node.index] = null;
  }

  askBmc(from: SimNode, target: SimNode, action: PowerAction, limitMs: number, done: Done<BmcReading>): void {
    const { index } = target;
    const once = this.#dated(from, limitMs, done);
    if (this.#bmcHas(index, 'down') || this.#isLost()) return;
    const lies = this.#bmcHas(index, 'lies');
    const drawnMs = this.#rng.between(...(action === 'status' ? BMC_MS : BMC_OFF_MS));
    const takesMs = action === 'off' && this.#bmcHas(index, 'slow') ? BMC_SLOW_OFF_MS : drawnMs;
    this.#world.after(takesMs, () => {
      const wrong = this.#wrong[index] ?? null;
      const identity = wrong === null ? target.productUuid : ANOTHER_MACHINE;
      const on = wrong === null ? target.powered : wrong.on;
      if (action === 'status') return once({ power: on ? 'on' : 'off', identity });
      if (action === 'off' && wrong !== null) wrong.on = false;
      else if (action === 'off' && !lies) this.#shoot(from, target);
      once({ power: 'done', identity });
    });
  }

  #shoot(from: SimNode, target: SimNode): void {
    const world = this.#world;
    if (!target.powered) return;
    world.count('shot');
    world.checkers.shot(from, target);
    target.powerOff(`shot by ${from.name}`);
    world.after(this.#rng.between(...SHOT_FOR_MS), () => target.powerOn());
  }

  // --- how it goes ---------------------------------------------------------------------------------------------------

  #isLost(): boolean {
    return this.#rng.chance(this.#world.options.arbiter.loss);
  }

  #delayMs(): number {
    if (this.#rng.chance(this.#lateShare)) return this.#rng.between(...LATE_MS);
    return this.#rng.between(0.3, this.#world.options.arbiter.delayMaxMs);
  }

  /** Dates the answer by the asker's clock; after the limit it is unknown, and what comes then is nobody's. */
  #dated<Value>(node: SimNode, limitMs: number, done: Done<Value>): (value: Value) => void {
    const askedAt = node.now();
    let open = true;
    const limit = node.timerAt(askedAt + limitMs, () => {
      if (!open) return;
      open = false;
      const cause: ArbiterCause = this.#down > 0 ? 'unreachable' : 'timeout';
      done({ kind: 'unknown', askedAt, answeredAt: node.now(), cause, detail: 'no answer' });
    });
    return (value) => {
      if (!open) return;
      open = false;
      limit.run = null;
      done({ kind: 'known', askedAt, answeredAt: node.now(), value });
    };
  }
}
