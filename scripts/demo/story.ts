/** What the demo shows, step by step, with the figures it measures on the way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/machine.ts';
import { eventually, type LabNode, type NodeView } from '../../src/lab/node.ts';
import { changesSince, sentence, settled } from '../../src/lab/pair.ts';
import type { Rack } from '../../src/lab/rack.ts';
import { type ActiveRun, allActiveAt, bothActiveMs, overlaps } from '../../src/lab/stamps.ts';
import type { Witness } from '../../src/lab/witness.ts';

const GROUP = 'shop-services';
/** The group's services; on one node at a time. */
const SHOP = ['shop-store', 'shop-cache', 'shop-queue', 'shop-worker', 'shop-web'] as const;
/** Runs on both nodes. */
const EVERYWHERE = 'web-status';
const VICTIM = 'shop-web';

const POWER_OFFS = 3;
const STEP_LIMIT_MS = 20_000;
/** How long it is looked whether something changes after all. */
const CALM_MS = 1500;

export interface Figures {
  readonly failover_ms: number;
  readonly swact_ms: number;
  readonly process_restart_ms: number;
  readonly both_active_ms: number;
  readonly start_ms: number;
  readonly failover_worst_ms: number;
  readonly sm_restart_events: number;
}

/** A figure above its bound is a failure. Those that depend on the load of the machine alone have room. */
export const BOUNDS: Figures = {
  failover_ms: 1500,
  swact_ms: 2000,
  process_restart_ms: 1000,
  both_active_ms: 0,
  start_ms: 10_000,
  failover_worst_ms: 3000,
  sm_restart_events: 0,
};

export interface Stage {
  readonly rack: Rack;
  readonly nodes: readonly [LabNode, LabNode];
  readonly witness: Witness;
  readonly tell: (line: string) => void;
  /** Text of a program, as it is. */
  readonly show: (text: string) => void;
}

export class Story {
  readonly #stage: Stage;
  #active: LabNode;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#active = stage.nodes[0];
  }

  async tellAll(): Promise<Figures> {
    const start = await this.#start();
    await this.#tools();
    const restart = await this.#killService();
    const events = await this.#killManager();
    const swact = await this.#swact();
    const failovers: number[] = [];
    for (let i = 0; i < POWER_OFFS; i += 1) {
      failovers.push(await this.#powerOff());
      await this.#powerOn();
    }
    const sorted = failovers.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    const worst = sorted.at(-1) ?? 0;
    this.#tell(`${POWER_OFFS} power-offs: median ${round(median)} ms, worst ${round(worst)} ms.`);
    return {
      failover_ms: round(median),
      swact_ms: round(swact),
      process_restart_ms: round(restart),
      both_active_ms: this.#bothActive(),
      start_ms: round(start),
      failover_worst_ms: round(worst),
      sm_restart_events: events,
    };
  }

  get #standby(): LabNode {
    const [a, b] = this.#stage.nodes;
    return this.#active === a ? b : a;
  }

  #tell(line: string): void {
    this.#stage.tell(line);
  }

  #runs(): readonly ActiveRun[] {
    return this.#stage.witness.look().runs;
  }

  /** Waits until all of `services` have begun to stamp on the node; returns when the last did. */
  #allActive(services: readonly string[], node: LabNode, sinceMs: number): Promise<number> {
    return eventually(`${services.join(', ')} active on ${node.name}`, STEP_LIMIT_MS, () =>
      allActiveAt(this.#runs(), services, node.name, sinceMs),
    );
  }

  // --- the steps -----------------------------------------------------------------------------------------------------

  async #start(): Promise<number> {
    const { nodes, rack } = this.#stage;
    await Promise.all(nodes.map((node) => node.boot(rack)));
    this.#tell(`${nodes.map(({ name }) => name).join(' and ')} are switched on together.`);
    const since = monotonicMs();
    for (const node of nodes) node.machine.pressStart();
    const { node, at } = await eventually(`${GROUP} active on one node`, STEP_LIMIT_MS, () => {
      for (const candidate of nodes) {
        const found = allActiveAt(this.#runs(), SHOP, candidate.name, since);
        if (found !== null) return { node: candidate, at: found };
      }
      return null;
    });
    this.#active = node;
    const others = await Promise.all(nodes.map((each) => this.#allActive([EVERYWHERE], each, since)));
    const tookMs = Math.max(at, ...others) - since;
    const view = await this.#settled();
    this.#tell(
      `${round(tookMs)} ms later everything runs: ${view.domain.leader} leads, ${GROUP} (${SHOP.length} services) is active on ${node.name}, standby on ${this.#standby.name}; ${EVERYWHERE} runs on both.`,
    );
    return tookMs;
  }

  async #tools(): Promise<void> {
    const { show } = this.#stage;
    const status = await this.#active.tool('smctl', 'status');
    const dump = await this.#active.tool('sm-dump');
    show(`$ smctl status\n${status.trimEnd()}\n\n$ sm-dump\n${dump.trimEnd()}`);
  }

  async #killService(): Promise<number> {
    const node = this.#active;
    const at = node.machine.kill(node.servicePid(VICTIM));
    this.#tell(`The process of ${VICTIM} on ${node.name} is killed (kill -9).`);
    const tookMs = (await this.#allActive([VICTIM], node, at)) - at;
    this.#tell(`${round(tookMs)} ms later another one does its work; nothing else has changed.`);
    await this.#settled();
    return tookMs;
  }

  async #killManager(): Promise<number> {
    const node = this.#active;
    const peer = this.#standby;
    const before = await node.until('it answers', STEP_LIMIT_MS, () => true);
    const told: string[] = [];
    const unsubscribe = await peer.subscribe((event) => told.push(sentence(event)));
    const at = monotonicMs();
    node.machine.kill(before.shell.pid);
    this.#tell(`sm itself is killed on the active node, ${node.name} (kill -9).`);
    await node.until('sm is back', STEP_LIMIT_MS, ({ shell }) => shell.pid !== before.shell.pid);
    const tookMs = monotonicMs() - at;
    await this.#settled();
    await sleep(CALM_MS);
    unsubscribe();
    const events = told.length + (await this.#changes(at));
    const noticed = events === 0 ? 'nothing' : `${events} events`;
    this.#tell(
      `sm-watchdog has started it again, it answers after ${round(tookMs)} ms. The services and ${peer.name} noticed ${noticed}.`,
    );
    for (const event of told) this.#tell(`  ${peer.name}: ${event}`);
    return events;
  }

  async #swact(): Promise<number> {
    const [from, to] = [this.#active, this.#standby];
    const command = { kind: 'swact', node: from.name, group: '', why: 'demo', forMs: 0 };
    const at = monotonicMs();
    const reply = (await from.request('command', { actor: 'demo', command })) as {
      ok: boolean;
      message: string;
    };
    if (!reply.ok) throw new Error(`swact refused: ${reply.message}`);
    this.#tell(`A planned switch-over is asked for: smctl swact ${from.name}.`);
    const tookMs = (await this.#allActive(SHOP, to, at)) - at;
    this.#active = to;
    this.#tell(`${round(tookMs)} ms later all ${SHOP.length} services are active on ${to.name}.`);
    await this.#settled();
    return tookMs;
  }

  async #powerOff(): Promise<number> {
    const [from, to] = [this.#active, this.#standby];
    const at = await from.powerOff();
    this.#stage.witness.restarted(from.name);
    this.#tell(`${from.name}, the active one, loses its power.`);
    const tookMs = (await this.#allActive(SHOP, to, at)) - at;
    this.#active = to;
    this.#tell(`${round(tookMs)} ms later all ${SHOP.length} services are active on ${to.name}.`);
    return tookMs;
  }

  async #powerOn(): Promise<void> {
    const node = this.#standby;
    const since = monotonicMs();
    await node.boot(this.#stage.rack);
    node.machine.pressStart();
    await this.#allActive([EVERYWHERE], node, since);
    await this.#settled();
    const changes = await this.#changes(since, this.#active.name);
    if (changes > 0) throw new Error(`the return of ${node.name} disturbed ${this.#active.name}`);
    this.#tell(`${node.name} is back, as standby. ${this.#active.name} was not disturbed.`);
  }

  // --- judging -------------------------------------------------------------------------------------------------------

  /** Both nodes know each other, are where they should be, and no script runs any more. */
  async #settled(): Promise<NodeView> {
    return settled(this.#active, this.#standby, GROUP, STEP_LIMIT_MS);
  }

  /** How many of the services' lives began or ended since then, on one node or on both. */
  #changes(sinceMs: number, node?: string): Promise<number> {
    return changesSince(() => this.#runs(), sinceMs, node);
  }

  #bothActive(): number {
    const { log } = this.#stage.witness;
    const runs = this.#runs().filter(({ service }) => (SHOP as readonly string[]).includes(service));
    if (log.damaged > 0) throw new Error(`${log.damaged} damaged stamps: nothing can be judged`);
    const both = bothActiveMs(runs);
    for (const { nodes, durationMs } of overlaps(runs))
      this.#tell(`${nodes.join(' and ')} were active at once for ${round(durationMs)} ms.`);
    if (both === 0)
      this.#tell(
        `The stamps of all ${runs.length} lives of the ${SHOP.length} services: never active on both nodes at once.`,
      );
    return Math.ceil(both);
  }
}

function round(ms: number): number {
  return Math.round(ms);
}
