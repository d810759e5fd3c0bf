/** Whose P and S count, before and after a restart or other definitions (docs/SAFETY.md, rule 4). */
import { describe, expect, it } from 'vitest';
import { NO_PROOF, type PermissionProof } from '../../../src/core/guard/interface.ts';
import { LargestTimes, ownTimes } from '../../../src/core/guard/times.ts';
import {
  DOMAIN,
  type DriverOptions,
  entry,
  FakePeer,
  GuardDriver,
  MANAGEMENT,
  PERMISSION_MS,
} from '../../support/guard-driver.ts';

const LONG = { permissionMs: 1600, stopBoundMs: 700 };
const SHORT = { permissionMs: 800, stopBoundMs: 300 };

const announced = (g: GuardDriver) => g.guard.view().proof.announced;
const silentSince = (g: GuardDriver) => g.guard.view().silentSince;

/** A watchdog that was started by a living `sm`, with this copy of what the one before knew. */
function successor(
  proof: Partial<PermissionProof>,
  options: DriverOptions = {},
  deadline = 10_400,
): GuardDriver {
  const g = new GuardDriver({ ...options, bare: true, guard: { copyExpected: true, ...options.guard } });
  for (const role of g.roles) g.link(role, true);
  const entries = [entry('db'), entry('disk', true)];
  g.step({ type: 'sm.copy', deadline, proof: { ...NO_PROOF, ...proof }, holding: true, entries });
  g.connect();
  return g;
}

describe('the largest that the peer announced', () => {
  it('counts until whatever began under it is over, and no longer', () => {
    const times = new LargestTimes(SHORT);
    expect(times.raise(LONG, 0)).toBe(true);
    times.settle(SHORT, 2549);
    expect(times).toMatchObject(LONG);
    times.settle(SHORT, 2551);
    expect(times).toMatchObject(SHORT);
  });

  it('is of each time for itself, and lives as long as one of them is announced', () => {
    const times = new LargestTimes(SHORT);
    times.raise({ permissionMs: 1600, stopBoundMs: 100 }, 0);
    times.settle({ permissionMs: 700, stopBoundMs: 700 }, 1);
    expect(times).toMatchObject(LONG);
  });

  it('counts from a frame that does not echo us yet, too', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.hears = false;
    peer.talk(600, LONG);
    const last = g.now;
    g.pass(1500);
    expect(silentSince(g)).toBeNull();
    g.pass(101);
    expect(silentSince(g)).toBe(last);
    expect(g.told('guard.peer').at(-1)).toMatchObject({ stopBoundMs: 700 });
  });

  it('is told at once, so that it is in the copy of sm', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    g.clear();
    peer.send(LONG);
    expect(g.told('guard.permission')).toHaveLength(1);
    expect(announced(g)?.peer).toEqual(LONG);
  });

  it('is told while permission is lost, which it does not bring back', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    g.hold('db');
    g.linksDown();
    g.pass(PERMISSION_MS + 1);
    g.clear();
    peer.send(LONG);
    expect(g.told('guard.permission')).toMatchObject([{ lost: true }]);
    g.step({ type: 'sm.hold', holding: false });
    expect(g.told('guard.permission').at(-1)?.lost).toBeUndefined();
  });

  it('is known to a watchdog that has heard nothing itself', () => {
    const g = successor({ announced: { peer: LONG, own: ownTimes(DOMAIN) } });
    g.pass(1500);
    expect(silentSince(g)).toBeNull();
    g.pass(200);
    expect(silentSince(g)).not.toBeNull();
    expect(g.told('guard.peer').at(-1)).toMatchObject({ stopBoundMs: 700 });
  });

  it('and to one that follows two dead processes', () => {
    const proof = { ...NO_PROOF, announced: { peer: LONG, own: ownTimes(DOMAIN) } };
    const inherited = () => ({ deadline: 10_400, proof, lost: false, entries: [] });
    const g = new GuardDriver({ guard: { inherited } });
    expect(announced(g)?.peer).toEqual(LONG);
  });

  it('is told to an arbiter that starts with the next watchdog', () => {
    const g = new GuardDriver({ guard: { regime: 'record', copyExpected: true }, bare: true });
    g.step({ type: 'arbiter.connected' });
    const proof = { ...NO_PROOF, announced: { peer: LONG, own: ownTimes(DOMAIN) } };
    g.step({ type: 'sm.copy', deadline: 10_400, proof, holding: false, entries: [] });
    const words = g
      .of('ask-arbiter')
      .flatMap(({ message }) => (message.type === 'peer' ? [message.word] : []));
    expect(words.at(-1)).toMatchObject(LONG);
  });
});

describe('a longer P and S of ours, after a change of definitions', () => {
  const domain = { deadIntervalMs: 2000, stopBoundMs: 700, killVerifyMs: 500, helloIntervalMs: 500 };
  const proof = {
    deadline: 10_400,
    links: [MANAGEMENT],
    announced: { peer: SHORT, own: ownTimes(DOMAIN) },
  } as const;
  const renewed = () => successor(proof, { domain });

  it('is announced, and not lived by before the peer has echoed a frame that announced it', () => {
    const g = renewed();
    g.pass(200);
    expect(g.lastSent).toMatchObject({ permissionMs: 2000, stopBoundMs: 700 });
    expect(g.deadline).toBeLessThanOrEqual(g.now + PERMISSION_MS);
    new FakePeer(g).talk(200);
    g.pass(500);
    expect(g.deadline).toBeGreaterThan(g.now + PERMISSION_MS);
    expect(announced(g)?.own).toMatchObject(domain);
  });

  it('meanwhile hellos come as often as before, so that permission does not run out between two', () => {
    const g = renewed();
    g.pass(1500);
    expect(g.of('kill')).toEqual([]);
    expect(g.deadline).toBeGreaterThan(g.now);
  });

  it('and what has to stop has the time that the peer counts with', () => {
    const g = renewed();
    g.linksDown();
    const { stopGraceMs, killVerifyMs } = DOMAIN;
    g.pass(g.deadline - g.now + stopGraceMs + killVerifyMs - 1);
    expect(g.told('guard.lost')).toHaveLength(1);
    expect(g.of('self-fence')).toEqual([]);
    g.pass(10);
    expect(g.of('self-fence')).toHaveLength(1);
  });

  it('lives on in the next restart, until it is known', () => {
    expect(announced(renewed())?.own).toEqual(ownTimes(DOMAIN));
  });

  it('counts where a stamp that says so is in the record', () => {
    const g = successor(proof, { domain, guard: { regime: 'record' } });
    g.step({ type: 'arbiter.connected' });
    const fact = { type: 'arbiter.renewed', askedAt: g.now } as const;
    g.step({ type: 'arbiter.told', message: { type: 'fact', fact } });
    expect(g.deadline).toBe(g.now + 2000);
  });

  it('a shorter one counts at once', () => {
    const g = successor(
      { announced: { peer: SHORT, own: ownTimes({ ...DOMAIN, ...domain }) }, links: [MANAGEMENT] },
      {},
    );
    g.pass(200);
    expect(announced(g)?.own).toEqual(ownTimes(DOMAIN));
  });
});
