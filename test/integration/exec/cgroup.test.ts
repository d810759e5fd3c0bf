import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  ControlGroup,
  makeBase,
  makeGroup,
  removeGroup,
  removeOldGroups,
} from '../../../src/shell/exec/cgroup.ts';
import {
  freezeEntries,
  KillHandle,
  killEntriesSync,
  thawEntries,
} from '../../../src/shell/exec/kill-entry.ts';
import { isRunning, until } from '../../support/exec.ts';

const name = `sm/test-cgroup-${process.pid}`;
const bases = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/freezer'].map((mount) => ({
  mount,
  base: makeBase(name, [mount]),
}));

it.each(bases)('kills a whole tree of groups in $mount, forks included', async ({ base }) => {
  if (base === null) return;
  // Opened beforehand; removed and made anew since.
  makeGroup(join(base, 'service'));
  const group = new ControlGroup(join(base, 'service'));
  removeGroup(join(base, 'service'));
  const inner = makeGroup(join(base, 'service', 'run'))!;
  // Forks all the time, each child in a session of its own, environment cleared.
  const fork = 'while :; do env -i setsid sh -c "sleep 20" & sleep 0.01; done';
  spawn('/bin/sh', ['-c', `echo 0 >"$0"; ${fork}`, join(inner, 'cgroup.procs')], { stdio: 'ignore' });
  await until('many processes', () => group.members().length > 10);
  const pids = group.pids();
  await until('all dead', () => {
    group.kill();
    return group.members().length === 0;
  });
  expect(pids.filter(isRunning)).toEqual([]);
  group.close();
  await until('the groups can be removed', () => {
    removeGroup(base);
    return makeBase('', [base]) === null;
  });
});

it.each(bases)('tidies up old empty groups only: $mount', async ({ mount }) => {
  const base = makeBase(`${name}-old`, [mount]);
  if (base === null) return;
  makeGroup(join(base, 'node', 'service', 'run'));
  removeOldGroups(base, 60_000);
  expect(existsSync(join(base, 'node', 'service', 'run'))).toBe(true);
  removeOldGroups(base, -1);
  expect(existsSync(join(base, 'node'))).toBe(false);
  removeGroup(base);
});

it('makes no group where there is no hierarchy, or none that we may write to', () => {
  const plain = mkdtempSync(join(tmpdir(), 'sm-cgroup-'));
  expect(makeBase(name, [plain, '/no/such/mount'])).toBeNull();
  writeFileSync(join(plain, 'cgroup.procs'), '');
  expect(makeBase(name, [plain])).toBeNull();
  rmSync(plain, { recursive: true });
});

it.each([...bases, { mount: 'none', base: null }])('stops what runs where it stands: $mount', async ({
  mount,
  base,
}) => {
  if (base === null && mount !== 'none') return;
  const marker = `SM_SERVICE=freeze/${process.pid}/${mount}`;
  const cgroup = mount === 'none' ? null : makeGroup(join(makeBase(name, [mount])!, 'freeze'))!;
  const file = join(mkdtempSync(join(tmpdir(), 'sm-freeze-')), 'ticks');
  const script =
    '[ -z "$1" ] || echo 0 >"$1"; i=0; while [ $i -lt 2000 ]; do echo x >>"$0"; sleep 0.01; i=$((i+1)); done';
  spawn('/bin/sh', ['-c', script, file, cgroup === null ? '' : join(cgroup, 'cgroup.procs')], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, SM_SERVICE: marker.slice('SM_SERVICE='.length) },
  });
  const ticks = (): number => readFileSync(file, { encoding: 'utf8', flag: 'a+' }).length;
  const handle = new KillHandle({
    service: 'freeze',
    cgroup,
    pidFile: '',
    marker,
    kernelState: false,
    enabledAt: null,
  });
  await until('it runs', () => ticks() > 4);
  freezeEntries([handle]);
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, 100));
  // A write that was under way may still have ended.
  expect(ticks() - before).toBeLessThanOrEqual(2);
  thawEntries([handle]);
  await until('it goes on', () => ticks() > before + 4);
  freezeEntries([handle]);
  const [result] = killEntriesSync([handle], 1000);
  expect(result!.left).toEqual([]);
  expect(result!.killed).toBeGreaterThan(0);
  handle.close();
  if (base !== null) removeGroup(base);
  rmSync(join(file, '..'), { recursive: true });
});
