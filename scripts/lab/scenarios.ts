/** What `make lab` does to the two nodes, with what is expected of each, and the figures that it measures. */
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/machine.ts';
import { eventually } from '../../src/lab/node.ts';
import { sentence } from '../../src/lab/pair.ts';
import { LINK_COUNT } from '../../src/lab/rack.ts';
import { ScriptWatch } from '../../src/lab/scripts.ts';
import { Prng } from '../../src/sim/prng.ts';
import { CALM_MS, GROUP, LAST, PairUnderTest, round, STEP_LIMIT_MS, type Stage } from './stage.ts';

/** By number of the link. */
const LINKS = ['management', 'oam', 'cluster-host'] as const;

/** What surely runs where the group becomes active. */
const SCRIPTS = ['IPaddr2 start', 'Filesystem start', 'nginx start'] as const;

const COLD_STARTS = 20;
const COLD_START_JITTER_MS = 5;
const POWER_OFFS = 5;
const LOSS_PERCENT = 30;
const LOSS_MS = 20_000;

export interface Figures {
  readonly failover_ms: number;
  readonly failover_worst_ms: number;
  readonly both_active_ms: number;
  readonly standby_poweroff_events: number;
  readonly sm_restart_events: number;
  readonly cold_start_both_active: number;
  readonly cold_starts: number;
  readonly cut_events: number;
  readonly one_way_cut_events: number;
  readonly loss_events: number;
  readonly pulled_cable_ms: number;
  readonly arp_questions: number;
  readonly arp_widest_gap_ms: number;
  readonly seed: number;
}

/** A figure above its bound is a failure. The gap is that of the witness: in a longer one it could miss something. */
export const BOUNDS: Partial<Figures> = {
  failover_ms: 1400,
  both_active_ms: 0,
  standby_poweroff_events: 0,
  sm_restart_events: 0,
  cold_start_both_active: 0,
  cut_events: 0,
  one_way_cut_events: 0,
  loss_events: 0,
};

interface ScenarioStage extends Stage {
  readonly seed: number;
}

export class Scenarios extends PairUnderTest<ScenarioStage> {
  readonly #chance: Prng;

  constructor(stage: ScenarioStage) {
    super(stage);
    this.#chance = new Prng(String(stage.seed));
  }

  async playAll(): Promise<Figures> {
    const coldStartBothActive = await this.#coldStarts();
    const failovers: number[] = [];
    for (let i = 0; i < POWER_OFFS; i += 1) failovers.push(await this.powerOffActive());
    const sorted = failovers.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
    this.tell(
      `${POWER_OFFS} power-offs of the active: median ${round(median)} ms, worst ${round(sorted.at(-1)!)} ms.`,
    );
    const standbyPowerOff = await this.powerOffStandby();
    const managerRestart = await this.#killManager();
    const cuts = await this.#cuts();
    const oneWay = await this.#oneWayCuts();
    const loss = await this.#loss();
    const pulled = await this.#pulledCables();
    await this.#oneSided();
    const bothActive = this.bothActive(true);
    const { count, widestMs } = this.stage.answers.asked;
    return {
      failover_ms: round(median),
      failover_worst_ms: round(sorted.at(-1)!),
      both_active_ms: bothActive,
      standby_poweroff_events: standbyPowerOff,
      sm_restart_events: managerRestart,
      cold_start_both_active: coldStartBothActive,
      cold_starts: COLD_STARTS,
      cut_events: cuts,
      one_way_cut_events: oneWay,
      loss_events: loss,
      pulled_cable_ms: round(pulled),
      arp_questions: count,
      arp_widest_gap_ms: round(widestMs),
      seed: this.stage.seed,
    };
  }

  // --- starts and power-offs -----------------------------------------------------------------------------------------

  /** Returns how many of them had two active nodes. The last one is left running. */
  async #coldStarts(): Promise<number> {
    this.tell(
      `${COLD_STARTS} cold starts: both start buttons within ${COLD_START_JITTER_MS} ms (seed ${this.stage.seed}).`,
    );
    let bad = 0;
    const times: number[] = [];
    for (let i = 1; i <= COLD_STARTS; i += 1) {
      const before = this.bothActive(false);
      times.push(await this.#coldStart());
      if (this.bothActive(false) > before) {
        bad += 1;
        this.tell(`  cold start ${i}: both were active`);
      }
      if (i < COLD_STARTS) await Promise.all(this.stage.nodes.map((node) => this.powerOff(node)));
    }
    this.tell(
      `  active after ${round(Math.min(...times))} to ${round(Math.max(...times))} ms; both active in ${bad} of ${COLD_STARTS}.`,
    );
    return bad;
  }

  #coldStart(): Promise<number> {
    const { nodes } = this.stage;
    const order = this.#chance.chance(0.5) ? nodes : nodes.toReversed();
    return this.begin(order, this.#chance.between(0, COLD_START_JITTER_MS));
  }

  async #killManager(): Promise<number> {
    const node = this.active;
    const told: string[] = [];
    const unsubscribe = await this.standby.subscribe((event) => told.push(sentence(event)));
    const events = await this.undisturbed(`sm on ${node.name}, the active one, is killed`, async () => {
      const { shell } = await node.until('it answers', STEP_LIMIT_MS, () => true);
      node.machine.kill(shell.pid);
      await node.until('sm is back', STEP_LIMIT_MS, (view) => view.shell.pid !== shell.pid);
      await this.settled();
    });
    unsubscribe();
    for (const event of told) this.tell(`  ${this.standby.name}: ${event}`);
    return events + told.length;
  }

  // --- the network ---------------------------------------------------------------------------------------------------

  /** Something breaks behind the switch, or at the standby's end: no reason to move anything. */
  async #cuts(): Promise<number> {
    let events = 0;
    for (const [link, name] of LINKS.entries()) {
      const { machine } = this.standby;
      events += await this.undisturbed(
        `The ${name} network is cut behind ${machine.name}'s switch port`,
        () => machine.setLink(link, 'cut'),
      );
      await machine.setLink(link, 'up');
      events += await this.undisturbed(`The ${name} cable of ${machine.name}, the standby, is pulled`, () =>
        machine.setLink(link, 'unplugged'),
      );
      await machine.setLink(link, 'up');
      await this.settled();
    }
    return events;
  }

  async #oneWayCuts(): Promise<number> {
    let events = 0;
    for (const [link, name] of LINKS.entries()) {
      const { machine } = this.standby;
      for (const [from, to, words] of [
        [100, 0, 'Nothing from'],
        [0, 100, 'Nothing to'],
      ] as const) {
        events += await this.undisturbed(`${words} ${machine.name} gets through on the ${name} network`, () =>
          machine.setLoss(link, from, to),
        );
        await machine.setLoss(link, 0, 0);
      }
    }
    return events;
  }

  async #loss(): Promise<number> {
    const { machine } = this.standby;
    const every = async (percent: number) => {
      for (let link = 0; link < LINK_COUNT; link += 1) await machine.setLoss(link, percent, percent);
    };
    const what = `${LOSS_PERCENT} % of all frames between the two are lost for ${LOSS_MS / 1000} s`;
    return this.undisturbed(what, async () => {
      await every(LOSS_PERCENT);
      await sleep(LOSS_MS);
      await every(0);
    });
  }

  /**
   * The active's own end of a cable is without carrier and the standby's is well: by the survivor rules the groups move,
   * after FAILPENDING_TIMEOUT_MS, and stay where they are when the cable is back. Returns the longest time it took, ms.
   */
  async #pulledCables(): Promise<number> {
    let worstMs = 0;
    for (const [link, name] of LINKS.entries()) {
      const [from, to] = [this.active, this.standby];
      const scripts = new ScriptWatch(to.machine);
      const at = monotonicMs();
      await from.machine.setLink(link, 'unplugged');
      const tookMs = (await this.untilActive(to, at).finally(() => scripts.end())) - at;
      worstMs = Math.max(worstMs, tookMs);
      this.active = to;
      // That it saw none where none may run would mean nothing else.
      const missed = SCRIPTS.filter((script) => !scripts.end().includes(script));
      if (missed.length > 0) throw new Error(`scripts ran unseen: ${missed.join(', ')}`);
      this.tell(
        `The ${name} cable of ${from.name}, the active one, is pulled: ${round(tookMs)} ms later all is on ${to.name}.`,
      );
      await this.settled();
      const events = await this.undisturbed('It is plugged in again', () => from.machine.setLink(link, 'up'));
      if (events > 0) throw new Error(`the return of the ${name} cable of ${from.name} disturbed ${to.name}`);
    }
    return worstMs;
  }

  /**
   * All three networks fail in one direction. The other one takes over from a mute active one, which hears it announce that
   * and obeys: it stops within S, or ends itself, for address and mount count as gone only when their audits say so. A
   * deaf active one is heard all the time: nobody takes over. Here it counts that both are never active.
   */
  async #oneSided(): Promise<void> {
    for (const [from, to, words] of [
      [100, 0, 'Nothing from'],
      [0, 100, 'Nothing to'],
    ] as const) {
      const node = this.active;
      const { machine } = node;
      for (let link = 0; link < LINK_COUNT; link += 1) await machine.setLoss(link, from, to);
      await sleep(CALM_MS);
      const fenced = !machine.hasPower;
      if (fenced) await this.powerOff(node);
      else for (let link = 0; link < LINK_COUNT; link += 1) await machine.setLoss(link, 0, 0);
      const healed = monotonicMs();
      this.active = await eventually(`${GROUP} active on one node`, STEP_LIMIT_MS, () => {
        const last = this.runs().findLast(({ service }) => service === LAST);
        return this.stage.nodes.find(({ name }) => name === last?.node && last.lastMs > healed) ?? null;
      });
      const itself = fenced ? `, and ${node.name} has ended itself` : '';
      this.tell(
        `${words} ${node.name}, the active one, gets through on any network: afterwards ${this.active.name} is active${itself}.`,
      );
      if (fenced) await this.powerOn(node);
      else await this.settled();
    }
  }
}
