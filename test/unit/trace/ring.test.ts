import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TraceRing, WRITE_DELAY_MS } from '../../../src/shell/trace/ring.ts';
import { replayAll } from '../../../src/sim/traces.ts';
import { FakeTime, silentLog } from '../shell/fakes.ts';
import { recordLife } from './record.ts';

let directory: string;
let time: FakeTime;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sm-trace-'));
  time = new FakeTime();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (bytesMax: number, log = silentLog): TraceRing =>
  new TraceRing({ directory, bytesMax, title: (life, file) => `title ${life} ${file}`, time, log });
const names = (): string[] => readdirSync(directory).sort();
const read = (name: string): string => readFileSync(join(directory, name), 'utf8');

it('writes in the background, and what is left at the end', async () => {
  const ring = open(1e6);
  expect(read('000001-000001.trace')).toBe('title 1 1\n');
  ring.add('a');
  ring.add('b');
  time.advance(WRITE_DELAY_MS);
  await vi.waitFor(() => expect(read('000001-000001.trace')).toBe('title 1 1\na\nb\n'));
  ring.add('c');
  time.advance(WRITE_DELAY_MS);
  ring.add('d');
  // One line is on its way, one waits.
  ring.close();
  await vi.waitFor(() => expect(read('000001-000001.trace')).toBe('title 1 1\na\nb\nc\nd\n'));
  expect(statSync(join(directory, '000001-000001.trace')).mode & 0o777).toBe(0o600);
  ring.add('too late');
  expect(open(1e6).life).toBe(2);
});

it('begins each later file with what stands for those before it', async () => {
  const ring = open(800);
  ring.goesOn = () => 'the state so far';
  ring.add('a'.repeat(120));
  time.advance(WRITE_DELAY_MS);
  // Comes while the first is on its way: it happened before the state.
  ring.add('b');
  await vi.waitFor(() => expect(names().at(-1)).toBe('000001-000002.trace'));
  expect(read('000001-000002.trace')).toBe('title 1 2\nthe state so far\n');
  await vi.waitFor(() => expect(names()).toEqual(['000001-000001.trace.gz', '000001-000002.trace']));
  const first = gunzipSync(readFileSync(join(directory, '000001-000001.trace.gz'))).toString();
  expect(first).toBe(`title 1 1\n${'a'.repeat(120)}\nb\n`);
  ring.close();
});

it('ends where the state can not be told, and nothing else does', async () => {
  const warn = vi.fn();
  const ring = open(800, { ...silentLog, warn });
  ring.goesOn = () => {
    throw new Error('no such state');
  };
  ring.add('a'.repeat(120));
  time.advance(WRITE_DELAY_MS);
  await vi.waitFor(() => expect(ring.isOpen).toBe(false));
  expect(warn).toHaveBeenCalledWith({ reason: 'Error: no such state' }, 'the trace of this life of sm ends');
  expect(names()).toEqual(['000001-000001.trace']);
});

it('begins new files, packs the full ones, and keeps within its room', async () => {
  const ring = open(2000);
  let written = 1;
  for (let file = 1; file <= 40; file += 1) {
    for (let lines = 0; lines < 3; lines += 1) ring.add(randomBytes(45).toString('hex'));
    time.advance(WRITE_DELAY_MS);
    await vi.waitFor(() => expect(Number(names().at(-1)?.slice(7, 13))).toBeGreaterThan(written));
    written = Number(names().at(-1)?.slice(7, 13));
  }
  await vi.waitFor(() => {
    expect(names().filter((name) => name.endsWith('.trace'))).toHaveLength(1);
    expect(names().filter((name) => name.endsWith('.unfinished'))).toEqual([]);
  });
  expect(written).toBeGreaterThan(30);
  const bytes = names().reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  expect(bytes).toBeLessThanOrEqual(2000);
  const packed = names().find((name) => name.endsWith('.gz')) ?? '';
  expect(packed).not.toBe('000001-000001.trace.gz');
  expect(gunzipSync(readFileSync(join(directory, packed))).toString()).toContain('title 1 ');
  expect(statSync(join(directory, packed)).mode & 0o777).toBe(0o600);
  ring.close();
});

it('is packed when a start is over, and replayed packed or not', async () => {
  const { lines } = recordLife();
  const full = (life: number): string =>
    `${[lines[0]?.replace('"life":1', `"life":${life}`), ...lines.slice(1)].join('\n')}\n`;
  for (const life of [1, 2]) writeFileSync(join(directory, `00000${life}-000001.trace`), full(life));
  const ring = open(1e6);
  time.advance(30_000);
  await vi.waitFor(() =>
    expect(names()).toEqual(['000001-000001.trace.gz', '000002-000001.trace.gz', '000003-000001.trace']),
  );
  ring.close();
  rmSync(join(directory, '000003-000001.trace'));
  const { summary, lines: told } = replayAll(directory);
  expect(summary).toMatchObject({ identical: true, events: 2 * (lines.length - 3) });
  expect(told.at(-1)).toMatch(/^identical: \d+ turns, \d+ events, 2 lives of sm$/);
  expect(replayAll(join(directory, 'none')).summary.identical).toBe(false);
});

it('ends, and nothing with it, where the directory is none or the disk fails', () => {
  writeFileSync(join(directory, 'file'), '');
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
  const ring = new TraceRing({
    directory: join(directory, 'file'),
    bytesMax: 1e6,
    title: () => '',
    time,
    log,
  });
  expect(ring.isOpen).toBe(false);
  ring.add('x');
  ring.close();
  expect(warnings).toEqual(['no trace is written']);
  mkdirSync(join(directory, 'other'));
  const slow = open(1e6, log);
  for (let lines = 0; lines < 5; lines += 1) slow.add('y'.repeat(1024 * 1024));
  expect(slow.isOpen).toBe(false);
  expect(warnings.at(-1)).toBe('the trace of this life of sm ends');
});
