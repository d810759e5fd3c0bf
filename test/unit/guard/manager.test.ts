import { describe, expect, it } from 'vitest';
import { NO_PROOF } from '../../../src/core/guard/interface.ts';
import type { InterfaceRole } from '../../../src/core/kernel/names.ts';
import {
  entry,
  FakePeer,
  GuardDriver,
  life,
  MANAGEMENT,
  OAM,
  PERMISSION_MS,
} from '../../support/guard-driver.ts';

const starts = (g: GuardDriver) =>
  g.of('start-sm').map(({ kill, reason }) => `${kill ? 'kill ' : ''}${reason}`);

describe('sm orders the end of the node (rule 11)', () => {
  it.each([
    ['while it holds', (g: GuardDriver) => g.hold('db')],
    ['with nothing left', () => {}],
    ['before the peer was ever heard', (g: GuardDriver) => g.linksDown()],
  ] as const)('at once, for its reason, and nothing waits for anything: %s', (_, happens) => {
    const g = new GuardDriver();
    happens(g);
    g.clear();
    g.step({ type: 'sm.fence', reason: 'oam has failed for good' });
    expect(g.effects).toEqual([{ type: 'self-fence', reason: 'oam has failed for good' }]);
  });

  it('also to a successor that has no copy yet', () => {
    const g = new GuardDriver({ bare: true, guard: { copyExpected: true } });
    g.step({ type: 'sm.fence', reason: 'oam has failed for good' });
    expect(g.of('self-fence')).toHaveLength(1);
  });
});

describe('sm is restarted (rule 10)', () => {
  it('at once the first time, services untouched, the peer told how long it is away', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.hold('db');
    g.clear();
    g.gone('SIGKILL');
    expect(starts(g)).toEqual(['SIGKILL']);
    g.pass(400);
    expect(g.lastSent.managerDownMs).toBe(400);
    g.connect();
    g.pass(200);
    expect(g.lastSent.managerDownMs).toBe(0);
    expect(g.of('kill')).toEqual([]);
    expect(g.told('guard.lost')).toEqual([]);
    expect(g.guard.view()).toMatchObject({ holding: true, entries: ['db'] });
  });

  it('with growing back-off when it ends again and again, and at once after a good minute', () => {
    const g = new GuardDriver();
    const delays: number[] = [];
    for (let i = 0; i < 5; i++) {
      g.clear();
      const from = g.now;
      g.gone();
      while (g.of('start-sm').length === 0) g.pass(50);
      delays.push(g.now - from);
      g.connect();
      g.pass(250);
    }
    expect(delays).toEqual([0, 100, 200, 400, 800]);
    g.pass(61_000);
    g.clear();
    g.gone();
    expect(g.of('start-sm').length).toBe(1);
  });

  it('by force when it hangs for half of mainStallMsMax', () => {
    const g = new GuardDriver();
    g.pass(1000);
    g.clear();
    g.hang();
    g.pass(1400);
    expect(starts(g)).toEqual([]);
    g.pass(400);
    expect(g.of('start-sm')[0]).toMatchObject({ kill: true });
  });

  it('also when the peer was told that this node leaves: whoever has left in order has said so to the process', () => {
    const g = new GuardDriver();
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 0, leaving: true });
    g.clear();
    g.gone();
    expect(starts(g)).toEqual(['sm ended']);
  });
});

describe('sm is away for too long', () => {
  const away = (domain = {}) => {
    const g = new GuardDriver({ domain });
    const peer = new FakePeer(g);
    peer.talk(1000);
    g.hold('db');
    g.gone();
    g.clear();
    peer.talk(3400);
    return g;
  };

  it('permission is given up, the services are killed, and nothing is sent any more', () => {
    const g = away();
    expect(g.of('kill')[0]?.services).toEqual(['db']);
    g.clear();
    g.pass(1000);
    expect(g.of('send')).toEqual([]);
    g.step({ type: 'killed', services: ['db'], survivors: [] });
    g.connect();
    g.pass(200);
    expect(g.of('send').length).toBeGreaterThan(0);
    expect(g.told('guard.hello')[0]).toMatchObject({ lost: true, holding: true });
  });

  it('where nobody may take over, nothing is given up', () => {
    const g = away({ silencePolicy: 'stay' });
    expect(g.of('kill')).toEqual([]);
    expect(g.of('send').length).toBeGreaterThan(0);
  });
});

describe('the watchdog is restarted by sm (rule 10)', () => {
  const copied = (deadlineIn: number, lost = false) => {
    const g = new GuardDriver({ bare: true, guard: { copyExpected: true } });
    for (const role of g.roles) g.link(role, true);
    const deadline = g.now + deadlineIn;
    g.step({ type: 'sm.copy', deadline, proof: NO_PROOF, holding: true, entries: [entry('db')], lost });
    g.connect();
    return g;
  };

  it('starts no second sm, and goes on with the deadline and the kill list handed over', () => {
    const g = copied(400);
    expect(starts(g)).toEqual([]);
    expect(g.told('guard.hello')[0]).toMatchObject({ fresh: false, holding: true, lost: false });
    expect(g.guard.view()).toMatchObject({ holding: true, entries: ['db'] });
    g.pass(2000);
    expect(g.told('guard.lost')).toEqual([]);
  });

  describe('after a stall and a loss: what was sent last may never have arrived', () => {
    /** 400 ms were left by the last frame sent, 150 by the last one that the peer has confirmed. */
    const lostFrames = (links: readonly InterfaceRole[] = []) => {
      const g = new GuardDriver({ bare: true, guard: { copyExpected: true } });
      const proof = { deadline: g.now + 150, links };
      const entries = [entry('db')];
      g.step({ type: 'sm.copy', deadline: g.now + 400, proof, holding: true, entries });
      g.connect();
      g.step({ type: 'sm.list', run: 1, entry: entry('db'), activating: true });
      return g;
    };

    it('stops in time where every link is found down', () => {
      const g = lostFrames();
      g.pass(20);
      g.link(MANAGEMENT, false);
      expect(g.deadline).toBe(10_400);
      g.link(OAM, false);
      expect(g.deadline).toBe(10_150);
      g.pass(129);
      expect(g.told('guard.lost')).toEqual([]);
      g.pass(2);
      expect(g.told('guard.lost').length).toBe(1);
    });

    it('stops in time where only links are up on which the peer was not heard', () => {
      const g = lostFrames([MANAGEMENT]);
      g.link(OAM, true);
      g.link(MANAGEMENT, false);
      expect(g.deadline).toBe(10_150);
      g.pass(151);
      expect(g.told('guard.lost').length).toBe(1);
    });

    it('goes on where one of them is up', () => {
      const g = lostFrames([MANAGEMENT]);
      g.link(OAM, false);
      g.link(MANAGEMENT, true);
      g.pass(2000);
      expect(g.told('guard.lost')).toEqual([]);
    });

    it('has a successor of its own that knows as much', () => {
      const g = lostFrames([MANAGEMENT]);
      expect(g.guard.view().proof).toMatchObject({ deadline: 10_150, links: [MANAGEMENT] });
    });
  });

  it('does not renew before it has the copy: run out is run out', () => {
    const g = new GuardDriver({ bare: true, guard: { copyExpected: true } });
    for (const role of g.roles) g.link(role, true);
    g.pass(300);
    expect(g.deadline).toBeLessThan(g.now);
    g.step({ type: 'sm.copy', deadline: g.now - 1, proof: NO_PROOF, holding: true, entries: [entry('db')] });
    g.connect();
    expect(g.guard.view().lost).toBe(true);
    g.pass(200);
    expect(g.of('kill')[0]?.services).toEqual(['db']);
  });

  it('goes on with a stop that the one before had begun', () => {
    const g = copied(400, true);
    expect(g.guard.view().lost).toBe(true);
    g.pass(101);
    expect(g.of('kill')[0]?.services).toEqual(['db']);
    g.pass(200);
    expect(g.of('self-fence').length).toBe(1);
  });

  it('is as good as new when the sm with the copy died meanwhile', () => {
    const g = new GuardDriver({ bare: true, guard: { copyExpected: true } });
    for (const role of g.roles) g.link(role, true);
    g.gone('SIGKILL');
    g.connect();
    expect(g.told('guard.hello')[0]).toMatchObject({ fresh: true, holding: false });
    g.pass(400);
    expect(g.deadline).toBeGreaterThan(g.now);
  });

  it('without a copy is fresh until sm has lived once', () => {
    const g = new GuardDriver();
    expect(g.told('guard.hello')[0]).toMatchObject({ fresh: true, holding: false, lost: false });
    g.pass(1000);
    g.gone();
    g.clear();
    g.connect();
    expect(g.told('guard.hello')[0]).toMatchObject({ fresh: false });
  });

  it('makes itself known to a peer that knew the earlier life', () => {
    const one = new GuardDriver({ roles: [MANAGEMENT], guard: { processLife: life('first') } });
    const peer = new FakePeer(one);
    peer.talk(400);
    const two = new GuardDriver({ roles: [MANAGEMENT], guard: { processLife: life('second') } });
    const later = new FakePeer(two);
    later.sequence = 50;
    later.hears = false;
    // It still echoes the life that has ended: a stranger here, answered with its life.
    later.send({ echoLife: life('first'), echoSequence: 4 });
    expect(two.lastSent.echoLife).toBe(later.life);
    later.hears = true;
    later.echoSequence = two.lastSent.sequence;
    later.send();
    expect(two.guard.view().peerHeard).toBe(true);
    expect(PERMISSION_MS).toBeGreaterThan(0);
  });
});
