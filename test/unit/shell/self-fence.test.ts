/** The ends of a machine, on stand-ins only: plain files, named pipes, a program that tells what it was told. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Log } from '../../../src/shell/ports.ts';
import { armFence, type FencePlace, thisMachine, UNARMED } from '../../../src/shell/watchdog/armed-fence.ts';
import { REBOOT_PROGRAM, rebootScript } from '../../../src/shell/watchdog/reboot-helper.ts';
import { selfFence } from '../../../src/shell/watchdog/self-fence.ts';
import { WatchdogDevice } from '../../../src/shell/watchdog/watchdog-device.ts';
import { silentLog } from './fakes.ts';

const directory = mkdtempSync(join(tmpdir(), 'sm-fence-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const DEADLINE_MS = 5000;
let files = 0;
const newPath = (): string => join(directory, `f${files++}`);
const newFile = (): string => {
  const path = newPath();
  writeFileSync(path, '');
  return path;
};

/** No place of these tests has an end of the machine that they run on. */
const PLACE: FencePlace = { isWholeMachine: true, sysrqTrigger: '/nowhere', rebootProgram: [] };

async function until(is: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!is()) {
    if (performance.now() > end) throw new Error('not within the deadline');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function journal(): { readonly lines: string[]; readonly log: Log } {
  const lines: string[] = [];
  const note = (_facts: object, message: string) => void lines.push(message);
  return { lines, log: { ...silentLog, info: note, warn: note, error: note, fatal: note } };
}

test('nothing is armed where nothing is configured, and then its processes are what ends', () => {
  const did: string[] = [];
  const port = selfFence(
    UNARMED,
    () => did.push('kill'),
    () => did.push('end'),
    silentLog,
  );
  port.alive();
  port.fire('test');
  port.close();
  expect(did).toEqual(['kill', 'end']);
});

test('sysrq: opened beforehand, written to at the deadline, before anything else is done', async () => {
  const sysrqTrigger = newFile();
  const armed = await armFence(
    { selfFence: 'sysrq', watchdogDevice: null },
    { ...PLACE, sysrqTrigger },
    true,
    silentLog,
  );
  expect(armed.ok).toBe(true);
  if (!armed.ok) return;
  expect(readFileSync(sysrqTrigger, 'utf8')).toBe('');
  let before = '';
  const kill = () => {
    before = readFileSync(sysrqTrigger, 'utf8');
  };
  selfFence(armed.value, kill, () => {}, silentLog).fire('test');
  expect(before).toBe('b');
});

test('sysrq that is not there: a node that begins is refused', async () => {
  const armed = await armFence({ selfFence: 'sysrq', watchdogDevice: null }, PLACE, true, silentLog);
  expect(armed).toMatchObject({ ok: false, error: { code: 'SM_FENCE_UNARMED' } });
});

test('reboot: the process that waits gets its word although the loop never turns again', async () => {
  const told = newPath();
  const rebootProgram = ['/bin/sh', '-c', `echo ready; read word && echo "$word" > ${told}`];
  const { lines, log } = journal();
  const armed = await armFence(
    { selfFence: 'reboot', watchdogDevice: null },
    { ...PLACE, rebootProgram },
    true,
    log,
  );
  if (!armed.ok) throw new Error(armed.error.message);
  expect(lines).toEqual(['self-fence armed: reboot']);
  armed.value.strike?.();
  const end = performance.now() + DEADLINE_MS;
  let word = '';
  while (word === '' && performance.now() < end) {
    try {
      word = readFileSync(told, 'utf8');
    } catch {
      // Not yet.
    }
  }
  expect(word).toBe('reboot\n');
});

test('reboot: the process that waits does nothing when we are gone', async () => {
  const script = rebootScript([0, 0]).replaceAll(/syscall\([^)]*\);/g, 'print STDERR "call ";');
  const run = (input: string) => spawnSync('perl', ['-e', script], { input, encoding: 'utf8' });
  expect(run('')).toMatchObject({ status: 0, stdout: 'ready\n', stderr: 'call ' });
  expect(run('rebooted\n')).toMatchObject({ status: 0, stderr: 'call ' });
  expect(run('reboot\n')).toMatchObject({ status: 0, stderr: 'call call ' });
});

test('reboot: the real program is correct Perl; it is compiled here, and never run', () => {
  const [file = '', ...args] = REBOOT_PROGRAM;
  expect(file).toBe('/usr/bin/perl');
  execFileSync(file, ['-c', ...args], { stdio: 'ignore' });
});

test('reboot: a process that does not begin is a refusal, one that ends is replaced', async () => {
  const refused = await armFence(
    { selfFence: 'reboot', watchdogDevice: null },
    { ...PLACE, rebootProgram: ['/bin/sh', '-c', 'exit 3'] },
    true,
    silentLog,
  );
  expect(refused).toMatchObject({ ok: false, error: { code: 'SM_FENCE_UNARMED' } });
  const starts = newFile();
  const rebootProgram = [
    '/bin/sh',
    '-c',
    `echo x >> ${starts}; echo ready; test -e ${starts}.2 || { touch ${starts}.2; exit; }; read word`,
  ];
  const { lines, log } = journal();
  await armFence({ selfFence: 'reboot', watchdogDevice: null }, { ...PLACE, rebootProgram }, true, log);
  await until(() => readFileSync(starts, 'utf8') === 'x\nx\n');
  expect(lines).toContain('self-fence: the process that waits to reboot is gone: another is started');
});

test('a watchdog device is written to while all is well, and switched off at an orderly end', async () => {
  const path = newPath();
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const read = (): string => {
    const bytes = Buffer.alloc(64);
    try {
      return bytes.toString('latin1', 0, readSync(reader, bytes, 0, bytes.length, null));
    } catch {
      return '';
    }
  };
  const armed = await armFence({ selfFence: 'processes', watchdogDevice: path }, PLACE, true, silentLog);
  if (!armed.ok) throw new Error(armed.error.message);
  const did: string[] = [];
  const port = selfFence(
    armed.value,
    () => did.push('kill'),
    () => did.push('end'),
    silentLog,
  );
  port.alive();
  port.alive();
  expect(read()).toBe('\0\0');
  port.close();
  expect(read()).toBe('V');
  closeSync(reader);
});

test('a watchdog device is left to run out after a self-fence, and the process stays meanwhile', async () => {
  const path = newFile();
  const armed = await armFence({ selfFence: 'processes', watchdogDevice: path }, PLACE, true, silentLog);
  if (!armed.ok) throw new Error(armed.error.message);
  const did: string[] = [];
  const port = selfFence(
    armed.value,
    () => did.push('kill'),
    () => did.push('end'),
    silentLog,
  );
  port.alive();
  port.fire('test');
  port.alive();
  port.close();
  expect(readFileSync(path, 'latin1')).toBe('\0');
  expect(did).toEqual(['kill']);
});

test('a watchdog device that is missing: refused at the begin of a node, opened later under a running one', async () => {
  const path = join(directory, 'none', 'watchdog');
  const config = { selfFence: 'processes', watchdogDevice: path } as const;
  expect(await armFence(config, PLACE, true, silentLog)).toMatchObject({ ok: false });
  const armed = await armFence(config, PLACE, false, silentLog);
  if (!armed.ok) throw new Error(armed.error.message);
  const { lines, log } = journal();
  const device = new WatchdogDevice(path, log);
  device.pet();
  device.pet();
  expect(lines).toHaveLength(1);
  execFileSync('mkdir', ['-p', join(directory, 'none')]);
  writeFileSync(path, '');
  device.pet();
  device.pet();
  expect(readFileSync(path, 'latin1')).toBe('\0');
});

test('outside the first pid namespace nothing of the real machine is opened, whatever is configured', async () => {
  const real = thisMachine();
  expect(real).toMatchObject({ sysrqTrigger: '/proc/sysrq-trigger', rebootProgram: REBOOT_PROGRAM });
  const place: FencePlace = { ...real, isWholeMachine: false };
  const { lines, log } = journal();
  for (const selfFence of ['sysrq', 'reboot'] as const) {
    const armed = await armFence({ selfFence, watchdogDevice: '/dev/watchdog' }, place, true, log);
    expect(armed).toEqual({ ok: true, value: UNARMED });
  }
  // A device, a file of the kernel, and a link to one.
  const link = newPath();
  execFileSync('ln', ['-s', '/dev/null', link]);
  for (const watchdogDevice of ['/dev/null', '/proc/self/oom_score_adj', link]) {
    const armed = await armFence({ selfFence: 'processes', watchdogDevice }, place, true, log);
    expect(armed).toEqual({ ok: true, value: UNARMED });
  }
  expect(lines.every((line) => line.includes('not armed'))).toBe(true);
  expect(lines).toHaveLength(7);
});

test('below the first pid namespace this machine is not the whole machine', () => {
  const options = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc'];
  const run = spawnSync('unshare', [...options, 'readlink', '/proc/self/ns/pid'], { encoding: 'utf8' });
  expect(run.stdout).not.toBe('pid:[4026531836]\n');
});
