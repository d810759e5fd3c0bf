/**
 * The agents whose processes somebody else starts, systemd-unit and container: against a systemctl and a podman that
 * record how they are called and keep a state (fakes/). How the real ones answer is shown by `make test-agents` (containers.ts) and
 * `make test-install`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Done, ExecLab } from '../../support/exec.ts';

const FAKES = join(import.meta.dirname, 'fakes');
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

let lab: ExecLab;
beforeEach(() => {
  lab = new ExecLab('off');
  symlinkSync(join(import.meta.dirname, '../../../ocf'), join(lab.ocfRoot, 'resource.d', 'sm'));
  mkdirSync(lab.file('state'));
});
afterEach(() => lab.close([]));

function agent(name: string, command: string, parameters: Record<string, string>): Promise<Done> {
  const environment: Record<string, string> = {
    PATH: `${FAKES}:${PATH}`,
    FAKE_STATE: lab.file('state'),
    OCF_RESOURCE_INSTANCE: 'web',
    OCF_RESKEY_CRM_meta_timeout: '2000',
  };
  for (const [key, value] of Object.entries(parameters)) {
    environment[/^[A-Z]/.test(key) ? key : `OCF_RESKEY_${key}`] = value;
  }
  return lab.execute(name, { pluginType: 'ocf-script', pluginClass: 'sm', command, environment });
}

const state = (name: string): string => join(lab.file('state'), name);
const set = (name: string, text: string): void => writeFileSync(state(name), text);
const exit = (code: number) => ({ kind: 'exit', code });
/** The calls since the last time, without those that only look. */
function calls(): string[] {
  const lines = existsSync(state('calls')) ? readFileSync(state('calls'), 'utf8').trim().split('\n') : [];
  rmSync(state('calls'), { force: true });
  return lines.filter((line) => !/\[show\]|\[inspect\]|^\[ps\]/.test(line));
}

describe('systemd-unit', () => {
  const run = (command: string, change: Record<string, string> = {}): Promise<Done> =>
    agent('systemd-unit', command, { unit: 'nginx', ...change });
  const unit = (change: Record<string, string>): void =>
    set(
      'unit',
      Object.entries({ LoadState: 'loaded', ActiveState: 'inactive', MainPID: '0', Restart: 'no', ...change })
        .map((entry) => `${entry.join('=')}\n`)
        .join(''),
    );

  it('starts, looks, stops, and calls systemctl for what it must only', async () => {
    const pidfile = lab.file('pid');
    expect((await run('monitor')).outcome).toEqual(exit(7));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect(calls()).toEqual([]);
    expect((await run('start', { pidfile })).outcome).toEqual(exit(0));
    expect(calls()).toEqual(['[--no-ask-password][--no-pager][start][--][nginx.service]']);
    expect(readFileSync(pidfile, 'utf8')).toBe('9999999\n');
    expect((await run('monitor', { pidfile })).outcome).toEqual(exit(0));
    expect((await run('stop', { pidfile })).outcome).toEqual(exit(0));
    expect(calls()).toEqual(['[--no-ask-password][--no-pager][stop][--][nginx.service]']);
    expect(existsSync(pidfile)).toBe(false);
  });

  it.each([
    ['active', 0],
    ['reloading', 0],
    ['inactive', 7],
    ['failed', 7],
  ])('a unit that is %s: monitor %i', async (ActiveState, code) => {
    unit({ ActiveState });
    expect((await run('monitor')).outcome).toEqual(exit(code));
  });

  it('waits for a unit that is on its way, but not for ever', async () => {
    unit({ ActiveState: 'active' });
    set('pending', 'activating\nactivating\n');
    expect((await run('monitor')).outcome).toEqual(exit(0));
    unit({ ActiveState: 'activating' });
    const { outcome, tail, durationMs } = await run('monitor');
    expect(outcome).toEqual(exit(1));
    expect(tail).toContain('nginx.service is still activating');
    expect(durationMs).toBeLessThan(2000);
  });

  it('starts what has failed before, and tells why a start fails', async () => {
    unit({ ActiveState: 'failed' });
    expect((await run('start')).outcome).toEqual(exit(0));
    expect(calls()[0]).toContain('[reset-failed]');
    expect((await run('stop')).outcome).toEqual(exit(0));
    set('fail', 'Job for nginx.service failed because the control process exited with error code.');
    const { outcome, tail } = await run('start');
    expect(outcome).toEqual(exit(1));
    expect(tail).toContain('control process exited');
  });

  it('looks deeper by the check', async () => {
    unit({ ActiveState: 'active' });
    const deep = { OCF_CHECK_LEVEL: '10' };
    expect((await run('monitor', { ...deep, check: 'true' })).outcome).toEqual(exit(0));
    expect((await run('monitor', { ...deep, check: 'false' })).outcome).toEqual(exit(1));
    expect((await run('monitor', { check: 'false' })).outcome).toEqual(exit(0));
  });

  it('validates: parameters, unit, systemd itself; and warns of whom else starts it', async () => {
    for (const bad of ['', '-x', '../a', 'a b']) {
      expect((await run('validate-all', { unit: bad })).outcome, bad).toEqual(exit(6));
    }
    expect((await run('validate-all')).outcome).toEqual(exit(0));
    unit({ LoadState: 'not-found' });
    expect((await run('validate-all')).outcome).toEqual(exit(5));
    expect((await run('monitor')).outcome).toEqual(exit(7));
    expect((await run('stop')).outcome).toEqual(exit(0));
    unit({ UnitFileState: 'enabled', Restart: 'always' });
    const { outcome, tail } = await run('validate-all');
    expect(outcome).toEqual(exit(0));
    expect(tail).toMatch(/is started at boot[\s\S]*restarts nginx.service by itself/);
    // Where no systemctl is, or one that finds no systemd behind it.
    mkdirSync(lab.file('bin'));
    for (const tool of ['sh', 'readlink', 'dirname']) symlinkSync(`/bin/${tool}`, lab.file(`bin/${tool}`));
    expect((await run('validate-all', { PATH: lab.file('bin') })).outcome).toEqual(exit(5));
    const text = '#!/bin/sh\necho "System has not been booted with systemd as init system" >&2; exit 1\n';
    writeFileSync(lab.file('bin/systemctl'), text, { mode: 0o755 });
    expect((await run('validate-all', { PATH: lab.file('bin') })).outcome).toEqual(exit(5));
  });
});

describe('container', () => {
  const run = (command: string, change: Record<string, string> = {}): Promise<Done> =>
    agent('container', command, { image: 'nginx:1', settle: '0', ...change });

  it('runs a new container, looks, stops and removes it', async () => {
    const pidfile = lab.file('pid');
    const parameters = { run_opts: '-p 80:80 -e A="$(id)"', args: 'nginx -g * off;', pidfile };
    expect((await run('monitor', parameters)).outcome).toEqual(exit(7));
    expect((await run('stop', parameters)).outcome).toEqual(exit(0));
    expect(calls()).toEqual([]);
    expect((await run('start', parameters)).outcome).toEqual(exit(0));
    expect(calls()).toEqual([
      '[run][--detach][--name][web][--restart=no][-p][80:80][-e][A="$(id)"][nginx:1][nginx][-g][*][off;]',
    ]);
    expect(readFileSync(pidfile, 'utf8')).toBe('9999999\n');
    expect((await run('start', parameters)).outcome).toEqual(exit(0));
    expect(calls()).toEqual([]);
    expect((await run('monitor', parameters)).outcome).toEqual(exit(0));
    expect((await run('stop', parameters)).outcome).toEqual(exit(0));
    expect(calls()).toEqual(['[stop][-t][1][web]', '[rm][--force][web]']);
    expect(existsSync(pidfile)).toBe(false);
  });

  it.each([
    ['running', 0],
    ['exited', 7],
    ['created', 7],
    ['paused', 1],
    ['removing', 1],
  ])('a container that is %s: monitor %i', async (status, code) => {
    set('container', `${status} 0\n`);
    expect((await run('monitor')).outcome).toEqual(exit(code));
  });

  it('removes what is left over before a start', async () => {
    set('container', 'exited 0\n');
    expect((await run('start')).outcome).toEqual(exit(0));
    expect(calls().map((call) => call.split(']')[0])).toEqual(['[rm', '[run']);
  });

  it('tells why a container ends at once', async () => {
    set('ends', '');
    const { outcome, tail } = await run('start');
    expect(outcome).toEqual(exit(1));
    expect(tail).toContain('web ended at once (exited): port 80 is taken');
  });

  it('does not take a runtime that is silent for a container that is gone', async () => {
    set('container', 'running 9999999\n');
    set('down', '');
    for (const command of ['monitor', 'stop']) {
      const { outcome, tail } = await run(command);
      expect(outcome).toEqual(exit(1));
      expect(tail).toContain('podman does not answer: Cannot connect to the daemon');
    }
  });

  it('takes no warning for an answer: what runs is healthy, and a second start leaves it alone', async () => {
    set('warns', '');
    expect((await run('monitor')).outcome).toEqual(exit(7));
    expect((await run('start')).outcome).toEqual(exit(0));
    expect((await run('monitor')).outcome).toEqual(exit(0));
    calls();
    expect((await run('start')).outcome).toEqual(exit(0));
    expect(calls()).toEqual([]);
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect((await run('stop')).outcome).toEqual(exit(0));
    expect(calls().map((call) => call.split(']')[0])).toEqual(['[stop', '[rm']);
  });

  it.each([
    '',
    'level=warning running 1',
    'running',
    'running x',
  ])('removes nothing by force on an answer that is none: %j', async (answer) => {
    set('container', `${answer}\n`);
    const { outcome, tail } = await run('start');
    expect(outcome).toEqual(exit(1));
    expect(tail).toContain('podman says of web what is no state');
    expect(calls()).toEqual([]);
  });

  it('looks deeper in the container', async () => {
    set('container', 'running 9999999\n');
    const deep = { OCF_CHECK_LEVEL: '10' };
    expect((await run('monitor', { ...deep, check: 'true' })).outcome).toEqual(exit(0));
    expect(calls()).toEqual(['[exec][web][true]']);
    expect((await run('monitor', { ...deep, check: 'false' })).outcome).toEqual(exit(1));
  });

  it('validates: parameters, runtime and image', async () => {
    for (const bad of [
      { image: '' },
      { image: '-x' },
      { name: 'a b' },
      { name: '-rf' },
      { run_opts: '--restart always' },
      { run_opts: '--rm --name=other' },
      { pidfile: 'relative' },
    ]) {
      expect((await run('validate-all', bad)).outcome, JSON.stringify(bad)).toEqual(exit(6));
    }
    expect((await run('validate-all')).outcome).toEqual(exit(0));
    expect((await run('validate-all', { image: 'missing:1' })).outcome).toEqual(exit(5));
    expect((await run('validate-all', { image: 'missing:1', pull: '1' })).outcome).toEqual(exit(0));
    expect((await run('validate-all', { runtime: '/no/such/podman' })).outcome).toEqual(exit(5));
  });
});
