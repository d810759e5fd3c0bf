/** Whether a node is ready, its core groups, and what it begins by itself. */
import { describe, expect, it } from 'vitest';
import { A, B, ClusterDriver, everywhere, pairGroup } from '../../support/cluster-driver.ts';

const core = { ...everywhere('base'), autoRecover: false, core: true };
const own = (c: ClusterDriver, name = A) => c.cluster.nodes().find((node) => node.name === name);

describe('a node', () => {
  it('is given nothing before the shell lets it in, and says why', () => {
    const c = new ClusterDriver({ notReady: 'go-enabled checks are under way' }).lead();
    expect(own(c)).toMatchObject({ ready: 'disabled', operational: 'disabled', availability: 'failed' });
    expect(c.numbers().holder).toBe(B);
    expect(c.cluster.waits()).toContainEqual(
      expect.objectContaining({
        entity: 'node',
        name: A,
        since: 10_000,
        reason: expect.stringMatching(/under way/),
      }),
    );
    c.pass(3000);
    expect(c.cluster.alarms().find(({ id }) => id === 'node-not-ready')?.reason).toMatch(
      /checks are under way/,
    );
    c.cluster.onReady(true, '', c.now);
    expect(own(c)).toMatchObject({ ready: 'enabled', availability: 'available' });
    expect(c.cluster.alarms().find(({ id }) => id === 'node-not-ready')).toBeUndefined();
    const told = c.effects.filter((effect) => effect.type === 'history' && effect.cause === 'node-ready');
    expect(told).toMatchObject([
      { from: 'not ready', to: 'ready', reason: 'over: go-enabled checks are under way' },
    ]);
  });

  it('whose name another machine uses is not ready: what it can not be granted goes to the other', () => {
    const c = new ClusterDriver().lead();
    expect(c.numbers().holder).toBe(A);
    c.fact({ type: 'guard.duplicate', processLife: 'f'.repeat(32) });
    c.fact({ type: 'guard.lost', reason: 'another machine uses the name of this node' });
    expect(own(c)).toMatchObject({ ready: 'disabled' });
    expect(
      c.cluster
        .waits()
        .map(({ reason }) => reason)
        .join(),
    ).toMatch(/another machine uses its name/);
    expect(c.numbers().holder).toBe(B);
    c.fact({ type: 'guard.duplicate', processLife: '' });
    expect(own(c)).toMatchObject({ ready: 'enabled' });
    expect(c.numbers().holder).toBe(B);
  });

  it('forgets the other machine with the sm-watchdog that told of it: a new one tells for itself', () => {
    const c = new ClusterDriver().lead();
    c.fact({ type: 'guard.duplicate', processLife: 'f'.repeat(32) });
    expect(own(c)?.ready).toBe('disabled');
    c.hello();
    expect(own(c)?.ready).toBe('enabled');
  });

  it('that leaves is not ready from the first moment: nothing is given back to it', () => {
    const c = new ClusterDriver({ groups: [pairGroup('oam'), everywhere('web')] }).lead();
    c.local.slow.add('web');
    c.cluster.onShutdown('operator', 'maintenance', c.now);
    expect(own(c)).toMatchObject({ ready: 'disabled' });
    expect(c.said.leaving).toBe(false);
    expect(c.numbers('oam')).toMatchObject({ held: 0, stopped: 1 });
    c.finish('web');
    expect(c.said.leaving).toBe(true);
  });

  it('is degraded while a group of its is', () => {
    const c = new ClusterDriver().lead();
    c.local.set('oam', { status: 'degraded' });
    c.cluster.evaluate(c.now);
    expect(own(c)).toMatchObject({ ready: 'enabled', availability: 'degraded' });
  });
});

describe('a core group', () => {
  it('is active before anybody leads, and the node is ready with it alone', () => {
    const c = new ClusterDriver({ groups: [core, pairGroup('oam')], bare: true });
    expect(c.local.wants).toEqual(['base active']);
    expect(own(c)?.ready).toBe('enabled');
    c.local.set('base', { state: 'go-active' });
    c.cluster.evaluate(c.now);
    expect(own(c)?.ready).toBe('disabled');
    expect(c.state).toBe('waiting');
  });

  it('that fails takes the node out, and the others go away', () => {
    const c = new ClusterDriver({ groups: [core, pairGroup('oam')] }).lead();
    expect(c.numbers().holder).toBe(A);
    c.local.set('base', { status: 'failed', condition: 'recovery-failure' });
    c.cluster.evaluate(c.now);
    expect(own(c)?.ready).toBe('disabled');
    expect(c.numbers().holder).toBe(B);
    expect(c.local.wants).not.toContain('base standby');
    expect(c.local.group('base').desired).toBe('active');
  });

  it('is down on a locked node, and nobody else is asked about it', () => {
    const c = new ClusterDriver({ groups: [core] }).follow();
    c.report({ domainState: 'leader', leader: B, number: 5, settled: true });
    c.peerGroup('base', { order: 'disabled' });
    c.report({ domainState: 'leader', leader: B, number: 5, settled: true });
    expect(c.local.group('base').desired).toBe('active');
    const leader = new ClusterDriver({ groups: [core] }).lead();
    leader.command('lock', A);
    expect(leader.local.group('base').desired).toBe('disabled');
    leader.command('unlock', A);
    expect(leader.local.group('base').desired).toBe('active');
  });
});

describe('AUTO_RECOVER', () => {
  it('begins what needs no permission before anybody leads, on a ready node', () => {
    const c = new ClusterDriver({ groups: [everywhere('web'), pairGroup('oam')], bare: true });
    expect(c.local.wants).toEqual(['web active']);
    const late = new ClusterDriver({ groups: [everywhere('web')], notReady: 'checks', bare: true });
    expect(late.local.wants).toEqual([]);
    late.cluster.onReady(true, '', late.now);
    expect(late.local.wants).toEqual(['web active']);
  });
});

describe('ACTIVE_ONLY_IF_ACTIVE of a group that needs no permission', () => {
  it('is waited for here, and a moment without it takes nothing down', () => {
    const web = { ...everywhere('web'), autoRecover: false };
    const top = { ...web, name: 'top', activeOnlyIfActive: 'web' };
    const c = new ClusterDriver({ groups: [top, web], bare: true });
    c.local.slow.add('web');
    c.hello();
    c.lead();
    expect(c.local.group('top').desired).not.toBe('active');
    expect(c.cluster.waits().find(({ name }) => name === 'top')?.reason).toMatch(
      /waits until web is active on controller-0/,
    );
    c.finish('web');
    expect(c.local.group('top').desired).toBe('active');
    c.local.set('web', { state: 'go-active' });
    c.cluster.evaluate(c.now);
    expect(c.local.group('top').desired).toBe('active');
  });
});
