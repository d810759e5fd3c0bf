/** The trace of a small life: a node alone whose scripts do as they are told, and fail once. */
import type { EngineEffect, EngineEvent } from '../../../src/core/engine-interface.ts';
import { titleLine } from '../../../src/core/trace/step.ts';
import { TracedEngine } from '../../../src/shell/trace/recorder.ts';
import type { TraceRing } from '../../../src/shell/trace/ring.ts';
import { definitionsOf } from '../../../src/sim/definitions.ts';
import { type GroupShape, PAIR } from '../../../src/sim/options.ts';
import { QUIET_WORLD } from '../../../src/sim/quiet.ts';
import { NOTHING } from '../../support/cluster-driver.ts';

const GROUPS: readonly GroupShape[] = [
  {
    ...PAIR,
    name: 'oam',
    services: [{ name: 'oam-ip', promotable: false, kernelState: true, after: '', impact: 'critical' }],
  },
];
export const SECRET = 'hunter2-hunter2';
const STEPS_MAX = 60;

/** Where the second file of the life could begin: behind so many lines of the first. */
export const SECOND_AT = 20;

/** Its lines, the title first, what the engine told the history, and the line with which a second file begins. */
export function recordLife(): {
  readonly lines: string[];
  readonly history: string[];
  readonly second: string;
} {
  const lines = [titleLine({ version: '1', node: 'controller-0', life: 1, file: 1 })];
  const history: string[] = [];
  const definitions = definitionsOf({ ...QUIET_WORLD, groups: GROUPS, nodes: ['controller-0'] }, 0);
  const services = new Map(
    [...definitions.services].map(([name, service]) => [
      name,
      { ...service, instanceParameters: `ip=10.0.0.1,password=${SECRET}` },
    ]),
  );
  const inbox: { event: EngineEvent; at: number }[] = [];
  let now = 1000.25;
  let fails = true;
  const take = (effect: EngineEffect): void => {
    if (effect.type === 'history') history.push(effect.reason);
    if (effect.type === 'timer' && effect.at !== null) {
      const { key, generation, at } = effect;
      inbox.push({ event: { type: 'timer', key, generation }, at });
    }
    if (effect.type !== 'run') return;
    const failing = effect.action === 'enable' && fails;
    if (failing) fails = false;
    const code = failing ? 1 : effect.action.startsWith('audit') ? 7 : 0;
    const outputTail = failing ? `can not log in with ${SECRET}` : '';
    inbox.push({
      event: {
        type: 'run.done',
        run: effect.run,
        outcome: { kind: 'exit', code },
        outputTail,
        durationMs: 5,
      },
      at: now + 5,
    });
  };
  const ring = { add: (line: string) => void lines.push(line), goesOn: () => '' } as unknown as TraceRing;
  let second = '';
  const options = {
    node: 'controller-0',
    definitions: { ...definitions, services },
    kernelLife: 'ab'.repeat(16),
    restored: NOTHING,
    startedWallMs: 1_700_000_000_000,
    barriers: new Map<string, number>(),
  };
  const engine = new TracedEngine(options, take, ring);
  engine.start(now);
  inbox.push({
    event: {
      type: 'guard.hello',
      fresh: true,
      holding: false,
      processLife: 'cd'.repeat(16),
      kernelLife: options.kernelLife,
      deadline: Number.POSITIVE_INFINITY,
      lost: false,
    },
    at: now,
  });
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const next = inbox.sort((a, b) => a.at - b.at).shift();
    if (next === undefined) break;
    now = Math.max(now, next.at);
    engine.step(
      next.event,
      now,
      inbox.some(({ at }) => at <= now),
    );
    if (lines.length === SECOND_AT) second = ring.goesOn();
  }
  return { lines, history, second };
}

export function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
