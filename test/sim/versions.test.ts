/** Two programs of different age in one domain, in worlds with all faults (docs/reference/wire.md, "Versions"). */
import { expect, test } from 'vitest';
import { notConverged } from '../../src/sim/convergence.ts';
import { type GroupShape, PAIR } from '../../src/sim/options.ts';
import { QUIET_WORLD } from '../../src/sim/quiet.ts';
import { runSeed } from '../../src/sim/run.ts';
import { drawOptions } from '../../src/sim/swarm.ts';
import { type Tracer, World } from '../../src/sim/world.ts';
import { MixedWire, ofTheFuture } from '../support/mixed-wire.ts';

const GROUPS: readonly GroupShape[] = [
  {
    ...PAIR,
    name: 'database',
    services: [{ name: 'postgres', promotable: true, kernelState: false, after: '', impact: 'critical' }],
  },
];
const BETWEEN_HELLOS_MS = 140;
const [NEW, OLD] = ['controller-0', 'controller-1'] as const;

function settled(wire: MixedWire): World {
  const world = new World({ ...QUIET_WORLD, groups: GROUPS }, { wire });
  for (const node of world.nodes) node.powerOn();
  world.run(world.now + 10_000);
  expect(notConverged(world)).toBeNull();
  return world;
}

const active = (world: World): string[] =>
  world.nodes
    .filter(({ executor }) => executor.service('postgres').role === 'active')
    .map(({ name }) => name);

test('an old and a new program pair, swact both ways and fail over both ways; the new one speaks version 1', () => {
  const wire = new MixedWire([OLD]);
  const world = settled(wire);
  for (let moves = 0; moves < 2; moves += 1) {
    const [from] = active(world);
    const node = world.node(from ?? '');
    world.command(node, { kind: 'swact', node: node.name, group: '', why: 'test', forMs: 0 });
    world.run(world.now + 5000);
    expect(active(world)).toEqual([NEW, OLD].filter((name) => name !== from));
  }
  for (let deaths = 0; deaths < 2; deaths += 1) {
    const [from] = active(world);
    world.node(from ?? '').powerOff();
    world.run(world.now + 4000);
    expect(active(world)).toEqual([NEW, OLD].filter((name) => name !== from));
    world.node(from ?? '').powerOn();
    world.run(world.now + 10_000);
    expect(notConverged(world)).toBeNull();
  }
  expect(world.violations).toEqual([]);
  expect(wire.unreadable).toEqual([]);
  expect([...wire.sent.keys()].sort()).toEqual([`${NEW} v1`, `${OLD} v1`]);
});

test('two new ones begin in version 1 and go on in 2', () => {
  const both = new MixedWire([]);
  settled(both);
  const count = (key: string): number => both.sent.get(key) ?? 0;
  expect(count(`${NEW} v1`)).toBeGreaterThan(0);
  expect(count(`${NEW} v2`)).toBeGreaterThan(10 * count(`${NEW} v1`));
});

test('an upgrade and its taking back, one node after the other, while services run', () => {
  let wire = new MixedWire([NEW, OLD]);
  const world = new World(
    { ...QUIET_WORLD, groups: GROUPS },
    { wire: { seal: (frame) => wire.seal(frame), open: (...given) => wire.open(...given) } },
  );
  for (const node of world.nodes) node.powerOn();
  world.run(world.now + 10_000);
  const where = active(world);
  const version1 = `${NEW} v1, ${OLD} v1`;
  const steps: readonly (readonly [changed: string, old: readonly string[], spoken: string])[] = [
    [NEW, [OLD], version1],
    [OLD, [], `${NEW} v1, ${NEW} v2, ${OLD} v1, ${OLD} v2`],
    [NEW, [NEW], version1],
    [OLD, [NEW, OLD], version1],
  ];
  for (const [changed, old, spoken] of steps) {
    // Not right before a hello of the other one: that would be meant for the program before.
    world.run(world.now + BETWEEN_HELLOS_MS);
    wire = new MixedWire(old);
    world.node(changed).endWatchdog('another program');
    world.run(world.now + 10_000);
    expect(notConverged(world)).toBeNull();
    expect([...wire.sent.keys()].sort().join(', ')).toBe(spoken);
  }
  expect(active(world)).toEqual(where);
  expect(world.violations).toEqual([]);
});

test.each([21, 22, 23, 24])('seed %i with its faults breaks no rule and settles', (seed) => {
  const options = drawOptions({ seed, minutes: 2, worldClass: 'default', breaks: [] });
  const wire = new MixedWire(options.nodes.slice(seed % 2, 1 + (seed % 2)));
  const { violations, unconverged } = runSeed(options, { wire });
  expect(violations).toEqual([]);
  expect(unconverged).toBe('');
  expect(wire.unreadable).toEqual([]);
});

test('what the shots of a node take is told in version 2; beside an older program the limits count', () => {
  const waits = (old: readonly string[]): readonly [wait: number, shots: number] => {
    const wire = new MixedWire(old);
    const lines: string[] = [];
    const trace = (...[, , , text]: Parameters<Tracer>): void => void lines.push(text);
    const options = { ...QUIET_WORLD, groups: GROUPS, arbiter: { ...QUIET_WORLD.arbiter, fence: true } };
    const world = new World(options, { wire, trace });
    for (const node of world.nodes) node.powerOn();
    world.run(world.now + 10_000);
    for (const role of world.network.roles) for (const from of [0, 1]) world.network.cut(role, from);
    world.run(world.now + 10_000);
    expect(wire.unreadable).toEqual([]);
    expect(world.violations).toEqual([]);
    const starts = lines.flatMap((line) => /^fences .* after (\d+) ms/.exec(line)?.[1] ?? []);
    return [Math.max(...starts.map(Number)), lines.filter((line) => line.startsWith('shot by')).length];
  };
  expect(waits([])[0]).toBeLessThan(4500);
  expect(waits([OLD])[0]).toBeGreaterThan(10_000);
  expect(waits([NEW])[0]).toBeGreaterThan(0);
});

test('a peer without a common version is not heard, and nothing of it is taken for anything else', () => {
  const wire = new MixedWire([]);
  const dropped = new Set<string>();
  const open: MixedWire['open'] = (datagram, ...rest) => {
    const verdict = wire.open(ofTheFuture(datagram), ...rest);
    if (verdict.verdict === 'dropped') dropped.add(verdict.cause);
    return verdict;
  };
  const options = {
    ...QUIET_WORLD,
    groups: GROUPS,
    domain: { ...QUIET_WORLD.domain, policy: 'stay' as const },
  };
  const world = new World(options, { wire: { seal: (frame) => wire.seal(frame), open } });
  for (const node of world.nodes) node.powerOn();
  world.run(world.now + 10_000);
  expect([...dropped]).toEqual(['version']);
  const views = world.nodes.map(({ manager }) => manager.engine?.view(world.now));
  expect(views.map((view) => view?.peer?.exchanged)).toEqual([false, false]);
});
