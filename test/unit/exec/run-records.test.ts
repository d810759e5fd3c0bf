import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RunRecords } from '../../../src/shell/exec/run-records.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sm-records-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const record = (run: number, life = 'old') => ({
  service: 's',
  run,
  mark: `${life}-${run}`,
  group: `${life}-1`,
});

it('tells the next life what began and did not end, and nothing of its own', () => {
  const old = new RunRecords(directory, 'old');
  for (const run of [1, 2, 3]) old.begin(record(run));
  old.end('old-2');
  const next = new RunRecords(directory, 'next');
  next.begin(record(1, 'next'));
  const left = next.left();
  expect(left.map(({ file: _file, ...rest }) => rest)).toEqual([record(1), record(3)]);
  for (const each of left) next.forget(each);
  expect(next.left()).toEqual([]);
  expect(readdirSync(directory)).toEqual(['next']);
  old.close();
  next.close();
});

it('begins its file anew when it is long and nothing runs', () => {
  const records = new RunRecords(directory, 'old');
  for (let run = 0; run < 1000; run++) {
    records.begin(record(run));
    records.end(`old-${run}`);
  }
  expect(statSync(join(directory, 'old')).size).toBeLessThan(66_000);
  records.begin(record(1000));
  expect(new RunRecords(directory, 'next').left()).toMatchObject([record(1000)]);
  records.close();
});

it('reads what a dying writer or an older version has left', () => {
  writeFileSync(join(directory, 'a'), `${JSON.stringify(record(1))}\n{"service":"s","ru`);
  // One file for each script, as it was before.
  writeFileSync(join(directory, 'old-7'), '{"service":"s","run":7,"mark":"old-7"}');
  writeFileSync(join(directory, 'b'), 'null\n7\n"text"\n{}\n-\n');
  const records = new RunRecords(directory, 'next');
  const left = records.left();
  expect(left.map(({ mark, group }) => [mark, group])).toEqual([
    ['old-1', 'old-1'],
    ['old-7', 'old-7'],
  ]);
  expect(readdirSync(directory)).toEqual(['a', 'old-7']);
  records.forget(left[0]!);
  expect(readdirSync(directory)).toEqual(['old-7']);
  expect(readFileSync(join(directory, 'old-7'), 'utf8')).not.toContain('-old-7');
});
