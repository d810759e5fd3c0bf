import { describe, expect, it } from 'vitest';
import type { SetSketch } from '../../support/local-definitions.ts';
import { definitionSet, needs, pair } from '../../support/local-definitions.ts';
import { type DriverOptions, LocalDriver } from '../../support/local-driver.ts';

const one = (
  services: SetSketch['groups'][string]['services'],
  rest: Partial<SetSketch> = {},
): SetSketch => ({
  groups: { g: { services } },
  ...rest,
});

function driver(sketch: SetSketch, options: DriverOptions = {}): LocalDriver {
  return new LocalDriver(definitionSet(sketch), options);
}

function active(sketch: SetSketch, options: DriverOptions = {}): LocalDriver {
  const d = driver(sketch, options);
  d.want('g', 'active');
  d.untilGroup('g', 'active');
  return d;
}

describe('starting', () => {
  it('audits a fresh node and enables what is wanted', () => {
    const d = driver(one({ web: {} }));
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    expect(d.states('web')).toEqual([
      'unknown',
      'disabled',
      'enabling-throttle',
      'enabling',
      'enabled-active',
    ]);
    expect(d.states('g')).toEqual(['go-active', 'active']);
    expect(d.runs.map((run) => run.action)).toEqual(['audit-enabled', 'enable']);
    expect(d.now - 1000, 'no tick between cause and effect').toBe(20);
  });

  it('only audits services that run already', () => {
    const d = driver(one({ web: {}, db: { promotable: true } }), {
      truth: { web: 'active', db: 'active' },
      restored: { groups: [{ group: 'g', desired: 'active' }] },
    });
    d.untilGroup('g', 'active');
    expect(d.actions()).toEqual([]);
    expect(d.states('web')).toEqual(['unknown', 'enabled-active']);
  });

  it('only audits until it is known how a group is wanted', () => {
    const d = driver(one({ web: {} }), { truth: { web: 'active' } });
    d.pass(60_000);
    expect(d.actions()).toEqual([]);
    expect(d.state('web')).toBe('enabled-active');
    expect(d.engine.group('g')).toMatchObject({ state: 'initial', inactive: false });
  });

  it('ends the intents of an earlier life once audited', () => {
    const intents = [{ run: 7, service: 'web', action: 'enable' as const }];
    const d = driver(one({ web: {} }), { restored: { intents } });
    d.pass(100);
    expect(d.effects).toContainEqual({
      type: 'persist.intent',
      run: 7,
      service: 'web',
      action: 'enable',
      ended: true,
    });
    expect(d.runs[0]?.run).toBe(8);
  });

  it('takes a service without audits for disabled', () => {
    const d = driver(one({ web: { without: ['audit-enabled', 'audit-disabled'] } }));
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    expect(d.actions('web')).toEqual(['enable']);
  });

  it('says why an audit fails, and goes on asking with pauses', () => {
    const d = driver(one({ web: {} }), { behaviour: () => ({ end: 4, tail: 'no such disk\n' }) });
    d.want('g', 'active');
    d.pass(70_000);
    expect(d.state('web')).toBe('unknown');
    const view = d.engine.service('web');
    expect(view).toMatchObject({ status: 'failed', condition: 'action-failure' });
    expect(view.reason).toContain('web status exited 4 after 10 ms: no such disk');
    expect(d.runs.length).toBeLessThan(12);
    d.behaviour = () => undefined;
    d.untilGroup('g', 'active');
    expect(d.engine.service('web').status).toBe('');
  });
});

describe('promotable services', () => {
  const sketch = one({ drbd: { promotable: true } });

  it('are enabled, then promoted; exit 0 is standby, 8 is active', () => {
    const d = active(sketch);
    expect(d.states('drbd')).toEqual([
      'unknown',
      'disabled',
      'enabling-throttle',
      'enabling',
      'enabled-standby',
      'enabled-go-active',
      'enabled-active',
    ]);
    d.pass(30_000);
    expect(d.state('drbd')).toBe('enabled-active');
  });

  it('stay enabled where their group is standby', () => {
    const d = active(sketch);
    d.want('g', 'standby');
    d.untilGroup('g', 'standby');
    expect(d.actions()).toEqual(['drbd enable', 'drbd go-active', 'drbd go-standby']);
    expect(d.engine.group('g').inactive).toBe(true);
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled');
    expect(d.truth.get('drbd')).toBe('stopped');
  });

  it('are enabled into standby', () => {
    const d = driver(sketch);
    d.want('g', 'standby');
    d.untilState('drbd', 'enabled-standby');
    expect(d.engine.group('g')).toMatchObject({ state: 'standby', inactive: true });
  });

  it('go standby after a failed promotion, then try again with pauses', () => {
    const d = driver(sketch, {
      behaviour: (run) => (run.action === 'go-active' ? { end: 1, tail: 'peer is primary' } : undefined),
    });
    d.want('g', 'active');
    d.pass(60_000);
    // Two reports of two runs each: then it is parked.
    expect(d.actions().filter((action) => action === 'drbd go-active')).toHaveLength(4);
    expect(d.state('drbd')).toBe('disabled');
    expect(d.engine.service('drbd')).toMatchObject({ status: 'failed', condition: 'recovery-failure' });
    expect(d.engine.service('drbd').reason).toContain('peer is primary');
  });

  it('are audited after a failed demotion, and fail visibly', () => {
    const d = active(sketch);
    d.behaviour = (run) => (run.action === 'go-standby' ? { end: 1 } : undefined);
    d.want('g', 'standby');
    d.pass(120_000);
    expect(d.engine.service('drbd')).toMatchObject({
      state: 'enabled-go-standby',
      status: 'failed',
      condition: 'action-failure',
    });
    expect(d.engine.group('g').inactive).toBe(false);
    d.behaviour = () => undefined;
    d.step({ type: 'group.recover', group: 'g', clearFatal: false, forgive: true });
    d.untilGroup('g', 'standby');
    expect(d.engine.group('g').inactive).toBe(true);
  });
});

describe('process death', () => {
  const sketch = one({ web: { pidFile: '/run/web.pid' } });

  it('runs the stop script and enables again, at once', () => {
    const d = active(sketch);
    expect(d.watched.get('web')).toBe('/run/web.pid');
    const before = d.now;
    d.die('web');
    expect(d.watched.get('web')).toBe(null);
    d.untilState('web', 'enabled-active');
    expect(d.now - before).toBe(20);
    expect(d.actions('web')).toEqual(['enable', 'disable', 'enable']);
    expect(d.states('web').slice(5)).toEqual([
      'disabling',
      'disabled',
      'enabling-throttle',
      'enabling',
      'enabled-active',
    ]);
    expect(d.history('web')[5]).toMatchObject({ cause: 'process-failure' });
    expect(d.history('web')[5]?.reason).toBe('process 4711 died <- g wanted active: test');
    expect(d.watched.get('web')).toBe('/run/web.pid');
    expect(d.history('web').at(-1)?.reason).toBe(
      'enable success after 10 ms <- process 4711 died <- g wanted active: test',
    );
  });

  it('leaves dependents alone', () => {
    const d = active(one({ web: {}, app: {} }, { dependencies: pair('app', 'web') }));
    d.die('web');
    d.untilState('web', 'enabled-active');
    expect(d.actions('app')).toEqual(['enable']);
    expect(d.state('app')).toBe('enabled-active');
  });

  it('parks the service at the second death within the countdown', () => {
    const d = active(sketch);
    d.die('web');
    d.untilState('web', 'enabled-active');
    d.pass(80_000);
    d.die('web');
    d.pass(600_000);
    expect(d.engine.service('web')).toMatchObject({
      state: 'disabled',
      status: 'failed',
      condition: 'recovery-failure',
      failCount: 2,
    });
    expect(d.actions('web')).toEqual(['enable', 'disable', 'enable', 'disable']);
    expect(d.engine.group('g')).toMatchObject({
      state: 'active',
      status: 'failed',
      condition: 'recovery-failure',
    });
    d.step({ type: 'service.recover', service: 'web' });
    d.untilState('web', 'enabled-active');
    expect(d.engine.service('web')).toMatchObject({ status: '', condition: '', failCount: 0 });
  });

  it('does not park it when more than the countdown lies between', () => {
    const d = active(sketch);
    for (let death = 0; death < 4; death += 1) {
      d.die('web');
      d.untilState('web', 'enabled-active');
      d.pass(91_000);
    }
    expect(d.engine.service('web')).toMatchObject({ state: 'enabled-active', status: '', failCount: 0 });
  });

  it.each([
    ['enabling', 'enabled-standby'],
    ['enabled-go-active', 'enabled-active'],
  ])('during %s is dealt with at the end of the script', (state, then) => {
    const d = driver(one({ drbd: { promotable: true } }));
    d.want('g', 'active');
    d.untilState('drbd', state);
    d.pass(1);
    d.step({ type: 'process.died', service: 'drbd', pid: 1 });
    expect(d.state('drbd')).toBe(state);
    d.untilState('drbd', 'disabling');
    expect(d.states('drbd')).toContain(then);
    d.untilGroup('g', 'active');
    expect(d.engine.service('drbd').failCount).toBe(1);
  });

  it('during go-standby ends in standby after a restart', () => {
    const d = active(one({ drbd: { promotable: true } }));
    d.want('g', 'standby');
    d.pass(1);
    d.step({ type: 'process.died', service: 'drbd', pid: 1 });
    d.untilState('drbd', 'disabling');
    d.untilState('drbd', 'enabled-standby');
  });
});

describe('failing scripts', () => {
  const sketch = one({ web: {} });

  it('that start is run twice, stopped once, tried again, then parked', () => {
    const d = driver(sketch, {
      behaviour: (run) =>
        run.action === 'enable' ? { end: 1, tail: 'line one\nport 80 is taken\n' } : undefined,
    });
    d.want('g', 'active');
    d.pass(300_000);
    expect(d.actions('web')).toEqual(['enable', 'enable', 'disable', 'enable', 'enable', 'disable']);
    const view = d.engine.service('web');
    expect(view).toMatchObject({ state: 'disabled', condition: 'recovery-failure', failCount: 2 });
    expect(view.reason).toContain('web start exited 1 after 10 ms: line one | port 80 is taken');
    expect(d.engine.load).toMatchObject({ running: 0, tickets: 0 });
    const failed = d.history('web').find((effect) => effect.cause === 'enable-failed');
    expect(failed?.reason).toContain('port 80 is taken <- g wanted active');
  });

  it('that hang are killed by their time-out and count', () => {
    const d = driver(sketch, { behaviour: (run) => (run.action === 'enable' ? { end: 'hang' } : undefined) });
    d.want('g', 'active');
    d.untilState('web', 'disabling');
    expect(d.history('web').at(-1)).toMatchObject({ cause: 'enable-timeout' });
    expect(d.actions('web').slice(0, 2)).toEqual(['enable', 'enable']);
    d.until(() => d.engine.service('web').status === 'failed', 300_000);
  });

  it('that stop are run four times, then wait for recover; sixteen times is fatal', () => {
    const d = active(sketch);
    d.behaviour = (run) => (run.action === 'disable' ? { end: 1 } : undefined);
    d.want('g', 'disabled');
    d.pass(3_600_000);
    expect(d.actions('web')).toEqual(['enable', 'disable', 'disable', 'disable', 'disable']);
    expect(d.engine.service('web')).toMatchObject({ state: 'disabling', condition: 'action-failure' });
    expect(d.engine.service('web').wait?.reason).toMatch(/^waits for recover: /);
    expect(d.engine.group('g')).toMatchObject({ state: 'disabling', status: 'failed', inactive: false });
    d.behaviour = () => undefined;
    d.step({ type: 'group.recover', group: 'g', clearFatal: false, forgive: true });
    d.untilGroup('g', 'disabled');
    expect(d.engine.group('g').inactive).toBe(true);
  });

  it('that fail without an end become fatal, and only a recover that clears it helps', () => {
    const d = active(one({ web: { overrides: { maxActionFailures: 100, maxTransitionFailures: 16 } } }));
    d.behaviour = (run) => (run.action === 'disable' ? { end: 1 } : undefined);
    d.want('g', 'disabled');
    d.pass(3_600_000);
    expect(d.actions('web').filter((action) => action === 'disable')).toHaveLength(16);
    expect(d.engine.service('web').condition).toBe('fatal-failure');
    d.behaviour = () => undefined;
    d.step({ type: 'group.recover', group: 'g', clearFatal: false, forgive: true });
    d.pass(60_000);
    expect(d.state('web')).toBe('disabling');
    d.step({ type: 'group.recover', group: 'g', clearFatal: true, forgive: true });
    d.untilState('web', 'disabled');
    expect(d.engine.service('web')).toMatchObject({ status: '', condition: '' });
  });

  it('that can not be called fail with the reason, and leak no ticket', () => {
    const d = driver(one({ web: {}, app: {} }, { throttle: 1 }), {
      behaviour: (run) =>
        run.service === 'web' && run.action === 'enable'
          ? { end: { kind: 'refused', reason: '/etc/init.d/web does not exist' } }
          : undefined,
    });
    d.want('g', 'active');
    d.pass(300_000);
    expect(d.state('app')).toBe('enabled-active');
    expect(d.engine.service('web')).toMatchObject({ state: 'disabled', condition: 'recovery-failure' });
    expect(d.engine.service('web').reason).toContain('was not started: /etc/init.d/web does not exist');
    expect(d.actions('web').filter((action) => action === 'enable')).toHaveLength(2);
    expect(d.engine.load.tickets).toBe(0);
  });

  it('that stop, and can not be run, are replaced by a kill: at once, and with the reason', () => {
    const reason = 'SM_STOP_SCRIPT: /etc/init.d/web does not exist';
    const d = active(one({ web: {} }));
    d.behaviour = (run) => {
      if (run.service !== 'web') return undefined;
      if (run.action !== 'disable') return { end: { kind: 'refused', reason } };
      d.truth.set('web', 'stopped');
      return { end: { kind: 'killed', stopped: true, reason } };
    };
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled', 100);
    expect(d.history('web').at(-1)?.reason).toContain(reason);
    expect(d.engine.group('g').inactive).toBe(true);
  });

  it('that stop what outlives processes, and can not be run, prove nothing', () => {
    const d = active(one({ web: {} }));
    d.behaviour = (run) =>
      run.action === 'disable' ? { end: { kind: 'killed', stopped: false, reason: 'missing' } } : undefined;
    d.want('g', 'disabled');
    d.pass(60_000);
    expect(d.state('web')).toBe('disabling');
    expect(d.engine.service('web').reason).toContain('missing');
    expect(d.engine.group('g').inactive).toBe(false);
  });

  it('that are missing from the start hold nothing up that shall be down', () => {
    const d = driver(one({ web: {} }), {
      behaviour: (run) =>
        run.action === 'disable'
          ? { end: { kind: 'killed', stopped: true, reason: 'missing' } }
          : { end: { kind: 'refused', reason: 'missing' } },
    });
    d.want('g', 'standby');
    d.pass(60_000);
    expect(d.state('web')).toBe('unknown');
    expect(d.engine.service('web').status).toBe('failed');
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled', 100);
  });

  it('with parameters that can not be read fail, and start nothing', () => {
    const d = driver(
      one({ web: { instanceParameters: 'a=b=c', without: ['audit-enabled', 'audit-disabled'] } }),
    );
    d.want('g', 'active');
    d.pass(300_000);
    expect(d.runs).toEqual([]);
    expect(d.engine.service('web').status).toBe('failed');
    expect(d.engine.service('web').reason).toContain('a value can not hold "="');
  });

  it('that are refused for a passing cause are tried again and not counted', () => {
    let refusals = 3;
    const d = driver(sketch, {
      behaviour: (run) => {
        if (run.action !== 'enable' || refusals === 0) return undefined;
        refusals -= 1;
        return { end: { kind: 'refused', reason: 'commit failed', transient: true } };
      },
    });
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    expect(d.engine.service('web').failCount).toBe(0);
  });

  it('pause longer and longer', () => {
    const d = driver(one({ web: { overrides: { maxFailures: 1000 } } }), {
      behaviour: (run) => (run.action === 'enable' ? { end: 1 } : undefined),
    });
    const times: number[] = [];
    let seen = 0;
    d.want('g', 'active');
    d.until(() => {
      if (d.actions('web').length !== seen) {
        seen = d.actions('web').length;
        if (d.runs.at(-1)?.action === 'enable') times.push(d.now);
      }
      return times.length >= 10;
    }, 600_000);
    const gaps = times.slice(1).map((time, index) => Math.round((time - (times[index] ?? 0)) / 1000));
    expect(gaps).toEqual([0, 1, 2, 4, 8, 16, 30, 30, 30]);
  });

  it('are killed when the transition takes too long', () => {
    const d = driver(one({ web: { runs: 100 } }), {
      behaviour: (run) => (run.action === 'enable' ? { end: 1, afterMs: 9000 } : undefined),
    });
    d.want('g', 'active');
    d.untilState('web', 'enabling');
    d.untilState('web', 'disabling', 300_000);
    expect(d.history('web').at(-1)).toMatchObject({ cause: 'transition-limit' });
    expect(d.history('web').at(-1)?.reason).toContain('enabling for longer than 300 s');
  });
});

describe('audits', () => {
  it('that find a service stopped have it stopped properly and enabled', () => {
    const d = active(one({ web: {} }));
    d.truth.set('web', 'stopped');
    d.untilState('web', 'disabling');
    expect(d.history('web').at(-1)).toMatchObject({ cause: 'audit-mismatch' });
    d.untilState('web', 'enabled-active');
    expect(d.engine.service('web').failCount).toBe(1);
    expect(d.actions('web')).toEqual(['enable', 'disable', 'enable']);
  });

  it('degrade and restore service and group', () => {
    const d = driver(one({ drbd: { promotable: true } }));
    d.want('g', 'standby');
    d.untilGroup('g', 'standby');
    d.behaviour = (run) => (run.action === 'audit-enabled' ? { end: 35 } : undefined);
    d.pass(20_000);
    expect(d.engine.service('drbd')).toMatchObject({ status: 'degraded', condition: 'data-syncing' });
    expect(d.engine.group('g')).toMatchObject({
      status: 'degraded',
      condition: 'data-syncing',
      reason: 'drbd(enabled-standby, degraded, data-syncing)',
    });
    expect(d.engine.service('drbd').reason).toContain('monitor exited 35');
    d.behaviour = () => undefined;
    d.pass(20_000);
    expect(d.engine.group('g')).toMatchObject({ status: '', condition: '' });
  });

  it('that fail twice restart the service', () => {
    const d = active(one({ web: {} }));
    let failures = 2;
    d.behaviour = (run) => (run.action === 'audit-enabled' && failures-- > 0 ? { end: 4 } : undefined);
    d.untilState('web', 'disabling');
    expect(d.history('web').at(-1)).toMatchObject({ cause: 'audit-failed' });
    d.untilState('web', 'enabled-active');
    expect(d.engine.service('web').failCount).toBe(1);
  });

  it('that fail once are repeated at once and change nothing', () => {
    const d = active(one({ web: {} }));
    let failures = 1;
    d.behaviour = (run) => (run.action === 'audit-enabled' && failures-- > 0 ? { end: 4 } : undefined);
    d.pass(30_000);
    expect(failures).toBeLessThan(0);
    expect(d.engine.service('web')).toMatchObject({ state: 'enabled-active', status: '', failCount: 0 });
    expect(d.actions('web')).toEqual(['enable']);
  });

  it('find a service that somebody started by hand, which is then stopped', () => {
    const d = driver(one({ web: {} }));
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled');
    d.truth.set('web', 'active');
    d.untilState('web', 'disabling');
    expect(d.states('web').at(-2)).toBe('enabled-active');
    expect(d.engine.group('g').inactive).toBe(false);
    d.untilState('web', 'disabled');
    expect(d.engine.group('g').inactive).toBe(true);
    expect(d.truth.get('web')).toBe('stopped');
  });

  it('of many services are spread out', () => {
    const services = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`service-${n}`, {}]));
    const d = active(one(services));
    d.mostRunning = 0;
    d.pass(60_000);
    expect(d.mostRunning).toBeLessThanOrEqual(4);
  });

  it('can be asked for', () => {
    const d = active(one({ web: {} }));
    const before = d.runs.length;
    d.step({ type: 'service.audit', service: 'web' });
    expect(d.runs.slice(before).map((run) => run.action)).toEqual(['audit-enabled']);
  });
});

describe('dependencies', () => {
  const chain = one(
    { app: {}, db: {}, fs: {} },
    { dependencies: [...pair('app', 'db'), ...pair('db', 'fs')] },
  );

  it('order starting and stopping', () => {
    const d = driver(chain);
    d.want('g', 'active');
    d.untilState('fs', 'enabling');
    expect(d.engine.service('app').wait).toMatchObject({
      reason: 'waits for db to be enabled-active on this node: it is enabling-throttle here',
      until: null,
    });
    d.untilGroup('g', 'active');
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled');
    expect(d.actions()).toEqual([
      'fs enable',
      'db enable',
      'app enable',
      'app disable',
      'db disable',
      'fs disable',
    ]);
  });

  it('restart with what depends on it, in order', () => {
    const d = active(chain);
    d.step({ type: 'service.restart', service: 'db', safe: false, reason: 'asked', actor: 'admin' });
    d.untilState('app', 'disabled');
    d.untilState('app', 'enabled-active');
    expect(d.actions().slice(3)).toEqual(['app disable', 'db disable', 'db enable', 'app enable']);
    expect(d.engine.service('db').failCount).toBe(0);
    expect(d.history('db').at(-1)).toMatchObject({ actor: 'admin' });
  });

  it('hold dependents down that have no row for starting', () => {
    const d = active(one({ app: {}, db: {} }, { dependencies: [needs('db', 'disable', 'app', 'disabled')] }));
    d.step({ type: 'service.restart', service: 'db', safe: false, reason: 'asked' });
    d.untilState('app', 'disabled');
    expect(d.engine.service('app').wait?.reason).toBe('waits for db, which stops or restarts');
    d.untilState('app', 'enabled-active');
    expect(d.actions().slice(2)).toEqual(['app disable', 'db disable', 'db enable', 'app enable']);
  });

  it('restart-safe touches the service alone', () => {
    const d = active(chain);
    d.step({ type: 'service.restart', service: 'db', safe: true, reason: 'asked' });
    d.untilSeen('db', 'disabled');
    d.untilState('db', 'enabled-active');
    expect(d.actions().slice(3)).toEqual(['db disable', 'db enable']);
    d.step({ type: 'service.restart', service: 'db', safe: false, reason: 'asked' });
    d.untilState('app', 'disabled');
  });

  it('wait for one that is active on the other node only: no script, no failure, a reason', () => {
    const d = driver({
      groups: {
        storage: { services: { osd: {} } },
        control: { services: { mon: {} }, exclusive: true },
      },
      dependencies: pair('osd', 'mon'),
    });
    d.want('storage', 'active');
    d.want('control', 'standby');
    d.pass(600_000);
    expect(d.actions()).toEqual([]);
    expect(d.engine.service('osd')).toMatchObject({ state: 'enabling-throttle', status: '' });
    const reason = 'waits for mon to be enabled-active on this node: it is enabled-standby here';
    expect(d.engine.service('osd').wait).toMatchObject({ reason, until: null });
    expect(d.engine.group('storage')).toMatchObject({ state: 'go-active', status: '' });
    expect(d.engine.group('storage').reason).toContain(reason);
    expect(d.engine.waits().map((wait) => wait.entity)).toEqual(['group', 'service']);
    d.want('control', 'active');
    d.untilGroup('storage', 'active');
    // The other way round it is taken down while the other one stops, and waits again.
    d.want('control', 'standby');
    d.untilGroup('control', 'standby');
    expect(d.actions().slice(2)).toEqual(['osd disable', 'mon disable']);
    expect(d.state('osd')).toBe('enabling-throttle');
  });

  it('warn after a minute about one that is wanted here', () => {
    const d = driver(chain, {
      behaviour: (run) => (run.service === 'fs' && run.action === 'audit-enabled' ? { end: 4 } : undefined),
    });
    d.want('g', 'active');
    d.pass(59_000);
    expect(d.engine.service('db').status).toBe('');
    d.pass(2000);
    expect(d.engine.service('db').status).toBe('warn');
    d.behaviour = () => undefined;
    d.untilState('app', 'enabled-active');
    expect(d.engine.service('db').status).toBe('');
  });

  it('on a service that is not there are met', () => {
    const d = active(one({ app: {} }, { dependencies: pair('app', 'ghost') }));
    expect(d.state('app')).toBe('enabled-active');
  });

  it('order promotion and demotion', () => {
    const d = active(
      one(
        { fs: {}, drbd: { promotable: true }, ip: {} },
        {
          dependencies: [
            ...pair('fs', 'drbd'),
            needs('drbd', 'go-active', 'ip', 'enabled-active'),
            needs('drbd', 'go-standby', 'fs', 'disabled'),
          ],
        },
      ),
    );
    const order = d.actions();
    expect(order.indexOf('ip enable')).toBeLessThan(order.indexOf('drbd go-active'));
    expect(order.indexOf('drbd go-active')).toBeLessThan(order.indexOf('fs enable'));
    d.want('g', 'standby');
    d.untilGroup('g', 'standby');
    const down = d.actions().slice(order.length);
    expect(down.indexOf('fs disable')).toBeLessThan(down.indexOf('drbd go-standby'));
    expect(d.state('drbd')).toBe('enabled-standby');
  });

  it('of a state take the service down while they are not met', () => {
    const d = active(
      one(
        { app: {}, db: {} },
        {
          dependencies: [
            {
              type: 'state',
              service: 'app',
              state: 'enabled-active',
              action: null,
              dependent: 'db',
              dependentState: 'enabled-active',
            },
          ],
        },
      ),
    );
    d.die('db');
    d.untilSeen('app', 'disabled');
    d.untilGroup('g', 'active');
    d.untilState('app', 'enabled-active');
    expect(d.actions().slice(0, 2)).toEqual(['db enable', 'app enable']);
  });

  it('are not decided before the other one has been audited', () => {
    const d = driver(chain, {
      truth: { app: 'active', db: 'active', fs: 'active' },
      behaviour: (run) =>
        run.service === 'app' && run.action === 'audit-enabled' ? { afterMs: 5000 } : undefined,
    });
    d.want('g', 'disabled');
    d.pass(4000);
    expect(d.actions()).toEqual([]);
    d.untilGroup('g', 'disabled');
    expect(d.actions()).toEqual(['app disable', 'db disable', 'fs disable']);
  });
});

describe('opposite orders', () => {
  it('kill the running script and wait for its end', () => {
    const d = driver(one({ web: {} }), {
      behaviour: (run) => (run.action === 'enable' ? { afterMs: 5000 } : undefined),
    });
    d.want('g', 'active');
    d.untilState('web', 'enabling');
    d.want('g', 'disabled');
    expect(d.effects.filter((effect) => effect.type === 'kill')).toHaveLength(1);
    expect(d.actions('web')).toEqual(['enable']);
    d.untilGroup('g', 'disabled');
    expect(d.actions('web')).toEqual(['enable', 'disable']);
    expect(d.engine.load).toMatchObject({ running: 0, tickets: 0 });
  });

  it('drop ends of runs that nobody waits for', () => {
    const d = active(one({ web: {} }));
    const done = {
      type: 'run.done',
      outcome: { kind: 'exit', code: 1 },
      outputTail: '',
      durationMs: 1,
    } as const;
    d.step({ ...done, run: 1 });
    d.step({ ...done, run: 999 });
    expect(d.engine.unknownRuns).toBe(2);
    expect(d.state('web')).toBe('enabled-active');
  });
});

describe('unmanaged services', () => {
  it('run no script, pass transitions, and are audited when managed again', () => {
    const d = active(one({ web: {}, app: {} }, { dependencies: pair('app', 'web') }));
    d.step({ type: 'service.manage', service: 'web', managed: false, reason: 'upgrade' });
    expect(d.effects).toContainEqual({
      type: 'persist.managed',
      service: 'web',
      managed: false,
      reason: 'upgrade',
      until: 0,
    });
    const before = d.runs.filter((run) => run.service === 'web').length;
    d.die('web');
    d.pass(60_000);
    expect(d.engine.service('web')).toMatchObject({ state: 'enabled-active', managed: false, failCount: 0 });
    expect(d.engine.service('web').reason).toContain('died while');
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled');
    // It is not known to be stopped.
    expect(d.engine.group('g').inactive).toBe(false);
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    expect(d.runs.filter((run) => run.service === 'web')).toHaveLength(before);
    d.step({ type: 'service.manage', service: 'web', managed: true, reason: 'done' });
    d.untilSeen('web', 'disabled');
    d.untilState('web', 'enabled-active');
    expect(d.engine.service('web').failCount).toBe(0);
  });

  it('stay so over a restart', () => {
    const d = driver(one({ web: {} }), {
      restored: {
        groups: [{ group: 'g', desired: 'active' }],
        services: [{ service: 'web', managed: false }],
      },
    });
    d.untilGroup('g', 'active');
    expect(d.runs).toEqual([]);
  });
});

describe('limits', () => {
  it('on enabling at once are kept', () => {
    const services = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`s${n}`, {}]));
    const d = driver(one(services, { throttle: 2 }));
    let most = 0;
    d.want('g', 'active');
    d.until(() => {
      const enabling = d.engine.services().filter((service) => service.state === 'enabling').length;
      most = Math.max(most, enabling);
      return d.engine.group('g').state === 'active';
    });
    expect(most).toBe(2);
    expect(d.engine.load.tickets).toBe(0);
  });

  it('on running scripts are kept, stopping first', () => {
    const services = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`s${n}`, {}]));
    const d = active(one(services), { maxRunning: 3 });
    expect(d.mostRunning).toBe(3);
    for (const service of d.engine.services()) d.step({ type: 'service.audit', service: service.name });
    expect(d.engine.load.running).toBe(3);
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled');
    expect(d.mostRunning).toBe(3);
    expect(d.engine.load.running).toBe(0);
  });
});
