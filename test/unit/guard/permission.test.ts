import { describe, expect, it } from 'vitest';
import { permissionAfterSendMinMs, permissionAfterSendMs } from '../../../src/core/guard/permission-time.ts';
import {
  DOMAIN,
  entry,
  FakePeer,
  GuardDriver,
  life,
  MANAGEMENT,
  OAM,
  PERMISSION_MS,
} from '../../support/guard-driver.ts';

describe('how long a node may act (rules 3 and 14d)', () => {
  it('is 0.9 (d + S) - S - link_down_detect - 20 ms', () => {
    expect(permissionAfterSendMs(DOMAIN)).toBeCloseTo(PERMISSION_MS);
    expect(permissionAfterSendMinMs(DOMAIN)).toBe(450);
  });

  it('counts from the last frame sent on an up link, not from what is received', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    expect(g.deadline).toBeCloseTo(g.now + PERMISSION_MS, 0);
    g.linksDown();
    const before = g.deadline;
    for (let i = 0; i < 5; i++) peer.send();
    expect(g.deadline).toBe(before);
  });

  it('is renewed while one link of L is up, and not by a link on which the peer was not heard', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(2000, {}, [MANAGEMENT]);
    g.link(OAM, false);
    peer.talk(400, {}, [MANAGEMENT]);
    expect(g.deadline).toBeGreaterThan(g.now);
    g.link(OAM, true);
    g.link(MANAGEMENT, false);
    g.pass(2000);
    expect(g.deadline).toBeLessThan(g.now);
  });

  it('ends within its time when all own links go down, and the holder stops', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold('db');
    g.linksDown();
    const from = g.now;
    g.clear();
    g.pass(PERMISSION_MS + 1);
    expect(g.told('guard.lost').length).toBe(1);
    expect(g.of('kill')).toEqual([]);
    g.pass(g.domain.stopGraceMs);
    expect(g.of('kill')[0]?.services).toEqual(['db']);
    expect(g.now - from).toBeLessThan(0.9 * (800 + 300) - 50);
  });

  it('is not lost by a node that holds nothing', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.linksDown();
    g.pass(5000);
    expect(g.told('guard.lost')).toEqual([]);
  });

  it.each(['stay', 'simplex'])('does not run out by time: %s', (what) => {
    const g = new GuardDriver(
      what === 'stay' ? { domain: { silencePolicy: 'stay' } } : { roles: [], guard: { peer: null } },
    );
    g.hold('db');
    g.linksDown();
    g.pass(60_000);
    expect(g.deadline).toBe(Number.POSITIVE_INFINITY);
    expect(g.told('guard.lost')).toEqual([]);
    expect(g.listingRefusal()).toBe('');
  });

  it('is not renewed while it is lost, and comes back when nothing is held any more', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold('db');
    g.linksDown();
    g.pass(PERMISSION_MS + 1);
    for (const role of g.roles) g.link(role, true);
    g.pass(1000);
    expect(g.guard.view().lost).toBe(true);
    g.clear();
    g.step({ type: 'sm.hold', holding: false });
    expect(g.guard.view().lost).toBe(false);
    expect(g.told('guard.permission').length).toBe(1);
    g.pass(400);
    expect(g.deadline).toBeGreaterThan(g.now);
  });
});

describe('a lost permission (rules 9, 10, 13)', () => {
  const lost = (...services: string[]) => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold(...services);
    g.linksDown();
    g.clear();
    g.pass(PERMISSION_MS + 1);
    expect(g.told('guard.lost').length).toBe(1);
    return g;
  };

  it('gives scripts their grace, then kills, and is content when everything is verified', () => {
    const g = lost('db', 'web');
    g.pass(100);
    expect(g.of('kill').map(({ services }) => services)).toEqual([['db', 'web']]);
    g.killed();
    g.pass(1000);
    expect(g.of('self-fence')).toEqual([]);
  });

  it('tells the kill since when scripts only stop', () => {
    const g = lost('db');
    const lostAt = g.now;
    g.pass(100);
    expect(g.of('kill')[0]?.lostAt).toBe(lostAt - 1);
  });

  it('looks again until everything is verified, for what is killed may be started again', () => {
    const g = lost('db', 'web');
    g.pass(100);
    g.killed();
    expect(g.guard.view().entries).toEqual(['db', 'web']);
    for (let looks = 0; looks < 5; looks++) {
      g.clear();
      g.pass(1000);
      expect(g.of('kill').at(-1)?.services).toEqual(['db', 'web']);
      g.killed();
    }
    g.step({ type: 'sm.verified', service: 'db' });
    g.clear();
    g.pass(1000);
    expect(g.of('kill').at(-1)?.services).toEqual(['web']);
    g.killed();
    g.step({ type: 'sm.hold', holding: false });
    g.clear();
    g.pass(5000);
    expect(g.of('kill')).toEqual([]);
    expect(g.of('self-fence')).toEqual([]);
  });

  it('what comes back after the stop bound has the time of a kill, then the node fences itself', () => {
    const g = lost('db', 'web');
    g.pass(100);
    g.killed();
    g.pass(1000);
    g.killed();
    g.pass(1000);
    g.killed('web');
    g.pass(99);
    expect(g.of('self-fence')).toEqual([]);
    g.pass(3);
    expect(g.of('self-fence')[0]?.reason).toMatch(/bound: web$/);
  });

  it('reads what sm has verified in the last moment before it fences itself', () => {
    const g = lost('db', 'web');
    g.pass(100);
    g.killed('db', 'web');
    g.pass(98);
    g.stall(30);
    expect(g.of('self-fence')).toEqual([]);
    g.step({ type: 'sm.verified', service: 'db' });
    g.step({ type: 'sm.verified', service: 'web' });
    g.pass(100);
    expect(g.of('self-fence')).toEqual([]);
  });

  it('a kill of one service says nothing of another', () => {
    const g = lost('db', 'web');
    g.pass(100);
    g.step({ type: 'killed', services: ['db'], survivors: [] });
    g.pass(105);
    expect(g.of('self-fence')[0]?.reason).toMatch(/bound: web$/);
  });

  it('kills again what survived, and fences itself when the stop bound is near', () => {
    const g = lost('db', 'web');
    g.pass(100);
    g.killed('web');
    g.clear();
    g.pass(25);
    expect(g.of('kill').length).toBe(1);
    g.killed('web');
    g.pass(200);
    expect(g.of('self-fence')[0]?.reason).toMatch(/web/);
  });

  it('does not take a kill for a proof where kernel state is held: verified, or fenced', () => {
    const make = () => {
      const g = new GuardDriver();
      new FakePeer(g).talk(1000);
      g.step({ type: 'sm.hold', holding: true });
      g.step({ type: 'sm.list', run: 1, entry: entry('mount', true), activating: true });
      g.linksDown();
      g.pass(PERMISSION_MS + 101);
      g.killed();
      return g;
    };
    const fenced = make();
    fenced.pass(200);
    expect(fenced.of('self-fence').length).toBe(1);
    const verified = make();
    verified.step({ type: 'sm.verified', service: 'mount' });
    verified.pass(200);
    expect(verified.of('self-fence')).toEqual([]);
  });

  it('waits for no grace where no sm is there to run scripts', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold('db');
    g.gone();
    g.linksDown();
    g.pass(PERMISSION_MS + 1);
    expect(g.of('kill')[0]?.services).toEqual(['db']);
  });

  it('is told to an sm that comes back, and is not taken back by the greeting', () => {
    const g = lost('db');
    g.gone();
    g.clear();
    g.connect();
    expect(g.told('guard.hello')[0]).toMatchObject({ lost: true, holding: true });
    expect(g.told('guard.permission')).toEqual([]);
  });
});

describe('listing (rules 1 and 10)', () => {
  it('lists only for a holder whose permission lives', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    expect(g.listingRefusal()).toMatch(/has not said that this node holds/);
    expect(g.guard.view().entries).toEqual([]);
    g.step({ type: 'sm.hold', holding: true });
    expect(g.listingRefusal('db')).toBe('');
    expect(g.guard.view().entries).toEqual(['db']);
    g.linksDown();
    g.pass(PERMISSION_MS + 1);
    expect(g.listingRefusal()).toMatch(/permission was lost/);
  });

  it('always lets what does not activate run, and lists nothing for it', () => {
    const g = new GuardDriver({ bare: true });
    g.step({ type: 'sm.list', run: 7, entry: entry('db'), activating: false });
    expect(g.of('listed')).toEqual([{ type: 'listed', run: 7, ok: true, reason: '' }]);
    expect(g.guard.view().entries).toEqual([]);
  });

  it('answers an announced take-over not before S has passed since the announcement went out (rule 14d)', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.pass(1000);
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 2, leaving: false });
    g.step({ type: 'sm.hold', holding: true });
    g.step({ type: 'sm.list', run: 7, entry: entry('db'), activating: true });
    g.pass(g.domain.stopBoundMs - 1);
    expect(g.of('listed')).toEqual([]);
    g.pass(1);
    expect(g.of('listed')).toEqual([{ type: 'listed', run: 7, ok: true, reason: '' }]);
  });

  it('refuses what waits for an announced take-over when the silence is broken meanwhile', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.pass(1000);
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 2, leaving: false });
    g.step({ type: 'sm.hold', holding: true });
    g.step({ type: 'sm.list', run: 7, entry: entry('db'), activating: true });
    peer.hears = false;
    peer.send();
    g.pass(g.domain.stopBoundMs);
    expect(g.of('listed')).toMatchObject([
      { run: 7, ok: false, reason: expect.stringMatching(/heard again/) },
    ]);
  });

  it('refuses an announced take-over as soon as the silence is broken', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.pass(1000);
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 2, leaving: false });
    g.step({ type: 'sm.hold', holding: true });
    g.pass(g.domain.stopBoundMs);
    expect(g.listingRefusal()).toBe('');
    peer.hears = false;
    peer.send();
    expect(g.listingRefusal()).toMatch(/heard again/);
  });

  it('refuses while another machine uses our name, and a holder stops (rule 8)', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold('db');
    g.step({
      type: 'duplicate',
      processLife: life('x'),
      kernelLife: life('own kernel'),
      productUuid: life('own machine'),
    });
    expect(g.told('guard.lost')).toEqual([]);
    g.step({
      type: 'duplicate',
      processLife: life('x'),
      kernelLife: life('their kernel'),
      productUuid: life('their machine'),
    });
    expect(g.told('guard.duplicate').length).toBe(1);
    expect(g.told('guard.lost').length).toBe(1);
    g.step({ type: 'sm.hold', holding: false });
    g.step({ type: 'sm.hold', holding: true });
    expect(g.listingRefusal()).not.toBe('');
  });

  it('permits again when the other machine was not heard for a while', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.step({
      type: 'duplicate',
      processLife: life('x'),
      kernelLife: life('their kernel'),
      productUuid: life('their machine'),
    });
    peer.talk(9000);
    const told = () => g.told('guard.duplicate').map(({ processLife }) => processLife);
    expect(told()).toEqual([life('x')]);
    // A new `sm` is told too.
    g.step({ type: 'sm.connected' });
    expect(told()).toEqual([life('x'), life('x')]);
    peer.talk(2000);
    expect(told()).toEqual([life('x'), life('x'), '']);
    g.hold('db');
    expect(g.listingRefusal()).toBe('');
  });
});

describe('a gap (rule 10)', () => {
  const holder = () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold('db');
    g.clear();
    return g;
  };

  it('longer than P/2 freezes first of all, and thaws where permission still lives', () => {
    const g = holder();
    g.stall(450);
    expect(g.effects[0]).toEqual({ type: 'freeze', services: ['db'], frozen: true });
    expect(g.of('freeze').at(-1)).toEqual({ type: 'freeze', services: ['db'], frozen: false });
    expect(g.told('guard.lost')).toEqual([]);
  });

  it('longer than permission: frozen, lost, and not thawed', () => {
    const g = holder();
    g.stall(PERMISSION_MS + 1);
    expect(g.effects[0]).toEqual({ type: 'freeze', services: ['db'], frozen: true });
    expect(g.told('guard.lost').length).toBe(1);
    expect(g.of('freeze').length).toBe(1);
    expect(g.deadline).toBeLessThanOrEqual(g.now);
  });

  it('longer than permission: killed at once, for nobody can stop in order what is frozen', () => {
    const g = holder();
    g.stall(PERMISSION_MS + 1);
    expect(g.of('kill').map(({ services }) => services)).toEqual([['db']]);
  });

  it('of less than P/2 is nothing', () => {
    const g = holder();
    g.stall(390);
    expect(g.of('freeze')).toEqual([]);
  });
});
