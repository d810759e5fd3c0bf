/**
 * Two nodes that may run one group, their heartbeats and an arbiter, with everything going wrong that docs/SAFETY.md
 * admits. Each node here is a keeper and the plainest holder of permission that the rules allow; who acts is judged by
 * the world's own clock.
 */
import type {
  Answer,
  ArbiterFact,
  KeeperEffect,
  KeeperEvent,
  KeeperOptions,
  PeerWord,
} from '../../src/core/arbiter/interface.ts';
import type { Prng } from '../../src/sim/prng.ts';
import { EventQueue } from '../../src/sim/queue.ts';

export const P = 800;
export const S = 300;
const HELLO = 200;
const GROUP = 'app';

export interface Keeper<Reply> {
  start(now: number): void;
  step(event: KeeperEvent<Reply>, now: number): void;
}

export interface WorldParts<Request, Reply> {
  readonly keeper: (
    options: KeeperOptions,
    now: number,
    emit: (effect: KeeperEffect<Request>) => void,
  ) => Keeper<Reply>;
  /** Carries a request out. `at` runs work at that many ms from now, in true time. */
  readonly serve: (call: Call<Request, Reply>) => void;
}

export interface Call<Request, Reply> {
  readonly node: number;
  readonly body: Request;
  readonly limitMs: number;
  readonly reachable: boolean;
  readonly random: Prng;
  readonly loss: number;
  readonly in: (ms: number, work: () => void) => void;
  readonly answer: (reply: Reply) => void;
  readonly fail: () => void;
}

interface Frame {
  readonly from: number;
  readonly kernelLife: string;
  readonly sentAt: number;
  /** Our own send time that the peer echoes. */
  readonly echo: { readonly kernelLife: string; readonly sentAt: number } | null;
  readonly leads: boolean;
  readonly number: number;
  readonly held: number;
  readonly highest: number;
}

class Node<Request, Reply> {
  readonly index: number;
  readonly name: string;
  readonly peer: string;
  readonly rate: number;
  readonly world: World<Request, Reply>;
  on = false;
  boots = 0;
  kernelLife = '';
  keeper: Keeper<Reply> | null = null;
  keeperStarts = 0;
  startedAt = 0;
  // Permission, as sm-watchdog has it.
  deadline = Number.NEGATIVE_INFINITY;
  sole = false;
  lost = false;
  lastReceiptAt = Number.NEGATIVE_INFINITY;
  echoAt = Number.NEGATIVE_INFINITY;
  heardFrame: Frame | null = null;
  // The plainest sm.
  leads = false;
  number = 0;
  held = 0;
  highest = 0;
  /** True time until which something of the group may run; Infinity = it acts. */
  actingUntil = 0;
  watched = false;

  constructor(world: World<Request, Reply>, index: number, rate: number) {
    this.world = world;
    this.index = index;
    this.name = `node-${index}`;
    this.peer = `node-${1 - index}`;
    this.rate = rate;
  }

  get now(): number {
    return this.world.time * this.rate + this.index * 1000;
  }

  boot(): void {
    this.on = true;
    this.boots += 1;
    this.kernelLife = `kernel-${this.index}-${this.boots}`;
    this.deadline = Number.NEGATIVE_INFINITY;
    this.sole = false;
    this.lost = false;
    this.lastReceiptAt = Number.NEGATIVE_INFINITY;
    this.echoAt = Number.NEGATIVE_INFINITY;
    this.heardFrame = null;
    this.leads = false;
    this.held = 0;
    this.startedAt = this.now;
    this.restartKeeper();
  }

  off(): void {
    this.on = false;
    this.keeper = null;
    this.actingUntil = Math.min(this.actingUntil, this.world.time);
  }

  restartKeeper(): void {
    this.keeperStarts += 1;
    const options: KeeperOptions = {
      node: this.name,
      peer: this.peer,
      permissionMs: P,
      stopBoundMs: S,
      kernelLife: this.kernelLife,
      instance: `i${this.index}-${this.keeperStarts}`,
      intervalMs: HELLO,
      limitMs: HELLO,
      ...(this.world.breaks.size > 0 ? { breaks: this.world.breaks } : {}),
    };
    const started: Keeper<Reply> = this.world.parts.keeper(options, this.now, (effect) =>
      this.perform(started, effect),
    );
    this.keeper = started;
    const alive = () => this.keeper === started;
    this.world.in(0, () => {
      if (!alive()) return;
      started.start(this.now);
      this.tellKeeper();
    });
  }

  step(event: KeeperEvent<Reply>): void {
    this.keeper?.step(event, this.now);
  }

  perform(from: Keeper<Reply>, effect: KeeperEffect<Request>): void {
    const alive = () => this.on && this.keeper === from;
    switch (effect.type) {
      case 'timer': {
        const { at, key, generation } = effect;
        if (at === null) return;
        this.world.in((at - this.now) / this.rate, () => {
          if (alive()) from.step({ type: 'timer', key, generation }, this.now);
        });
        return;
      }
      case 'fact':
        // Another process: the pipe takes its time, and keeps the order.
        this.world.in(0.1, () => {
          if (this.on) this.onFact(effect.fact);
        });
        return;
      case 'ask': {
        const askedAt = this.now;
        let answered = false;
        const answer = (make: () => Answer<Reply>) => {
          if (answered || !alive()) return;
          answered = true;
          from.step({ type: 'answer', request: effect.request, answer: make() }, this.now);
        };
        const dated = () => ({ askedAt, answeredAt: this.now });
        this.world.parts.serve({
          node: this.index,
          body: effect.body,
          limitMs: effect.limitMs,
          reachable: this.world.reaches[this.index] === true,
          random: this.world.random,
          loss: this.world.loss,
          in: (ms, work) => this.world.in(ms, work),
          answer: (value) => answer(() => ({ kind: 'known', ...dated(), value })),
          fail: () => answer(() => ({ kind: 'unknown', ...dated(), cause: 'timeout', detail: 'no answer' })),
        });
      }
    }
  }

  onFact(fact: ArbiterFact): void {
    this.world.note(`${this.name} ${JSON.stringify(fact)}`);
    switch (fact.type) {
      case 'arbiter.renewed':
        this.lost = false;
        this.sole = false;
        this.deadline = Math.max(this.deadline, fact.askedAt + P);
        break;
      case 'arbiter.sole':
        this.lost = false;
        this.sole = true;
        break;
      case 'arbiter.limit':
        // One that is finite already stays as it is: this renews nothing.
        if (this.sole) this.deadline = Math.max(this.deadline, this.now + P);
        this.sole = false;
        this.world.in(0.2, () => this.step({ type: 'limited', ticket: fact.ticket }));
        break;
      case 'arbiter.lost':
        this.sole = false;
        this.lost = true;
        this.deadline = Math.min(this.deadline, this.now);
        break;
      case 'arbiter.granted':
        if (fact.ground !== 'word' && this.lastReceiptAt > fact.quietSince) return;
        this.leads = true;
        this.number = fact.number;
        if (this.held === 0) this.activate();
        break;
      case 'arbiter.numbers':
        this.highest = Math.max(this.highest, ...fact.groups.map((group) => group.activation));
        this.number = Math.max(this.number, fact.number);
        break;
      case 'arbiter.state':
        return;
    }
    this.judge();
  }

  activate(): void {
    this.highest += 1;
    this.held = this.highest;
    this.world.note(`${this.name} holds ${this.held}`);
    this.tellKeeper();
  }

  release(why: string): void {
    if (this.held === 0) return;
    this.world.note(`${this.name} gives up ${this.held}: ${why}`);
    this.held = 0;
    this.stop();
    this.tellKeeper();
  }

  get permitted(): boolean {
    return !this.lost && (this.sole || this.now < this.deadline);
  }

  /** Something of it may run until the stop bound after its permission ran out, by its own clock. */
  judge(): void {
    if (!this.on) return;
    if (this.held > 0 && this.permitted) this.actingUntil = Number.POSITIVE_INFINITY;
    else if (this.actingUntil === Number.POSITIVE_INFINITY) this.stop();
    if (this.permitted && !this.sole && !this.watched) {
      this.watched = true;
      this.world.in((this.deadline - this.now) / this.rate + 0.01, () => {
        this.watched = false;
        this.judge();
      });
    }
    this.world.check();
  }

  stop(): void {
    if (this.actingUntil !== Number.POSITIVE_INFINITY) return;
    this.actingUntil = this.world.time + S / this.rate;
  }

  get heard(): boolean {
    return this.now - this.echoAt < P;
  }

  word(): PeerWord {
    return {
      heard: this.heard,
      exchanged: this.heard,
      leaving: false,
      lastReceiptAt: this.lastReceiptAt,
      permissionMs: P,
      stopBoundMs: S,
    };
  }

  tellKeeper(): void {
    if (!this.on) return;
    this.step({ type: 'peer', word: this.word() });
    const holds = this.held > 0 ? [{ group: GROUP, activation: this.held }] : [];
    const holder = this.held > 0 ? this.name : (this.heardFrame?.held ?? 0) > 0 ? this.peer : '';
    const activation = this.held > 0 ? this.held : this.highest;
    const groups = [{ group: GROUP, holder, activation }];
    this.step({ type: 'wish', wish: { leads: this.leads, number: this.number, groups, holds } });
  }

  frame(): Frame {
    const echo = this.heardFrame;
    return {
      from: this.index,
      kernelLife: this.kernelLife,
      sentAt: this.now,
      echo: echo === null ? null : { kernelLife: echo.kernelLife, sentAt: echo.sentAt },
      leads: this.leads,
      number: this.number,
      held: this.held,
      highest: this.highest,
    };
  }

  hear(frame: Frame): void {
    this.lastReceiptAt = this.now;
    this.step({ type: 'life', kernelLife: frame.kernelLife });
    this.heardFrame = frame;
    this.highest = Math.max(this.highest, frame.highest, frame.held);
    if (frame.echo?.kernelLife === this.kernelLife) {
      this.echoAt = Math.max(this.echoAt, frame.echo.sentAt);
      if (this.now < this.echoAt + P && !this.lost) this.deadline = Math.max(this.deadline, this.echoAt + P);
      if (this.lost && this.held === 0 && this.actingUntil <= this.world.time) this.lost = false;
    }
    this.settle(frame);
    this.tellKeeper();
    this.judge();
  }

  /** Leadership and the one group, by exchange. */
  settle(frame: Frame): void {
    if (!this.heard) return;
    const outranked = frame.number !== this.number ? frame.number > this.number : frame.from > this.index;
    if (this.leads && frame.leads && outranked) this.leads = false;
    if (!this.leads && !frame.leads && !outranked) {
      this.leads = true;
      this.number = Math.max(this.number, frame.number) + 1;
    }
    if (frame.held > this.held || (frame.held === this.held && outranked))
      this.release('the peer has it under a higher number');
    const free =
      frame.held === 0 && this.held === 0 && this.world.nodes[1 - this.index]!.actingUntil <= this.world.time;
    if (this.leads && !frame.leads && free && this.permitted) this.activate();
  }

  hello(): void {
    if (!this.on) return;
    if (this.held > 0 && !this.permitted && this.actingUntil <= this.world.time) this.release('stopped');
    this.world.send(this.frame());
    this.tellKeeper();
    this.judge();
  }
}

export class World<Request, Reply> {
  readonly parts: WorldParts<Request, Reply>;
  readonly random: Prng;
  readonly breaks: ReadonlySet<string>;
  readonly nodes: readonly Node<Request, Reply>[];
  readonly reaches = [true, true];
  /** Frames from node i arrive. */
  readonly links = [true, true];
  readonly log: string[] = [];
  readonly overlaps: string[] = [];
  /** How often a request or an answer goes astray while the arbiter is reached. */
  readonly loss: number;
  time = 0;
  readonly #queue = new EventQueue();

  constructor(parts: WorldParts<Request, Reply>, random: Prng, breaks: readonly string[] = []) {
    this.parts = parts;
    this.random = random;
    this.breaks = new Set(breaks);
    this.loss = random.chance(0.5) ? 0.02 : random.between(0.02, 0.4);
    this.nodes = [0, 1].map((index) => new Node(this, index, random.between(0.95, 1.05)));
    for (const node of this.nodes) this.#hello(node);
  }

  #hello(node: Node<Request, Reply>): void {
    node.hello();
    this.in(HELLO / node.rate, () => this.#hello(node));
  }

  in(ms: number, work: () => void): void {
    this.#queue.push(this.time + Math.max(0, ms), work);
  }

  run(untilMs: number): void {
    for (;;) {
      const next = this.#queue.pop(untilMs);
      if (next === null) break;
      this.time = next.at;
      next.run?.();
    }
    this.time = untilMs;
  }

  send(frame: Frame): void {
    if (this.links[frame.from] !== true) return;
    const to = this.nodes[1 - frame.from]!;
    this.in(this.random.between(0.2, 3), () => {
      if (to.on && this.links[frame.from] === true) to.hear(frame);
    });
  }

  check(): void {
    const [a, b] = this.nodes;
    if (Math.min(a!.actingUntil, b!.actingUntil) <= this.time) return;
    if (this.overlaps.length === 0) this.note('BOTH ACT');
    this.overlaps.push(`both act at ${Math.round(this.time)}`);
  }

  acting(): number[] {
    return this.nodes
      .filter((node) => node.actingUntil === Number.POSITIVE_INFINITY)
      .map(({ index }) => index);
  }

  note(text: string): void {
    this.log.push(`${this.time.toFixed(1)} ${text}`);
  }
}

type Fault = (world: World<unknown, unknown>, random: Prng) => string;

/** Each may happen at any time and in the middle of any other. */
const FAULTS: readonly Fault[] = [
  (world, random) => {
    const node = world.nodes[random.integer(0, 1)]!;
    if (!node.on) return '';
    const dead = node.kernelLife;
    node.off();
    const back = random.between(200, 6000);
    world.in(back, () => {
      if (!node.on) node.boot();
    });
    if (random.chance(0.3)) {
      const other = world.nodes[1 - node.index]!;
      // Off was read, and is told a while later: the machine may be on again by then.
      world.in(random.between(50, 3000), () =>
        other.step({ type: 'proof', proof: { kernelLife: dead, by: 'fence', at: other.now } }),
      );
    }
    return `${node.name} off for ${Math.round(back)}`;
  },
  (world, random) => {
    const from = random.integer(0, 1);
    world.links[from] = !world.links[from];
    return `frames of node-${from} ${world.links[from] ? 'arrive' : 'are lost'}`;
  },
  (world, random) => {
    const up = random.chance(0.5);
    world.links[0] = up;
    world.links[1] = up;
    return `links ${up ? 'up' : 'cut'}`;
  },
  (world, random) => {
    const node = random.integer(0, 1);
    world.reaches[node] = !world.reaches[node];
    return `node-${node} ${world.reaches[node] ? 'reaches' : 'is cut from'} the arbiter`;
  },
  (world, random) => {
    const node = random.integer(0, 1);
    world.links.fill(false);
    world.reaches[node] = false;
    world.reaches[1 - node] = true;
    return `node-${node} is alone`;
  },
  (world, random) => {
    const up = random.chance(0.6);
    world.reaches[0] = up;
    world.reaches[1] = up;
    return `arbiter ${up ? 'up' : 'down'}`;
  },
  (world, random) => {
    const node = world.nodes[random.integer(0, 1)]!;
    if (node.on) node.restartKeeper();
    return `keeper of ${node.name} restarted`;
  },
];

/** Faults for a while, then everything whole again: nobody acts beside the other, and somebody does in the end. */
export function torment<Request, Reply>(
  parts: WorldParts<Request, Reply>,
  random: Prng,
  breaks: readonly string[] = [],
): { readonly world: World<Request, Reply>; readonly violation: string } {
  const world = new World(parts, random, breaks);
  const gapMs = random.between(300, 6000);
  for (const node of world.nodes) world.in(random.between(0, 3000), () => node.boot());
  for (let at = 4000; at < 30_000; at += random.between(20, gapMs)) {
    world.in(at, () => {
      const fault = FAULTS[random.integer(0, FAULTS.length - 1)]!;
      world.note(fault(world as unknown as World<unknown, unknown>, random));
    });
  }
  world.run(31_000);
  if (world.overlaps.length > 0) return { world, violation: world.overlaps[0] ?? '' };
  world.links.fill(true);
  world.reaches.fill(true);
  world.note('healed');
  world.run(50_000);
  if (world.overlaps.length > 0) return { world, violation: world.overlaps[0] ?? '' };
  const acting = world.acting();
  return { world, violation: acting.length === 1 ? '' : `${acting.length} act in the end` };
}
