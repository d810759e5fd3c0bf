import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Done, ExecLab, isRunning, until } from '../../support/exec.ts';

const ROOT = join(import.meta.dirname, '../../..');
const STAMP = join(ROOT, 'scripts/demo/sm-stamp');

let lab: ExecLab;
beforeEach(() => {
  lab = new ExecLab('off');
  symlinkSync(join(ROOT, 'ocf'), join(lab.ocfRoot, 'resource.d', 'sm'));
  symlinkSync(join(ROOT, 'lsb', 'sm-worker'), join(lab.lsb, 'sm-worker'));
});
afterEach(() => lab.close(['s']));

function agent(name: string, command: string, parameters: Record<string, string>, more = {}): Promise<Done> {
  const environment: Record<string, string> = {
    OCF_RESOURCE_INSTANCE: 's',
    OCF_RESKEY_CRM_meta_timeout: '5000',
    ...more,
  };
  for (const [key, value] of Object.entries(parameters)) environment[`OCF_RESKEY_${key}`] = value;
  return lab.execute(name, {
    service: 's',
    pluginType: 'ocf-script',
    pluginClass: 'sm',
    command,
    environment,
    pidFile: parameters.pidfile ?? '',
  });
}

const exit = (code: number) => ({ kind: 'exit', code });
const pidIn = (file: string): number => Number(readFileSync(file, 'utf8'));

it('every OCF agent passes ocf-tester', ({ skip }) => {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'scripts/test/ocf-tester.sh'), {
    encoding: 'utf8',
  });
  // Whoever may install it shall; an ordinary user can not.
  skip(status === 77 && process.getuid?.() !== 0, stderr);
  expect(status, `${stdout}${stderr}`).toBe(0);
  const agents = readdirSync(join(ROOT, 'ocf')).filter((file) => !file.includes('.'));
  const passed = [...stdout.matchAll(/^ocf-tester (\S+) .*: passed$/gm)].map(([, agent]) => agent);
  // Those that change the state of the kernel need root.
  if (process.getuid?.() === 0) expect([...new Set(passed)].sort()).toEqual(agents.sort());
});

describe('ocf:sm:process', () => {
  const parameters = (): Record<string, string> => ({
    command: STAMP,
    args: `--foreground --seconds 60 --node a --activation 3 --file ${lab.file('stamps')}`,
    pidfile: lab.file('pid'),
    logfile: lab.file('log'),
  });
  const run = (command: string, change: Record<string, string> = {}, more = {}): Promise<Done> =>
    agent('process', command, { ...parameters(), ...change }, more);

  it('starts, is monitored, is found dead, is started anew, and stops', async () => {
    expect((await run('monitor')).outcome).toEqual(exit(7));
    expect((await run('start')).outcome).toEqual(exit(0));
    const pid = pidIn(lab.file('pid'));
    expect(isRunning(pid)).toBe(true);
    expect((await run('start')).outcome).toEqual(exit(0));
    expect(pidIn(lab.file('pid'))).toBe(pid);
    expect((await run('monitor')).outcome).toEqual(exit(0));
    await until(
      'stamps',
      () => existsSync(lab.file('stamps')) && readFileSync(lab.file('stamps'), 'utf8').length > 200,
    );
    expect(readFileSync(lab.file('stamps'), 'utf8').split('\n')[0]).toMatch(
      new RegExp(`^[0-9]{9,} a 3 active ${pid}$`),
    );
    process.kill(pid, 'SIGKILL');
    await until('its death', () => !isRunning(pid));
    expect((await run('monitor')).outcome).toEqual(exit(7));
    expect((await run('start')).outcome).toEqual(exit(0));
    const next = pidIn(lab.file('pid'));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect(isRunning(next)).toBe(false);
    expect(existsSync(lab.file('pid'))).toBe(false);
    expect((await run('stop')).outcome).toEqual(exit(0));
  });

  it('fails to start what does not run, and says why', async () => {
    const missing = await run('start', { command: '/no/such/program' });
    expect(missing.outcome).toEqual(exit(5));
    expect(missing.tail).toContain('/no/such/program is not there or not executable');
    writeFileSync(lab.file('bad'), '#!/bin/sh\necho "port 80 is taken" >&2; exit 1\n', { mode: 0o755 });
    const bad = await run('start', { command: lab.file('bad') });
    expect(bad.outcome).toEqual(exit(1));
    expect(bad.tail).toContain('port 80 is taken');
    expect((await run('start', { command: '' })).outcome).toEqual(exit(6));
    expect((await run('start', { user: 'no-such-user' })).outcome).toEqual(exit(5));
    expect((await run('nonsense')).outcome).toEqual(exit(3));
  });

  it('kills what ignores SIGTERM before the time-out of the stop, children included', async () => {
    const child = `sh -c 'trap "" TERM; echo $$ >${lab.file('child')}; while :; do sleep 0.1; done'`;
    const text = `#!/bin/sh\ntrap '' TERM\n${child} &\nwhile :; do sleep 0.1; done\n`;
    writeFileSync(lab.file('stubborn'), text, { mode: 0o755 });
    const change = { command: lab.file('stubborn'), args: '' };
    expect((await run('start', change)).outcome).toEqual(exit(0));
    await until('its child', () => existsSync(lab.file('child')));
    const pid = pidIn(lab.file('pid'));
    const { outcome, tail, durationMs } = await run('stop', change, { OCF_RESKEY_CRM_meta_timeout: '1000' });
    expect(outcome).toEqual(exit(0));
    expect(tail).toContain('did not end on SIGTERM');
    expect(durationMs).toBeLessThan(1000);
    expect([pid, pidIn(lab.file('child'))].filter(isRunning)).toEqual([]);
  });

  it('runs a daemon that goes to the background by itself', async () => {
    const change = {
      daemon: '1',
      args: `--seconds 60 --file ${lab.file('stamps')} --pid-file ${lab.file('pid')}`,
    };
    expect((await run('start', change)).outcome).toEqual(exit(0));
    const pid = pidIn(lab.file('pid'));
    expect(isRunning(pid)).toBe(true);
    expect((await run('monitor', change)).outcome).toEqual(exit(0));
    expect((await run('stop', change)).outcome).toEqual(exit(0));
    expect(isRunning(pid)).toBe(false);
  });

  it('looks deeper when asked to', async () => {
    expect((await run('start')).outcome).toEqual(exit(0));
    const check = { check: `test -e ${lab.file('healthy')}` };
    expect((await run('monitor', check)).outcome).toEqual(exit(0));
    expect((await run('monitor', check, { OCF_CHECK_LEVEL: '10' })).outcome).toEqual(exit(1));
    writeFileSync(lab.file('healthy'), '');
    expect((await run('monitor', check, { OCF_CHECK_LEVEL: '10' })).outcome).toEqual(exit(0));
  });

  it('does not take another process for its own', async () => {
    expect((await run('start')).outcome).toEqual(exit(0));
    const pid = pidIn(lab.file('pid'));
    writeFileSync(`${lab.file('pid')}.start`, '1\n');
    expect((await run('monitor')).outcome).toEqual(exit(7));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect(isRunning(pid)).toBe(true);
  });
});

describe('ocf:sm:promotable', () => {
  const run = (command: string): Promise<Done> =>
    agent('promotable', command, {
      command: STAMP,
      args: `--foreground --seconds 60 --file ${lab.file('stamps')} --role-file %r`,
      pidfile: lab.file('pid'),
    });
  const lastRole = (): string | undefined =>
    readFileSync(lab.file('stamps'), 'utf8').trim().split('\n').at(-1)!.split(' ')[3];

  it('is standby, active, standby, and its one process knows', async () => {
    expect((await run('promote')).outcome).toEqual(exit(7));
    expect((await run('start')).outcome).toEqual(exit(0));
    const pid = pidIn(lab.file('pid'));
    expect((await run('monitor')).outcome).toEqual(exit(0));
    await until('standby stamps', () => lastRole() === 'standby');
    expect((await run('promote')).outcome).toEqual(exit(0));
    expect((await run('monitor')).outcome).toEqual(exit(8));
    await until('active stamps', () => lastRole() === 'active');
    expect((await run('demote')).outcome).toEqual(exit(0));
    expect((await run('monitor')).outcome).toEqual(exit(0));
    await until('standby stamps', () => lastRole() === 'standby');
    expect(pidIn(lab.file('pid'))).toBe(pid);
    expect((await run('promote')).outcome).toEqual(exit(0));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect((await run('monitor')).outcome).toEqual(exit(7));
  });
});

describe('lsb sm-worker', () => {
  const run = (command: string): Promise<Done> =>
    lab.execute('sm-worker', {
      service: 's',
      command,
      pidFile: lab.file('pid'),
      environment: {
        SM_WORKER_DAEMON: STAMP,
        SM_WORKER_PIDFILE: lab.file('pid'),
        SM_WORKER_STAMPS: lab.file('stamps'),
        SM_WORKER_ARGS: '--seconds 60',
      },
    });

  it('answers as LSB asks', async () => {
    expect((await run('status')).outcome).toEqual(exit(3));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect((await run('start')).outcome).toEqual(exit(0));
    const pid = pidIn(lab.file('pid'));
    expect((await run('start')).outcome).toEqual(exit(0));
    expect(pidIn(lab.file('pid'))).toBe(pid);
    expect((await run('status')).outcome).toEqual(exit(0));
    expect((await run('force-reload')).outcome).toEqual(exit(0));
    const next = pidIn(lab.file('pid'));
    expect(isRunning(pid)).toBe(false);
    process.kill(next, 'SIGKILL');
    await until('its death', () => !isRunning(next));
    expect((await run('status')).outcome).toEqual(exit(1));
    expect((await run('restart')).outcome).toEqual(exit(0));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect((await run('status')).outcome).toEqual(exit(3));
    expect((await run('nonsense')).outcome).toEqual(exit(2));
  });
});
