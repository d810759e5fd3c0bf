/** What the managed hosts' vote means: this node is cut off, or it is not; it never says that the peer is dead (rule 14d). */
import { expect, test } from 'vitest';
import { reachesHosts } from '../../../src/core/arbiter/hosts-vote.ts';
import { GATEWAY_MISSES } from '../../../src/core/guard/gateways.ts';
import { FakePeer, GuardDriver } from '../../support/guard-driver.ts';

/** Who manages the hosts, made up: every round on every link. */
function vote(g: GuardDriver, heard: number, of: number, rounds = GATEWAY_MISSES): void {
  for (let round = 0; round < rounds; round += 1)
    for (const role of g.roles)
      g.step({ type: 'arbiter.told', message: { type: 'hosts', vote: { role, heard, of } } });
}

/** A holder that hears nobody any more, its links up. */
function alone(): GuardDriver {
  const g = new GuardDriver();
  new FakePeer(g).talk(1000);
  g.hold('db');
  g.pass(400);
  return g;
}

const lost = (g: GuardDriver): boolean => g.told('guard.lost').length > 0;

test.each([
  [3, 5, true],
  [2, 4, false],
  [0, 1, false],
  [0, 0, null],
])('%i of %i hosts: reached %s', (heard, of, reached) => {
  expect(reachesHosts({ role: 'management-interface', heard, of })).toBe(reached);
});

test('a holder that most hosts do not answer stops when what the peer echoed runs out', () => {
  const g = alone();
  const { deadline } = g.guard.proof();
  vote(g, 2, 5);
  expect(g.deadline).toBe(deadline);
  g.pass(deadline - g.now);
  expect(lost(g)).toBe(true);
});

test('one that most hosts answer goes on, and so does one after fewer rounds, without hosts, or when nobody tells any more', () => {
  for (const told of [
    (g: GuardDriver) => vote(g, 3, 5),
    (g: GuardDriver) => vote(g, 0, 5, GATEWAY_MISSES - 1),
    (g: GuardDriver) => vote(g, 0, 0, 10),
    (g: GuardDriver) => {
      vote(g, 0, 5);
      vote(g, 0, 0, 1);
    },
    (g: GuardDriver) => {
      vote(g, 0, 5);
      g.step({ type: 'arbiter.gone', reason: 'test' });
    },
  ]) {
    const g = alone();
    told(g);
    g.pass(5000);
    expect(lost(g)).toBe(false);
  }
});

test('no vote lets anybody in sooner, and one against this node keeps it waiting', () => {
  const tookAfter = (heard: number): boolean => {
    const g = new GuardDriver();
    new FakePeer(g).talk(1000);
    vote(g, heard, 5);
    g.pass(700);
    expect(g.told('guard.peer').at(-1)).toMatchObject({ heard: true });
    g.pass(2000);
    const fact = g.told('guard.peer').at(-1);
    return fact !== undefined && 'mayTake' in fact && fact.mayTake;
  };
  expect(tookAfter(5)).toBe(true);
  expect(tookAfter(0)).toBe(false);
});
