import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  bothActiveMs,
  type Entry,
  Journal,
  lastStart,
  parseJournal,
} from '../../../scripts/bench/journal.ts';

const entry = (
  node: string,
  service: string,
  command: Entry['command'],
  beginMs: number,
  endMs: number,
): Entry => ({
  node,
  service,
  command,
  beginMs,
  endMs,
});

test('lines are read, one that is not complete yet is left out', () => {
  expect(parseJournal('a', 's start 1.5 1.75\nt stop 2 2.5\ns sta')).toEqual([
    entry('a', 's', 'start', 1500, 1750),
    entry('a', 't', 'stop', 2000, 2500),
  ]);
});

describe('the last start', () => {
  const entries = [
    entry('a', 's', 'start', 100, 110),
    entry('a', 't', 'start', 100, 140),
    entry('b', 's', 'start', 500, 520),
    entry('a', 's', 'start', 600, 610),
  ];

  test('is the end of the last of the first starts since then', () => {
    expect(lastStart(entries, ['s', 't'], 'a', 0)).toBe(140);
    expect(lastStart(entries, ['s'], 'a', 111)).toBe(610);
  });

  test('is not there while one is missing', () => {
    expect(lastStart(entries, ['s', 't'], 'a', 141)).toBeNull();
    expect(lastStart(entries, ['s', 't'], 'b', 0)).toBeNull();
  });
});

describe('both active', () => {
  const start = entry('a', 's', 'start', 100, 110);

  test('from the begin of a start to the end of the stop', () => {
    const stop = entry('a', 's', 'stop', 190, 200);
    expect(bothActiveMs([start, stop, entry('b', 's', 'start', 150, 160)], [])).toBe(50);
    expect(bothActiveMs([start, stop, entry('b', 's', 'start', 200, 210)], [])).toBe(0);
    expect(bothActiveMs([start, stop, entry('b', 't', 'start', 150, 160)], [])).toBe(0);
  });

  test('a power-off ends a life, an earlier one does not', () => {
    const other = [start, entry('b', 's', 'start', 150, 160), entry('b', 's', 'stop', 300, 310)];
    expect(bothActiveMs(other, [{ node: 'a', atMs: 170 }])).toBe(20);
    expect(bothActiveMs(other, [{ node: 'a', atMs: 90 }])).toBe(160);
  });
});

test('a node that loses its power forgets pid files, and keeps its journal', async () => {
  const services = mkdtempSync(join(tmpdir(), 'journal-'));
  onTestFinished(() => rmSync(services, { recursive: true }));
  const node = { name: 'a', services };
  const journal = new Journal([node]);
  writeFileSync(join(services, 's.pid'), '12');
  writeFileSync(join(services, 'journal'), 's start 1 2\n');
  expect(await journal.allStarted(['s'], node, 0)).toBe(2000);
  journal.lostPower(node, 1500);
  expect(readdirSync(services)).toEqual(['journal']);
  expect(journal.bothActiveMs()).toBe(0);
});
