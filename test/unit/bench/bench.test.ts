import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SHIPPED, serviceNames, type Timing, writeSet } from '../../../scripts/bench/definitions.ts';
import { ratios } from '../../../scripts/bench/peers/rounds.ts';
import { faultOf, missed, resultOf } from '../../../scripts/bench/result.ts';
import { requestOf } from '../../../scripts/bench/suite.ts';
import { parseStat, parseUsage } from '../../../scripts/bench/usage.ts';
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

test('a figure is a fault where it is a bound, and wherever both were active', () => {
  const figure = { name: 'x', values: [3], unit: 'events', target: 0 };
  expect(faultOf(resultOf(figure))).toBeNull();
  expect(faultOf(resultOf({ ...figure, isBound: true }))).toBe('x: 3, and not 0');
  expect(faultOf(resultOf({ ...figure, isBound: true, values: [0] }))).toBeNull();
  expect(faultOf(resultOf({ ...figure, facts: { bothActiveMs: 12.34 } }))).toBe('x: both active for 12.3 ms');
  expect(faultOf(resultOf({ ...figure, facts: { bothActiveMs: 0 } }))).toBeNull();
});

test('figures above their target are named', () => {
  const of = (name: string, value: number, target: number | null) =>
    resultOf({ name, values: [value], unit: 'ms', target });
  expect(missed([of('a', 5, 5), of('b', 6, 5), of('c', 7, null)])).toEqual({ missed: ['b'] });
});

const NAMES = ['failover', 'swact', 'cuts'] as const;

test.each([
  [{}, { names: NAMES, repeat: 5 }],
  [
    { ONLY: '', REPEAT: '' },
    { names: NAMES, repeat: 5 },
  ],
  [
    { ONLY: 'cuts,failover', REPEAT: '2' },
    { names: ['failover', 'cuts'], repeat: 2 },
  ],
  [{ ONLY: 'failover,typo' }, null],
  [{ REPEAT: '0' }, null],
  [{ REPEAT: '1.5' }, null],
  [{ REPEAT: 'x' }, null],
])('%j asks for %j', (environment, request) => {
  expect(requestOf(NAMES, environment)).toEqual(request);
});

test('processor time and memory are read, whatever the name of the process', () => {
  const stat = `7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 120 30 9 9 20 0 1 0 5 6 7\n`;
  expect(parseUsage(`${stat}Name:\tx\nVmRSS:\t    2048 kB\n`)).toEqual({ cpuMs: 1500, rssMb: 2 });
  expect(parseStat(stat.trim())).toEqual({ name: 'a) b (c', cpuMs: 1500, rssPages: 7 });
});

test('the ratios of others stand by figure', () => {
  const other = (name: string, value: number) =>
    resultOf({ name, values: [value], unit: 'ms', target: null, beside: { what: 'sm', values: [100] } });
  const ours = resultOf({ name: 'node-death.sm', values: [100], unit: 'ms', target: null });
  expect(
    ratios([ours, other('node-death.a', 250), other('node-death.b', 50), other('start.a', 100)]),
  ).toEqual({
    ratios: { 'node-death': { a: 2.5, b: 0.5 }, start: { a: 1 } },
  });
});
