import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fnv1a64 } from '../../../src/core/definitions/digest.ts';
import { type Edge, findCycles, graphOf, reaches } from '../../../src/core/definitions/order.ts';

const edge = (text: string): Edge => ({ from: text.charAt(0), to: text.charAt(1) });
const cycles = (...edges: string[]): string[] =>
  findCycles(graphOf(edges.map(edge))).map((cycle) => cycle.join(''));

test('circles are found, with the names on them', () => {
  expect(cycles('ab', 'bc', 'ac')).toEqual([]);
  expect(cycles('ab', 'bc', 'ca', 'cd')).toEqual(['abc']);
  expect(cycles('aa')).toEqual(['a']);
  expect(cycles('ab', 'ba', 'cd', 'dc')).toEqual(['ab', 'cd']);
  expect(cycles('xa', 'ab', 'bc', 'cb')).toEqual(['bc']);
});

test('a graph has a circle exactly when somebody reaches itself', () => {
  const name = fc.constantFrom(...'abcdef');
  const edges = fc.array(fc.record({ from: name, to: name }), { maxLength: 12 });
  fc.assert(
    fc.property(edges, (drawn) => {
      const graph = graphOf(drawn);
      const found = findCycles(graph);
      expect(found.length > 0).toBe([...'abcdef'].some((each) => reaches(graph, each, each)));
      for (const cycle of found) {
        for (const [i, each] of cycle.entries()) {
          expect(graph.get(each)).toContain(cycle[(i + 1) % cycle.length]);
        }
      }
    }),
  );
});

test('the hash is FNV-1a of 64 bits', () => {
  // Test vectors of the algorithm's authors.
  expect(fnv1a64('')).toBe('cbf29ce484222325');
  expect(fnv1a64('a')).toBe('af63dc4c8601ec8c');
  expect(fnv1a64('foobar')).toBe('85944171f73967e8');
});
