/**
 * Rule 19: a swact is disturbed before and after each of its steps. Never both nodes active; the groups come back where one
 * node is able; the operation comes to an end, and says why where that is not its success.
 */
import { describe, expect, test } from 'vitest';
import { notConverged } from '../../src/sim/convergence.ts';
import { acts } from '../../src/sim/executor.ts';
import type { SimNode } from '../../src/sim/node.ts';
import { EVERYWHERE, type GroupShape, PAIR, type ServiceShape } from '../../src/sim/options.ts';
import { QUIET_WORLD } from '../../src/sim/quiet.ts';
import { World } from '../../src/sim/world.ts';

const service = (name: string, change: Partial<ServiceShape> = {}): ServiceShape => ({
  name,
  promotable: false,
  kernelState: false,
  after: '',
  impact: 'critical',
  ...change,
});
const GROUPS: readonly GroupShape[] = [
  { ...PAIR, name: 'oam', services: [service('oam-ip', { kernelState: true }), service('oam-proxy')] },
  { ...PAIR, name: 'database', services: [service('postgres', { promotable: true })] },
  { ...EVERYWHERE, name: 'web', services: [service('web-server')] },
];

const STEPS = ['requested', 'accepted', 'stopping', 'stopped', 'activating', 'done'] as const;
const FINAL: ReadonlySet<string> = new Set(['done', 'failed-back', 'timed-out', 'refused']);

interface Stage {
  readonly world: World;
  readonly from: SimNode;
  readonly to: SimNode;
}

interface Disturbance {
  readonly begin: (stage: Stage) => void;
  readonly end: (stage: Stage) => void;
}

const powerOff = (who: 'from' | 'to'): Disturbance => ({
  begin: (stage) => stage[who].powerOff(),
  end: (stage) => stage[who].powerOn(),
});
const nothing = () => {};
const kill = (who: 'from' | 'to'): Disturbance => ({
  begin: (stage) => stage[who].endManager('SIGKILL'),
  end: nothing,
});
const carriers = (who: 'from' | 'to', change: 1 | -1) => (stage: Stage) => {
  for (const role of stage.world.network.roles) stage[who].carrierFault(role, change);
};
const links =
  (work: 'cut' | 'heal') =>
  ({ world: { network } }: Stage) => {
    for (const role of network.roles) for (const from of [0, 1]) network[work](role, from);
  };

/** The leader is one of the two, so it is not named apart. */
const DEATHS: Readonly<Record<string, Disturbance>> = {
  'power-off of the source': powerOff('from'),
  'power-off of the target': powerOff('to'),
  'death of sm at the source': kill('from'),
  'death of sm at the target': kill('to'),
};
const CARRIERS: Readonly<Record<string, Disturbance>> = {
  'carriers down at the source': { begin: carriers('from', 1), end: carriers('from', -1) },
  'carriers down at the target': { begin: carriers('to', 1), end: carriers('to', -1) },
};
/** Under `takeover` alone both act in a full cut, which is outside of the assumptions. */
const CUTS = { ...CARRIERS, 'every link cut': { begin: links('cut'), end: links('heal') } };

const DISTURBED_MS = 3000;
const SETTLED_MS = 8000;
const STEP_LIMIT_MS = 2000;

function settled(record: 'etcd' | 'none', leaderIsSource: boolean): Stage {
  const { arbiter } = QUIET_WORLD;
  const world = new World({ ...QUIET_WORLD, arbiter: { ...arbiter, record }, groups: GROUPS });
  const [first, second] = world.nodes as readonly [SimNode, SimNode];
  for (const node of world.nodes) node.powerOn();
  world.run(5000);
  // Started together the second node leads, and the first one has the groups.
  if (!leaderIsSource) return { world, from: first, to: second };
  order(world, first);
  world.run(world.now + 3000);
  return { world, from: second, to: first };
}

function order(world: World, from: SimNode): void {
  world.command(from, { kind: 'swact', node: from.name, group: '', why: 'asked', forMs: 0 });
}

function operations({ manager, clock, world }: SimNode) {
  return manager.engine?.view(clock.read(world.now)).operations ?? [];
}

/** Until the swact of this node is that far on one of the nodes; it is quicker than this where it ends before. */
function runUntil({ world, from }: Stage, step: (typeof STEPS)[number]): void {
  const wanted = STEPS.indexOf(step);
  const reached = () =>
    world.nodes.some((node) =>
      operations(node).some(
        (operation) => operation.node === from.name && STEPS.indexOf(operation.step as typeof step) >= wanted,
      ),
    );
  for (const end = world.now + STEP_LIMIT_MS; world.now < end && !reached(); ) world.run(world.now + 1);
}

function holders(world: World, group: string): string[] {
  return world.nodes
    .filter(({ executor }) =>
      [...executor.services.values()].filter((each) => each.group === group).every(acts),
    )
    .map(({ name }) => name);
}

interface Place {
  readonly step: (typeof STEPS)[number];
  readonly lateMs: number;
}

/** `mayWait`: where both nodes live and reach the record, a group that is on its way between them waits for the links. */
function disturb(stage: Stage, { step, lateMs }: Place, what: Disturbance, mayWait: boolean): void {
  const { world, from } = stage;
  order(world, from);
  runUntil(stage, step);
  world.run(world.now + lateMs);
  what.begin(stage);
  world.run(world.now + DISTURBED_MS);
  expect(world.violations).toEqual([]);
  for (const group of ['oam', 'database']) {
    const { length } = holders(world, group);
    expect([group, length, length > 0 || mayWait]).toEqual([group, length, true]);
  }
  what.end(stage);
  world.run(world.now + SETTLED_MS);
  expect(world.violations).toEqual([]);
  expect(notConverged(world)).toBeNull();
  for (const node of world.nodes) {
    for (const { kind, step: end, reason } of operations(node)) {
      expect([node.name, kind, FINAL.has(end) ? 'over' : end]).toEqual([node.name, kind, 'over']);
      if (end !== 'done') expect(reason).not.toBe('');
    }
  }
}

const PLACES = [true, false].flatMap((leaderIsSource) =>
  (['accepted', 'stopping', 'activating'] as const).flatMap((step) =>
    [0, 25].map((lateMs) => ({ leaderIsSource, step, lateMs })),
  ),
);

describe.each(Object.entries({ ...DEATHS, ...CARRIERS }))('%s', (_, what) => {
  test.each(PLACES)('$step + $lateMs ms, leader is the source: $leaderIsSource', (place) => {
    disturb(settled('none', place.leaderIsSource), place, what, false);
  });
});

describe.each(Object.entries(CUTS))('with etcd: %s', (_, what) => {
  test.each(PLACES)('$step + $lateMs ms, leader is the source: $leaderIsSource', (place) => {
    disturb(settled('etcd', place.leaderIsSource), place, what, true);
  });
});
