/** Whose processes die when a service is killed whose pid file is left over, reused or made up. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, lchownSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Containment } from '../../../src/shell/exec/containment.ts';
import { type KillEntry, KillHandle, killEntriesSync } from '../../../src/shell/exec/kill-entry.ts';
import { doubt, PROGRAM_MARK } from '../../../src/shell/exec/pid-belief.ts';
import { ProcessWatch } from '../../../src/shell/exec/process-watch.ts';
import { readProcesses, ticksNow } from '../../../src/shell/exec/procfs.ts';
import { ExecLab, isRunning, until } from '../../support/exec.ts';

const STAMP = join(import.meta.dirname, '../../../scripts/demo/sm-stamp');
const NOBODY = 65_534;
const isRoot = process.geteuid!() === 0;

const probe = new ExecLab('auto');
const hasGroups = probe.containment.base !== null;
await probe.close([]);

describe.each([
  { cgroups: 'off' as const, there: true },
  { cgroups: 'auto' as const, there: hasGroups },
])('what a pid file names, control groups $cgroups', ({ cgroups, there }) => {
  let lab: ExecLab;
  let pidFile: string;
  const strangers: ChildProcess[] = [];
  beforeEach(() => {
    lab = new ExecLab(cgroups);
    pidFile = lab.file('s.pid');
  });
  afterEach(async () => {
    for (const stranger of strangers.splice(0)) stranger.kill('SIGKILL');
    await lab.close(['s', 'other']);
  });
  const test = it.skipIf(!there);
  const asRoot = it.skipIf(!there || !isRoot);

  /** A process that is nobody's service. */
  async function stranger(environment: Record<string, string> = {}): Promise<number> {
    const child = spawn('sleep', ['60'], { env: environment, stdio: 'ignore', detached: true });
    strangers.push(child);
    await once(child, 'spawn');
    return child.pid!;
  }

  /** Waits for the next tick of start times, so that what follows is younger. */
  async function nextTick(): Promise<void> {
    const now = ticksNow();
    await until('the next tick', () => ticksNow() > now);
  }

  async function enable(text = ''): Promise<KillEntry> {
    await nextTick();
    lab.script('s', `${text || ':'}; sleep 60 &`);
    await lab.execute('s', { pidFile });
    await nextTick();
    return JSON.parse(JSON.stringify(lab.containment.entry('s', pidFile, false)));
  }

  /** By `sm`, by sm-watchdog with what it was handed, and by an `sm` that was just started. */
  async function killEverywhere(entry: KillEntry): Promise<void> {
    killEntriesSync([new KillHandle(entry)]);
    await lab.runner.killService('s', 'test');
    const reborn = new Containment({ node: 'controller-0', run: lab.run, cgroups });
    await reborn.kill('s');
    killEntriesSync([new KillHandle(reborn.entry('s', pidFile, false))]);
    reborn.close();
  }

  async function spares(pid: number, entry: KillEntry): Promise<void> {
    writeFileSync(pidFile, `${pid}\n`);
    await killEverywhere(entry);
    expect(isRunning(pid)).toBe(true);
    expect(lab.containment.list('s')).toEqual([]);
  }

  test('kills a daemon without marker, also for an sm that was started after it', async () => {
    await enable(`${STAMP} --file ${lab.file('stamps')} --pid-file ${pidFile} --seconds 60`);
    await until('its pid file', () => existsSync(pidFile));
    const pid = Number(readFileSync(pidFile, 'utf8'));
    lab.runner.stop();
    const reborn = new Containment({ node: 'controller-0', run: lab.run, cgroups });
    expect(reborn.doubt('s', { pid, owners: [0] })).toBeNull();
    await reborn.kill('s');
    reborn.close();
    expect(isRunning(pid)).toBe(false);
  });

  test('spares a process that was there before the service was enabled', async () => {
    const pid = await stranger();
    await spares(pid, await enable());
  });

  test('spares a process that took the number after the service was stopped', async () => {
    await enable();
    lab.script('s', 'exit 0');
    expect((await lab.execute('s', { action: 'disable', command: 'stop', pidFile })).outcome).toEqual({
      kind: 'exit',
      code: 0,
    });
    await until('it is known', () => lab.containment.entry('s', pidFile, false).enabledAt === null);
    const pid = await stranger();
    await spares(pid, lab.containment.entry('s', pidFile, false));
  });

  test('spares sm and sm-watchdog, which may be younger than the service', async () => {
    const entry = await enable();
    await spares(await stranger({ [PROGRAM_MARK]: 'sm' }), entry);
    await spares(process.ppid, entry);
    const everything = { ...entry, enabledAt: 0 };
    expect(doubt(everything, { pid: process.ppid, owners: [0] })).toBe('started sm');
  });

  test('spares the processes of another service', async () => {
    const entry = await enable();
    lab.script('other', `sleep 60 & echo $! >${lab.file('other.pid')}`);
    await lab.execute('other');
    await spares(Number(readFileSync(lab.file('other.pid'), 'utf8')), entry);
  });

  test('spares a daemon of another service that cleared its environment', async () => {
    const entry = await enable();
    const file = lab.file('other.pid');
    lab.script('other', `${STAMP} --file ${lab.file('stamps')} --pid-file ${file} --seconds 60`);
    await lab.execute('other', { pidFile: file });
    await until('its pid file', () => existsSync(file));
    const pid = Number(readFileSync(file, 'utf8'));
    // Without control groups there is nothing left that tells whose it is, and stopping goes before sparing.
    if (cgroups === 'auto') return spares(pid, entry);
    writeFileSync(pidFile, `${pid}\n`);
    await killEverywhere(entry);
    expect(isRunning(pid)).toBe(false);
  });

  test('spares threads of the kernel', async () => {
    const entry = await enable();
    const thread = [...readProcesses().values()].find(({ parent }) => parent === 2);
    // A namespace of processes has none.
    if (thread === undefined) return;
    expect(doubt({ ...entry, enabledAt: 0 }, { pid: thread.pid, owners: [0] })).toContain('kernel');
  });

  asRoot('lets whoever else may write the file name only processes of his own', async () => {
    const entry = await enable();
    const pid = await stranger();
    writeFileSync(pidFile, '');
    chownSync(pidFile, NOBODY, NOBODY);
    await spares(pid, entry);
    const own = spawn('sleep', ['60'], { uid: NOBODY, env: {}, stdio: 'ignore', detached: true });
    strangers.push(own);
    await once(own, 'spawn');
    writeFileSync(pidFile, `${own.pid}\n`);
    await killEverywhere(entry);
    expect(isRunning(own.pid!)).toBe(false);
  });

  asRoot('does not follow a link of another user to a file of root', async () => {
    const entry = await enable();
    const pid = await stranger();
    const real = lab.file('real.pid');
    writeFileSync(real, `${pid}\n`);
    symlinkSync(real, pidFile);
    lchownSync(pidFile, NOBODY, NOBODY);
    await killEverywhere(entry);
    expect(isRunning(pid)).toBe(true);
    expect(lab.containment.doubt('s', { pid, owners: [0, NOBODY] })).toContain('another user');
  });

  test('watches no stranger', async () => {
    const pid = await stranger();
    await enable();
    writeFileSync(pidFile, `${pid}\n`);
    const warnings: string[] = [];
    const died: number[] = [];
    const watch = new ProcessWatch({
      doubt: (service, named) => lab.containment.doubt(service, named),
      onDied: (_service, gone) => died.push(gone),
      log: (_level, message) => warnings.push(message),
      retryMs: 5,
      staleMs: 20,
    });
    watch.watch('s', pidFile);
    await until('it is told', () => warnings.length > 0);
    expect(warnings).toEqual([
      `pid file ${pidFile} names process ${pid}, which was started before the service was; looking again`,
    ]);
    expect(watch.pid('s')).toBeNull();
    await enable(`${STAMP} --file ${lab.file('stamps')} --pid-file ${pidFile} --seconds 60`);
    await until('its own process is under watch', () => watch.pid('s') !== null);
    expect(watch.pid('s')).not.toBe(pid);
    expect(died).toEqual([]);
    watch.stop();
  });
});
