import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Throttle } from '../../../src/core/service/throttle.ts';

describe('throttle', () => {
  it('serves the queue by urgency, then in order of arrival', () => {
    const throttle = new Throttle<string>(1, 2);
    expect(throttle.take('a')).toBe(true);
    expect(throttle.take('b', 1)).toBe(false);
    expect(throttle.take('c', 1)).toBe(false);
    expect(throttle.take('d', 0)).toBe(false);
    expect(throttle.next()).toBeNull();
    throttle.release('a');
    expect([throttle.next(), throttle.next(), throttle.next(), throttle.next()]).toEqual([
      'd',
      'b',
      'c',
      null,
    ]);
  });

  it('never has more holders than tickets, and never loses one', () => {
    const step = fc.tuple(
      fc.constantFrom('take', 'release', 'leave', 'next'),
      fc.integer({ min: 0, max: 5 }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.array(step, { maxLength: 60 }), (size, steps) => {
        const throttle = new Throttle<number>(size);
        const holders = new Set<number>();
        for (const [what, owner] of steps) {
          if (what === 'take' && throttle.take(owner)) holders.add(owner);
          if (what === 'release') {
            throttle.release(owner);
            holders.delete(owner);
          }
          if (what === 'leave') throttle.leave(owner);
          if (what === 'next') throttle.next();
          expect(throttle.held).toBe(holders.size);
          expect(throttle.held).toBeLessThanOrEqual(size);
          expect(throttle.free).toBe(size - holders.size);
        }
      }),
    );
  });
});
