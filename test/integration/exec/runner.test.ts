import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Token } from '../../../src/core/cluster/token.ts';
import type { ActionDefinition, ServiceDefinition } from '../../../src/core/definitions/model.ts';
import { LIMITS } from '../../../src/core/kernel/limits.ts';
import { invocation } from '../../../src/core/service/invocation.ts';
import { Containment } from '../../../src/shell/exec/containment.ts';
import { KillHandle, killEntriesSync } from '../../../src/shell/exec/kill-entry.ts';
import { readEnvironment } from '../../../src/shell/exec/procfs.ts';
import { ExecLab, isRunning, until } from '../../support/exec.ts';

const probe = new ExecLab('auto');
const hasGroups = probe.containment.base !== null;
await probe.close([]);

const LAUNCHER = join(import.meta.dirname, '../../../scripts/sm-launch');
const STAMP = join(import.meta.dirname, '../../../scripts/demo/sm-stamp');

describe.each([
  { cgroups: 'off' as const, there: true },
  { cgroups: 'auto' as const, there: hasGroups },
])('runner, control groups $cgroups', ({ cgroups, there }) => {
  let lab: ExecLab;
  beforeEach(() => {
    lab = new ExecLab(cgroups);
  });
  afterEach(() => lab.close(['s', 'other']));
  const test = it.skipIf(!there);

  test('calls an LSB script plainly: one argument, clean environment, own group, nothing open', async () => {
    lab.script(
      's',
      `
printf 'argv=%s|%s|%s\\n' "$0" "$#" "$1"; pwd; umask
cut -d' ' -f1,5,6 /proc/$$/stat; echo fds; ls /proc/$$/fd; readlink /proc/$$/fd/0
cat /proc/$$/environ | tr '\\0' '\\n' | sort`,
    );
    process.env.SM_SECRET_OF_OURS = 'x';
    const { outcome, tail } = await lab.execute('s', { environment: { MODE: 'a, "b" $c', PATH: '/bin' } });
    delete process.env.SM_SECRET_OF_OURS;
    expect(outcome).toEqual({ kind: 'exit', code: 0 });
    const lines = tail.split('\n');
    expect(lines.slice(0, 3)).toEqual([`argv=${join(lab.lsb, 's')}|1|start`, '/', '0022']);
    const [pid, group, session] = lines[3]!.split(' ');
    expect([group, session]).toEqual([pid, pid]);
    // 10 is the shell's own hold on its script; higher ones may come from whoever started the tests.
    expect(lines.slice(5, lines.indexOf('/dev/null')).filter((fd) => Number(fd) < 10)).toEqual([
      '0',
      '1',
      '2',
    ]);
    const environment = lines
      .slice(lines.indexOf('/dev/null') + 1)
      .filter((line) => !line.startsWith('PWD='));
    expect(environment).toEqual([
      'HOME=/',
      'LANG=C',
      'MODE=a, "b" $c',
      'PATH=/bin',
      expect.stringMatching(/^SM_RUN=[0-9a-f]{8}-[0-9]+$/),
      expect.stringMatching(/^SM_SERVICE=controller-0\/s\/[0-9a-f]{8}$/),
    ]);
  });

  test('finds an OCF agent by provider and tells it OCF_ROOT and the activation number', async () => {
    const path = join(lab.ocfRoot, 'resource.d', 'test', 'Agent');
    writeFileSync(path, '#!/bin/sh\necho "$OCF_ROOT $SM_ACTIVATION $1"; exit 8\n');
    chmodSync(path, 0o755);
    const { outcome, tail } = await lab.execute('Agent', {
      service: 's',
      pluginType: 'ocf-script',
      pluginClass: 'test',
      command: 'promote',
      environment: { OCF_ROOT: '/elsewhere' },
      token: { group: 'g', activation: 7, deadline: Infinity } as Token,
    });
    expect(outcome).toEqual({ kind: 'exit', code: 8 });
    expect(tail).toBe(`${lab.ocfRoot} 7 promote`);
  });

  test('calls an OCF agent with the environment that the engine made, default signals, and nothing of sm', async () => {
    const path = join(lab.ocfRoot, 'resource.d', 'test', 'recorder');
    const text = `#!/bin/sh
printf 'argv=%s|%s|%s\\n' "$0" "$#" "$1"; pwd; umask; cut -d' ' -f1,5,6,7 /proc/$$/stat
grep -E '^Sig(Blk|Ign)' /proc/$$/status | cut -f2; cat /proc/$$/oom_score_adj
tr '\\0' '\\n' </proc/$$/environ | sort\n`;
    writeFileSync(path, text, { mode: 0o755 });
    const service = {
      name: 's',
      instanceName: 's-instance',
      instanceParameters: 'ip=10.0.0.1,args=-a "b c" $d,check_level=10',
    } as ServiceDefinition;
    const plugin = { pluginType: 'ocf-script', pluginClass: 'test', pluginName: 'recorder' } as const;
    const action = {
      ...plugin,
      action: 'audit-enabled',
      pluginCommand: 'monitor',
      pluginParameters: 'timeout=7000',
      timeoutMs: 5000,
      intervalMs: 10_000,
    } as ActionDefinition;
    const called = invocation(service, action);
    expect(called.ok).toBe(true);
    const { environment } = called as Extract<typeof called, { ok: true }>;
    const { tail } = await lab.execute('recorder', {
      ...plugin,
      service: 's',
      action: 'audit-enabled',
      command: 'monitor',
      environment,
    });
    const [argv, directory, mask, stat, blocked, ignored, oom, ...variables] = tail.split('\n');
    expect([argv, directory, mask]).toEqual([`argv=${path}|1|monitor`, '/', '0022']);
    const [pid, group, session, terminal] = stat!.split(' ');
    expect([group, session, terminal]).toEqual([pid, pid, '0']);
    // The 31 signals of POSIX; those above are the C library's own, and node leaves them as it was started with them.
    const standard = (hex: string) => Number.parseInt(hex.slice(-8), 16) & 0x7fff_ffff;
    expect([blocked!, ignored!].map(standard)).toEqual([0, 0]);
    // sm's own protection from the out-of-memory killer is not the script's.
    expect(oom).toBe('0');
    expect(variables.filter((line) => !line.startsWith('PWD='))).toEqual([
      'HA_LOGFACILITY=daemon',
      'HOME=/',
      'LANG=C',
      'OCF_CHECK_LEVEL=10',
      'OCF_RA_VERSION_MAJOR=1',
      'OCF_RA_VERSION_MINOR=1',
      'OCF_RESKEY_CRM_meta_interval=10000',
      'OCF_RESKEY_CRM_meta_timeout=7000',
      'OCF_RESKEY_args=-a "b c" $d',
      'OCF_RESKEY_check_level=10',
      'OCF_RESKEY_ip=10.0.0.1',
      'OCF_RESOURCE_INSTANCE=s-instance',
      'OCF_RESOURCE_PROVIDER=test',
      'OCF_RESOURCE_TYPE=recorder',
      `OCF_ROOT=${lab.ocfRoot}`,
      'PATH=/sbin:/usr/sbin:/bin:/usr/bin:/usr/local/sbin:/usr/local/bin',
      expect.stringMatching(/^SM_RUN=[0-9a-f]{8}-[0-9]+$/),
      expect.stringMatching(/^SM_SERVICE=controller-0\/s\/[0-9a-f]{8}$/),
    ]);
  });

  test('interprets no argument', async () => {
    lab.script('s', 'printf %s "$1"');
    const command = '$(touch /tmp/x); `id` * "quoted" \\';
    expect((await lab.execute('s', { command })).tail).toBe(command);
  });

  test('does not pass on what sm itself was started with', () => {
    const { stdout } = spawnSync('/bin/sh', [LAUNCHER, '', '/bin/sh', '-c', 'ls /proc/$$/fd'], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    expect(stdout.split('\n').filter((fd) => fd !== '' && Number(fd) < 10)).toEqual(['0', '1', '2']);
  });

  test('kills what it started where the script that should stop it is missing', async () => {
    lab.script('s', `sleep 60 & echo $! >${lab.file('daemon')}`);
    await lab.execute('s');
    const stop = { service: 's', action: 'disable', command: 'stop' } as const;
    const killed = await lab.execute('missing', stop);
    const reason = expect.stringMatching(
      /^SM_STOP_SCRIPT: .*missing does not exist .* s had started was killed/,
    );
    expect(killed.outcome).toEqual({ kind: 'killed', stopped: true, reason });
    expect(isRunning(Number(readFileSync(lab.file('daemon'), 'utf8')))).toBe(false);
    const holding = await lab.execute('missing', { ...stop, kernelState: true });
    expect(holding.outcome).toMatchObject({ kind: 'killed', stopped: false });
  });

  test('says why a script can not be run, at once and without forking', async () => {
    lab.script('plain', 'exit 0', 0o644);
    lab.script('empty', '');
    truncateSync(join(lab.lsb, 'empty'), 0);
    mkdirSync(join(lab.lsb, 'directory'));
    writeFileSync(join(lab.lsb, 'foreign'), '#!/no/such/interpreter -x\n', { mode: 0o755 });
    const reason = async (name: string): Promise<string> => {
      const { outcome } = await lab.execute(name, { service: 's' });
      expect(outcome.kind).toBe('refused');
      return outcome.kind === 'refused' ? outcome.reason : '';
    };
    expect(await reason('missing')).toMatch(/init\.d\/missing does not exist \(ENOENT\): install it/);
    expect(await reason('plain')).toMatch(/not executable \(EACCES\): chmod 755/);
    expect(await reason('empty')).toMatch(/is empty/);
    expect(await reason('directory')).toMatch(/is a directory/);
    expect(await reason('foreign')).toMatch(
      /names the interpreter \/no\/such\/interpreter, which is not there/,
    );
  });

  test('starts nothing once the permission has run out, or when it is not admitted any more', async () => {
    lab.script('s', `touch ${lab.file('ran')}`);
    const token = { group: 'g', activation: 1, deadline: performance.now() } as Token;
    expect((await lab.execute('s', { token })).outcome).toMatchObject({ kind: 'refused' });
    await lab.close([]);
    lab = new ExecLab(cgroups, { admit: () => 'the group was revoked' });
    lab.script('s', `touch ${lab.file('ran')}`);
    expect((await lab.execute('s')).outcome).toEqual({ kind: 'refused', reason: 'the group was revoked' });
    expect(existsSync(lab.file('ran'))).toBe(false);
  });

  test('asks again when all is prepared, immediately before the spawn', async () => {
    await lab.close([]);
    let asked = 0;
    lab = new ExecLab(cgroups, { admit: () => (++asked === 1 ? null : 'revoked meanwhile') });
    lab.script('s', `touch ${lab.file('ran')}`);
    expect((await lab.execute('s')).outcome).toEqual({ kind: 'refused', reason: 'revoked meanwhile' });
    expect(existsSync(lab.file('ran'))).toBe(false);
  });

  test('tells a signal from an exit code', async () => {
    lab.script('s', 'kill -9 $$');
    expect((await lab.execute('s')).outcome).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  });

  test('keeps the end of 100 MB of output and lets the script go on', async () => {
    lab.script('s', 'head -c 100000000 /dev/zero | tr "\\0" x; echo; echo "the reason é" >&2; exit 3');
    const before = process.memoryUsage().rss;
    const { outcome, tail } = await lab.execute('s');
    expect(outcome).toEqual({ kind: 'exit', code: 3 });
    expect(tail.endsWith('the reason é')).toBe(true);
    expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(LIMITS.outputTailBytesMax);
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  });

  test('cuts the file back while the script runs on', async () => {
    lab.script('s', `head -c 3000000 /dev/zero; touch ${lab.file('written')}; exec sleep 20`);
    const run = lab.start('s');
    const output = join(lab.run, 'output', 's.enable');
    // Well before the sweep, which looks after daemons.
    await until('output written', () => existsSync(lab.file('written')), 3000);
    await until('output cut back', () => statSync(output).size < 300_000, 1000);
    expect(lab.hasEnded(run)).toBe(false);
  });

  test('leaves the daemon of a successful start running, with its output still open', async () => {
    lab.script('s', `(while :; do echo alive; sleep 0.02; done) & echo $! >${lab.file('pid')}`);
    const { outcome, durationMs } = await lab.execute('s');
    expect(outcome).toEqual({ kind: 'exit', code: 0 });
    expect(durationMs).toBeLessThan(2000);
    const pid = Number(readFileSync(lab.file('pid'), 'utf8'));
    const output = join(lab.run, 'output', 's.enable');
    const size = statSync(output).size;
    await until('the daemon writes on', () => statSync(output).size > size);
    expect(lab.containment.list('s').map((process) => process.pid)).toContain(pid);
    // Another script of the service that is killed does not take the daemon along.
    lab.script('s', 'sleep 30 & wait');
    expect((await lab.execute('s', { action: 'audit-enabled', timeoutMs: 50 })).outcome).toEqual({
      kind: 'timeout',
    });
    expect(isRunning(pid)).toBe(true);
    const result = await lab.runner.killService('s', 'test');
    expect(result.left).toEqual([]);
    expect(isRunning(pid)).toBe(false);
  });

  test('ends a hung script with children that ignore SIGTERM and left the session', async () => {
    const child = `sh -c 'trap "" TERM; echo $$ >>${lab.file('pids')}; while :; do sleep 0.1; done'`;
    lab.script(
      's',
      `trap '' TERM\nsetsid ${child} &\n${child} &\n(setsid ${child} & )\nwhile :; do sleep 1; done`,
    );
    const run = lab.start('s', { timeoutMs: 700 });
    const pids = (): number[] =>
      existsSync(lab.file('pids'))
        ? readFileSync(lab.file('pids'), 'utf8').trim().split('\n').map(Number)
        : [];
    await until('three children', () => pids().length === 3);
    expect((await lab.done(run)).outcome).toEqual({ kind: 'timeout' });
    expect(pids().filter(isRunning)).toEqual([]);
  });

  test('gives a script that obeys SIGTERM the time to tidy up', async () => {
    lab.script('s', `trap 'echo tidied; exit 0' TERM\ntouch ${lab.file('up')}\nwhile :; do sleep 0.01; done`);
    const run = lab.start('s');
    await until('the script is up', () => existsSync(lab.file('up')));
    lab.runner.abort(run, 'test');
    const { outcome, tail } = await lab.done(run);
    expect(outcome).toEqual({ kind: 'aborted' });
    expect(tail).toContain('tidied');
  });

  test('ends a script that forks as fast as it can', async () => {
    lab.script('s', 'i=0; while [ $i -lt 400 ]; do (sleep 30 & ) & i=$((i+1)); done; wait; sleep 30');
    const run = lab.start('s');
    await until('many children', () => lab.containment.list('s').length > 60);
    lab.runner.abort(run, 'test', 0);
    expect((await lab.done(run)).outcome).toEqual({ kind: 'aborted' });
    expect(lab.containment.list('s')).toEqual([]);
  });

  test('kills a daemon that forked twice, left its session and cleared its environment', async () => {
    const pidFile = lab.file('stamp.pid');
    lab.script('s', `${STAMP} --file ${lab.file('stamps')} --pid-file ${pidFile} --seconds 30`);
    expect((await lab.execute('s', { pidFile })).outcome).toEqual({ kind: 'exit', code: 0 });
    await until('its pid file', () => existsSync(pidFile));
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(readEnvironment(pid).filter((line) => line.startsWith('SM_'))).toEqual([]);
    const result = await lab.runner.killService('s', 'test');
    expect(result).toMatchObject({ service: 's', killed: 1, left: [] });
    expect(isRunning(pid)).toBe(false);
  });

  test('hands over an entry with which another process kills alone', async () => {
    const pidFile = lab.file('stamp.pid');
    const effect = lab.effect('s', { pidFile });
    const entry = JSON.parse(JSON.stringify(lab.containment.entryOf(effect)));
    expect(entry.cgroup === null).toBe(lab.containment.base === null);
    lab.script('s', `${STAMP} --file ${lab.file('stamps')} --pid-file ${pidFile} --seconds 30; sleep 30 &`);
    await lab.execute('s', effect);
    await until('its pid file', () => existsSync(pidFile));
    const result = killEntriesSync([new KillHandle(entry)])[0]!;
    expect(result.left).toEqual([]);
    expect(result.killed).toBeGreaterThanOrEqual(2);
    expect(result.durationMs).toBeLessThan(1500);
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
  });

  test('does not touch another service, nor a node of the same name elsewhere', async () => {
    const other = new ExecLab(cgroups);
    for (const here of [lab, other]) here.script('s', 'sleep 30 &');
    lab.script('other', 'sleep 30 &');
    await lab.execute('s');
    await lab.execute('other');
    await other.execute('s');
    await lab.runner.killService('s', 'test');
    expect(lab.containment.list('s')).toEqual([]);
    expect(lab.containment.list('other')).toHaveLength(1);
    expect(other.containment.list('s')).toHaveLength(1);
    await other.close(['s']);
  });

  test('aborts the running script of a service whose processes are killed', async () => {
    lab.script('s', `touch ${lab.file('up')}; sleep 30`);
    const run = lab.start('s');
    await until('the script is up', () => existsSync(lab.file('up')));
    await lab.runner.killService('s', 'test');
    expect((await lab.done(run)).outcome).toEqual({ kind: 'aborted' });
  });

  test('lets a script enter the group that another has left empty, and no other', async () => {
    lab.script('s', 'grep -m1 -o "sm/.*" /proc/self/cgroup || true');
    const groupOf = async () => (await lab.execute('s', { action: 'audit-enabled' })).tail;
    const first = await groupOf();
    expect(first === '').toBe(lab.containment.base === null);
    expect(await groupOf()).toBe(first);
    lab.script('s', 'grep -m1 -o "sm/.*" /proc/self/cgroup || true; sleep 30 >/dev/null 2>&1 &');
    expect(await groupOf()).toBe(first);
    lab.script('s', 'grep -m1 -o "sm/.*" /proc/self/cgroup; exit 0');
    // What runs on in the first group has nothing to do with the next script: to end that must not end this.
    if (first !== '') expect(await groupOf()).not.toBe(first);
    expect(lab.containment.list('s')).toHaveLength(1);
  });

  test('after a crash finds the scripts left behind, and only them', async () => {
    lab.script('other', 'sleep 30 &');
    await lab.execute('other');
    lab.script('s', `setsid sleep 30 & touch ${lab.file('up')}; wait`);
    const run = lab.start('s');
    await until('the script is up', () => existsSync(lab.file('up')));
    lab.runner.stop();
    const reborn = new Containment({ node: 'controller-0', run: lab.run, cgroups });
    const orphans = reborn.orphans();
    expect(orphans.map(({ service, run: number }) => ({ service, run: number }))).toEqual([
      { service: 's', run },
    ]);
    expect(orphans[0]!.pids.length).toBeGreaterThanOrEqual(2);
    expect(await reborn.killOrphans()).toMatchObject([{ service: 's', left: [] }]);
    expect(reborn.orphans()).toEqual([]);
    expect(reborn.list('other')).toHaveLength(1);
    await reborn.kill('other');
    reborn.close();
  });
});

describe('runner, many scripts', () => {
  it('runs a bounded number at once, removing actions beside them, and aborts what waits', async () => {
    const lab = new ExecLab('off');
    lab.script('s', 'sleep 30');
    lab.script('stop', 'exit 0');
    const runs = Array.from({ length: LIMITS.actionsRunningMax + 2 }, () => lab.start('s'));
    expect(lab.runner.running()).toBe(LIMITS.actionsRunningMax);
    expect((await lab.execute('stop', { action: 'disable' })).outcome).toEqual({ kind: 'exit', code: 0 });
    lab.runner.abort(runs.at(-1)!, 'test');
    expect((await lab.done(runs.at(-1)!)).outcome).toEqual({ kind: 'aborted' });
    lab.runner.abort(runs[0]!, 'test', 0);
    await lab.done(runs[0]!);
    expect(lab.runner.running()).toBe(LIMITS.actionsRunningMax);
    await lab.close(['s']);
  });
});
