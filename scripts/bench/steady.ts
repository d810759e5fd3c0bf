/**
 * What must not happen: events on services because of a cut or of lost frames, and two active nodes. The judge is what the
 * services' own processes stamp every 10 ms while they live (scripts/demo/sm-stamp), for the demo's set.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/machine.ts';
import { eventually, LabNode } from '../../src/lab/node.ts';
import { changesSince, settled } from '../../src/lab/pair.ts';
import { LINK_COUNT, type Rack } from '../../src/lab/rack.ts';
import { type ActiveRun, allActiveAt, bothActiveMs } from '../../src/lab/stamps.ts';
import { Witness } from '../../src/lab/witness.ts';
import { copyDemoSet, range, SHIPPED, type Timing, timingStatements } from './definitions.ts';
import { PROGRAMS } from './pair.ts';
import { type Measured, medianOf, resultOf, round } from './result.ts';
import type { Bench } from './suite.ts';
import { fastestTiming } from './timing.ts';

const GROUP = 'shop-services';
/** The group's services: on one node at a time. */
const SHOP: readonly string[] = ['shop-store', 'shop-cache', 'shop-queue', 'shop-worker', 'shop-web'];
const LIMIT_MS = 30_000;
/** How long it is looked whether something changes after all: longer than d, P + S + m and the patience for links. */
const CALM_MS = 3500;

/** A pair whose services stamp. */
class StampingPair {
  readonly nodes: readonly [LabNode, LabNode];
  readonly #rack: Rack;
  readonly #witness: Witness;

  constructor(rack: Rack, root: string, timing: Timing) {
    const definitions = `${root}-set`;
    copyDemoSet(definitions);
    writeFileSync(join(definitions, '98-timing.sql'), timingStatements(timing));
    mkdirSync(root);
    const key = randomBytes(64);
    const node = (index: 0 | 1) =>
      new LabNode({ name: `controller-${index}`, index, root, key, definitions, programs: PROGRAMS }, rack);
    this.#rack = rack;
    this.nodes = [node(0), node(1)];
    this.#witness = new Witness(new Map(this.nodes.map(({ name, services }) => [name, services])));
  }

  /** Switches both on at once, waits until all is active and both are at rest. Returns the active node, and how long it took. */
  async start(): Promise<{ active: LabNode; tookMs: number }> {
    await Promise.all(this.nodes.map((node) => node.boot(this.#rack)));
    const since = monotonicMs();
    for (const { machine } of this.nodes) machine.pressStart();
    const found = await eventually(`${GROUP} active on one node`, LIMIT_MS, () => {
      const runs = this.runs();
      for (const node of this.nodes) {
        const at = allActiveAt(runs, SHOP, node.name, since);
        if (at !== null) return { active: node, tookMs: at - since };
      }
      return null;
    });
    await settled(found.active, this.other(found.active), GROUP, LIMIT_MS);
    return found;
  }

  other(node: LabNode): LabNode {
    return this.nodes[node === this.nodes[0] ? 1 : 0];
  }

  /** Both lose their power. */
  async end(): Promise<void> {
    for (const node of this.nodes) await node.end();
    for (const { name } of this.nodes) this.#witness.restarted(name);
  }

  /** Lives of the group's services so far. */
  runs(): readonly ActiveRun[] {
    const { runs, damaged } = this.#witness.look();
    if (damaged > 0) throw new Error(`${damaged} damaged stamps: nothing can be judged`);
    return runs.filter(({ service }) => SHOP.includes(service));
  }

  /** How many of their lives began or ended since then. */
  events(sinceMs: number): Promise<number> {
    return changesSince(() => this.runs(), sinceMs);
  }

  bothActiveMs(): number {
    return bothActiveMs(this.runs());
  }
}

/** A sum that has to be 0. */
function count(name: string, sum: number, unit: string, facts: Measured['facts'] & object) {
  return resultOf({ name, values: [sum], unit, target: 0, isBound: true, facts });
}

// --- a link is cut ---------------------------------------------------------------------------------------------------

const CUTS = 10;

/** One of the links after the other breaks, somewhere between the two, and works again. */
export async function cuts(bench: Bench): Promise<void> {
  const { rack, root, tell } = bench;
  await bench.during(new StampingPair(rack, join(root, 'pair'), SHIPPED), async (pair) => {
    const { active } = await pair.start();
    const since = monotonicMs();
    for (const i of range(CUTS)) {
      const link = i % LINK_COUNT;
      const { machine } = i % 2 === 0 ? active : pair.other(active);
      await machine.setLink(link, 'cut');
      await sleep(CALM_MS);
      await machine.setLink(link, 'up');
      await sleep(CALM_MS);
      tell(`cuts ${i + 1}/${CUTS}: ${await pair.events(since)} events`);
    }
    const facts = { cuts: CUTS, eachMs: CALM_MS, bothActiveMs: pair.bothActiveMs() };
    bench.add(count('cuts', await pair.events(since), 'events', facts));
  });
}

// --- frames are lost -------------------------------------------------------------------------------------------------

const LOSS_PERCENT = 30;
const LOSS_MS = 180_000;
const LOOK_MS = 30_000;
const FAST_HELLO_MS = 100;

/** Frames of all links are lost at random, in both directions, at the shipped and at the fastest timing. */
export async function loss(bench: Bench): Promise<void> {
  const profiles = [
    { name: 'loss', timing: SHIPPED },
    { name: `loss-fast-${FAST_HELLO_MS}`, timing: fastestTiming(bench.root, FAST_HELLO_MS) },
  ];
  for (const { name, timing } of profiles)
    await bench.during(new StampingPair(bench.rack, join(bench.root, name), timing), (pair) =>
      lose(bench, pair, name, timing),
    );
}

async function lose(bench: Bench, pair: StampingPair, name: string, timing: Timing): Promise<void> {
  const { active } = await pair.start();
  const { machine } = pair.other(active);
  const since = monotonicMs();
  for (const link of range(LINK_COUNT)) await machine.setLoss(link, LOSS_PERCENT, LOSS_PERCENT);
  for (const i of range(LOSS_MS / LOOK_MS)) {
    await sleep(LOOK_MS);
    bench.tell(`${name} ${((i + 1) * LOOK_MS) / 1000} s: ${await pair.events(since)} events`);
  }
  for (const link of range(LINK_COUNT)) await machine.setLoss(link, 0, 0);
  await sleep(CALM_MS);
  const { hello, dead, stopBound } = timing;
  const facts = { percent: LOSS_PERCENT, seconds: LOSS_MS / 1000, hello, dead, stopBound };
  const failovers = new Set(pair.runs().map((run) => run.node)).size - 1;
  bench.add(
    count(name, await pair.events(since), 'events', {
      ...facts,
      failovers,
      bothActiveMs: pair.bothActiveMs(),
    }),
  );
}

// --- both start ------------------------------------------------------------------------------------------------------

const COLD_STARTS = 100;
const TELL_EVERY = 10;

/** Both are switched on together, again and again. */
export async function coldStarts(bench: Bench): Promise<void> {
  const { rack, root, tell } = bench;
  await bench.during(new StampingPair(rack, join(root, 'pair'), SHIPPED), async (pair) => {
    const times: number[] = [];
    let both = 0;
    for (const i of range(COLD_STARTS)) {
      const before = pair.bothActiveMs();
      times.push((await pair.start()).tookMs);
      await pair.end();
      if (pair.bothActiveMs() > before) both += 1;
      if ((i + 1) % TELL_EVERY === 0)
        tell(
          `cold-starts ${i + 1}/${COLD_STARTS}: both active in ${both}, median ${round(medianOf(times))} ms`,
        );
    }
    const activeMs = {
      median: round(medianOf(times)),
      spread: [round(Math.min(...times)), round(Math.max(...times))],
    };
    const facts = { starts: COLD_STARTS, activeMs, bothActiveMs: pair.bothActiveMs() };
    bench.add(count('cold-starts', both, 'starts with both active', facts));
  });
}
