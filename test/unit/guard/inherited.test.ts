/** Both processes died: what remains is gone on with like a copy, within the permission that was left (rules 10, 12, 13). */
import { describe, expect, it } from 'vitest';
import { NO_PROOF, type Remains } from '../../../src/core/guard/interface.ts';
import { entry, FakePeer, GuardDriver } from '../../support/guard-driver.ts';

const BEGIN = 10_000;
const DISK = entry('disk', true);

function begun(remains: Partial<Remains> | null, guard: object = {}): GuardDriver {
  const whole = { deadline: BEGIN + 400, proof: NO_PROOF, lost: false, entries: [entry('db'), DISK] };
  const inherited = () => (remains === null ? null : { ...whole, ...remains });
  return new GuardDriver({ bare: true, guard: { regime: 'record', inherited, ...guard } });
}

describe('before the old deadline', () => {
  it('goes on: sm is told that all was guarded, and nothing is killed', () => {
    const g = begun({});
    expect(g.of('start-sm')).toHaveLength(1);
    g.connect();
    expect(g.told('guard.hello')[0]).toMatchObject({
      fresh: false,
      holding: true,
      lost: false,
      deadline: BEGIN + 400,
    });
    expect(g.guard.view()).toMatchObject({ holding: true, entries: ['db', 'disk'] });
    expect(g.of('kill')).toEqual([]);
    // Whoever died may have frozen it before.
    expect(g.of('freeze')).toEqual([{ type: 'freeze', services: ['db', 'disk'], frozen: false }]);
  });

  it('kills at the deadline while sm is still on its way, which then has the whole time for its stop scripts', () => {
    const g = begun({});
    g.pass(399);
    expect(g.of('kill')).toEqual([]);
    g.pass(2);
    expect(g.of('kill')[0]?.services).toEqual(['db', 'disk']);
    g.step({ type: 'killed', services: ['db', 'disk'], survivors: [] });
    g.pass(150);
    g.connect();
    expect(g.told('guard.hello')[0]).toMatchObject({ fresh: false, lost: true });
    expect(g.of('self-fence')).toEqual([]);
    g.step({ type: 'sm.verified', service: 'disk' });
    g.pass(1000);
    expect(g.of('self-fence')).toEqual([]);
  });

  it('ends the node where what is held in the kernel is not verified by then', () => {
    const g = begun({});
    g.pass(401);
    g.step({ type: 'killed', services: ['db', 'disk'], survivors: [] });
    g.pass(198);
    expect(g.of('self-fence')).toEqual([]);
    g.pass(6);
    expect(g.of('self-fence')[0]?.reason).toContain('disk');
  });
});

describe('after the old deadline', () => {
  it('kills at once, and counts the stop bound from the old deadline and not from the start', () => {
    const g = begun({ deadline: BEGIN - 150 });
    expect(g.of('kill')[0]?.services).toEqual(['db', 'disk']);
    g.step({ type: 'killed', services: ['db', 'disk'], survivors: [] });
    g.pass(56);
    expect(g.of('self-fence')).toHaveLength(1);
  });

  it('so too where it was lost, or where it was announced or obeyed when both died', () => {
    const g = begun({ lost: true });
    expect(g.of('kill')).toHaveLength(1);
    expect(g.guard.view()).toMatchObject({ lost: true, deadline: BEGIN });
  });

  it('renews nothing until all of it is stopped', () => {
    const g = begun({ deadline: BEGIN - 150 }, { regime: 'takeover' });
    for (const role of g.roles) g.link(role, true);
    g.pass(30);
    expect(g.deadline).toBe(BEGIN - 150);
  });
});

it('a record of its own has no limit: nothing is in a hurry', () => {
  const proof = { ...NO_PROOF, sole: true };
  const g = begun({ deadline: Number.POSITIVE_INFINITY, proof });
  g.pass(2500);
  expect(g.of('kill')).toEqual([]);
  expect(g.of('self-fence')).toEqual([]);
});

it('where permission does not run out by time nothing is inherited, and nothing remains', () => {
  const g = begun({}, { regime: 'stay' });
  expect(g.guard.view()).toMatchObject({ holding: false, entries: [] });
  g.connect();
  g.step({ type: 'sm.hold', holding: true });
  expect(g.guard.remains()).toBeNull();
});

it('a watchdog that sm has started takes what remains where sm dies, or has no copy either', () => {
  for (const without of ['sm.gone', 'sm.connected'] as const) {
    const g = begun({}, { copyExpected: true });
    expect(g.guard.awaitsCopy).toBe(true);
    expect(g.guard.view().holding).toBe(false);
    g.step(without === 'sm.gone' ? { type: without, reason: 'killed' } : { type: without });
    expect(g.guard.view()).toMatchObject({ holding: true, entries: ['db', 'disk'] });
    expect(g.guard.awaitsCopy).toBe(false);
  }
});

describe('what remains', () => {
  it('is nothing until something is held; then deadline, proof and list; lost when the peer announces', () => {
    const g = new GuardDriver({ guard: { regime: 'record' } });
    expect(g.guard.remains()).toBeNull();
    new FakePeer(g).talk(1000);
    g.step({ type: 'sm.hold', holding: true });
    g.step({ type: 'sm.list', run: 1, entry: DISK, activating: true });
    expect(g.guard.remains()).toMatchObject({ deadline: g.deadline, lost: false });
    expect(g.guard.remains()?.entries).toEqual([DISK]);
    g.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 4, leaving: false });
    expect(g.guard.remains()?.lost).toBe(true);
  });

  it('knows a deaf peer from one that is silent, or was never heard', () => {
    const g = new GuardDriver();
    const isDeaf = () => g.guard.proof().isDeaf === true;
    g.pass(2000);
    expect(isDeaf()).toBe(false);
    const peer = new FakePeer(g);
    peer.talk(1000);
    expect(isDeaf()).toBe(false);
    peer.hears = false;
    peer.talk(500);
    expect(isDeaf()).toBe(true);
    g.pass(2000);
    expect(isDeaf()).toBe(false);
  });

  it('counts only what the peer has echoed, where it would have to be heard that the peer takes over', () => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    g.step({ type: 'sm.hold', holding: true });
    g.pass(200);
    const { deadline } = g.guard.proof();
    expect(deadline).toBeLessThan(g.deadline);
    expect(g.guard.remains()).toMatchObject({ deadline });
  });
});
