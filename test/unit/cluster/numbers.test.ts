import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Numbers } from '../../../src/core/cluster/numbers.ts';
import type { GroupNumbers, PersistEffect } from '../../../src/core/engine-interface.ts';

const G = 'oam-services';

function numbers(restored: readonly GroupNumbers[] = []) {
  const effects: PersistEffect[] = [];
  return { effects, numbers: new Numbers([G], restored, (effect) => effects.push(effect)) };
}

describe('activation numbers (rule 5)', () => {
  it('persists every change and nothing else', () => {
    const { numbers: n, effects } = numbers();
    n.record(G, 'controller-0', 1);
    n.record(G, 'controller-0', 1);
    n.hold(G, 1);
    n.see(G, 1);
    n.giveUp(G, 1);
    n.giveUp(G, 1);
    expect(effects.length).toBe(3);
    expect(effects.at(-1)).toEqual({ type: 'persist.numbers', numbers: n.of(G) });
  });

  it('gives a number up for ever: it can not be held again', () => {
    const { numbers: n } = numbers();
    n.hold(G, 3);
    n.giveUp(G, 3);
    expect(n.of(G)).toMatchObject({ held: 0, stopped: 3, max: 3 });
    expect(() => n.hold(G, 3)).toThrow(/given up/);
    expect(() => n.hold(G, 2)).toThrow(/given up/);
    n.hold(G, 4);
    expect(n.anyHeld()).toBe(true);
  });

  it('keeps the largest number ever seen, whoever showed it', () => {
    const { numbers: n } = numbers();
    n.see(G, 9);
    n.see(G, 4);
    n.record(G, '', 7);
    n.giveUp(G, 2);
    expect(n.of(G).max).toBe(9);
  });

  it('leaps over what a dead peer may have given, the farther the less was known of it', () => {
    const { numbers: n, effects } = numbers();
    n.leap(false);
    expect(effects).toEqual([]);
    n.see(G, 3);
    n.leap(true);
    expect(n.of(G).max).toBe(1003);
    n.leap(false);
    expect(n.of(G)).toMatchObject({ max: 1_001_003, held: 0, stopped: 0 });
  });

  it('goes on where the store ended, for groups of this definition set only', () => {
    const row = { group: G, held: 0, stopped: 5, max: 8, holder: 'controller-1', holderActivation: 8 };
    const { numbers: n } = numbers([row, { ...row, group: 'gone' }]);
    expect(n.all()).toEqual([row]);
    expect(() => n.hold(G, 5)).toThrow(/given up/);
  });

  it('never lets a number come back, whatever the order of events', () => {
    const step = fc.record({
      what: fc.constantFrom('hold', 'giveUp', 'see', 'record'),
      by: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { numbers: n } = numbers();
        const givenUp = new Set<number>();
        let max = 0;
        for (const { what, by } of steps) {
          const before = n.of(G);
          if (what === 'hold') n.hold(G, before.max + 1 + by);
          else if (what === 'giveUp' && before.held > 0) {
            givenUp.add(before.held);
            n.giveUp(G, before.held);
          } else if (what === 'see') n.see(G, before.max + by);
          else if (what === 'record') n.record(G, 'controller-1', Math.max(1, before.max - by));
          const { held, stopped } = n.of(G);
          expect(givenUp.has(held)).toBe(false);
          for (const number of givenUp) expect(number).toBeLessThanOrEqual(stopped);
          expect(n.of(G).max).toBeGreaterThanOrEqual(max);
          max = n.of(G).max;
        }
      }),
    );
  });
});
