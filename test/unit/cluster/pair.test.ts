/** Whole pairs in the simulated world: what must not happen to processes that nothing is wrong with. */
import { describe, expect, it } from 'vitest';
import type { SimNode } from '../../../src/sim/node.ts';
import { EVERYWHERE, type GroupShape, PAIR, type SimOptions } from '../../../src/sim/options.ts';
import { QUIET_WORLD } from '../../../src/sim/quiet.ts';
import { World } from '../../../src/sim/world.ts';

const service = (name: string) => ({
  name,
  promotable: false,
  kernelState: false,
  after: '',
  impact: 'critical' as const,
});
const GROUPS: readonly GroupShape[] = [
  { ...PAIR, name: 'oam', services: [service('oam-ip'), service('oam-proxy')] },
  { ...EVERYWHERE, name: 'web', services: [service('web-server')] },
];

const OPTIONS: SimOptions = { ...QUIET_WORLD, seed: 7, worldClass: 'cut', links: 2, groups: GROUPS };

/** Started together and in order: controller-1 leads, the group is active on controller-0. */
function pair(groups: readonly GroupShape[] = GROUPS) {
  const world = new World({ ...OPTIONS, groups });
  const [a, b] = world.nodes as readonly [SimNode, SimNode];
  for (const node of world.nodes) node.powerOn();
  world.run(4000);
  const cut = (...from: number[]) => {
    for (const role of world.network.roles) for (const side of from) world.network.cut(role, side);
  };
  const heal = (...from: number[]) => {
    for (const role of world.network.roles) for (const side of from) world.network.heal(role, side);
  };
  const pass = (ms: number) => world.run(world.now + ms);
  return { world, a, b, cut, heal, pass };
}

const processes = (node: SimNode, group = 'oam') =>
  [...node.executor.services.values()]
    .filter((s) => s.group === group && s.role === 'active')
    .map(({ name, pid }) => `${name} ${pid}`)
    .join(', ');

const leader = (...nodes: SimNode[]) =>
  nodes.find(({ manager, clock }) => manager.engine?.view(clock.read(0)).domain.state === 'leader')?.name;

describe('a pair', () => {
  it('starts with one active, the other leading', () => {
    const { a, b } = pair();
    expect(processes(a)).not.toBe('');
    expect(processes(b)).toBe('');
    expect(leader(a, b)).toBe('controller-1');
  });

  it.each(['sm', 'sm-watchdog'])('touches no process when %s is killed, on either node', (what) => {
    const { world, a, b, pass } = pair();
    const before = [processes(a), processes(a, 'web'), processes(b, 'web')];
    for (const node of [a, b]) {
      if (what === 'sm') node.endManager('SIGKILL');
      else node.endWatchdog('SIGKILL');
      pass(2500);
      expect([processes(a), processes(a, 'web'), processes(b, 'web')]).toEqual(before);
    }
    expect(world.violations).toEqual([]);
  });

  it('kills no sm that restarts its watchdog', () => {
    const { a, pass } = pair();
    const { life } = a.manager;
    a.endWatchdog('SIGKILL');
    pass(2500);
    expect(a.manager.life).toBe(life);
  });

  it('does not disturb the active when the standby goes, leader or not', () => {
    const { world, a, b, pass } = pair();
    const before = processes(a);
    b.powerOff();
    pass(5000);
    expect(processes(a)).toBe(before);
    b.powerOn();
    pass(5000);
    expect(processes(a)).toBe(before);
    expect(world.violations).toEqual([]);
  });

  it.each([
    ['to the standby', [0], 'controller-1'],
    ['from the standby', [1], 'controller-0'],
  ] as const)('survives a one-way cut of every path %s without an overlap', (_, from, holder) => {
    const { world, a, b, cut, heal, pass } = pair();
    cut(...from);
    pass(4000);
    const acting = [a, b].filter((node) => processes(node) !== '').map(({ name }) => name);
    expect(acting).toEqual([holder]);
    heal(...from);
    pass(4000);
    expect([a, b].filter((node) => processes(node) !== '').map(({ name }) => name)).toEqual([holder]);
    expect(world.violations).toEqual([]);
  });

  it('keeps the higher number running untouched when a full cut heals, where both announced (rule 20)', () => {
    const { a, b, cut, heal, pass } = pair();
    cut(0, 1);
    pass(4000);
    expect(processes(a)).not.toBe('');
    const kept = processes(b);
    expect(kept).not.toBe('');
    heal(0, 1);
    pass(4000);
    expect(processes(a)).toBe('');
    expect(processes(b)).toBe(kept);
  });

  it('lets the lower number stop even where it is the one that is heard', () => {
    for (const first of [0, 1]) {
      const { a, b, cut, heal, pass } = pair();
      cut(0, 1);
      pass(4000);
      heal(first);
      pass(3000);
      heal(1 - first);
      pass(4000);
      expect([a, b].filter((node) => processes(node) !== '').length).toBe(1);
    }
  });
});
