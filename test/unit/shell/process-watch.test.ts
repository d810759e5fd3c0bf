import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PidFileContent, readPidFile, readPidFileSync } from '../../../src/shell/exec/pid-file.ts';
import { type ProcessProbe, ProcessWatch } from '../../../src/shell/exec/process-watch.ts';
import { isAliveStat, parseStat } from '../../../src/shell/exec/procfs.ts';

/** Processes and pid files that exist only here. */
class FakeSystem {
  readonly files = new Map<string, PidFileContent>();
  readonly alive = new Set<object>();
  readonly pids = new Map<number, object>();
  opened = 0;

  begin(pid: number): void {
    const life = {};
    this.pids.set(pid, life);
    this.alive.add(life);
  }

  end(pid: number): void {
    this.alive.delete(this.pids.get(pid)!);
    this.pids.delete(pid);
  }

  readPidFile = async (path: string): Promise<PidFileContent> => this.files.get(path) ?? { kind: 'missing' };

  open = (pid: number): ProcessProbe | null => {
    const life = this.pids.get(pid);
    if (life === undefined) return null;
    this.opened++;
    return { alive: () => this.alive.has(life), close: () => void this.opened-- };
  };
}

describe('process watch', () => {
  let system: FakeSystem;
  let died: [string, number][];
  let warnings: string[];
  let watch: ProcessWatch;
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'],
    });
    system = new FakeSystem();
    died = [];
    warnings = [];
    watch = new ProcessWatch({
      system,
      onDied: (service, pid) => died.push([service, pid]),
      log: (_, message) => warnings.push(message),
    });
  });
  afterEach(() => {
    watch.stop();
    expect(system.opened).toBe(0);
    vi.useRealTimers();
  });
  const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
  const write = (pid: number): unknown => system.files.set('f', { kind: 'pid', pid, owners: [0, 0] });

  it('reports a death within one poll, once', async () => {
    system.begin(40);
    write(40);
    watch.watch('s', 'f');
    await pass(500);
    expect(watch.pid('s')).toBe(40);
    expect(died).toEqual([]);
    system.end(40);
    await pass(70);
    expect(died).toEqual([['s', 40]]);
    await pass(5000);
    expect(died).toHaveLength(1);
  });

  it('looks when it is asked to, which puts its own next look off', async () => {
    let awake = 0;
    const asked = new ProcessWatch({
      system,
      onDied: (service, pid) => died.push([service, pid]),
      awake: () => void awake++,
    });
    system.begin(40);
    write(40);
    asked.watch('s', 'f');
    await pass(850);
    expect(awake).toBe(10);
    await pass(80);
    asked.look();
    await pass(80);
    expect(awake).toBe(10);
    await pass(5);
    expect(awake).toBe(11);
    system.end(40);
    asked.look();
    expect(died).toEqual([['s', 40]]);
    asked.look();
    await pass(500);
    expect([died.length, awake]).toEqual([1, 11]);
  });

  it('is not deceived by another process with the same number', async () => {
    system.begin(40);
    write(40);
    watch.watch('s', 'f');
    await pass(100);
    system.end(40);
    system.begin(40);
    await pass(70);
    expect(died).toEqual([['s', 40]]);
  });

  it('waits for a pid file that appears late', async () => {
    watch.watch('s', 'f');
    await pass(10_000);
    expect(died).toEqual([]);
    system.begin(40);
    write(40);
    await pass(250);
    expect(watch.pid('s')).toBe(40);
  });

  it('gives a left-over pid file 2 s to change, then calls it a death', async () => {
    write(39);
    watch.watch('s', 'f');
    await pass(1900);
    expect(died).toEqual([]);
    await pass(400);
    expect(died).toEqual([['s', 39]]);
  });

  it('takes the new pid when a left-over file is written in time', async () => {
    write(39);
    watch.watch('s', 'f');
    await pass(1000);
    system.begin(40);
    write(40);
    await pass(3000);
    expect(died).toEqual([]);
    expect(watch.pid('s')).toBe(40);
  });

  it('complains once about a file of no use, and goes on looking', async () => {
    system.files.set('f', { kind: 'unusable', reason: 'is empty' });
    watch.watch('s', 'f');
    await pass(3000);
    expect(warnings).toEqual(['pid file f is empty; looking again']);
    system.begin(40);
    write(40);
    await pass(250);
    expect(watch.pid('s')).toBe(40);
  });

  it('says nothing after unwatch', async () => {
    system.begin(40);
    write(40);
    watch.watch('s', 'f');
    await pass(100);
    watch.unwatch('s');
    system.end(40);
    await pass(5000);
    expect(died).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('pid files', () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'sm-pid-'));
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const named: PidFileContent = {
    kind: 'pid',
    pid: 4711,
    owners: [process.geteuid!(), process.geteuid!()],
  };
  const cases: [name: string, content: string | Buffer, expected: PidFileContent][] = [
    ['plain', '4711\n', named],
    ['with spaces and more lines', '  4711 \nhost\n', named],
    ['without a line end', '4711', named],
    ['empty', '', { kind: 'unusable', reason: 'is empty' }],
    ['negative', '-1\n', { kind: 'unusable', reason: 'does not begin with a process id' }],
    ['text', 'nginx', { kind: 'unusable', reason: 'does not begin with a process id' }],
    ['of init', '1\n', { kind: 'unusable', reason: 'names process 1' }],
    ['of ourselves', `${process.pid}\n`, { kind: 'unusable', reason: `names process ${process.pid}` }],
    ['huge', Buffer.alloc(3_000_000, '7'), { kind: 'unusable', reason: 'has a first line that is too long' }],
    [
      'cut in the middle of the number',
      `${' '.repeat(61)}4711\n`,
      { kind: 'unusable', reason: 'has a first line that is too long' },
    ],
    [
      'binary',
      Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 255]),
      { kind: 'unusable', reason: 'does not begin with a process id' },
    ],
  ];
  it.each(cases)('%s', async (_, content, expected) => {
    const file = join(path, 'pid');
    writeFileSync(file, content);
    expect(await readPidFile(file)).toEqual(expected);
    expect(readPidFileSync(file)).toEqual(expected);
  });

  it('never waits: FIFO, directory, missing file, none at all, a link to itself', async () => {
    execFileSync('mkfifo', [join(path, 'fifo')]);
    mkdirSync(join(path, 'directory'));
    symlinkSync('loop', join(path, 'loop'));
    const notAFile = { kind: 'unusable', reason: 'is not a regular file' };
    for (const [name, expected] of [
      ['fifo', notAFile],
      ['directory', notAFile],
      ['missing', { kind: 'missing' }],
      ['loop', { kind: 'unusable', reason: 'can not be read: ELOOP' }],
    ] as const) {
      expect(await readPidFile(join(path, name))).toEqual(expected);
      expect(readPidFileSync(join(path, name))).toEqual(expected);
    }
    expect(readPidFileSync('')).toEqual({ kind: 'missing' });
  });
});

describe('/proc/PID/stat', () => {
  const rest = '1 77 76 0 -1 4194304 95 0 0 0 0 0 0 0 20 0 1 0 123456 2732032 0';
  it('survives a command name with spaces and parentheses', () => {
    expect(parseStat(`77 (a) S 9 (b) S ${rest}`)).toEqual({
      pid: 77,
      parent: 1,
      session: 76,
      startTime: '123456',
      alive: true,
    });
  });
  it('takes a zombie for dead and refuses garbage', () => {
    expect(parseStat(`77 (x) Z ${rest}`)?.alive).toBe(false);
    expect(parseStat('')).toBeNull();
    expect(parseStat('77 (x) S')).toBeNull();
  });
  it('says of the bytes alone whether the process lives', () => {
    const isAlive = (line: string) => isAliveStat(Buffer.from(`${line}77 (x) Z`), line.length);
    expect(isAlive(`77 (a) Z 9 (b) S ${rest}`)).toBe(true);
    expect(isAlive(`77 (a) S) Z ${rest}`)).toBe(false);
    expect(isAlive(`77 (a) X ${rest}`)).toBe(false);
    expect(isAlive('')).toBe(false);
  });
});
