import { describe, expect, it } from 'vitest';
import { entry, FakePeer, GuardDriver, life, MANAGEMENT, OAM } from '../../support/guard-driver.ts';

const silence = (g: GuardDriver) => {
  const fact = g.told('guard.peer').at(-1);
  return fact === undefined || fact.heard ? null : fact;
};

describe('silence (rule 14d)', () => {
  it('is d without a receipt, and the silent peer may be replaced while all of L is up', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    const last = g.now;
    g.pass(799);
    expect(silence(g)).toBeNull();
    g.pass(1);
    expect(silence(g)).toMatchObject({ since: last, mayTake: true });
  });

  it('allows the peer our own lateness', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    const last = g.now;
    g.stall(1000);
    g.pass(0);
    expect(g.guard.view().silentSince).toBeNull();
    g.pass(590);
    expect(g.guard.view().silentSince).toBeNull();
    g.pass(220);
    expect(g.guard.view().silentSince).toBe(last);
  });

  it('counts with the longest P and S that the peer announced, not with our own (rule 4)', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(600, { permissionMs: 1600, stopBoundMs: 700 });
    peer.talk(400);
    const last = g.now;
    g.pass(1500);
    expect(g.guard.view().silentSince).toBeNull();
    g.pass(200);
    expect(silence(g)).toMatchObject({ since: last, mayTake: true, stopBoundMs: 700 });
  });

  it('says nothing where a link of L is down at our own end', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.link(OAM, false);
    g.pass(2000);
    expect(silence(g)).toMatchObject({ mayTake: false, reason: `own links down: ${OAM}` });
  });

  it('looks only at links on which the peer was heard', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(2000, {}, [MANAGEMENT]);
    g.link(OAM, false);
    g.pass(1000);
    expect(silence(g)).toMatchObject({ mayTake: true });
  });

  it('takes its verdict back when a link of L goes down in the silence', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.pass(900);
    expect(silence(g)?.mayTake).toBe(true);
    g.link(MANAGEMENT, false);
    expect(silence(g)?.mayTake).toBe(false);
  });

  it('starts anew, for the wait interval and on every link, when a link of L came back in it', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.pass(300);
    g.link(MANAGEMENT, false);
    g.pass(100);
    g.link(MANAGEMENT, true);
    const up = g.now;
    g.pass(4900);
    expect(silence(g)?.mayTake).toBe(false);
    g.pass(400);
    expect(silence(g)?.mayTake).toBe(true);
    expect(g.now - up).toBeGreaterThanOrEqual(5000);
  });

  it('never waits for less than d, whatever the wait interval is', () => {
    const g = new GuardDriver({ domain: { waitIntervalMs: 0 } });
    new FakePeer(g).talk(1000);
    g.link(MANAGEMENT, false);
    g.pass(900);
    g.link(MANAGEMENT, true);
    g.pass(700);
    expect(silence(g)?.mayTake).toBe(false);
    g.pass(300);
    expect(silence(g)?.mayTake).toBe(true);
  });

  it('lets a lone starter announce so that S ends with the wait interval, every link up, and act no earlier', () => {
    const g = new GuardDriver();
    const started = g.now;
    g.pass(4699);
    expect(silence(g)?.mayTake).toBe(false);
    g.pass(1);
    expect(silence(g)?.mayTake).toBe(true);
    g.step({ type: 'sm.hold', holding: true });
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 1, leaving: false });
    g.step({ type: 'sm.list', run: 1, entry: entry('s'), activating: true });
    g.pass(299);
    expect(g.of('listed')).toEqual([]);
    g.pass(1);
    expect(g.of('listed')).toMatchObject([{ run: 1, ok: true }]);
    expect(g.now - started).toBe(5000);
  });

  it('lets nobody announce before d of silence, however short the wait interval and long S', () => {
    const g = new GuardDriver({ domain: { waitIntervalMs: 1000, stopBoundMs: 700 } });
    g.pass(799);
    expect(silence(g)).toBeNull();
    g.pass(1);
    expect(silence(g)).toMatchObject({ mayTake: true });
  });

  it('lets a lone starter do nothing with a link down', () => {
    const down = new GuardDriver();
    down.link(OAM, false);
    down.pass(20_000);
    expect(silence(down)?.mayTake).toBe(false);
  });

  it('never lets the peer be replaced under policy stay', () => {
    const g = new GuardDriver({ domain: { silencePolicy: 'stay' } });
    new FakePeer(g).talk(1000);
    g.pass(60_000);
    expect(silence(g)).toMatchObject({ mayTake: false });
    expect(silence(g)?.reason).toMatch(/policy stay/);
  });

  it.each(['the same life', 'an unknown life'])('is broken by any authentic frame of %s', (what) => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    peer.hears = false;
    g.pass(900);
    if (what === 'an unknown life') peer.life = life('next');
    g.clear();
    peer.send();
    expect(g.told('guard.silence-broken').length).toBe(1);
    expect(g.guard.view()).toMatchObject({ silentSince: null, peerHeard: false });
    g.pass(900);
    expect(g.guard.view().silentSince).not.toBeNull();
  });

  it('moves through heard, deaf, silent, stranger and heard again, and judges each', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    const states: string[] = [];
    const look = () => {
      const { peerHeard, silentSince } = g.guard.view();
      states.push(peerHeard ? 'heard' : silentSince === null ? 'deaf' : 'silent');
    };
    peer.talk(600);
    look();
    peer.hears = false;
    peer.talk(2000);
    look();
    g.pass(900);
    look();
    peer.life = life('next');
    peer.sequence = 0;
    peer.talk(400);
    look();
    peer.hears = true;
    peer.talk(600);
    look();
    g.pass(900);
    look();
    expect(states).toEqual(['heard', 'deaf', 'silent', 'deaf', 'heard', 'silent']);
  });
});

describe('an announcement (rule 14d)', () => {
  it('is sent over and over while S runs, for one frame may be lost, and with each hello after that', () => {
    const g = new GuardDriver();
    g.pass(4700);
    const sent = (): number => g.of('send').length;
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 1, leaving: false });
    const before = sent();
    g.pass(290);
    expect((sent() - before) / g.roles.length).toBeGreaterThanOrEqual(9);
    g.pass(10);
    const after = sent();
    g.pass(1000);
    expect((sent() - after) / g.roles.length).toBeLessThanOrEqual(6);
  });

  it('is obeyed by a holder whatever its number and echo, with grace while sm is there', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.hold('db');
    peer.hears = false;
    peer.send({ announceNumber: 1, echoLife: life('nobody') });
    expect(g.told('guard.announcement')).toEqual([{ type: 'guard.announcement', number: 1 }]);
    expect(g.told('guard.lost').length).toBe(1);
    expect(g.of('kill')).toEqual([]);
    g.pass(100);
    expect(g.of('kill')[0]?.services).toEqual(['db']);
  });

  it('is obeyed at once while sm is away', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.hold('db');
    g.gone();
    peer.hears = false;
    g.pass(500);
    peer.life = life('next');
    peer.send({ announceNumber: 1 });
    expect(g.of('kill')[0]?.services).toEqual(['db']);
  });

  it('is obeyed by who begins to hold while it is heard', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    peer.hears = false;
    g.pass(500);
    peer.send({ announceNumber: 1 });
    g.step({ type: 'sm.hold', holding: true });
    expect(g.told('guard.lost').length).toBe(1);
    expect(g.listingRefusal()).not.toBe('');
  });

  it('stops renewal and listing until it ends', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    peer.hears = false;
    g.pass(500);
    peer.send({ announceNumber: 3 });
    const { deadline } = g;
    g.pass(400);
    expect(g.deadline).toBe(deadline);
    peer.send({ announceNumber: 0 });
    expect(g.told('guard.announcement').at(-1)?.number).toBe(0);
    g.pass(400);
    expect(g.deadline).toBeGreaterThan(deadline);
  });

  it('ends behind the report that came with its end, and names the one that is not here', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.report(1);
    peer.talk(1000);
    peer.send({ announceNumber: 3, echoLife: life('nobody') });
    g.clear();
    peer.send({ announceNumber: 0, reportVersion: 2 });
    const facts = g.of('tell').map(({ fact }) => fact.type);
    expect(g.told('guard.peer-links').at(-1)?.reportVersion).toBe(2);
    expect(facts.indexOf('guard.announcement')).toBeGreaterThan(facts.indexOf('guard.peer-links'));
    peer.send({ announceNumber: 4, reportVersion: 2, echoLife: life('nobody') });
    g.clear();
    peer.report(3);
    expect(g.of('tell').map(({ fact }) => fact.type)).toEqual([
      'guard.report',
      'guard.peer-links',
      'guard.announcement',
    ]);
  });

  it('is over when the announcer is silent itself: it can be replaced like any other', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    peer.hears = false;
    peer.talk(2000, { announceNumber: 3 });
    g.clear();
    g.pass(7000);
    expect(g.told('guard.announcement').at(-1)?.number).toBe(0);
    const facts = g.of('tell').map(({ fact }) => fact.type);
    expect(facts.indexOf('guard.announcement')).toBeGreaterThan(facts.indexOf('guard.peer'));
    expect(silence(g)?.mayTake).toBe(true);
  });

  it('is told to an sm that comes back while it is heard', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    peer.hears = false;
    g.pass(500);
    peer.send({ announceNumber: 3 });
    g.gone();
    g.clear();
    g.connect();
    expect(g.told('guard.announcement')).toEqual([{ type: 'guard.announcement', number: 3 }]);
  });

  it('is not obeyed where its frame shows that the peer hears us: it can be told', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.hold('db');
    peer.send({ announceNumber: 3 });
    expect(g.told('guard.lost')).toEqual([]);
    peer.hears = false;
    g.pass(450);
    peer.send({ announceNumber: 3 });
    expect(g.told('guard.lost').length).toBe(1);
  });

  describe('that breaks a silence in which we took over too', () => {
    const both = () => {
      const g = new GuardDriver();
      const peer = new FakePeer(g);
      peer.talk(1000);
      peer.hears = false;
      g.pass(1000);
      g.hold('db');
      g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 2, leaving: false });
      g.clear();
      peer.send({ announceNumber: 3 });
      expect(g.told('guard.announcement')).toEqual([]);
      expect(g.of('send').length).toBeGreaterThan(0);
      return { g, peer };
    };

    it('is obeyed when the peer stays deaf', () => {
      const { g, peer } = both();
      peer.talk(400, { announceNumber: 3 });
      expect(g.told('guard.lost').length).toBe(1);
    });

    it('is not obeyed when the peer hears us: the numbers decide who stops', () => {
      const { g, peer } = both();
      peer.hears = true;
      g.pass(50);
      peer.talk(600, { announceNumber: 3 });
      expect(g.told('guard.lost')).toEqual([]);
      expect(g.guard.view().peerHeard).toBe(true);
    });
  });
});
