/** What is done about groups that have failed: elsewhere, by the end of the node, again in place. */
import { describe, expect, it } from 'vitest';
import { ORDERLY_END_MS } from '../../../src/core/cluster/cluster.ts';
import { RETRY_MS } from '../../../src/core/cluster/escalation.ts';
import { REBOOT_PAUSE_MS } from '../../../src/core/cluster/reboot.ts';
import type { Boot } from '../../../src/core/engine-interface.ts';
import type { Condition } from '../../../src/core/kernel/names.ts';
import type { GroupView } from '../../../src/core/service/interface.ts';
import { A, B, ClusterDriver, type ClusterOptions, life, pairGroup } from '../../support/cluster-driver.ts';

const WALL = 1_000_000_000;
const failed = (condition: Condition = 'recovery-failure'): Partial<GroupView> => ({
  status: 'failed',
  condition,
  parked: condition,
  reason: 'nginx(disabled, failed)',
});

function fail(c: ClusterDriver, name = 'oam', condition?: Condition): void {
  c.local.set(name, failed(condition));
  c.cluster.evaluate(c.now);
}

function failThere(c: ClusterDriver): void {
  c.peerGroup('oam', { status: 'failed', condition: 'recovery-failure', inactive: true });
  c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
}

const alarm = (c: ClusterDriver, id: string) => c.cluster.alarms().find((each) => each.id === id);
const fences = (c: ClusterDriver) => c.effects.filter(({ type }) => type === 'guard.fence');

describe('a group that has failed', () => {
  it('goes to the other node, and stays there while it has failed on both', () => {
    const c = new ClusterDriver().lead();
    fail(c);
    expect(c.numbers().holder).toBe(B);
    failThere(c);
    expect(c.numbers().holder).toBe(B);
    expect(alarm(c, 'group-failed')).toMatchObject({ severity: 'critical' });
    c.peerGroup('oam', { status: '', condition: '' });
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    expect(alarm(c, 'group-failed')).toBeUndefined();
  });

  it('is tried again in place, less and less often, with a wait that says when', () => {
    const c = new ClusterDriver().lead();
    failThere(c);
    fail(c);
    const [first = 0, second = 0] = RETRY_MS;
    const wait = c.cluster.waits().find(({ reason }) => reason.startsWith('tried again in place (try 1)'));
    expect(wait).toMatchObject({ entity: 'group', name: 'oam', until: c.now + first });
    c.pass(first - 1);
    expect(c.local.recovered).toEqual([]);
    c.pass(1);
    expect(c.local.recovered).toEqual(['oam']);
    c.pass(second - 1);
    expect(c.local.recovered.length).toBe(1);
    c.pass(1);
    expect(c.local.recovered.length).toBe(2);
    c.pass(24 * 3_600_000);
    expect(c.local.recovered.length).toBeGreaterThan(100);
  });

  it('is tried at once where it is given all the same, because the other node has died; once', () => {
    const c = new ClusterDriver().lead();
    fail(c);
    expect(c.numbers().holder).toBe(B);
    c.pass(1000);
    expect(c.local.recovered).toEqual([]);
    c.peerGroup('oam', { runs: c.numbers().holderActivation, inactive: false });
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    c.silent(true);
    c.pass(1000);
    expect(c.numbers().holder).toBe(A);
    expect(c.local.recovered).toEqual(['oam']);
    // It has failed again: from now on it is tried in place, less and less often.
    const [, second = 0] = RETRY_MS;
    c.local.set('oam', { parked: '', status: '', condition: '' });
    c.cluster.evaluate(c.now);
    fail(c);
    c.pass(second - 1);
    expect(c.local.recovered).toEqual(['oam']);
    c.pass(1);
    expect(c.local.recovered).toEqual(['oam', 'oam']);
  });

  it('is not tried at once where it fails under the activation that it has', () => {
    const c = new ClusterDriver().lead();
    failThere(c);
    fail(c);
    expect(c.numbers()).toMatchObject({ holder: A });
    c.pass(1000);
    expect(c.local.recovered).toEqual([]);
  });

  it('is forgotten after ten good minutes: the next failure is the first again', () => {
    const c = new ClusterDriver().lead();
    failThere(c);
    const [first = 0, second = 0] = RETRY_MS;
    const cure = () => {
      c.local.set('oam', { parked: '', status: '', condition: '' });
      c.cluster.evaluate(c.now);
    };
    fail(c);
    c.pass(first);
    cure();
    c.pass(1000);
    fail(c);
    c.pass(first);
    expect(c.local.recovered.length).toBe(1);
    c.pass(second - first);
    expect(c.local.recovered.length).toBe(2);
    cure();
    c.pass(600_000);
    fail(c);
    c.pass(first);
    expect(c.local.recovered.length).toBe(3);
  });

  it('waits without a date while nothing can be stored', () => {
    const c = new ClusterDriver().lead();
    failThere(c);
    fail(c);
    c.cluster.onStore('disk full', c.now);
    const wait = c.cluster.waits().find(({ reason }) => reason.startsWith('tried again in place'));
    expect(wait?.until).toBeNull();
    expect(wait?.reason).toMatch(/, when the database accepts commits again$/);
  });

  it('that needs no permission is tried again in place too', () => {
    const web = pairGroup('web', { nActive: 2, mStandby: 0, exclusive: false });
    const c = new ClusterDriver({ groups: [web] }).follow();
    fail(c, 'web');
    c.pass(RETRY_MS[0]);
    expect(c.local.recovered).toEqual(['web']);
  });
});

describe('FATAL_ERROR_REBOOT', () => {
  const groups = [pairGroup('oam', { fatalErrorReboot: true })];
  const kernelLife = life('own kernel');
  const old: Boot = { kernelLife, wallMs: WALL - 2 * REBOOT_PAUSE_MS, cause: 'boot', reason: '' };

  function node(boots: readonly Boot[] = [old], change: ClusterOptions = {}): ClusterDriver {
    return new ClusterDriver({ groups, ...change, restored: { kernelLife, boots } });
  }

  it('ends the node after it has left in order, and says why before anything else', () => {
    const c = node().lead();
    c.effects = [];
    c.local.slow.add('oam');
    fail(c, 'oam', 'fatal-failure');
    const types = c.effects.map(({ type }) => type);
    expect(types.indexOf('persist.boot')).toBeLessThan(types.indexOf('guard.send'));
    expect(c.persisted('persist.boot')[0]?.boot).toMatchObject({ cause: 'reboot', kernelLife });
    expect(c.local.wants.at(-1)).toBe('oam disabled');
    expect(fences(c)).toEqual([]);
    c.finish('oam');
    expect(c.said.leaving).toBe(true);
    expect(fences(c)).toEqual([
      { type: 'guard.fence', reason: expect.stringMatching(/^oam has failed for good/) },
    ]);
    expect(c.effects.some(({ type }) => type === 'exit')).toBe(false);
  });

  it('ends it all the same, once, when it can not leave in order', () => {
    const c = node().lead();
    c.local.slow.add('oam');
    fail(c, 'oam', 'fatal-failure');
    c.pass(ORDERLY_END_MS - 1);
    expect(fences(c)).toEqual([]);
    c.pass(60_000);
    expect(fences(c).length).toBe(1);
  });

  it('asks the next sm-watchdog again: the one that was asked may have died of something else', () => {
    const c = node().lead();
    c.local.slow.add('oam');
    fail(c, 'oam', 'fatal-failure');
    c.hello({ fresh: false });
    expect(fences(c)).toEqual([]);
    c.pass(ORDERLY_END_MS);
    expect(fences(c).length).toBe(1);
    c.hello({ fresh: false });
    expect(fences(c).length).toBe(2);
    c.pass(60_000);
    expect(fences(c).length).toBe(2);
  });

  it.each([
    ['what is not fatal', (c: ClusterDriver) => fail(c, 'oam', 'action-failure'), null],
    [
      'nobody who could take over',
      (c: ClusterDriver) => {
        c.silent(false);
        fail(c, 'oam', 'fatal-failure');
      },
      /nobody could take over/,
    ],
    [
      'a peer on which it has failed too',
      (c: ClusterDriver) => {
        failThere(c);
        fail(c, 'oam', 'fatal-failure');
      },
      /has failed on controller-1 too/,
    ],
  ] as const)('does not for %s', (_, happens, reason) => {
    const c = node().lead();
    happens(c);
    c.pass(ORDERLY_END_MS + 1000);
    expect(fences(c)).toEqual([]);
    if (reason === null) expect(alarm(c, 'reboot-withheld')).toBeUndefined();
    else expect(alarm(c, 'reboot-withheld')?.reason).toMatch(reason);
  });

  it('does not on the only node, which tries again in place', () => {
    const c = node([old], { nodes: [A] });
    fail(c, 'oam', 'fatal-failure');
    c.pass(RETRY_MS[0]);
    expect(fences(c)).toEqual([]);
    expect(c.local.recovered).toEqual(['oam']);
  });

  it('waits for a quarter of an hour after a boot, whatever the wall clock did meanwhile', () => {
    for (const wallMs of [WALL - 1000, WALL + 3_600_000]) {
      const c = node([{ ...old, wallMs }]).lead();
      c.local.slow.add('oam');
      fail(c, 'oam', 'fatal-failure');
      expect(alarm(c, 'reboot-withheld')?.reason).toMatch(/not again within 15 minutes of a boot/);
      c.pass(wallMs - WALL + REBOOT_PAUSE_MS - 1000);
      expect(c.persisted('persist.boot')).toEqual([]);
      c.pass(2000);
      expect(c.persisted('persist.boot').length).toBe(1);
    }
  });

  it('does so three times a day, and after that somebody has to come', () => {
    const hour = 3_600_000;
    const boots = [9, 6, 3].map((h) => ({ ...old, cause: 'reboot', wallMs: WALL - h * hour }) as const);
    const c = node(boots).lead();
    fail(c, 'oam', 'fatal-failure');
    expect(alarm(c, 'reboot-withheld')?.reason).toMatch(/did so 3 times within a day/);
    c.pass(14 * hour);
    expect(c.persisted('persist.boot')).toEqual([]);
    c.pass(1.1 * hour);
    expect(c.persisted('persist.boot').length).toBe(1);
  });

  it('counts a new kernel life as a boot', () => {
    const c = new ClusterDriver({ groups, restored: { kernelLife: life('before'), boots: [old] } });
    expect(c.persisted('persist.boot')[0]?.boot).toMatchObject({ cause: 'boot', kernelLife, wallMs: WALL });
  });
});
