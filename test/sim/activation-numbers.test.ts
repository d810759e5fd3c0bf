/** The judge of activation numbers: what nobody could know is no fault, and everything else is. */
import { expect, test } from 'vitest';
import type { RunEffect } from '../../src/core/service/interface.ts';
import { ActivationNumbers } from '../../src/sim/checkers/activation-numbers.ts';
import type { SimNode } from '../../src/sim/node.ts';
import { type GroupShape, PAIR } from '../../src/sim/options.ts';
import { QUIET_WORLD } from '../../src/sim/quiet.ts';
import { World } from '../../src/sim/world.ts';

const shape = { name: 'ip', promotable: false, kernelState: false, after: '', impact: 'critical' } as const;
const GROUPS: readonly GroupShape[] = [{ ...PAIR, name: 'oam', services: [shape] }];
const DOMAIN = { ...QUIET_WORLD.domain, policy: 'stay' } as const;

/** A world whose judge is told by hand what is spawned. */
function judged(domain: typeof QUIET_WORLD.domain = DOMAIN) {
  const world = new World({ ...QUIET_WORLD, domain, groups: GROUPS });
  const [a, b] = world.nodes as readonly [SimNode, SimNode];
  const judge = new ActivationNumbers(world);
  const begin = (node: SimNode, activation: number) => {
    const numbers = { held: activation, stopped: 0, max: activation, holder: '', holderActivation: 0 };
    node.disk.numbers.set('oam', { group: 'oam', ...numbers });
    const effect = { action: 'enable', token: { group: 'oam', activation } } as unknown as RunEffect;
    judge.spawning(node, node.executor.service('ip'), effect);
    return world.violations.map(({ text }) => text);
  };
  a.powerOn();
  return { world, a, b, begin };
}

test('a number that rises is none, one that is lower or the same is a fault', () => {
  const { a, b, begin } = judged();
  b.powerOn();
  expect(begin(a, 5)).toEqual([]);
  expect(begin(b, 5)).toEqual(["acts under 5, which is controller-0's"]);
  expect(begin(a, 4)).toHaveLength(2);
});

test('two that were alone in turn could not know', () => {
  const { a, b, begin } = judged();
  begin(a, 5);
  a.powerOff();
  b.powerOn();
  expect(begin(b, 3)).toEqual([]);
});

test('the same is a fault while the kernel runs that used the higher number', () => {
  const { b, begin, a } = judged();
  begin(a, 5);
  b.powerOn();
  expect(begin(b, 3)).toHaveLength(1);
});

test('the same is a fault when a report came in between, of the next life too', () => {
  const { world, a, b, begin } = judged();
  begin(a, 5);
  a.powerOff();
  a.powerOn();
  b.powerOn();
  world.run(8000);
  a.powerOff();
  expect(begin(b, 3)).toContain('acts under 3 after controller-0 acted under 5');
});

test('a node knows its own numbers, whatever happened since', () => {
  const { a, begin } = judged();
  begin(a, 5);
  a.powerOff();
  a.powerOn();
  expect(begin(a, 4)).toHaveLength(1);
});
