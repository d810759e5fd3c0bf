/** Both nodes give their word that the other may have the groups: whoever can begin again does, and never both. */
import { expect, test } from 'vitest';
import { notConverged } from '../../src/sim/convergence.ts';
import { EVERYWHERE, type GroupShape, PAIR } from '../../src/sim/options.ts';
import { QUIET_WORLD } from '../../src/sim/quiet.ts';
import { World } from '../../src/sim/world.ts';

const service = (name: string) =>
  ({ name, promotable: false, kernelState: false, after: '', impact: 'critical' }) as const;
const GROUPS: readonly GroupShape[] = [
  { ...PAIR, name: 'oam', services: [service('oam-ip')] },
  { ...EVERYWHERE, name: 'web', services: [service('web-server')] },
];

const POLICIES = ['takeover', 'stay'] as const;
/** The second disk fills up so much after the first: before, while and after the word of the first is on its way. */
const APART_MS = [0, 40, 80, 2000];
const BACK = [[0], [1], [0, 1], [1, 0]] as const;
const CASES = POLICIES.flatMap((policy) =>
  [0, 1].flatMap((first) =>
    BACK.flatMap((back) => APART_MS.map((apartMs) => ({ policy, first, apartMs, back }))),
  ),
);

/** A pair of which the words are under way, and cross on it. */
function wordsOnTheWay(policy: (typeof POLICIES)[number], first: number, apartMs: number, seed: number) {
  const domain = { ...QUIET_WORLD.domain, policy };
  const world = new World({ ...QUIET_WORLD, domain, seed, groups: GROUPS });
  for (const node of world.nodes) node.powerOn();
  pass(world, 5000);
  expect(notConverged(world)).toBeNull();
  for (const role of world.network.roles) for (const from of [0, 1]) world.network.delay(role, from, 20);
  fillDisk(world, first);
  pass(world, apartMs);
  fillDisk(world, 1 - first);
  return world;
}

function pass(world: World, ms: number): void {
  world.run(world.now + ms);
}

function fillDisk({ nodes }: World, index: number): void {
  const node = nodes[index];
  if (node === undefined) return;
  node.disk.failing = true;
  // Something to be stored.
  node.executor.processDies(node.executor.service('web-server'));
}

const whereActive = ({ nodes }: World) =>
  nodes.filter(({ executor }) => executor.service('oam-ip').role === 'active').map(({ index }) => index);

function cut({ network }: World, how: 'cut' | 'heal', froms: readonly number[] = [0, 1]): void {
  for (const role of network.roles) for (const from of froms) network[how](role, from);
}

test.each(CASES)('$policy: node $first first, $apartMs ms apart, back: $back', ({
  policy,
  first,
  apartMs,
  back,
}) => {
  const world = wordsOnTheWay(policy, first, apartMs, apartMs + 1);
  pass(world, 1500);
  for (const index of back) {
    const disk = world.nodes[index]?.disk;
    if (disk !== undefined) disk.failing = false;
    pass(world, 30);
  }
  pass(world, 5000);
  expect(world.violations).toEqual([]);
  const active = whereActive(world);
  expect(active).toHaveLength(1);
  if (back.length === 1) expect(active).toEqual([back[0]]);
});

/** From the restart of both to a cut of everything: the first frames of the new ones are here, on their way, or never sent. */
const CUT_AFTER_MS = [0, 100, 140, 180, 200, 220, 240, 260, 280, 300, 340, 400];

test.each(CUT_AFTER_MS)('crossed words, both sm started anew, and a cut %i ms later', (cutAfterMs) => {
  for (const apartMs of [0, 10, 20]) {
    const world = wordsOnTheWay('stay', 0, apartMs, cutAfterMs + apartMs);
    pass(world, 1500);
    expect(whereActive(world)).toEqual([]);
    for (const { disk } of world.nodes) disk.failing = false;
    for (const node of world.nodes) node.endManager('SIGKILL');
    pass(world, cutAfterMs);
    cut(world, 'cut');
    pass(world, 500);
    for (const node of world.nodes) node.endManager('SIGKILL');
    pass(world, 4000);
    expect(world.violations).toEqual([]);
    cut(world, 'heal');
    pass(world, 5000);
    expect(world.violations).toEqual([]);
    expect(notConverged(world)).toBeNull();
    expect(whereActive(world)).toHaveLength(1);
  }
});

/** What happens to the node that ended in order, while the other one is back from its word and hears nothing of it. */
const AFTERWARDS = {
  'nothing more': () => {},
  'its sm dies before it has told sm-watchdog, which starts another': ({ nodes }: World) => {
    const [, node] = nodes;
    if (node?.left !== true) return;
    node.left = false;
    node.startManager(false, 'test');
  },
  'it is started again, and not heard': ({ nodes }: World) => {
    nodes[1]?.powerOff();
    nodes[1]?.powerOn();
  },
} satisfies Record<string, (world: World) => void>;

test.each(
  Object.keys(AFTERWARDS) as (keyof typeof AFTERWARDS)[],
)('stay: let in by a word, it ends in order; %s', (what) => {
  for (const deafAfterMs of [60, 80, 100, 120, 140, 160]) {
    const world = new World({
      ...QUIET_WORLD,
      domain: { ...QUIET_WORLD.domain, policy: 'stay' },
      seed: deafAfterMs,
      groups: GROUPS,
    });
    for (const node of world.nodes) node.powerOn();
    pass(world, 5000);
    // Whoever leads here is the second one, and the first one acts.
    fillDisk(world, 0);
    pass(world, 3000);
    expect(whereActive(world)).toEqual([1]);
    world.nodes[1]?.shutDown('test');
    pass(world, deafAfterMs);
    cut(world, 'cut', [1]);
    AFTERWARDS[what](world);
    pass(world, 3000);
    const disk = world.nodes[0]?.disk;
    if (disk !== undefined) disk.failing = false;
    pass(world, 5000);
    expect(world.violations).toEqual([]);
    cut(world, 'heal');
    pass(world, 5000);
    expect(world.violations).toEqual([]);
    expect(whereActive(world).length).toBeLessThanOrEqual(1);
  }
});
