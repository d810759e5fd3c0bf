import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SHIPPED, serviceNames, type Timing, writeSet } from '../../../scripts/bench/definitions.ts';
import { resultOf } from '../../../scripts/bench/result.ts';
import { buildDefinitions } from '../../../src/core/definitions/build.ts';
import { loadRows } from '../../../src/shell/store/source.ts';

function build(timing: Timing) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const shape = { groups: 3, services: 2 };
  writeSet(folder, shape, timing);
  const loaded = loadRows(folder);
  if (!loaded.ok) throw new Error(loaded.error.message);
  return { names: serviceNames(shape), loaded: loaded.value, ...buildDefinitions(loaded.value.rows) };
}

test('a generated set is what was asked for, without errors', () => {
  const { names, loaded, set, problems } = build(SHIPPED);
  expect(loaded.problems).toEqual([]);
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect([...(set?.services.keys() ?? [])]).toEqual(names);
  expect(set?.groups.size).toBe(3);
  expect([...(set?.groups.values() ?? [])].every(({ exclusive }) => exclusive)).toBe(true);
});

test.each([
  { hello: 100, dead: 300, stopBound: 150, accepted: false },
  { hello: 100, dead: 430, stopBound: 150, accepted: true },
  { hello: 50, dead: 310, stopBound: 150, accepted: false },
  { hello: 50, dead: 320, stopBound: 150, accepted: true },
])('hello $hello, dead $dead, S $stopBound: $accepted, as docs/BENCH.md says', ({ accepted, ...timing }) => {
  expect(build({ ...SHIPPED, ...timing }).set !== null).toBe(accepted);
});

test('a result names the median, the spread, and the ratio to what ran beside it', () => {
  const beside = { what: 'a shell', values: [1, 3] };
  expect(resultOf({ name: 'x', values: [4, 10, 5, 1000], unit: 'ms', target: 7, beside })).toEqual({
    name: 'x',
    median: 7.5,
    spread: [4, 1000],
    n: 4,
    unit: 'ms',
    target: 7,
    beside: { what: 'a shell', median: 2, ratio: 3.75 },
  });
});
