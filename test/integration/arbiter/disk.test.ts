/** Sectors on a real file system by O_DIRECT, through the real child process; one that hangs blocks nobody. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskArbiter } from '../../../src/shell/arbiter/disk.ts';
import { SECTOR_BYTES } from '../../../src/shell/arbiter/disk-sectors.ts';
import { stopProcess } from '../../support/stop.ts';
import { ROOT } from '../../tidy/project.ts';

const PROGRAM = join(ROOT, 'src/bin/sm-disk.ts');
const LIMIT_MS = 20_000;

let folder: string;
let disk: string;
const arbiters: DiskArbiter[] = [];
const pids: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-disk-'));
  disk = join(folder, 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, 1024 * 1024);
});
afterEach(() => {
  for (const arbiter of arbiters.splice(0)) arbiter.close();
  rmSync(folder, { recursive: true });
});

function arbiter(slot: 0 | 1, path = disk, local = true, lock = `lock-${slot}`): DiskArbiter {
  const made = new DiskArbiter({
    start: () => {
      const words = [path, String(slot), join(folder, lock), ...(local ? ['local'] : [])];
      const args = ['--import', 'tsx', PROGRAM, ...words];
      const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
      pids.push(child.pid ?? 0);
      return child;
    },
    now: () => performance.now(),
  });
  arbiters.push(made);
  return made;
}

test('each writes its own sector and reads the other one, past the cache of the kernel', async () => {
  const [a, b] = [arbiter(0), arbiter(1)];
  expect(await a.ask({ write: null }, LIMIT_MS)).toMatchObject({
    kind: 'known',
    value: { own: '', peer: '' },
  });
  expect(await a.ask({ write: 'of a' }, LIMIT_MS)).toMatchObject({ value: { own: 'of a', peer: '' } });
  expect(await b.ask({ write: 'of b ü' }, LIMIT_MS)).toMatchObject({
    value: { own: 'of b ü', peer: 'of a' },
  });
  const answer = await a.ask({ write: 'again' }, LIMIT_MS);
  expect(answer).toMatchObject({ value: { own: 'again', peer: 'of b ü' } });
  expect(answer.answeredAt).toBeGreaterThanOrEqual(answer.askedAt);
  const bytes = readFileSync(disk);
  expect(bytes.indexOf('again')).toBeLessThan(SECTOR_BYTES);
  expect(bytes.indexOf('of b')).toBeGreaterThan(SECTOR_BYTES);
});

test('a local file system, a missing device, one too small, and other content are refused with the reason', async () => {
  const asked = async (path: string, local: boolean) =>
    arbiter(0, path, local, `lock-${arbiters.length}`).ask({ write: 'x' }, LIMIT_MS);
  expect(await asked(disk, false)).toMatchObject({
    cause: 'refused',
    detail: expect.stringContaining('is not shared'),
  });
  expect(await asked(join(folder, 'none'), false)).toMatchObject({
    cause: 'refused',
    detail: expect.stringContaining('does not exist'),
  });
  writeFileSync(disk, 'small');
  expect(await asked(disk, true)).toMatchObject({
    cause: 'refused',
    detail: expect.stringContaining('less than'),
  });
  writeFileSync(disk, Buffer.alloc(SECTOR_BYTES * 2, 'ext4'));
  expect(await asked(disk, true)).toMatchObject({
    cause: 'refused',
    detail: expect.stringContaining('something else'),
  });
  expect(readFileSync(disk, 'latin1')).toBe('ext4'.repeat(SECTOR_BYTES / 2));
});

test('a half-written sector is said to be one', async () => {
  const [a, b] = [arbiter(0), arbiter(1)];
  await a.ask({ write: 'whole and sound' }, LIMIT_MS);
  const bytes = readFileSync(disk);
  bytes.write('torn', bytes.indexOf('sound'));
  writeFileSync(disk, bytes);
  expect(await b.ask({ write: null }, LIMIT_MS)).toMatchObject({
    cause: 'protocol',
    detail: expect.stringContaining('half written'),
  });
});

test('a hung disk answers unknown in time, and nothing else is begun until its I/O is over', async () => {
  const a = arbiter(0);
  await a.ask({ write: 'first' }, LIMIT_MS);
  const pid = pids.at(-1)!;
  await stopProcess(pid);
  const started = performance.now();
  expect(await a.ask({ write: 'hung' }, 200)).toMatchObject({ kind: 'unknown', cause: 'timeout' });
  expect(await a.ask({ write: 'next' }, 200)).toMatchObject({
    cause: 'timeout',
    detail: expect.stringContaining('hangs still'),
  });
  expect(performance.now() - started).toBeLessThan(2000);
  process.kill(pid, 'SIGCONT');
  // What had hung is done now: it is seen, and was not overtaken.
  let answer = await a.ask({ write: null }, 200);
  for (const end = performance.now() + LIMIT_MS; answer.kind === 'unknown' && performance.now() < end; ) {
    await new Promise((resolve) => setImmediate(resolve));
    answer = await a.ask({ write: null }, 200);
  }
  expect(answer).toMatchObject({ value: { own: 'hung' } });
});

test('a child that dies is replaced', async () => {
  const a = arbiter(0);
  await a.ask({ write: 'first' }, LIMIT_MS);
  const pid = pids.at(-1)!;
  await stopProcess(pid);
  const asked = a.ask({ write: 'lost' }, LIMIT_MS);
  process.kill(pid, 'SIGKILL');
  expect(await asked).toMatchObject({ kind: 'unknown', cause: 'unreachable' });
  expect(await a.ask({ write: null }, LIMIT_MS)).toMatchObject({ value: { own: 'first' } });
  expect(pids.at(-1)).not.toBe(pid);
});

test.each([
  ['says what is no word of it', 'echo garbage'],
  ['says something without end', 'head -c 200000 /dev/zero | tr "\\0" x'],
])('a child that %s is ended, and replaced', async (_, words) => {
  const script = `read call; ${words}; exec sleep 60`;
  let starts = 0;
  const made = new DiskArbiter({
    start: () => {
      starts += 1;
      return spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    },
    now: () => performance.now(),
  });
  arbiters.push(made);
  for (let call = 1; call <= 2; call += 1) {
    const answer = await made.ask({ write: null }, LIMIT_MS);
    expect(answer).toMatchObject({ cause: 'unreachable', detail: expect.stringContaining('SIGKILL') });
    expect(starts).toBe(call);
  }
});

test('a process that was given up and does nothing is ended, and its successor writes', async () => {
  const first = arbiter(0);
  await first.ask({ write: 'first' }, LIMIT_MS);
  await stopProcess(pids.at(-1)!);
  const second = arbiter(0);
  expect(await second.ask({ write: null }, LIMIT_MS)).toMatchObject({ value: { own: 'first' } });
  await expect
    .poll(() => second.ask({ write: 'second' }, LIMIT_MS), { timeout: LIMIT_MS })
    .toMatchObject({ value: { own: 'second' } });
});

test('one whose I/O the kernel has not ended keeps every other one from writing', async () => {
  // In the place of a process that no signal ends: a holder that nobody knows by name.
  const words = ['--exclusive', join(folder, 'lock-0'), 'sh', '-c', 'echo held; exec cat'];
  const holder = spawn('flock', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const second = arbiter(0);
  expect(await second.ask({ write: 'second' }, LIMIT_MS)).toMatchObject({
    cause: 'timeout',
    detail: expect.stringContaining('an earlier I/O on this disk is not over'),
  });
  expect(await second.ask({ write: null }, LIMIT_MS)).toMatchObject({ value: { own: '' } });
  holder.stdin.end();
  await expect
    .poll(() => second.ask({ write: 'third' }, LIMIT_MS), { timeout: LIMIT_MS })
    .toMatchObject({ value: { own: 'third' } });
});
