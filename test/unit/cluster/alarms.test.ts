import { describe, expect, it } from 'vitest';
import { type Alarm, Alarms } from '../../../src/core/cluster/alarms.ts';
import { A, B, ClusterDriver } from '../../support/cluster-driver.ts';

const alarm = (change: Partial<Alarm> = {}): Alarm => ({
  id: '400.005',
  entity: 'host=a.network=oam-interface',
  severity: 'major',
  reason: 'not heard',
  repair: 'check the cable',
  patienceMs: 0,
  ...change,
});

function alarms() {
  const told: string[] = [];
  const state = new Alarms((effect) => {
    if (effect.type === 'persist.alarm')
      told.push(`${effect.raised ? 'raised' : 'cleared'} ${effect.id} ${effect.severity}`);
    else if (effect.type === 'history') told.push(`event ${effect.from} -> ${effect.to}`);
  });
  return { state, told };
}

describe('alarms as state', () => {
  it('are raised once and cleared once', () => {
    const { state, told } = alarms();
    expect(state.settle([alarm()], 1)).toBeNull();
    state.settle([alarm()], 2);
    expect(state.all()).toMatchObject([{ id: '400.005', since: 1 }]);
    state.settle([], 3);
    state.settle([], 4);
    expect(told).toEqual([
      'raised 400.005 major',
      'event clear -> major',
      'cleared 400.005 major',
      'event major -> clear',
    ]);
    expect(state.all()).toEqual([]);
  });

  it('that have to last are raised when they did, and never if they did not', () => {
    const { state, told } = alarms();
    const patient = alarm({ patienceMs: 2000 });
    expect(state.settle([patient], 1000)).toBe(3000);
    state.settle([], 2900);
    expect(state.settle([patient], 2950)).toBe(4950);
    expect(told).toEqual([]);
    expect(state.settle([patient], 4950)).toBeNull();
    expect(state.all()).toMatchObject([{ since: 2950 }]);
    expect(told).toHaveLength(2);
  });

  it('wait for their time beside others that stand', () => {
    const { state, told } = alarms();
    const both = () => [alarm(), alarm({ id: '400.002', patienceMs: 2000 })];
    expect([state.settle(both(), 1000), state.settle(both(), 2000)]).toEqual([3000, 3000]);
    expect(told).toEqual(['raised 400.005 major', 'event clear -> major']);
    expect([state.settle(both(), 3000), state.settle(both(), 4000)]).toEqual([null, null]);
    expect(told.slice(2)).toEqual(['raised 400.002 major', 'event clear -> major']);
  });

  it('of one id stand apart by what they are about', () => {
    const { state } = alarms();
    state.settle([alarm(), alarm({ entity: 'host=a.network=management-interface' })], 1);
    state.settle([alarm()], 2);
    expect(state.all().map(({ entity }) => entity)).toEqual(['host=a.network=oam-interface']);
  });

  it('tell a new wording without an event, and a new severity with one', () => {
    const { state, told } = alarms();
    state.settle([alarm()], 1);
    state.settle([alarm({ reason: 'still not heard' })], 2);
    state.settle([alarm({ reason: 'still not heard', repair: 'check the switch' })], 2);
    state.settle([alarm({ severity: 'critical' })], 3);
    expect(told.slice(2)).toEqual([
      'raised 400.005 major',
      'raised 400.005 major',
      'raised 400.005 critical',
      'event major -> critical',
    ]);
    expect(state.all()).toMatchObject([{ since: 1, severity: 'critical' }]);
  });
});

describe('the facts call for', () => {
  const leading = () => {
    const c = new ClusterDriver().lead();
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    return c;
  };
  const standing = (c: ClusterDriver) =>
    c.cluster.alarms().map(({ id, entity, severity }) => `${severity} ${id} ${entity}`);

  it('the standing alarm of a domain without an arbiter, and none on a single node', () => {
    expect(standing(leading())).toContain('minor no-arbiter-takeover controller');
    expect(standing(new ClusterDriver({ nodes: [A] }))).toEqual([]);
  });

  it('400.001 by the status of a group, for both nodes', () => {
    const c = leading();
    c.peerGroup('oam', { status: 'failed', reason: 'disk broken' });
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    const entity = `service_domain=controller.service_group=oam.host=${B}`;
    expect(standing(c)).toContain(`critical 400.001 ${entity}`);
    // What it says to type is a command, and where.
    const repair = c.cluster.alarms().find((found) => found.entity === entity)?.repair;
    expect(repair).toContain(`smctl explain group oam on ${B} tells`);
    expect(repair).toContain(`smctl recover oam --node ${B}`);
    c.peerGroup('oam', { status: '', reason: '' });
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    expect(standing(c)).not.toContain(`critical 400.001 ${entity}`);
  });

  it('400.002 when redundancy is lost for longer than a transition takes', () => {
    const c = leading();
    c.finish('oam');
    c.peerGroup('oam', { state: 'disabled' });
    c.report({ domainState: 'backup', leader: A, number: 2, settled: true });
    const entity = 'service_domain=controller.service_group=oam';
    c.pass(2999);
    expect(standing(c).join()).not.toContain(entity);
    c.pass(1);
    expect(standing(c).join()).toContain(`400.002 ${entity}`);
  });

  it('node-locked with its reason, until it is unlocked', () => {
    const c = leading();
    c.command('lock', B);
    expect(standing(c)).toContain(`minor node-locked host=${B}`);
    c.command('unlock', B);
    expect(standing(c).join()).not.toContain('node-locked');
  });
});
