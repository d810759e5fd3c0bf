import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { same } from '../../../src/core/kernel/same.ts';

const plain = fc.jsonValue();

describe('equality of plain data', () => {
  it('is that of its JSON text read back', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(same(value, JSON.parse(JSON.stringify(value)))).toBe(true);
      }),
    );
  });

  it('sees every difference', () => {
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const sorted = (value: unknown): unknown => {
          if (Array.isArray(value)) return value.map(sorted);
          if (typeof value !== 'object' || value === null) return value;
          return Object.fromEntries(
            Object.entries(value)
              .sort(([x], [y]) => (x < y ? -1 : 1))
              .map(([k, v]) => [k, sorted(v)]),
          );
        };
        expect(same(a, b)).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
      }),
    );
  });

  it('sees missing and additional keys, lengths and kinds', () => {
    expect(same({ a: 1 }, { a: 1, b: 2 })).toBe(false);
    expect(same({ a: 1, b: 2 }, { a: 1 })).toBe(false);
    expect(same([1, 2], [1])).toBe(false);
    expect(same([], {})).toBe(false);
    expect(same({}, [])).toBe(false);
    expect(same(JSON.parse('{"__proto__":{}}'), { a: {} })).toBe(false);
    expect(same(null, {})).toBe(false);
    expect(same({ a: [{ b: '' }] }, { a: [{ b: '' }] })).toBe(true);
  });
});
