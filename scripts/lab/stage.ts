/** A pair under test: what is done to it again and again, and how it is judged. Never by what a node says of itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnswerLog, doubleAnswers } from '../../src/lab/answers.ts';
import { monotonicMs } from '../../src/lab/machine.ts';
import { eventually, type LabNode } from '../../src/lab/node.ts';
import { changesSince, sentence, settled } from '../../src/lab/pair.ts';
import type { NamespaceRack } from '../../src/lab/rack.ts';
import { changingScripts, ScriptWatch } from '../../src/lab/scripts.ts';
import { type ActiveRun, allActiveAt, bothActiveMs } from '../../src/lab/stamps.ts';
import type { Witness } from '../../src/lab/witness.ts';

export const GROUP = 'lab-services';
/** The last one of the group: it starts when all others are active, and stamps. */
export const LAST = 'lab-worker';
/** Runs on both nodes, and stamps. */
export const EVERYWHERE = 'lab-status';

export const STEP_LIMIT_MS = 20_000;
/** How long it is looked whether something changes after all: longer than d, P + S + m and the patience for links. */
export const CALM_MS = 3500;
/** Nobody can move the address there and back within this. */
const RETURN_MS = 100;

export interface Stage {
  readonly rack: NamespaceRack;
  readonly nodes: readonly [LabNode, LabNode];
  readonly witness: Witness;
  readonly answers: AnswerLog;
  readonly tell: (line: string) => void;
}

export class PairUnderTest<S extends Stage = Stage> {
  protected readonly stage: S;
  protected active: LabNode;

  constructor(stage: S) {
    this.stage = stage;
    this.active = stage.nodes[0];
  }

  protected get standby(): LabNode {
    const [a, b] = this.stage.nodes;
    return this.active === a ? b : a;
  }

  protected tell(line: string): void {
    this.stage.tell(line);
  }

  protected runs(): readonly ActiveRun[] {
    return this.stage.witness.look().runs;
  }

  /**
   * When the whole group has become active on the node, by what others see: the last process stamps, the neighbour is
   * answered by this node, and then the web server accepts its connection. null = not yet.
   */
  protected activeAt(node: LabNode, sinceMs: number): number | null {
    const answers = this.stage.answers.look();
    const stamped = allActiveAt(this.runs(), [LAST], node.name, sinceMs);
    const answered = answers.answeredAt(node.name, sinceMs);
    const accepted = answered === null ? null : answers.acceptedAt(answered);
    if (stamped === null || answered === null || accepted === null) return null;
    return Math.max(stamped, answered, accepted);
  }

  protected untilActive(node: LabNode, sinceMs: number): Promise<number> {
    return eventually(`${GROUP} active on ${node.name}`, STEP_LIMIT_MS, () => this.activeAt(node, sinceMs));
  }

  protected async settled(): Promise<unknown> {
    return settled(this.active, this.standby, GROUP, STEP_LIMIT_MS);
  }

  protected boot(node: LabNode): Promise<void> {
    return node.boot(this.stage.rack);
  }

  /** Switches both on, one so long after the other, and waits until they are a pair. Returns how long that took, ms. */
  protected async begin(order: readonly LabNode[], betweenMs: number): Promise<number> {
    const { nodes } = this.stage;
    await Promise.all(nodes.map((node) => this.boot(node)));
    const since = monotonicMs();
    order[0]!.machine.pressStart();
    await sleep(betweenMs);
    order[1]!.machine.pressStart();
    const { node, at } = await eventually(`${GROUP} active on one node`, STEP_LIMIT_MS, () => {
      for (const each of nodes) {
        const found = this.activeAt(each, since);
        if (found !== null) return { node: each, at: found };
      }
      return null;
    });
    this.active = node;
    await this.settled();
    return at - since;
  }

  /** Returns the moment just before. */
  protected async powerOff(node: LabNode): Promise<number> {
    const at = await node.powerOff();
    this.stage.witness.restarted(node.name);
    return at;
  }

  /** The node comes back, as standby; the active one must not notice. */
  protected async powerOn(node: LabNode): Promise<void> {
    const since = monotonicMs();
    await this.boot(node);
    node.machine.pressStart();
    await eventually(`${EVERYWHERE} on ${node.name}`, STEP_LIMIT_MS, () =>
      allActiveAt(this.runs(), [EVERYWHERE], node.name, since),
    );
    await this.settled();
    if ((await changesSince(() => this.runs(), since, this.active.name)) > 0)
      throw new Error(`the return of ${node.name} disturbed ${this.active.name}`);
  }

  /**
   * Does something that must not touch the services of the active node, and counts what touched them: scripts that ran
   * there, changes in its history, processes that began or ended, other answers to the neighbour.
   */
  protected async undisturbed(what: string, act: () => Promise<void>): Promise<number> {
    const node = this.active;
    const { answers } = this.stage;
    const events: string[] = [];
    // IPaddr2 tells the neighbours in the background for a second after its start.
    await eventually(`no script runs on ${node.name}`, STEP_LIMIT_MS, () =>
      changingScripts(node.machine).length === 0 ? true : null,
    );
    const unsubscribe = await node.subscribe((event) => events.push(sentence(event)));
    const scripts = new ScriptWatch(node.machine);
    const tenures = answers.look().tenures.length;
    const since = monotonicMs();
    try {
      await act();
      await sleep(CALM_MS);
    } finally {
      unsubscribe();
      scripts.end();
    }
    const found = [
      ...scripts.end().map((script) => `script: ${script}`),
      ...events.filter((event) => /^(service|group) /.test(event)),
      ...Array.from(
        { length: await changesSince(() => this.runs(), since, node.name) },
        () => 'a process began or ended',
      ),
    ];
    if (answers.look().tenures.length > tenures) found.push('another node answered for the address');
    if (answers.answeredAt(node.name, monotonicMs() - CALM_MS / 2) === null)
      found.push('nobody answers for the address');
    this.tell(`${what}: ${found.length === 0 ? 'nothing' : `${found.length} events`} on ${node.name}.`);
    for (const line of found) this.tell(`  ${line}`);
    return found.length;
  }

  // --- judging -------------------------------------------------------------------------------------------------------

  /** By the stamps and by the neighbour. */
  protected bothActive(tell: boolean): number {
    const { witness, answers } = this.stage;
    const runs = this.runs().filter(({ service }) => service === LAST);
    const damaged = witness.log.damaged + answers.look().damaged;
    if (damaged > 0) throw new Error(`${damaged} damaged lines of the witnesses: nothing can be judged`);
    const doubles = doubleAnswers(answers.tenures, RETURN_MS);
    const both = Math.max(
      bothActiveMs(runs),
      doubles.reduce((sum, { durationMs }) => sum + durationMs, 0),
    );
    if (tell) {
      for (const { nodes, durationMs } of doubles)
        this.tell(`${nodes.join(' and ')} answered for the address at once for ${round(durationMs)} ms.`);
      this.tell(
        `${runs.length} lives of ${LAST}, ${answers.tenures.length - 1} moves of the address, ${answers.asked.count} questions: both active for ${round(both)} ms.`,
      );
    }
    return Math.ceil(both);
  }

  /** Returns how long the service was away, ms. */
  protected async powerOffActive(): Promise<number> {
    const [from, to] = [this.active, this.standby];
    const at = await this.powerOff(from);
    const tookMs = (await this.untilActive(to, at)) - at;
    this.active = to;
    this.tell(
      `${from.name}, the active one, loses its power: ${round(tookMs)} ms later ${to.name} has everything: address, web server, ${LAST}.`,
    );
    await this.powerOn(from);
    return tookMs;
  }

  protected async powerOffStandby(): Promise<number> {
    const node = this.standby;
    const gone = await this.undisturbed(`${node.name}, the standby, loses its power`, async () => {
      await this.powerOff(node);
    });
    const back = await this.undisturbed('It comes back', () => this.powerOn(node));
    return gone + back;
  }
}

export function round(ms: number): number {
  return Math.round(ms);
}
