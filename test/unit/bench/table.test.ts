import { expect, test } from 'vitest';
import { resultOf } from '../../../scripts/bench/result.ts';
import {
  benchTable,
  peersTable,
  provenance,
  type Report,
  readReport,
  replaceBetween,
  speedTable,
} from '../../../scripts/bench/table.ts';

const machine = {
  cpu: 'Some CPU',
  cores: 2,
  memoryGb: 24,
  kernel: '6.18.44-x',
  node: 'v20.20.2',
  load: 0.24,
  loadAtEnd: 1,
};
const report = (program: Report['program'], results: Report['results']): Report => ({
  program,
  date: '2026-11-22T01:02:03.000Z',
  machine,
  results,
});
const ms = { unit: 'ms', target: null };

test('a report is the last line of a run that went well', () => {
  const { program, ...rest } = report('bench', []);
  const text = (verdict: string) => `{"name":"x"}\n${JSON.stringify({ [program]: verdict, ...rest })}\n`;
  expect(readReport(text('ok'))).toMatchObject({ program, machine });
  expect(() => readReport(text('failed'))).toThrow('no run that went well');
});

test('when and where', () => {
  expect(provenance(report('bench', []))).toBe(
    '2026-11-22, Some CPU, 2 cores, 24 GB, Linux 6.18, Node 20.20.2; load average 0.2 before, 1.0 at the end.',
  );
  const busy = { ...report('bench', []), machine: { ...machine, load: 2.5 } };
  expect(provenance(busy)).toMatch(/2\.5 before, 1\.0 at the end\. \*\*Other work ran on the same cores/);
});

test('a row for each figure', () => {
  const beside = { what: 'a shell', values: [2] };
  const results = [
    resultOf({ name: 'a', values: [3, 4, 8], unit: 'ms', target: 5, beside }),
    resultOf({ name: 'b', values: [0], unit: 'events', target: null }),
  ];
  expect(benchTable(report('bench', results)).split('\n').slice(2)).toEqual([
    '| `a` | ms | 5 | 4 [3..8], 2 x plain |',
    '| `b` | events |  | 0 |',
  ]);
});

test('the figures that a user asks for say what they miss', () => {
  const results = [
    resultOf({ name: 'restart', values: [50, 54, 60], unit: 'ms', target: 150 }),
    resultOf({ name: 'idle-cpu-demo', values: [2], unit: '% of a core', target: 1.5 }),
    resultOf({ name: 'nobody-asks', values: [1], unit: 'ms', target: null }),
  ];
  expect(speedTable(report('bench', results)).split('\n').slice(2)).toEqual([
    '| a service’s process dies → it runs again | 54 [50..60] ms | 150 |',
    '| nothing happens: `sm` and `sm-watchdog`, the demo’s set | 2 % of a core | 1.5 (missed) |',
  ]);
});

test('a column for each manager that was there; a start that was hurried is left out', () => {
  const of = (name: string, value: number, facts: object) =>
    resultOf({ ...ms, name, values: [value], facts: { bothActiveMs: 0, ...facts } });
  const ours = { hello: 200, dead: 800 };
  const results = [
    of('start.sm', 1500, ours),
    of('start.pacemaker', 5000, { deadTimeSeconds: 2 }),
    of('node-death.sm', 1000, ours),
    of('node-death.pacemaker', 6000, { deadTimeSeconds: 2, bothActiveMs: 7 }),
  ];
  const [head, , death, start, both] = peersTable(report('bench-peers', results)).split('\n');
  expect(head).toBe('| 5 services | sm 200/800 | Pacemaker |');
  expect(death).toMatch(/\| 1000 \| 6000 \|$/);
  expect(start).toMatch(/\| 1500 \| {2}\|$/);
  expect(both).toBe('| both active meanwhile, ms | 0 | 7 |');
});

test('only what is between the marks is replaced', () => {
  const page = 'before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n';
  expect(replaceBetween(page, 'x', 'new')).toBe('before\n<!-- x:begin -->\nnew\n<!-- x:end -->\nafter\n');
  expect(() => replaceBetween(page, 'y', 'new')).toThrow('no place for y');
});
