import { describe, expect, it } from 'vitest';
import type { GroupReport, NodeReport, Operation } from '../../../src/core/link/types.ts';
import { A, B, ClusterDriver, everywhere, life, pairGroup } from '../../support/cluster-driver.ts';

const LIMIT_MS = 300_000;

/** A leads and has the group; the peer follows. */
function leading(options: ConstructorParameters<typeof ClusterDriver>[0] = {}) {
  const c = new ClusterDriver(options).lead();
  c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
  return c;
}

/** A leads, the peer has the group under 1. */
function leadingStandby() {
  const c = new ClusterDriver();
  c.peerGroup('oam', { runs: 1, activationMax: 1, inactive: false, state: 'active', desired: 'active' });
  c.lead();
  c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
  return c;
}

const peerSays = (c: ClusterDriver, change: Partial<GroupReport>) => {
  c.peerGroup('oam', change);
  c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
};

const nodeReport = (name: string, change: Partial<NodeReport> = {}): NodeReport => ({
  name,
  administrative: 'unlocked',
  operational: 'enabled',
  availability: 'available',
  ready: 'enabled',
  administrativeVersion: 0,
  lockedUntil: 0,
  lockReason: '',
  ...change,
});

describe('a swact (rule 19)', () => {
  it('by the leader that is active: stop here, then a new number there, then done', () => {
    const c = leading();
    c.local.slow.add('oam');
    const { operation } = c.command('swact', A);
    expect(c.operation(operation)?.step).toBe('stopping');
    expect(c.numbers()).toMatchObject({ holder: A, held: 1 });
    c.finish('oam');
    expect(c.numbers()).toMatchObject({ holder: B, holderActivation: 2, held: 0, stopped: 1 });
    expect(c.operation(operation)?.step).toBe('activating');
    peerSays(c, { runs: 2, activationMax: 2, inactive: false, state: 'go-active' });
    expect(c.operation(operation)?.step).toBe('activating');
    peerSays(c, { state: 'active' });
    expect(c.operation(operation)?.step).toBe('done');
    expect(c.saidGroup()).toMatchObject({ holder: B, order: 'active' });
  });

  it('by the leader that is standby: the peer stops first, then this node begins', () => {
    const c = leadingStandby();
    const { operation } = c.command('swact', B);
    expect(c.saidGroup()).toMatchObject({ holder: B, order: 'standby' });
    peerSays(c, { state: 'go-standby' });
    expect(c.numbers().held).toBe(0);
    peerSays(c, { runs: 0, inactive: true, stopped: 1, state: 'standby' });
    expect(c.numbers()).toMatchObject({ holder: A, held: 2 });
    expect(c.operation(operation)?.step).toBe('done');
  });

  it('asked at the node that does not lead is carried to the leader and moved on there', () => {
    const c = new ClusterDriver().follow();
    const { ok, operation } = c.command('swact', B);
    expect(ok).toBe(true);
    expect(c.said.report.operations).toMatchObject([{ id: operation, step: 'requested' }]);
    const leader = leading();
    const [asked] = c.said.report.operations;
    if (asked === undefined) throw new Error('nothing asked');
    leader.report({ domainState: 'backup', number: 2, settled: true, operations: [{ ...asked, node: A }] });
    expect(leader.numbers().holder).toBe(B);
    expect(leader.operation(operation)?.step).toBe('activating');
    c.report({ domainState: 'leader', number: 5, operations: [{ ...asked, step: 'done' }] });
    expect(c.operation(operation)?.step).toBe('done');
  });

  it('shows its steps and its end in the history of the node that follows, too', () => {
    const c = new ClusterDriver().follow();
    const { operation } = c.command('swact', B);
    const [asked] = c.said.report.operations;
    if (asked === undefined) throw new Error('nothing asked');
    for (const [step, reason] of [
      ['stopping', ''],
      ['stopping', ''],
      ['failed-back', 'oam failed there'],
    ] as const)
      c.report({ domainState: 'leader', number: 5, operations: [{ ...asked, step, reason }] });
    const told = c.effects.filter((effect) => effect.type === 'history' && effect.entity === 'operation');
    expect(told).toMatchObject([
      { name: `swact ${B}`, from: 'requested', to: 'stopping', cause: operation, actor: 'operator' },
      { from: 'stopping', to: 'failed-back', cause: operation, reason: 'oam failed there' },
    ]);
  });

  it.each<[string, (c: ClusterDriver) => void, RegExp]>([
    ['the other node is silent', (c) => c.silent(false), /controller-1 can not take the groups: .*own links/],
    [
      'the other node is locked',
      (c) =>
        c.report({
          number: 2,
          domainState: 'backup',
          nodes: [
            nodeReport(B, { administrative: 'locked', administrativeVersion: 3, lockReason: 'new fan' }),
          ],
        }),
      /it is locked \(new fan\)/,
    ],
    [
      'the other node is not ready',
      (c) => c.report({ number: 2, domainState: 'backup', nodes: [nodeReport(B, { ready: 'disabled' })] }),
      /it is not ready/,
    ],
    [
      'the group has failed there',
      (c) => peerSays(c, { status: 'failed', reason: 'disk broken' }),
      /oam has failed on controller-1 \(disk broken\)/,
    ],
  ])('is refused where %s', (_, there, reason) => {
    const c = leading();
    there(c);
    const answer = c.command('swact', A);
    expect(answer.ok).toBe(false);
    expect(answer.message).toMatch(reason);
    expect(c.operation(answer.operation)).toMatchObject({ step: 'refused', reason: answer.message });
    expect(c.numbers().holder).toBe(A);
  });

  it('is refused for unknown nodes, while nobody leads, and where there is one node only', () => {
    expect(leading().command('swact', 'controller-7').message).toMatch(/no node controller-7/);
    expect(new ClusterDriver().command('swact', A).message).toMatch(/nobody leads/);
    expect(new ClusterDriver({ nodes: [A] }).command('swact', A).message).toMatch(/one node only/);
  });

  it('is refused where nothing is active that could move', () => {
    const c = leading();
    expect(c.numbers().holder).toBe(A);
    expect(c.command('swact', B)).toMatchObject({
      ok: false,
      message: expect.stringMatching(/nothing is active/),
    });
  });

  it('by force goes also where the group has failed', () => {
    const c = leading();
    peerSays(c, { status: 'failed', reason: 'disk broken' });
    expect(c.command('swact-force', A).ok).toBe(true);
    expect(c.numbers().holder).toBe(B);
  });

  it('fails back where the target fails while it stops, and while it activates', () => {
    const stopping = leading();
    stopping.local.slow.add('oam');
    const first = stopping.command('swact', A).operation;
    peerSays(stopping, { status: 'failed', condition: 'action-failure', reason: 'no disk' });
    expect(stopping.operation(first)).toMatchObject({ step: 'failed-back' });
    stopping.finish('oam');
    expect(stopping.local.group('oam').desired).toBe('active');

    const activating = leading();
    const second = activating.command('swact', A).operation;
    peerSays(activating, { runs: 2, activationMax: 2, inactive: false, state: 'go-active' });
    peerSays(activating, { status: 'failed', condition: 'action-failure', reason: 'no disk' });
    expect(activating.operation(second)?.reason).toMatch(/oam failed there: no disk/);
    expect(activating.saidGroup().order).toBe('standby');
    peerSays(activating, { runs: 0, inactive: true, stopped: 2, state: 'standby' });
    expect(activating.numbers()).toMatchObject({ holder: A, held: 3 });
  });

  it('fails back where the target falls silent: nothing moves when it returns minutes later', () => {
    const c = leading();
    c.local.slow.add('oam');
    const { operation } = c.command('swact', A);
    expect(c.operation(operation)?.step).toBe('stopping');
    c.silent(false);
    expect(c.operation(operation)).toMatchObject({
      step: 'failed-back',
      reason: expect.stringMatching(/controller-1 can not take the groups/),
    });
  });

  it('times out, and the groups stay where they are then', () => {
    const c = leading();
    c.local.slow.add('oam');
    const { operation } = c.command('swact', A);
    c.pass(LIMIT_MS - 1);
    expect(c.operation(operation)?.step).toBe('stopping');
    c.pass(1);
    expect(c.operation(operation)).toMatchObject({ step: 'timed-out' });
  });

  it('is resumed by whoever leads next, when the leader dies in the middle', () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { holder: B, holderActivation: 3, activationMax: 3, runs: 3, inactive: false });
    c.follow();
    const { operation } = c.command('swact', B);
    const [asked] = c.said.report.operations;
    if (asked === undefined) throw new Error('nothing asked');
    c.report({ domainState: 'leader', number: 5, operations: [{ ...asked, step: 'stopping' }] });
    c.silent();
    c.pass(300);
    expect(c.state).toBe('leader');
    expect(c.operation(operation)?.step).toBe('done');
    expect(c.numbers()).toMatchObject({ holder: A, held: 4 });
  });

  it('is resumed by the same node after a restart of its sm', () => {
    const before = leading();
    before.local.slow.add('oam');
    const { operation } = before.command('swact', A);
    const c = new ClusterDriver({ restored: before.restored(), bare: true });
    c.local.set('oam', { inactive: false, desired: 'standby', state: 'go-standby' });
    c.local.slow.add('oam');
    c.hello({ fresh: false, holding: true });
    c.lead();
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    expect(c.operation(operation)?.step).toBe('stopping');
    c.finish('oam');
    expect(c.numbers()).toMatchObject({ holder: B, holderActivation: 2 });
  });
});

describe('the clocks of two nodes that are hours apart', () => {
  const HOURS = 7 * 3_600_000;
  const asked = (change: Partial<Operation>): Operation => ({
    id: 'x-1',
    kind: 'swact',
    node: A,
    group: '',
    step: 'requested',
    actor: 'operator',
    why: '',
    reason: '',
    requestedAt: 1_000_000_000,
    limitMs: LIMIT_MS,
    ...change,
  });

  it.each([-HOURS, HOURS])('say nothing about the age of what was asked there (%i ms)', (byMs) => {
    const c = leading();
    c.local.slow.add('oam');
    const requestedAt = 1_000_000_000 + byMs;
    c.report({
      domainState: 'backup',
      leader: A,
      number: 2,
      settled: true,
      operations: [asked({ requestedAt })],
    });
    expect(c.operation('x-1')).toMatchObject({ step: 'stopping', requestedAt: 1_000_000_000 });
    c.pass(LIMIT_MS - 1);
    expect(c.operation('x-1')?.step).toBe('stopping');
    c.pass(1);
    expect(c.operation('x-1')?.step).toBe('timed-out');
  });

  it('end a request that no leader has taken up by the clock of who asked', () => {
    const c = new ClusterDriver().follow();
    const { operation } = c.command('swact', A);
    c.pass(LIMIT_MS - 1);
    expect(c.operation(operation)?.step).toBe('requested');
    c.pass(1);
    expect(c.operation(operation)?.step).toBe('timed-out');
  });

  it.each([-HOURS, HOURS])('end a lock by the clock of the locked node (%i ms)', (byMs) => {
    const c = new ClusterDriver().follow();
    const limitMs = 3000;
    const lockedUntil = 1_000_000_000 + byMs + limitMs;
    c.report({
      domainState: 'leader',
      number: 5,
      nodes: [
        nodeReport(A, { administrative: 'locked', administrativeVersion: 1, lockedUntil, lockReason: 'fan' }),
      ],
      operations: [asked({ kind: 'lock', step: 'accepted', limitMs, requestedAt: lockedUntil - limitMs })],
    });
    const row = () => c.cluster.nodes().find(({ name }) => name === A);
    c.pass(limitMs - 1);
    expect(row()).toMatchObject({ administrative: 'locked', lockReason: 'fan' });
    c.pass(1);
    expect(row()?.administrative).toBe('unlocked');
  });
});

describe('lock and unlock', () => {
  it('of a node that is not heard is done when its groups are here, and holds it when it is back', () => {
    const c = leadingStandby();
    c.silent(false);
    const { operation } = c.command('lock', B);
    expect(c.operation(operation)?.step).toBe('accepted');
    c.silent(true);
    c.pass(10_000);
    expect(c.numbers().holder).toBe(A);
    expect(c.operation(operation)).toMatchObject({
      step: 'done',
      reason: expect.stringMatching(/is not heard/),
    });
    expect(c.cluster.nodes().find(({ name }) => name === B)?.administrative).toBe('locked');
  });

  it('moves everything away, is done when nothing is left, and the node gains nothing until the unlock', () => {
    const c = leading({ groups: [pairGroup('oam'), everywhere('web')] });
    const { operation } = c.command('lock', A);
    expect(c.operation(operation)?.step).toBe('done');
    expect(c.numbers('oam').holder).toBe(B);
    expect(c.local.group('web').desired).toBe('disabled');
    expect(c.cluster.nodes().find(({ name }) => name === A)).toMatchObject({
      administrative: 'locked',
      lockReason: 'test',
      lockedUntil: 0,
    });
    expect(c.command('lock', A).message).toMatch(/locked already/);
    expect(c.command('unlock', A).ok).toBe(true);
    expect(c.local.group('web').desired).toBe('active');
    expect(c.numbers('oam').holder).toBe(B);
    expect(c.command('unlock', A).message).toMatch(/is not locked/);
  });

  it('is refused where it would leave nobody, not in a domain of one node', () => {
    const c = leading();
    c.silent(false);
    expect(c.command('lock', A).ok).toBe(false);
    const simplex = new ClusterDriver({ nodes: [A] });
    expect(simplex.command('lock', A).ok).toBe(true);
    expect(simplex.numbers().held).toBe(0);
  });

  it.each([3000, LIMIT_MS, 2 * LIMIT_MS])('ends by itself after --for %s ms', (forMs) => {
    const c = leading({ groups: [everywhere('web')] });
    c.command('lock', A, forMs);
    c.pass(forMs - 1);
    expect(c.local.group('web').desired).toBe('disabled');
    c.pass(1);
    expect(c.local.group('web').desired).toBe('active');
  });

  it('whose stop takes longer than its time arms no timer in the past', () => {
    const c = leading();
    c.local.slow.add('oam');
    c.command('lock', A, 1000);
    c.pass(LIMIT_MS + 1000);
    expect(c.cluster.operations().at(-1)?.step).toBe('failed-back');
  });

  it('that ended while the node was away ends at its start', () => {
    const before = leading({ groups: [everywhere('web')] });
    before.command('lock', A, 3000);
    const restored = before.restored();
    const locked = restored.nodes.map((row) => (row.name === A ? { ...row, lockedUntil: 1 } : row));
    const c = new ClusterDriver({ restored: { ...restored, nodes: locked } });
    c.pass(0);
    expect(c.cluster.nodes().find(({ name }) => name === A)?.administrative).toBe('unlocked');
  });

  it('travels with the newer version, and where versions rose apart both sides end alike', () => {
    const change = (administrative: 'locked' | 'unlocked', administrativeVersion: number) =>
      nodeReport(B, { administrative, administrativeVersion });
    const seen = (mine: NodeReport, theirs: NodeReport) => {
      const c = new ClusterDriver({ restored: { nodes: [mine] } }).follow();
      c.report({ domainState: 'leader', number: 5, nodes: [theirs] });
      return c.cluster.nodes().find(({ name }) => name === B)?.administrative;
    };
    expect(seen(change('locked', 1), change('unlocked', 2))).toBe('unlocked');
    expect(seen(change('locked', 2), change('unlocked', 1))).toBe('locked');
    const one = seen(change('locked', 2), change('unlocked', 2));
    expect(seen(change('unlocked', 2), change('locked', 2))).toBe(one);
  });
});

describe('recover', () => {
  it('on a node that can not be asked is refused at once', () => {
    const c = leading();
    c.silent(false);
    expect(c.command('recover', B, 0, 'oam')).toMatchObject({
      ok: false,
      message: expect.stringMatching(/controller-1 can not be asked to try again: .*not heard/),
    });
  });

  it('is refused for a group that there is not', () => {
    const c = leading();
    expect(c.command('recover', A, 0, 'nope')).toMatchObject({
      ok: false,
      message: expect.stringMatching(/no provisioned group nope/),
      operation: '',
    });
    expect(c.command('recover', A, 0, 'oam').ok).toBe(true);
  });

  it('is carried out by the node that it names, and told as done', () => {
    const c = new ClusterDriver().follow();
    const { operation } = c.command('recover', A);
    const [asked] = c.said.report.operations;
    if (asked === undefined) throw new Error('nothing asked');
    c.report({ domainState: 'leader', number: 5, operations: [{ ...asked, step: 'accepted' }] });
    expect(c.operation(operation)?.step).toBe('done');
  });
});

describe('failover while both see each other', () => {
  it('moves groups off worse links, after patience, not for a flap', () => {
    const c = leading({ failPendingMs: 2000 });
    const link = (up: boolean) =>
      c.fact({ type: 'guard.link', role: 'management-interface', up, heard: up, reason: '' });
    link(false);
    c.pass(1000);
    link(true);
    c.pass(5000);
    expect(c.numbers().holder).toBe(A);
    link(false);
    c.pass(1999);
    expect(c.numbers().holder).toBe(A);
    c.pass(1);
    expect(c.numbers().holder).toBe(B);
  });

  it('believes no report that came while the peer was deaf', () => {
    const c = leading();
    c.silent(false);
    c.report({ domainState: 'backup', number: 2 });
    c.heard();
    expect(c.cluster.peerView()?.exchanged).toBe(false);
    c.report({ domainState: 'backup', number: 2 });
    expect(c.cluster.peerView()?.exchanged).toBe(true);
  });

  it('forgets the report of a life that ended', () => {
    const c = leading();
    c.heard({ processLife: life('next') });
    expect(c.cluster.peerView()?.exchanged).toBe(false);
  });
});
