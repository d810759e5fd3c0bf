import { describe, expect, it } from 'vitest';
import { A, B, ClusterDriver, everywhere, life, pairGroup } from '../../support/cluster-driver.ts';

describe('who leads', () => {
  it('waits for the exchange, then leads with a number above every number seen', () => {
    const c = new ClusterDriver();
    expect(c.state).toBe('waiting');
    c.heard();
    expect(c.state).toBe('waiting');
    c.report({ domainState: 'waiting', number: 0 });
    expect([c.state, c.number]).toEqual(['leader', 2]);
    expect(c.persisted('persist.domain').at(-1)).toMatchObject({ state: 'leader', number: 2, settled: true });
  });

  it('follows whoever leads, and tells a leader with an older number nothing but the higher one', () => {
    const c = new ClusterDriver({ restored: { number: 9 } });
    c.follow(5);
    expect(c.state).toBe('waiting');
    expect(c.said.report.number).toBe(9);
    c.report({ domainState: 'leader', number: 10 });
    expect([c.state, c.number]).toEqual(['backup', 10]);
  });

  it('leads nothing with a new kernel life while a settled peer is there (rule 7)', () => {
    const c = new ClusterDriver({ restored: { number: 9, settled: true, kernelLife: life('an older one') } });
    c.heard();
    c.report({ domainState: 'waiting', number: 3, settled: true });
    expect(c.state).toBe('waiting');
  });

  it('leads alone where there is no other node, once it is watched', () => {
    const c = new ClusterDriver({ nodes: [A], bare: true });
    expect(c.state).toBe('waiting');
    c.hello();
    expect(c.state).toBe('leader');
    expect(c.numbers()).toMatchObject({ held: 1, holder: A });
  });

  it('tells the tools when the exchange is complete and when the peer is gone', () => {
    const c = new ClusterDriver().lead();
    expect(c.persisted('persist.neighbor').at(-1)).toMatchObject({ name: B, state: 'full' });
    c.silent();
    expect(c.persisted('persist.neighbor').at(-1)).toMatchObject({ state: 'down' });
  });

  it('stores what the peer reports of its groups, also when nothing changes here', () => {
    const c = new ClusterDriver({ groups: [everywhere('web')] }).lead();
    c.peerGroup('web', { state: 'active', desired: 'active' });
    c.report({ domainState: 'backup', leader: A, number: 2 });
    c.peerGroup('web', { status: 'degraded' });
    c.report({ domainState: 'backup', leader: A, number: 2 });
    const row = c.persisted('persist.assignment').findLast(({ assignment }) => assignment.node === B);
    expect(row?.assignment).toMatchObject({ group: 'web', state: 'active', status: 'degraded' });
  });

  it('tells no event when the leader it follows takes another number', () => {
    const c = new ClusterDriver().follow(5);
    c.effects = [];
    c.report({ domainState: 'leader', leader: B, number: 6, settled: true });
    expect([c.state, c.number]).toEqual(['backup', 6]);
    expect(c.effects.filter(({ type }) => type === 'history')).toEqual([]);
  });
});

describe('while a newer report of the peer is on its way', () => {
  it('leads nothing on the one from before: it does not say who took over meanwhile (rule 14d)', () => {
    const c = new ClusterDriver({ restored: { number: 9 } });
    c.follow(9);
    c.announced(10);
    c.report({ domainState: 'backup', number: 3 });
    c.reportAwaited();
    c.announced(0);
    expect(c.state).toBe('backup');
    c.report({ domainState: 'backup', number: 3 });
    expect(c.state).toBe('leader');
  });

  it('gives nothing to itself', () => {
    const c = new ClusterDriver().lead();
    c.reportAwaited();
    c.fact({ type: 'guard.lost', reason: 'links down' });
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(c.numbers().held).toBe(0);
    c.report({ domainState: 'backup', leader: A, number: 2 });
    expect(c.numbers().held).toBe(2);
  });

  it('takes nothing that it was given before', () => {
    const c = new ClusterDriver();
    c.follow(5);
    c.announced(6);
    c.peerGroup('oam', { holder: A, holderActivation: 4, order: 'active' });
    c.report({ domainState: 'leader', leader: B, number: 6, settled: true });
    c.reportAwaited();
    c.announced(0);
    expect(c.numbers().held).toBe(0);
    expect(c.cluster.waits()[0]?.reason).toBe('a newer report of the peer is on its way');
    c.report({ domainState: 'leader', leader: B, number: 6, settled: true });
    expect(c.numbers().held).toBe(4);
  });
});

describe('the leader gives', () => {
  it('one number to one node, stored and watched before anything runs', () => {
    const c = new ClusterDriver().lead();
    const at = (type: string) => c.effects.findIndex((effect) => effect.type === type);
    expect(c.numbers()).toMatchObject({ holder: A, holderActivation: 1, held: 1 });
    expect(at('guard.hold')).toBeGreaterThan(at('persist.numbers'));
    expect(c.local.wants.at(-1)).toBe('oam active');
    expect(c.saidGroup()).toMatchObject({ holder: A, holderActivation: 1, runs: 1, order: 'standby' });
  });

  it('nothing to itself before the other node has read that it leads: that one may lead as well (rule 20)', () => {
    for (const reads of [{ leader: '' }, { leader: B, number: 9 }, { leader: A, number: 1 }]) {
      const c = new ClusterDriver().lead({ domainState: 'backup', ...reads });
      expect([c.state, c.numbers().held]).toEqual(['leader', 0]);
      expect(c.cluster.waits()[0]?.reason).toBe('controller-1 has not read yet that controller-0 leads');
      c.report();
      expect(c.numbers().held).toBe(1);
    }
  });

  it('nothing before the other node has verified that it runs nothing (stop before start)', () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { inactive: false });
    c.lead();
    expect(c.numbers().holder).toBe('');
    expect(c.cluster.waits()[0]?.reason).toMatch(/controller-1 has not yet verified/);
    c.peerGroup('oam', { inactive: true });
    c.report({ domainState: 'backup', number: 2 });
    expect(c.numbers().holder).toBe(A);
    expect(c.cluster.waits()).toEqual([]);
  });

  it('a number above every number that anybody has shown', () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { activationMax: 41, stopped: 41 });
    c.lead();
    expect(c.numbers().holderActivation).toBe(42);
  });

  it('nothing new for a group that the peer runs: it is recorded as the holder, and stays', () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { runs: 7, activationMax: 7, inactive: false, state: 'active' });
    c.lead();
    expect(c.numbers()).toMatchObject({ holder: B, holderActivation: 7, held: 0 });
    expect(c.saidGroup()).toMatchObject({ holder: B, holderActivation: 7, order: 'active' });
  });

  it('a granted group to nobody else until the receiver says stopped (rule 5)', () => {
    const c = new ClusterDriver({ groups: [pairGroup('oam')] });
    c.peerGroup('oam', { runs: 3, activationMax: 3, inactive: false });
    c.lead();
    c.peerGroup('oam', { runs: 0, inactive: true, stopped: 2 });
    c.report({ domainState: 'backup', number: 2 });
    expect(c.numbers()).toMatchObject({ holder: B, holderActivation: 3 });
    c.peerGroup('oam', { stopped: 3 });
    c.report({ domainState: 'backup', number: 2 });
    expect(c.numbers().holderActivation).toBe(4);
  });

  it('in the order of activeOnlyIfActive', () => {
    const groups = [pairGroup('oam', { activeOnlyIfActive: 'directory' }), pairGroup('directory')];
    const c = new ClusterDriver({ groups });
    c.local.slow.add('directory');
    c.lead();
    expect(c.numbers('oam').holder).toBe('');
    c.finish('directory');
    expect(c.numbers('oam').holder).toBe(A);
  });

  it('nothing to itself without permission, and at once when it comes', () => {
    const c = new ClusterDriver();
    c.fact({ type: 'guard.permission', deadline: 5 });
    c.lead();
    expect(c.numbers().holder).toBe('');
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(c.numbers().holder).toBe(A);
    expect(c.local.tokens.get('oam')?.deadline).toBe(c.now + 600);
  });

  it('newer tokens with each renewal of permission', () => {
    const c = new ClusterDriver().lead();
    c.fact({ type: 'guard.permission', deadline: c.now + 5000 });
    expect(c.local.tokens.get('oam')?.deadline).toBe(c.now + 5000);
  });

  it('the same after renewals of which only the last was told', () => {
    const [every, last] = [new ClusterDriver().lead(), new ClusterDriver().lead()];
    for (const c of [every, last]) {
      c.fact({ type: 'guard.permission', deadline: c.now + 600 });
      c.effects.length = 0;
    }
    for (let i = 0; i < 10; i += 1) {
      every.now += 200;
      every.fact({ type: 'guard.permission', deadline: every.now + 600 });
    }
    last.now += 2000;
    last.fact({ type: 'guard.permission', deadline: last.now + 600, unbroken: true });
    expect(last.effects).toEqual(every.effects);
    expect(last.local.tokens).toEqual(every.local.tokens);
    expect(last.cluster.permissionView(last.now)).toEqual(every.cluster.permissionView(every.now));
  });

  it('no orders to a peer that can not be asked', () => {
    const c = new ClusterDriver({ groups: [everywhere('web')] }).lead();
    expect(c.saidGroup('web').order).toBe('active');
    c.silent(false);
    expect(c.saidGroup('web').order).toBe('initial');
  });
});

describe('the other node obeys', () => {
  const ordered = (number: number, order: 'active' | 'standby' | 'disabled', holder = A) => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { holder, holderActivation: number, activationMax: number, order });
    return c.follow();
  };

  it('a grant under its number', () => {
    const c = ordered(7, 'active');
    expect(c.numbers()).toMatchObject({ held: 7, max: 7 });
    expect(c.local.tokens.get('oam')?.activation).toBe(7);
  });

  it('no order to activate what was given to somebody else, or was given up', () => {
    expect(ordered(7, 'active', B).local.wants).toEqual([]);
    const c = ordered(7, 'active');
    c.peerGroup('oam', { order: 'standby' });
    c.report({ domainState: 'leader', number: 5 });
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 7 });
    c.peerGroup('oam', { order: 'active' });
    c.report({ domainState: 'leader', number: 5 });
    expect(c.local.group('oam').desired).toBe('standby');
    c.peerGroup('oam', { holderActivation: 8 });
    c.report({ domainState: 'leader', number: 5 });
    expect(c.numbers().held).toBe(8);
  });

  it('no order of an older number, of a peer that does not lead, or that is not heard', () => {
    for (const change of [{ number: 4 }, { domainState: 'backup' as const, settled: true }]) {
      const c = new ClusterDriver().follow();
      c.peerGroup('oam', { holder: A, holderActivation: 7, order: 'active' });
      c.report({ domainState: 'leader', number: 5, ...change });
      expect(c.numbers().held).toBe(0);
    }
    const c = new ClusterDriver().follow();
    c.silent(false);
    c.peerGroup('oam', { holder: A, holderActivation: 7, order: 'active' });
    c.report({ domainState: 'leader', number: 5 });
    expect(c.numbers().held).toBe(0);
  });

  it('gives up a grant that it was told to stop before it began', () => {
    const c = ordered(7, 'standby');
    expect(c.saidGroup()).toMatchObject({ stopped: 7, runs: 0, inactive: true });
  });

  it('says stopped only when nothing is active any more', () => {
    const c = ordered(7, 'active');
    c.local.slow.add('oam');
    c.peerGroup('oam', { order: 'standby' });
    c.report({ domainState: 'leader', number: 5 });
    expect(c.saidGroup()).toMatchObject({ stopped: 0, runs: 7, inactive: false });
    c.finish('oam');
    expect(c.saidGroup()).toMatchObject({ stopped: 7, runs: 0, inactive: true });
    expect(c.holding).toBe(false);
  });
});

describe('what its scripts do not stop', () => {
  it('is killed, whoever leads: it is active nowhere as long as it may run here', () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { holder: A, holderActivation: 3, order: 'active' });
    c.follow();
    c.local.slow.add('oam');
    c.peerGroup('oam', { order: 'standby' });
    c.report({ domainState: 'leader', number: 5 });
    expect(c.local.wants.at(-1)).toBe('oam standby');
    c.local.set('oam', { stuck: 'postgres(enabled-go-standby) demote exited 1' });
    c.cluster.evaluate(c.now);
    expect(c.local.wants.at(-1)).toBe('oam revoked');
    expect(c.numbers().held).toBe(3);
    c.finish('oam');
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 3 });
  });
});

describe('two that run one group (rule 20)', () => {
  const heldBy = (node: string, held: number, theirs: number) => {
    const c = new ClusterDriver({ node });
    c.peerGroup('oam', { holder: node, holderActivation: held, activationMax: held, order: 'active' });
    c.follow(5);
    c.peerGroup('oam', { runs: theirs, inactive: false, activationMax: theirs, order: 'initial' });
    c.report({ domainState: 'leader', number: 5 });
    return c.local.wants.includes('oam revoked');
  };

  it.each([
    [3, 4],
    [4, 3],
    [3, 3],
  ])('activations %s and %s: exactly one side stops', (a, b) => {
    expect(heldBy(A, a, b)).toBe(!heldBy(B, b, a));
    expect(heldBy(A, a, b)).toBe(a <= b);
  });
});

describe('take-over of a silent peer (rule 14d)', () => {
  const following = () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { holder: B, holderActivation: 3, activationMax: 3, runs: 3, inactive: false });
    return c.follow();
  };

  it('announces, waits the largest S that was announced, then acts under a new number', () => {
    const c = following();
    c.silent(true, 700);
    expect(c.said.announceNumber).toBe(6);
    c.pass(699);
    expect([c.state, c.numbers().held]).toEqual(['backup', 0]);
    c.pass(1);
    expect([c.state, c.number]).toEqual(['leader', 6]);
    expect(c.numbers()).toMatchObject({ holder: A, held: 4 });
    expect(c.said.announceNumber).toBe(6);
  });

  it('tells since when it waits, also where the peer needs longer to stop than this node', () => {
    const c = new ClusterDriver().follow();
    c.silent(true, 5000);
    const wait = c.cluster.waits().find(({ reason }) => reason.startsWith('announced'));
    expect(wait).toMatchObject({ since: c.now, until: c.now + 5000 });
  });

  it('ends its announcement at any sign of life, at a link of its own that goes down, and at a heard one', () => {
    const ends: ((c: ClusterDriver) => void)[] = [
      (c) => c.fact({ type: 'guard.silence-broken' }),
      (c) => c.silent(false),
      (c) => c.heard(),
      (c) => c.announced(9),
      (c) => c.fact({ type: 'guard.lost', reason: 'x' }),
      (c) => c.cluster.onStore('disk full', c.now),
    ];
    for (const end of ends) {
      const c = following();
      c.silent();
      c.pass(299);
      end(c);
      c.pass(10_000);
      expect(c.numbers().held).toBe(0);
      expect(c.said.announceNumber).toBe(0);
    }
  });

  it('begins anew when the store failed after it and works again, and the peer is still silent', () => {
    const c = following();
    c.silent();
    c.pass(300);
    expect(c.state).toBe('leader');
    c.cluster.onStore('disk full', c.now);
    c.finish('oam');
    expect([c.said.leaving, c.numbers().held]).toEqual([true, 0]);
    c.cluster.onStore('', c.now);
    expect([c.state, c.said.announceNumber]).toEqual(['waiting', 7]);
    c.pass(300);
    expect([c.state, c.number]).toEqual(['leader', 7]);
    expect(c.numbers()).toMatchObject({ holder: A, held: 5 });
  });

  it('is not begun without leave of the watchdog, nor when there is nothing to gain', () => {
    const c = following();
    c.silent(false);
    expect(c.said.announceNumber).toBe(0);
    const leader = new ClusterDriver().lead();
    leader.silent();
    expect(leader.said.announceNumber).toBe(0);
  });

  it('begins anew after a restart of sm in the middle of it: the whole S again', () => {
    const c = following();
    c.silent();
    c.pass(200);
    const next = new ClusterDriver({ restored: c.restored() });
    next.silent();
    next.pass(299);
    expect(next.numbers().held).toBe(0);
    next.pass(1);
    expect(next.numbers().held).toBe(4);
  });

  it('that is announced by both ends on both: who obeyed announces no more', () => {
    const c = following();
    c.silent();
    c.pass(300);
    expect(c.numbers().held).toBe(4);
    c.fact({ type: 'guard.silence-broken' });
    c.announced(9);
    expect(c.numbers().held).toBe(0);
    expect([c.state, c.number]).toEqual(['backup', 9]);
    expect(c.said.announceNumber).toBe(0);
  });

  it('gives way where the peer is found alive before anything began here', () => {
    const c = following();
    c.local.slow.add('oam');
    c.silent();
    c.pass(300);
    expect(c.numbers().held).toBe(4);
    c.local.set('oam', { inactive: true });
    c.fact({ type: 'guard.silence-broken' });
    c.heard();
    // Until the exchange it stays announced, so that sm-watchdog lists nothing.
    expect(c.said.announceNumber).toBe(6);
    c.report({ domainState: 'leader', number: 5, settled: true });
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 4 });
    expect(c.said.announceNumber).toBe(0);
    expect(c.saidGroup()).toMatchObject({ holder: B, order: 'active' });
  });

  it.each([
    [['oam-ip'], 4],
    [['another'], 0],
  ])('keeps of what it has taken only what had begun when the peer gave a sign of life: %j', (listed, held) => {
    const c = new ClusterDriver({
      groups: [pairGroup('oam', { members: [{ service: 'oam-ip', failureImpact: 'critical' }] })],
    });
    c.peerGroup('oam', { holder: B, holderActivation: 3, activationMax: 3, runs: 3, inactive: false });
    c.follow().silent();
    c.pass(300);
    expect(c.numbers().held).toBe(4);
    c.fact({ type: 'guard.silence-broken', listed });
    expect(c.numbers()).toMatchObject({ held, stopped: held === 0 ? 4 : 0 });
  });

  it('keeps what is active when the peer comes back', () => {
    const c = following();
    c.silent();
    c.pass(300);
    c.heard();
    c.peerGroup('oam', { runs: 0, inactive: true, stopped: 3, holder: '', order: 'initial' });
    c.report({ domainState: 'waiting', number: 5 });
    expect(c.numbers()).toMatchObject({ held: 4, holder: A });
    expect(c.local.wants.filter((want) => want !== 'oam active')).toEqual([]);
  });

  it('needs no waiting where the peer is proven dead by its new kernel life (rule 7)', () => {
    const c = new ClusterDriver();
    c.peerGroup('oam', { runs: 3, activationMax: 3, inactive: false });
    c.lead();
    expect(c.numbers().holder).toBe(B);
    c.heard({ newKernelLife: true, processLife: life('reborn'), kernelLife: life('new kernel') });
    c.peerGroup('oam', { runs: 0, inactive: true, stopped: 0 });
    c.report({ domainState: 'waiting', leader: '', number: 0 });
    expect(c.numbers()).toMatchObject({ holder: '', holderActivation: 3 });
    c.report();
    expect(c.numbers()).toMatchObject({ holder: A, holderActivation: 4 });
  });

  it('needs no waiting where the peer says that it leaves (rule 14c)', () => {
    const c = following();
    c.report({ domainState: 'leader', number: 5 }, true);
    expect([c.state, c.numbers().held]).toEqual(['leader', 4]);
  });

  it('is obeyed by who holds something, also when sm-watchdog has not said lost', () => {
    const c = new ClusterDriver().lead();
    expect(c.numbers().held).toBe(1);
    c.heard();
    c.announced(9);
    expect(c.local.wants.at(-1)).toBe('oam revoked');
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 1 });
    expect([c.state, c.number]).toEqual(['backup', 9]);
    c.report({ domainState: 'backup', number: 2 });
    expect(c.numbers().held).toBe(0);
  });
});

describe('policy stay', () => {
  it('waits for proof or word, and takes over on either', () => {
    const make = () => {
      const c = new ClusterDriver({ domain: { silencePolicy: 'stay' } });
      c.peerGroup('oam', { runs: 3, activationMax: 3, inactive: false });
      c.lead();
      c.silent(false);
      c.pass(100_000);
      expect(c.numbers()).toMatchObject({ holder: B, held: 0 });
      return c;
    };
    const proof = make();
    proof.heard({ newKernelLife: true, processLife: life('reborn'), kernelLife: life('new kernel') });
    proof.peerGroup('oam', { runs: 0, inactive: true });
    proof.report({ domainState: 'waiting', number: 0 });
    expect(proof.numbers().held).toBe(4);
    const word = make();
    word.heard();
    word.report({ domainState: 'backup', number: 2 }, true);
    expect(word.numbers().held).toBe(4);
  });
});

describe('a restart of sm (rules 7 and 10)', () => {
  const stored = () => new ClusterDriver().lead().restored();

  it('resumes what it held, under the same number, while a watchdog guarded it', () => {
    const c = new ClusterDriver({ restored: stored(), bare: true });
    c.local.set('oam', { inactive: false });
    c.hello({ fresh: false, holding: true });
    expect(c.local.wants).toEqual(['oam active']);
    expect(c.local.tokens.get('oam')?.activation).toBe(1);
    expect(c.state).toBe('waiting');
  });

  it.each([
    ['nobody guarded it', { fresh: true, holding: false }],
    ['the watchdog does not hold', { fresh: false, holding: false }],
    ['permission was lost', { fresh: false, holding: true, lost: true }],
  ])('gives it up where %s', (_, hello) => {
    const c = new ClusterDriver({ restored: stored(), bare: true });
    c.hello(hello);
    expect(c.local.wants).toContain('oam revoked');
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 1 });
    expect(c.holding).toBe(false);
  });

  it('says nothing to a watchdog before its greeting, and lets go of what it then holds for nothing', () => {
    const c = new ClusterDriver({ restored: stored(), bare: true });
    expect(c.effects.filter(({ type }) => type === 'guard.hold')).toEqual([]);
    c.hello({ fresh: true, holding: false });
    c.fact({ type: 'guard.lost', reason: 'it was told too late' });
    expect(c.effects.filter(({ type }) => type === 'guard.hold').at(-1)).toMatchObject({ holding: false });
  });

  it('releases a watchdog that holds for what was never stored', () => {
    const c = new ClusterDriver({ bare: true });
    c.hello({ fresh: false, holding: true });
    expect(c.effects.filter(({ type }) => type === 'guard.hold')).toEqual([
      { type: 'guard.hold', holding: false },
    ]);
  });

  it('with a new kernel life voids what was held, and AUTO_RECOVER starts nothing', () => {
    const restored = { ...stored(), kernelLife: life('an older one') };
    const c = new ClusterDriver({ restored, bare: true });
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 1 });
    c.hello();
    expect(c.local.wants).toEqual([]);
  });
});

describe.each([
  true,
  false,
])('a grant after a long time without a renewal that was told (unbroken: %s)', (unbroken) => {
  it('is acted on as long as permission was never gone', () => {
    const groups = [pairGroup('oam', { activeOnlyIfActive: 'directory' }), pairGroup('directory')];
    const c = new ClusterDriver({ groups });
    c.local.slow.add('directory');
    c.lead();
    c.silent(false);
    const grant = { ticket: 7, number: 0, ground: 'death', reason: 'confirmed' } as const;
    c.fact({ type: 'guard.granted', ...grant });
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    c.now += 5000;
    c.fact({ type: 'guard.permission', deadline: c.now + 600, unbroken });
    c.finish('directory');
    expect(c.numbers('oam').holder).toBe(unbroken ? A : '');
  });
});

describe('a renewal is worth no turn', () => {
  const mere = (c: ClusterDriver, recorded: object = {}) =>
    c.cluster.isMereRenewal({ type: 'guard.permission', deadline: c.now + 600, ...recorded }, c.now);

  it('while permission lives and nothing waits for it', () => {
    const c = new ClusterDriver().lead();
    expect(mere(c)).toBe(true);
    expect(mere(c, { recorded: c.now + 600 })).toBe(false);
    expect(c.cluster.isMereRenewal({ type: 'guard.lost', reason: 'links down' }, c.now)).toBe(false);
  });

  it('and does not bring back what is lost, when it says so itself', () => {
    const c = new ClusterDriver().lead();
    c.fact({ type: 'guard.lost', reason: 'links down' });
    c.fact({ type: 'guard.permission', deadline: c.now + 600, lost: true });
    c.fact({ type: 'guard.limit', ticket: 1, deadline: c.now + 600 });
    expect(c.cluster.permissionView(c.now)).toMatchObject({ lost: true });
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(c.cluster.permissionView(c.now)).toMatchObject({ lost: false });
  });

  it('but is when it had run out, or was lost', () => {
    const c = new ClusterDriver().lead();
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    c.now += 600;
    expect(mere(c)).toBe(false);
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(mere(c)).toBe(true);
    c.fact({ type: 'guard.lost', reason: 'links down' });
    expect(mere(c)).toBe(false);
  });

  it('but is when it was lost and nothing was held', () => {
    const c = new ClusterDriver();
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(mere(c)).toBe(true);
    c.fact({ type: 'guard.lost', reason: 'links down' });
    expect(mere(c)).toBe(false);
  });

  it('but is when something was refused for the want of it', () => {
    const c = new ClusterDriver();
    c.fact({ type: 'guard.permission', deadline: 5 });
    c.lead();
    expect(mere(c)).toBe(false);
  });
});

describe('losing permission', () => {
  it('stops everything that is held, and begins again under a new number', () => {
    const c = new ClusterDriver().lead();
    c.fact({ type: 'guard.lost', reason: 'links down' });
    expect(c.local.wants).toContain('oam revoked');
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 1 });
    expect(c.holding).toBe(false);
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(c.numbers()).toMatchObject({ held: 2 });
  });

  it('adds nothing while a silent peer may have taken over', () => {
    const c = new ClusterDriver().lead();
    c.silent(false);
    c.fact({ type: 'guard.lost', reason: 'links down' });
    c.fact({ type: 'guard.permission', deadline: c.now + 600 });
    expect(c.numbers().held).toBe(0);
    c.heard();
    expect(c.numbers().held).toBe(0);
    c.report({ domainState: 'leader', number: 3, settled: true });
    expect([c.state, c.numbers().held]).toEqual(['backup', 0]);
  });

  it('to another machine of the same name: nothing is granted any more', () => {
    const c = new ClusterDriver();
    c.fact({ type: 'guard.duplicate', processLife: life('x') });
    c.lead();
    expect(c.numbers().held).toBe(0);
    expect(c.cluster.alarms().map(({ id }) => id)).toContain('duplicate-identity');
  });
});

describe('the end', () => {
  it('stops everything, gives the numbers up, and only then says that it leaves', () => {
    const c = new ClusterDriver({ groups: [pairGroup('oam'), everywhere('web')] }).lead();
    c.local.slow.add('web');
    c.cluster.onShutdown('operator', 'maintenance', c.now);
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 1 });
    expect(c.said.leaving).toBe(false);
    c.finish('web');
    expect(c.said.leaving).toBe(true);
    expect(c.said.report.domainState).toBe('other');
    expect(c.effects.at(-1)).toMatchObject({ type: 'exit' });
  });

  it('leads nothing after a quick return before the peer has led (its word stands)', () => {
    const c = new ClusterDriver({ node: B }).lead();
    c.cluster.onShutdown('operator', 'maintenance', c.now);
    const next = new ClusterDriver({ node: B, restored: c.restored() });
    next.heard();
    // The peer's manager has not yet read the word: this report is from before it.
    next.report({ domainState: 'backup', number: 2, settled: true });
    expect([next.state, next.numbers().held]).toEqual(['waiting', 0]);
    next.report({ domainState: 'leader', number: 3, settled: true });
    expect(next.state).toBe('backup');
  });

  it('yields while nothing can be stored, and takes no word back', () => {
    const c = new ClusterDriver().lead();
    c.report({ domainState: 'backup', number: 2, settled: true });
    c.cluster.onStore('disk full', c.now);
    expect(c.local.wants.at(-1)).toBe('oam revoked');
    expect(c.said.leaving).toBe(true);
    c.cluster.onStore('', c.now);
    expect(c.said.leaving).toBe(false);
    expect([c.state, c.numbers().held]).toEqual(['waiting', 0]);
    c.report({ domainState: 'leader', number: 3, settled: true });
    expect([c.state, c.numbers().held]).toEqual(['backup', 0]);
  });
});

const stay = { domain: { silencePolicy: 'stay' } } as const;

describe('a word that stands', () => {
  const ends = { domainState: 'other', number: 3, settled: true } as const;
  const byWord = { type: 'guard.granted', ticket: 1, number: 0, ground: 'word', reason: 'it ended' } as const;

  function given() {
    const c = new ClusterDriver(stay).lead();
    c.cluster.onStore('disk full', c.now);
    expect(c.said.leaving).toBe(true);
    return c;
  }

  it('lets this node in again by the last word of a peer that has ended, and nothing less', () => {
    const c = given();
    c.report({ domainState: 'leader', number: 3, settled: true });
    c.report(ends, true);
    c.cluster.onStore('', c.now);
    expect(c.state).toBe('waiting');
    c.silent(false);
    expect(c.state).toBe('waiting');
    c.fact(byWord);
    expect([c.state, c.numbers().holder]).toEqual(['leader', A]);
    expect(c.numbers().held).toBeGreaterThan(1);
  });

  it('does not, where an sm before this one gave it: it may have ended itself, and let the peer in by that', () => {
    const before = given();
    before.peerGroup('oam', { state: 'active', runs: 2, activationMax: 2, holder: B, holderActivation: 2 });
    before.report({ domainState: 'leader', leader: B, number: 3, settled: true });
    const c = new ClusterDriver({
      ...stay,
      restored: { ...before.restored(), wordLife: life('own kernel') },
    });
    c.silent(false);
    c.fact(byWord);
    expect([c.state, c.numbers().held]).toEqual(['waiting', 0]);
    // A grant that lets nobody in is none, and says nothing of what the peer runs.
    c.pass(60_000);
    const reason = expect.stringContaining('what controller-1 runs is not known');
    expect(c.effects).toContainEqual(
      expect.objectContaining({ type: 'persist.alarm', id: '400.002', reason }),
    );
  });

  it('is followed by no order that the leader gave before it has read that it is taken back', () => {
    const c = new ClusterDriver(stay).follow();
    c.cluster.onStore('disk full', c.now);
    expect(c.said.leaving).toBe(true);
    c.cluster.onStore('', c.now);
    const orders = { domainState: 'leader', leader: B, number: 5, settled: true } as const;
    c.peerGroup('oam', { order: 'active', holder: A, holderActivation: 6 });
    c.report(orders);
    expect([c.state, c.numbers().held]).toEqual(['backup', 0]);
    c.report({ ...orders, nodes: c.cluster.nodes().filter(({ name }) => name === A) });
    expect([c.state, c.numbers().held]).toEqual(['backup', 6]);
  });

  it('is read only when a version of this node comes back, whoever orders meanwhile', () => {
    const c = given();
    c.cluster.onStore('', c.now);
    const own = () => {
      const node = c.cluster.nodes().find(({ name }) => name === A);
      if (node === undefined) throw new Error('no record of its own');
      return node;
    };
    // Unlocked over there, by an order that is newer than all that this node has said.
    const ordered = { ...own(), administrativeVersion: 2 ** 16 };
    c.report({ domainState: 'waiting', number: 3, nodes: [ordered] });
    expect(c.state).toBe('waiting');
    expect(own().administrativeVersion).toBeGreaterThan(2 ** 16);
    c.report({ domainState: 'waiting', number: 1, nodes: [own()] });
    expect(c.state).toBe('leader');
  });
});

describe('a restart of sm under policy stay', () => {
  function led() {
    const c = new ClusterDriver(stay).lead();
    return c.restored();
  }

  it('leads on beside a dead peer, from its first word, and keeps what it held', () => {
    const c = new ClusterDriver({ ...stay, restored: led(), bare: true });
    expect([c.state, c.number]).toEqual(['leader', 2]);
    expect(c.said.report.domainState).toBe('leader');
    c.hello({ fresh: false, holding: true });
    c.silent(false);
    expect(c.numbers()).toMatchObject({ held: 1, holder: A, stopped: 0 });
    expect(c.local.wants).toEqual(['oam active']);
    expect(c.command('lock', B).ok).toBe(true);
  });

  it('stops what nobody guarded and begins it again under its number, leader or not', () => {
    const follower = new ClusterDriver(stay).follow();
    follower.report({ domainState: 'leader', leader: B, number: 5, settled: true });
    follower.peerGroup('oam', { order: 'active', holder: A, holderActivation: 3 });
    follower.report({ domainState: 'leader', leader: B, number: 5, settled: true });
    for (const restored of [led(), follower.restored()]) {
      const c = new ClusterDriver({ ...stay, restored, bare: true });
      const { held } = c.numbers();
      expect(held).toBeGreaterThan(0);
      c.hello({ fresh: true });
      expect(c.local.wants).toEqual(['oam revoked', 'oam active']);
      expect(c.numbers()).toMatchObject({ held, stopped: 0 });
    }
  });

  it('takes for given up what it held when a word went out that the store knows nothing of, until that has ended', () => {
    const { kernelLife } = led();
    const c = new ClusterDriver({ ...stay, restored: { ...led(), wordLife: kernelLife }, bare: true });
    expect(c.numbers()).toMatchObject({ held: 0, stopped: 1 });
    expect(c.said.report.settled).toBe(false);
    c.hello({ fresh: true });
    expect(c.local.wants).toEqual([]);
    // The peer leaves too, and may not know that this node is back.
    c.heard();
    c.report({ domainState: 'leader', number: 3, settled: true }, true);
    expect([c.state, c.persisted('persist.word')]).toEqual(['waiting', []]);
    c.report({ domainState: 'leader', number: 3, settled: true });
    expect([c.state, c.persisted('persist.word')]).toEqual(['backup', []]);
    const nodes = c.cluster.nodes().filter(({ name }) => name === A);
    c.report({ domainState: 'leader', number: 3, settled: true, nodes });
    expect([c.state, c.persisted('persist.word')]).toEqual(['backup', [{ type: 'persist.word' }]]);

    const older = { ...led(), wordLife: life('an older one') };
    expect(new ClusterDriver({ ...stay, restored: older, bare: true }).state).toBe('leader');
  });

  it('does not lead on after it followed, after its word that it leaves, with a new kernel life, or under takeover', () => {
    const followed = new ClusterDriver(stay).lead();
    followed.report({ domainState: 'leader', leader: B, number: 9, settled: true });
    const left = new ClusterDriver(stay).lead();
    left.cluster.onShutdown('operator', 'maintenance', left.now);
    expect(left.said.leaving).toBe(true);
    for (const [options, restored] of [
      [stay, followed.restored()],
      [stay, left.restored()],
      [stay, { ...led(), kernelLife: life('an older one') }],
      [stay, { ...led(), wordLife: led().kernelLife }],
      [{}, led()],
    ] as const) {
      expect(new ClusterDriver({ ...options, restored, bare: true }).state).toBe('waiting');
    }
  });
});

describe('operations', () => {
  it('are not taken up by whoever leads much later', () => {
    const stale = new ClusterDriver().follow();
    const { operation } = stale.command('swact', A);
    expect(stale.operation(operation)?.step).toBe('requested');
    stale.pass(600_000);
    stale.report({ domainState: 'waiting', number: 1 });
    expect(stale.state).toBe('leader');
    expect(stale.operation(operation)?.step).toBe('timed-out');
  });

  it('are refused when too many are under way', () => {
    const c = new ClusterDriver().follow();
    for (let i = 0; i < 16; i += 1) expect(c.command('recover', A).ok).toBe(true);
    expect(c.command('recover', A)).toMatchObject({ ok: false, message: expect.stringMatching(/too many/) });
  });
});
