/** What `make lab ARBITER=...` does to the pair and its arbiter, and what is expected of each. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabArbiter } from '../../src/lab/arbiters.ts';
import { monotonicMs } from '../../src/lab/machine.ts';
import { eventually, type LabNode } from '../../src/lab/node.ts';
import { LINK_COUNT } from '../../src/lab/rack.ts';
import { CALM_MS, GROUP, LAST, PairUnderTest, round, STEP_LIMIT_MS, type Stage } from './stage.ts';

const LINKS = Array.from({ length: LINK_COUNT }, (_, link) => link);
const POWER_OFFS = 3;
/** The arbiter is away for so long in a restart. */
const AWAY_MS = 2000;
/** Alarms that say why nobody takes over. */
const WHY_NOT = /arbiter|record|fence|third vote|proof/i;

export interface ArbiterFigures {
  readonly arbiter: string;
  /** From the cut of everything until the last sign of the old active one. */
  readonly stopped_ms: number;
  /** From the same moment until the other one has everything. */
  readonly takeover_ms: number;
  readonly both_active_ms: number;
  /** Where both reach the arbiter. */
  readonly cut_events: number;
  readonly dead_arbiter_takeovers: number;
  readonly standby_poweroff_events: number;
  readonly arbiter_restart_events: number;
  /** Median. */
  readonly power_off_ms: number;
}

export interface ArbiterStage extends Stage {
  readonly arbiter: LabArbiter;
  /** What only the active one has, as its kernel tells it: address and mount. */
  readonly traces: readonly (readonly [program: readonly string[], text: string])[];
}

export class ArbiterRuns extends PairUnderTest<ArbiterStage> {
  async playAll(): Promise<ArbiterFigures> {
    const { arbiter } = this.stage;
    await this.#begin();
    const cut = await this.#cutBothReach();
    const { stoppedMs, takeoverMs } = await this.#cutActive();
    const takeovers = await this.#cutWithoutArbiter();
    const standby = await this.#standbyAndArbiter();
    const powerOffMs = await this.powerOffs(true);
    return {
      arbiter: arbiter.kind,
      stopped_ms: round(stoppedMs),
      takeover_ms: round(takeoverMs),
      both_active_ms: this.bothActive(true),
      cut_events: cut,
      dead_arbiter_takeovers: takeovers,
      standby_poweroff_events: standby.powerOff,
      arbiter_restart_events: standby.restart,
      power_off_ms: powerOffMs,
    };
  }

  /**
   * The first node has a BMC that does not notice the loss of power, so that it has to be shot; the other one can not be, so
   * that nobody has to let the other one shoot first. The pair is of its own. Median, ms.
   */
  async playShots(): Promise<number> {
    await this.#begin();
    return this.powerOffs(false);
  }

  async #begin(): Promise<void> {
    const { arbiter, nodes } = this.stage;
    await arbiter.start(nodes);
    const tookMs = await this.begin(nodes, 0);
    this.tell(`A pair with ${arbiter.kind}: ${this.active.name} is active after ${round(tookMs)} ms.`);
  }

  protected override async boot(node: LabNode): Promise<void> {
    await super.boot(node);
    this.stage.arbiter.hasPower(node);
  }

  #noticed = true;
  protected override async powerOff(node: LabNode): Promise<number> {
    const at = await super.powerOff(node);
    this.stage.arbiter.lostPower(node, this.#noticed);
    return at;
  }

  /** Times from the loss of power until the other one has everything. Median, ms. */
  protected async powerOffs(noticed: boolean): Promise<number> {
    this.#noticed = noticed;
    const times: number[] = [];
    for (let i = 0; i < POWER_OFFS; i += 1) {
      if (!noticed) await this.#moveTo(this.stage.nodes[0]);
      times.push(await this.powerOffActive());
    }
    this.#noticed = true;
    const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
    this.tell(`${POWER_OFFS} power-offs of the active: median ${round(median)} ms.`);
    return round(median);
  }

  async #moveTo(node: LabNode): Promise<void> {
    if (this.active === node) return;
    await this.active.tool('smctl', 'swact', '--why', 'the lab');
    this.active = node;
    await this.settled();
  }

  /** Also with the arbiter: the record is nobody's alone any more, and every device was looked at. */
  protected override async settled(): Promise<unknown> {
    await super.settled();
    for (const node of this.stage.nodes)
      await node.until('the arbiter answers, and both share it', STEP_LIMIT_MS, ({ arbiter }) => {
        if (arbiter === undefined) return false;
        if (arbiter.regime === 'record' && (!arbiter.connected || arbiter.cause !== null)) return false;
        return arbiter.regime === 'fence'
          ? arbiter.devices.length === this.#devicesOf(node) &&
              arbiter.devices.every(({ ready, tie }) => ready && tie === 'tied')
          : arbiter.recordMode === 'leased';
      });
    return null;
  }

  /** That have the power of its peer. */
  #devicesOf(node: LabNode): number {
    return this.stage.arbiter.fences.includes(1 - node.index) ? 1 : 0;
  }

  async #setLinks(node: LabNode, state: 'up' | 'cut'): Promise<void> {
    await Promise.all(LINKS.map((link) => node.machine.setLink(link, state)));
  }

  /** The pair is whole again; who was shot or has ended itself meanwhile is switched on. */
  async #mend(node: LabNode): Promise<void> {
    if (node.machine.hasPower) {
      await this.#setLinks(node, 'up');
      return void (await this.settled());
    }
    this.tell(`  ${node.name} has no power any more.`);
    await this.powerOff(node);
    await this.powerOn(node);
  }

  async #cutBothReach(): Promise<number> {
    const node = this.standby;
    const events = await this.undisturbed('All three links are cut, and both nodes reach the arbiter', () =>
      this.#setLinks(node, 'cut'),
    );
    await this.#mend(node);
    return events;
  }

  /** The active one alone has lost everything: it must have stopped before the other one begins. */
  async #cutActive(): Promise<{ stoppedMs: number; takeoverMs: number }> {
    const [from, to] = [this.active, this.standby];
    const { arbiter } = this.stage;
    const at = monotonicMs();
    await Promise.all([arbiter.cut(from), this.#setLinks(from, 'cut')]);
    const activeAt = await this.untilActive(to, at);
    this.active = to;
    const lives = this.runs().filter(({ service }) => service === LAST);
    const lastAt = Math.max(...lives.filter(({ node }) => node === from.name).map(({ lastMs }) => lastMs));
    const firstAt = lives.find(({ node, lastMs }) => node === to.name && lastMs >= at)?.firstMs ?? Number.NaN;
    this.tell(
      `All links of ${from.name}, the active one, are cut, and its way to the arbiter: it has stopped after ${round(lastAt - at)} ms, ${to.name} begins after ${round(firstAt - at)} ms and has everything after ${round(activeAt - at)} ms.`,
    );
    if (!(lastAt < firstAt)) throw new Error(`${to.name} began before ${from.name} had stopped`);
    await this.#leftNothing(from);
    if (from.machine.hasPower) await arbiter.heal(from);
    await this.#mend(from);
    return { stoppedMs: lastAt - at, takeoverMs: activeAt - at };
  }

  /** No address and no mount outlives what was stopped. */
  async #leftNothing(node: LabNode): Promise<void> {
    if (!node.machine.hasPower) return;
    for (const [program, text] of this.stage.traces) {
      const left = await node.machine.run(program);
      if (left.includes(text)) throw new Error(`${text} is left on ${node.name}`);
    }
  }

  /** Nobody can be asked: the standby must not act, and says why. Returns how often it did. */
  async #cutWithoutArbiter(): Promise<number> {
    const { arbiter } = this.stage;
    const node = this.standby;
    const before = monotonicMs();
    await Promise.all([arbiter.end(), this.#setLinks(node, 'cut')]);
    await sleep(2 * CALM_MS);
    const begun = this.runs().filter(
      ({ node: name, service, firstMs }) => name === node.name && service === LAST && firstMs >= before,
    );
    this.tell(
      `All three links are cut, and the arbiter answers nobody: ${begun.length === 0 ? 'nobody takes over' : `${node.name} takes over`}.`,
    );
    await this.#saysWhy(node);
    await arbiter.resume();
    await this.#setLinks(node, 'up');
    const healed = monotonicMs();
    for (const each of this.stage.nodes) {
      // Who has lost permission, and could not show in time that address and mount are gone, has ended itself.
      if (each.machine.hasPower) continue;
      this.tell(`  ${each.name} has no power any more.`);
      await this.powerOff(each);
      await this.boot(each);
      each.machine.pressStart();
    }
    this.active = await eventually(`${GROUP} active on one node`, STEP_LIMIT_MS, () => {
      const last = this.runs().findLast(({ service }) => service === LAST);
      return this.stage.nodes.find(({ name }) => name === last?.node && last.lastMs > healed) ?? null;
    });
    await this.settled();
    this.tell(`  All is back: ${this.active.name} is active.`);
    return begun.length;
  }

  async #saysWhy(node: LabNode): Promise<void> {
    const { alarms = [] } = (await node.view()) ?? {};
    const why = alarms.filter(({ id, reason }) => WHY_NOT.test(`${id} ${reason}`));
    for (const { id, reason } of why) this.tell(`  ${node.name}, alarm ${id}: ${reason}`);
    if (why.length === 0) throw new Error(`no alarm of ${node.name} says why nobody takes over`);
  }

  async #standbyAndArbiter(): Promise<{ powerOff: number; restart: number }> {
    const { arbiter } = this.stage;
    const node = this.standby;
    const gone = await this.undisturbed(`${node.name}, the standby, loses its power`, async () => {
      await this.powerOff(node);
    });
    const restart = await this.undisturbed(`Then the arbiter is away for ${AWAY_MS / 1000} s`, async () => {
      await arbiter.end();
      await sleep(AWAY_MS);
      await arbiter.resume();
    });
    const back = await this.undisturbed('The standby comes back', () => this.powerOn(node));
    return { powerOff: gone + back, restart };
  }
}
