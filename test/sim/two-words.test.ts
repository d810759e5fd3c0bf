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

test.each(CASES)('$policy: node $first first, $apartMs ms apart, back: $back', ({
  policy,
  first,
  apartMs,
  back,
}) => {
  const domain = { ...QUIET_WORLD.domain, policy };
  const world = new World({ ...QUIET_WORLD, domain, seed: apartMs + 1, groups: GROUPS });
  const pass = (ms: number) => world.run(world.now + ms);
  for (const node of world.nodes) node.powerOn();
  pass(5000);
  expect(notConverged(world)).toBeNull();
  for (const role of world.network.roles) for (const from of [0, 1]) world.network.delay(role, from, 20);
  const fail = (index: number) => {
    const node = world.nodes[index];
    if (node === undefined) return;
    node.disk.failing = true;
    // Something to be stored.
    node.executor.processDies(node.executor.service('web-server'));
  };
  fail(first);
  pass(apartMs);
  fail(1 - first);
  pass(1500);
  for (const index of back) {
    const disk = world.nodes[index]?.disk;
    if (disk !== undefined) disk.failing = false;
    pass(30);
  }
  pass(5000);
  expect(world.violations).toEqual([]);
  const active = world.nodes.filter(({ executor }) => executor.service('oam-ip').role === 'active');
  expect(active).toHaveLength(1);
  if (back.length === 1) expect(active[0]?.index).toBe(back[0]);
});
