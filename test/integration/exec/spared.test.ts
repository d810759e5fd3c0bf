/** A kill at the deadline leaves the scripts alone that stop the service, and nothing else. */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Token } from '../../../src/core/cluster/token.ts';
import { KillHandle, killEntriesSync } from '../../../src/shell/exec/kill-entry.ts';
import { KillList } from '../../../src/shell/exec/kill-list.ts';
import { ticksNow } from '../../../src/shell/exec/procfs.ts';
import { ExecLab, isRunning, until } from '../../support/exec.ts';

const probe = new ExecLab('auto');
const hasGroups = probe.containment.base !== null;
await probe.close([]);

/** Nothing can be opened meanwhile but what `work` closes. */
function withoutDescriptors<T>(work: () => T): T {
  const all: number[] = [];
  try {
    for (;;) all.push(openSync('/dev/null', 'r'));
  } catch {
    return work();
  } finally {
    for (const descriptor of all) closeSync(descriptor);
  }
}

describe.each([
  { cgroups: 'off' as const, there: true },
  { cgroups: 'auto' as const, there: hasGroups },
])('control groups $cgroups', ({ cgroups, there }) => {
  let lab: ExecLab;
  let list: KillList;
  beforeEach(() => {
    lab = new ExecLab(cgroups);
    list = new KillList();
  });
  afterEach(async () => {
    list.clear();
    await lab.close(['s']);
  });
  const test = it.skipIf(!there);
  const go = (): void => writeFileSync(lab.file('go'), '');
  const pidOf = (name: string): number => Number(readFileSync(lab.file(name), 'utf8'));

  /** A script of the service that says where it is, waits to be told to go on, and then says that it did. */
  async function begin(name: string, change: object, text = ''): Promise<number> {
    const up = lab.file(name);
    lab.script(
      's',
      `${text}\necho $$ >${up}.new; mv ${up}.new ${up}; while [ ! -e ${lab.file('go')} ]; do sleep 0.01; done`,
    );
    const run = lab.start('s', change);
    await until('the script is up', () => existsSync(up));
    return run;
  }

  async function serviceRuns(): Promise<number> {
    lab.script('s', `sleep 60 & echo $! >${lab.file('daemon')}`);
    await lab.execute('s');
    list.add(lab.containment.entry('s', '', false));
    return pidOf('daemon');
  }

  async function lose(): Promise<number> {
    const now = ticksNow();
    await until('the next tick', () => ticksNow() > now);
    return ticksNow();
  }

  test('spares a stop script that was begun since, and what runs below it', async () => {
    const daemon = await serviceRuns();
    const since = await lose();
    const run = await begin('stop', { action: 'disable', command: 'stop' });
    expect(list.kill(['s'], 1000, { sm: process.pid, since })).toEqual([]);
    expect(isRunning(daemon)).toBe(false);
    go();
    expect((await lab.done(run)).outcome).toEqual({ kind: 'exit', code: 0 });
  });

  test('kills a script that was begun before, and its youngest child', async () => {
    await serviceRuns();
    const run = await begin('stop', { action: 'disable', command: 'stop' });
    const since = await lose();
    expect(list.kill(['s'], 1000, { sm: process.pid, since })).toEqual([]);
    expect((await lab.done(run)).outcome).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  });

  test('kills a script with a token, whenever it was begun', async () => {
    await serviceRuns();
    const since = await lose();
    const token = { group: 'g', activation: 7, deadline: Infinity } as Token;
    const run = await begin('start', { action: 'enable', token });
    expect(list.kill(['s'], 1000, { sm: process.pid, since })).toEqual([]);
    expect((await lab.done(run)).outcome).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  });

  test('kills what the daemon forked since', async () => {
    lab.script(
      's',
      `(while [ ! -e ${lab.file('fork')} ]; do sleep 0.01; done; sleep 60 & echo $! >${lab.file('child')}; wait) &`,
    );
    await lab.execute('s');
    list.add(lab.containment.entry('s', '', false));
    const since = await lose();
    writeFileSync(lab.file('fork'), '');
    await until('the child', () => existsSync(lab.file('child')) && pidOf('child') > 0);
    expect(list.kill(['s'], 1000, { sm: process.pid, since })).toEqual([]);
    expect(isRunning(pidOf('child'))).toBe(false);
  });

  test('kills what a stop script leaves behind', async () => {
    await serviceRuns();
    const since = await lose();
    lab.script('s', `sleep 60 & echo $! >${lab.file('left')}`);
    await lab.execute('s', { action: 'disable', command: 'stop' });
    expect(list.kill(['s'], 1000, { sm: process.pid, since })).toEqual([]);
    expect(isRunning(pidOf('left'))).toBe(false);
  });

  test('where no sm lives nothing is spared', async () => {
    await serviceRuns();
    const run = await begin('stop', { action: 'disable', command: 'stop' });
    expect(list.kill(['s'], 1000, null)).toEqual([]);
    expect((await lab.done(run)).outcome).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  });

  test('a frozen service is dead after the kill, and its stop script runs', async () => {
    const daemon = await serviceRuns();
    list.setFrozen(['s'], true);
    const since = await lose();
    expect(list.kill(['s'], 1000, { sm: process.pid, since })).toEqual([]);
    expect(isRunning(daemon)).toBe(false);
    go();
    const run = await begin('stop', { action: 'disable', command: 'stop' });
    expect((await lab.done(run)).outcome).toEqual({ kind: 'exit', code: 0 });
  });

  test.each([
    { what: 'and no sm lives', sm: null },
    { what: 'and an sm lives', sm: process.pid },
  ])('kills where no descriptor is left, $what', async ({ sm }) => {
    const daemon = await serviceRuns();
    const spared = sm === null ? null : { sm, since: await lose() };
    const left = withoutDescriptors(() => list.kill(['s'], 1000, spared));
    expect(isRunning(daemon)).toBe(false);
    expect(left).toEqual([]);
  });

  test('where it could not be looked nothing is verified, and what holds a group is killed', async () => {
    const daemon = await serviceRuns();
    const entry = lab.containment.entry('s', '', false);
    const handle = new KillHandle(entry);
    handle.open();
    expect(() => withoutDescriptors(() => killEntriesSync([handle], 50))).toThrow('EMFILE');
    handle.close();
    if (existsSync(`${entry.cgroup}/cgroup.kill`)) await until('it is killed', () => !isRunning(daemon));
    else expect(isRunning(daemon)).toBe(true);
    const late = new KillList();
    const left = withoutDescriptors(() => {
      late.add(entry);
      return late.kill(['s'], 50);
    });
    expect(left).toEqual(['s']);
    expect(late.kill(['s'], 1000)).toEqual([]);
    expect(isRunning(daemon)).toBe(false);
    late.clear();
  });

  test('of a service that is not on the list nothing is known', () => {
    expect(list.kill(['s', 'unknown'], 1000)).toEqual(['s', 'unknown']);
  });

  test('a stop script that is ordered during a kill goes on, an enable waits for the end of it', async () => {
    await serviceRuns();
    const killed = lab.runner.killService('s', 'test');
    lab.script('s', `echo $1 >>${lab.file('order')}`);
    const enabled = lab.start('s');
    const stopped = lab.start('s', { action: 'disable', command: 'stop' });
    expect(lab.runner.running()).toBe(1);
    expect((await killed).left).toEqual([]);
    expect((await lab.done(stopped)).outcome).toEqual({ kind: 'exit', code: 0 });
    expect((await lab.done(enabled)).outcome).toEqual({ kind: 'exit', code: 0 });
    expect(readFileSync(lab.file('order'), 'utf8')).toContain('start');
  });
});
