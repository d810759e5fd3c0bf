/** What the silence of a gateway means for our own links: it can make a node stop or wait, and nothing else (rule 14d). */
import { expect, test } from 'vitest';
import { GATEWAY_MISSES } from '../../../src/core/guard/gateways.ts';
import type { InterfaceRole } from '../../../src/core/kernel/names.ts';
import { FakePeer, GuardDriver, MANAGEMENT, OAM } from '../../support/guard-driver.ts';

function asked(g: GuardDriver, role: InterfaceRole, answers: boolean, reason = ''): void {
  g.step({ type: 'arbiter.told', message: { type: 'gateway', role, answers, reason } });
}

function silent(g: GuardDriver, times = GATEWAY_MISSES, roles = g.roles): void {
  for (let i = 0; i < times; i++) for (const role of roles) asked(g, role, false);
}

function pair(): GuardDriver {
  const g = new GuardDriver();
  new FakePeer(g).talk(1000);
  g.hold('db');
  return g;
}

const lost = (g: GuardDriver): boolean => g.told('guard.lost').length > 0;
const mayTake = (g: GuardDriver): unknown => g.told('guard.peer').at(-1);

test('a holder whose gateways are silent, and that hears nobody, lives no longer than what the peer echoed', () => {
  const g = pair();
  const { deadline } = g.guard.proof();
  g.pass(400);
  silent(g);
  expect(g.deadline).toBe(deadline);
  g.pass(deadline - g.now);
  expect(lost(g)).toBe(true);
});

test('it sends on all the same: the other side may hear what it does not', () => {
  const g = pair();
  g.pass(400);
  silent(g);
  g.clear();
  g.pass(200);
  expect(g.of('send').map(({ role }) => role)).toEqual([MANAGEMENT, OAM]);
});

test('one that answers is enough to act on', () => {
  const g = pair();
  g.pass(400);
  silent(g, GATEWAY_MISSES, [MANAGEMENT]);
  g.pass(5000);
  expect(lost(g)).toBe(false);
});

test('fewer silences in a row, or a question that could not be asked, are none', () => {
  const g = pair();
  g.pass(400);
  silent(g, GATEWAY_MISSES - 1);
  for (const role of g.roles) asked(g, role, true);
  silent(g, GATEWAY_MISSES - 1);
  for (const role of g.roles) asked(g, role, false, 'ping can not be run');
  g.pass(5000);
  expect(lost(g)).toBe(false);
});

test('while the peer is heard there, a gateway may be away', () => {
  const g = pair();
  silent(g, 10);
  g.peer?.talk(5000);
  expect(lost(g)).toBe(false);
  expect(g.told('guard.gateway').at(-1)).toMatchObject({
    answers: false,
    reason: 'its gateway does not answer',
  });
});

test('nobody is replaced over a link whose gateway is silent, nor at once when it answers again', () => {
  const g = new GuardDriver();
  new FakePeer(g).talk(1000);
  silent(g, GATEWAY_MISSES, [MANAGEMENT]);
  g.pass(8000);
  expect(mayTake(g)).toMatchObject({
    mayTake: false,
    reason: `own links down: ${MANAGEMENT} (its gateway does not answer)`,
  });
  asked(g, MANAGEMENT, true);
  g.pass(4900);
  expect(mayTake(g)).toMatchObject({ mayTake: false });
  g.pass(300);
  expect(mayTake(g)).toMatchObject({ mayTake: true });
});

test('without sm-arbiter nothing is known of it', () => {
  const g = pair();
  g.pass(300);
  silent(g);
  g.step({ type: 'arbiter.gone', reason: 'killed' });
  g.pass(3000);
  expect(lost(g)).toBe(false);
});

test('a change is told once, and all of it to an sm that has just started', () => {
  const g = pair();
  g.clear();
  for (let i = 0; i < 5; i++) asked(g, OAM, true);
  expect(g.told('guard.gateway')).toEqual([{ type: 'guard.gateway', role: OAM, answers: true, reason: '' }]);
  g.clear();
  g.connect();
  expect(g.told('guard.gateway')).toHaveLength(1);
});
