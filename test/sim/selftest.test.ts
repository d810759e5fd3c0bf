/** Every checker can fail: a rule broken on purpose is caught by the checker that judges it. */
import { expect, test } from 'vitest';
import { BREAK_NAMES } from '../../src/sim/options.ts';
import { runSeed } from '../../src/sim/run.ts';
import { EXPECTATIONS, provoke, worldFor } from '../../src/sim/selftest.ts';

test('every break has an expectation', () => {
  expect(EXPECTATIONS.map(({ name }) => name).sort()).toEqual([...BREAK_NAMES].sort());
});

const CASES = EXPECTATIONS.map(({ name, checkers }) => ({ name, checkers }));

test.each(CASES)('$name is caught', { timeout: 120_000 }, ({ name, checkers }) => {
  const { caught, checker } = provoke(name, 40);
  expect(caught).toBe(true);
  expect(checkers).toContain(checker);
});

test.each(
  EXPECTATIONS.map((expectation) => ({ expectation, name: expectation.name })),
)('the world of $name breaks no rule by itself', ({ expectation }) => {
  const { violations } = runSeed({ ...worldFor(expectation, 1), breaks: [], minutes: 1 });
  expect(violations).toEqual([]);
});
