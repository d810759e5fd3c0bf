import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HeartbeatDefinition } from '../../../src/core/definitions/model.ts';
import {
  HEARTBEAT_LEVELS,
  HeartbeatCount,
  type HeartbeatLevel,
} from '../../../src/core/service/heartbeat.ts';
import { definitionSet } from '../../support/local-definitions.ts';
import { LocalDriver } from '../../support/local-driver.ts';

const DEFINITION: HeartbeatDefinition = {
  address: '127.0.0.1',
  port: 4001,
  servicePort: 4002,
  message: 'alive?',
  intervalMs: 500,
  missedWarn: 1,
  missedDegrade: 2,
  missedFail: 3,
};

describe('the count', () => {
  it('crosses each limit once, by more than it, and comes back at once', () => {
    const count = new HeartbeatCount(DEFINITION);
    const levels = Array.from({ length: 6 }, () => count.interval(false));
    expect(levels).toEqual([null, 'warn', 'degrade', 'fail', null, null]);
    count.alive();
    expect(count.interval(false)).toBe('okay');
  });

  it('never misses what was late by ourselves, and a limit of 0 is off', () => {
    const count = new HeartbeatCount({ ...DEFINITION, missedWarn: 0, missedDegrade: 0 });
    for (let i = 0; i < 50; i += 1) expect(count.interval(true)).toBeNull();
    expect(Array.from({ length: 4 }, () => count.interval(false))).toEqual([null, null, null, 'fail']);
  });

  it('says the level of the misses in a row, whatever came before', () => {
    const steps = fc.array(fc.constantFrom('alive', 'interval'), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (order) => {
        const count = new HeartbeatCount(DEFINITION);
        let told: HeartbeatLevel = 'okay';
        let missed = 0;
        for (const step of order) {
          if (step === 'alive') {
            count.alive();
            missed = 0;
            continue;
          }
          missed += 1;
          told = count.interval(false) ?? told;
          expect(told).toBe(HEARTBEAT_LEVELS[Math.min(missed > 1 ? missed - 1 : 0, 3)]);
        }
      }),
    );
  });
});

describe('a service with a heartbeat', () => {
  function active() {
    const overrides = { heartbeat: DEFINITION };
    const d = new LocalDriver(definitionSet({ groups: { g: { services: { web: { overrides }, db: {} } } } }));
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    return d;
  }
  const beat = (d: LocalDriver, level: HeartbeatLevel, missed = 2) =>
    d.step({ type: 'service.heartbeat', service: 'web', level, missed });
  const asked = (d: LocalDriver) =>
    d.effects.flatMap((e) => (e.type === 'heartbeat' ? [`${e.service} ${e.on}`] : []));

  it('is listened to while it runs, and only it', () => {
    const d = active();
    expect(asked(d)).toEqual(['web true']);
    d.want('g', 'disabled');
    d.untilGroup('g', 'disabled');
    expect(asked(d)).toEqual(['web true', 'web false']);
  });

  it('has a status of its own, which a good audit does not hide', () => {
    const d = active();
    beat(d, 'warn');
    expect(d.engine.service('web')).toMatchObject({
      status: 'warn',
      reason: 'no answer to 2 heartbeats in a row',
    });
    beat(d, 'degrade');
    d.pass(20_000);
    expect(d.engine.group('g').status).toBe('degraded');
    beat(d, 'okay');
    expect(d.engine.group('g').status).toBe('');
  });

  it('that stops is restarted, and counts as a failure', () => {
    const d = active();
    beat(d, 'fail', 4);
    expect(d.state('web')).toBe('disabling');
    d.untilState('web', 'enabled-active');
    expect(d.engine.service('web')).toMatchObject({ failCount: 1, status: '' });
    expect(asked(d)).toEqual(['web true', 'web false', 'web true']);
    beat(d, 'fail', 4);
    d.pass(5000);
    expect(d.engine.service('web')).toMatchObject({ status: 'failed', condition: 'recovery-failure' });
  });

  it('is left alone while it is not managed, and when it is not listened to', () => {
    const d = active();
    d.step({ type: 'service.manage', service: 'web', managed: false, reason: 'debugging' });
    beat(d, 'fail');
    expect(d.state('web')).toBe('enabled-active');
    d.step({ type: 'service.heartbeat', service: 'db', level: 'fail', missed: 9 });
    d.step({ type: 'service.heartbeat', service: 'nobody', level: 'fail', missed: 9 });
    expect(d.state('db')).toBe('enabled-active');
  });
});
