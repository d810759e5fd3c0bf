/** What the events of one turn come to: the pair is looked at once, and permission that is lost waits for nobody. */
import { expect, it } from 'vitest';
import { Engine } from '../../src/core/engine.ts';
import type { EngineEffect, EngineEvent } from '../../src/core/engine-interface.ts';
import { definitionsOf } from '../../src/sim/definitions.ts';
import { PAIR } from '../../src/sim/options.ts';
import { QUIET_WORLD } from '../../src/sim/quiet.ts';
import { NOTHING } from '../support/cluster-driver.ts';

const GROUPS = ['oam', 'web', 'database'].map((name) => ({
  ...PAIR,
  name,
  services: [
    { name: `${name}-server`, promotable: false, kernelState: false, after: '', impact: 'critical' as const },
  ],
}));
const NOW = 1000;

/** A node alone whose first audits have all found nothing and whose guard has greeted: every start script runs. */
class Node {
  effects: EngineEffect[] = [];
  readonly #engine: Engine;

  constructor() {
    const options = {
      node: 'controller-0',
      definitions: definitionsOf({ ...QUIET_WORLD, groups: GROUPS, nodes: ['controller-0'] }, 0),
      kernelLife: 'ab'.repeat(16),
      restored: NOTHING,
      startedWallMs: 1_700_000_000_000,
      barriers: new Map<string, number>(),
    };
    this.#engine = new Engine(options, (effect) => this.effects.push(effect));
    this.#engine.start(NOW);
    for (const { run } of this.runs()) this.step(ended(run, 7));
    const life = 'cd'.repeat(16);
    const { kernelLife } = options;
    const deadline = Number.POSITIVE_INFINITY;
    const hello = { fresh: true, holding: false, processLife: life, kernelLife, deadline, lost: false };
    this.effects = [];
    this.step({ type: 'guard.hello', ...hello });
  }

  step(event: EngineEvent, more = false): void {
    this.#engine.step(event, NOW, more);
  }

  runs() {
    return this.effects.filter((effect) => effect.type === 'run');
  }

  reports() {
    return this.effects.filter((effect) => effect.type === 'guard.send');
  }
}

function ended(run: number, code: number): EngineEvent {
  return { type: 'run.done', run, outcome: { kind: 'exit', code }, outputTail: '', durationMs: 5 };
}

it('ends of scripts in one turn are told to the peer in one report, which has them all', () => {
  const node = new Node();
  const starts = node.runs();
  expect(starts).toHaveLength(3);
  node.effects = [];
  for (const [index, { run }] of starts.entries()) node.step(ended(run, 0), index < 2);
  expect(node.reports()).toHaveLength(1);
  expect(node.reports()[0]?.report.groups.map(({ state }) => state)).toEqual(['active', 'active', 'active']);
});

it('the last event of a turn brings the look, also where it changes nothing itself', () => {
  const node = new Node();
  const [start] = node.runs();
  node.effects = [];
  node.step(ended(start?.run ?? 0, 0), true);
  expect(node.reports()).toHaveLength(0);
  node.step(ended(9999, 0));
  expect(node.reports()[0]?.report.groups[0]?.state).toBe('active');
});

it('permission that is lost is acted on at once, whatever follows in the turn', () => {
  const node = new Node();
  const [first] = node.runs();
  node.step(ended(first?.run ?? 0, 0), true);
  node.effects = [];
  node.step({ type: 'guard.lost', reason: 'silence' }, true);
  const stopped = node.runs().filter(({ action }) => action === 'disable');
  expect(stopped.map(({ service }) => service)).toEqual(['oam-server']);
  expect(node.effects.filter(({ type }) => type === 'kill')).toHaveLength(2);
});
