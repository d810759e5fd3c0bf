import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/core/kernel/limits.ts';
import { HEALTH_PERFECT, healthOf } from '../../../src/core/service/health.ts';
import type { RunEffect } from '../../../src/core/service/interface.ts';
import type { GroupSketch, ServiceSketch } from '../../support/local-definitions.ts';
import { definitionSet, needs, pair } from '../../support/local-definitions.ts';
import { type DriverOptions, LocalDriver, testToken } from '../../support/local-driver.ts';

function driver(
  services: Record<string, ServiceSketch>,
  rest: Partial<GroupSketch> & { nodes?: string[]; dependencies?: ReturnType<typeof pair> } = {},
  options: DriverOptions = {},
): LocalDriver {
  const { nodes, dependencies, ...group } = rest;
  const sketch = {
    groups: { g: { services, ...group } },
    ...(nodes === undefined ? {} : { nodes }),
    ...(dependencies === undefined ? {} : { dependencies }),
  };
  return new LocalDriver(definitionSet(sketch), options);
}

function active(...args: Parameters<typeof driver>): LocalDriver {
  const d = driver(...args);
  d.want('g', 'active');
  d.untilGroup('g', 'active');
  return d;
}

/** Kills it until it is parked as failed. */
function park(d: LocalDriver, service: string): void {
  d.die(service);
  d.untilState(service, 'enabled-active');
  d.die(service);
  d.until(() => d.engine.service(service).status === 'failed');
}

describe('health', () => {
  it('is the complement of failed, degraded and warn counts, 48 bits', () => {
    expect(healthOf(0, 0, 0)).toBe(281_474_976_710_655);
    expect(BigInt(healthOf(1, 2, 3))).toBe(0xffffffffffffn & ~((1n << 32n) | (2n << 16n) | 3n));
    expect(healthOf(70_000, 0, 0)).toBe(healthOf(65_535, 0, 0));
    expect(healthOf(1, 0, 0)).toBeLessThan(healthOf(0, 65_535, 65_535));
  });
});

describe('aggregation', () => {
  it('gives the same view again as long as nothing in it changes', () => {
    const d = active({ a: {}, b: {} });
    const before = d.engine.group('g');
    d.engine.step({ type: 'group.recover', group: 'g', clearFatal: false, forgive: false }, d.now);
    expect(d.engine.group('g')).toBe(before);
    park(d, 'b');
    expect(d.engine.group('g')).not.toEqual(before);
  });

  it.each([
    ['critical', 'failed', healthOf(1, 0, 0), 'b(disabled, failed)'],
    ['major', 'degraded', healthOf(0, 1, 0), 'b(disabled, failed)'],
    ['minor', 'warn', healthOf(0, 0, 1), 'b(disabled, failed)'],
    ['none', '', HEALTH_PERFECT, 'g wanted active: test'],
  ] as const)('of a failed %s member', (impact, status, health, reason) => {
    const d = active({ a: {}, b: { impact } }, { overrides: { redundancyModel: 'N + M', nActive: 1 } });
    park(d, 'b');
    const condition = impact === 'critical' ? 'recovery-failure' : '';
    expect(d.engine.group('g')).toMatchObject({ state: 'active', status, health, reason, condition });
  });

  it('holds a failure against a member for the debounce after its recovery', () => {
    const d = active({ a: {} }, { overrides: { redundancyModel: 'N + M', nActive: 1 } });
    park(d, 'a');
    d.step({ type: 'service.recover', service: 'a' });
    d.untilState('a', 'enabled-active');
    d.pass(299_000);
    expect(d.engine.service('a').status).toBe('');
    // With its condition where it does not run: the plan goes by that when it looks for a node.
    expect(d.engine.group('g')).toMatchObject({ status: 'failed', condition: '' });
    d.want('g', 'standby');
    expect(d.engine.group('g')).toMatchObject({ status: 'failed', condition: 'recovery-failure' });
    d.pass(2000);
    expect(d.engine.group('g')).toMatchObject({ status: '', condition: '', health: HEALTH_PERFECT });
  });

  it('forgets a failure at once when an operator says that it is mended, but not one that lasts', () => {
    const recover = { type: 'group.recover', group: 'g', clearFatal: true, forgive: true } as const;
    const d = active({ a: {} });
    park(d, 'a');
    d.step(recover);
    expect(d.engine.group('g')).toMatchObject({ status: '', condition: '' });
    d.untilState('a', 'enabled-active');
    park(d, 'a');
    d.step({ ...recover, forgive: false });
    d.untilState('a', 'enabled-active');
    expect(d.engine.group('g').status).toBe('failed');
  });

  it('forgets ten times sooner on a single node', () => {
    const d = active({ a: {} }, { nodes: ['controller-0'] });
    park(d, 'a');
    d.step({ type: 'service.recover', service: 'a' });
    d.untilState('a', 'enabled-active');
    d.pass(31_000);
    expect(d.engine.group('g').status).toBe('');
  });

  it('holds each failure of a row for longer than the one before, whatever the debounce', () => {
    const d = active({ a: {} }, { exclusive: true, overrides: { failureDebounceMs: 0 } });
    const { failureHoldMsMin, failureForgottenMs } = LIMITS;
    const heldMs = () => {
      park(d, 'a');
      d.want('g', 'standby');
      const from = d.now;
      d.until(() => d.engine.group('g').status === '');
      const ms = d.now - from;
      d.want('g', 'active');
      d.untilGroup('g', 'active');
      return Math.round(ms / 1000) * 1000;
    };
    expect([heldMs(), heldMs(), heldMs()]).toEqual([1, 2, 4].map((times) => times * failureHoldMsMin));
    d.pass(failureForgottenMs);
    expect(heldMs()).toBe(failureHoldMsMin);
  });

  it('is not over while the group is being stopped for it', () => {
    const d = active({ a: {}, b: {} }, { exclusive: true, overrides: { failureDebounceMs: 0 } });
    d.behaviour = (run) => (run.service === 'b' && run.action === 'disable' ? { afterMs: 9000 } : undefined);
    park(d, 'a');
    d.want('g', 'standby');
    d.pass(LIMITS.failureHoldMsMin + 1000);
    expect(d.engine.group('g')).toMatchObject({ state: 'go-standby', status: 'failed' });
    d.untilGroup('g', 'standby');
    expect(d.engine.group('g').status).toBe('failed');
  });

  it('of a group active on both nodes is degraded, not failed, while a member is healthy', () => {
    const d = active({ a: {}, b: {} });
    park(d, 'b');
    expect(d.engine.group('g')).toMatchObject({ status: 'degraded', health: healthOf(1, 0, 0) });
    park(d, 'a');
    expect(d.engine.group('g').status).toBe('failed');
  });

  it('keeps the gravest condition and cuts a long reason', () => {
    const names = Array.from({ length: 12 }, (_, n) => `service-with-a-long-name-${n}`);
    const d = active(Object.fromEntries(names.map((name) => [name, {}])));
    for (const name of names) park(d, name);
    const { reason, condition } = d.engine.group('g');
    expect(condition).toBe('recovery-failure');
    expect(reason.length).toBeLessThanOrEqual(256);
    expect(reason.endsWith(', ...')).toBe(true);
  });
});

describe('standby', () => {
  it('counts stopped services without a standby mode', () => {
    const d = active({ web: {}, drbd: { promotable: true } }, { exclusive: true });
    expect(d.engine.group('g')).toMatchObject({ inactive: false, activation: 1 });
    d.want('g', 'standby');
    d.untilGroup('g', 'standby');
    expect(d.state('web')).toBe('disabled');
    expect(d.state('drbd')).toBe('enabled-standby');
    expect(d.engine.group('g')).toMatchObject({ status: '', inactive: true, activation: 0 });
  });

  it('is not reached while anything may be active', () => {
    const d = active({ web: {} }, { exclusive: true });
    d.behaviour = (run) => (run.action === 'disable' ? { end: 1 } : undefined);
    d.want('g', 'standby');
    d.pass(600_000);
    expect(d.engine.group('g')).toMatchObject({ state: 'go-standby', inactive: false, activation: 1 });
    expect(d.engine.group('g').reason).toBe('web(disabling, failed)');
  });
});

describe('an ordered stop', () => {
  it('that only a rule calls a success is audited at once', () => {
    const d = active({ Filesystem: { type: 'ocf-script', kernelState: true } }, { exclusive: true });
    d.behaviour = (run) => (run.action === 'disable' ? { end: 1 } : undefined);
    d.truth.set('Filesystem', 'stopped');
    d.want('g', 'standby');
    d.pass(10);
    expect(d.state('Filesystem')).toBe('disabled');
    expect(d.engine.group('g').inactive).toBe(false);
    d.untilGroup('g', 'standby', 20);
    expect(d.engine.group('g').inactive).toBe(true);
  });
});

describe('permission', () => {
  it('goes along with every activating script, and with no other', () => {
    const d = active({ web: {}, drbd: { promotable: true } }, { exclusive: true });
    const token = (service: string, action: string) =>
      d.runs.find((run) => run.service === service && run.action === action)?.token;
    expect(token('web', 'enable')).toMatchObject({ group: 'g', activation: 1 });
    expect(token('drbd', 'enable')).toBeNull();
    expect(token('drbd', 'go-active')).toMatchObject({ group: 'g', activation: 1 });
  });

  it('that has run out is waited for', () => {
    const d = driver({ web: {} }, { exclusive: true });
    const want = (deadline: number) =>
      d.step({
        type: 'group.want',
        group: 'g',
        desired: 'active',
        token: testToken('g', 3, deadline),
        reason: 'test',
      });
    want(d.now + 5);
    d.pass(60_000);
    expect(d.actions()).toEqual([]);
    expect(d.engine.service('web').wait?.reason).toBe('waits for permission to activate g on this node');
    want(d.now + 1000);
    d.untilGroup('g', 'active');
    expect(d.engine.group('g').activation).toBe(3);
  });

  it('refused by the performer because it ran out is no failure of the script', () => {
    const d = driver(
      { web: {} },
      { exclusive: true },
      {
        behaviour: (run) =>
          run.token !== null && run.token.deadline < 2000
            ? { end: { kind: 'refused', reason: 'permission has run out' }, afterMs: 900 }
            : undefined,
      },
    );
    const token = testToken('g', 1, d.now + 500);
    d.step({ type: 'group.want', group: 'g', desired: 'active', token, reason: 'test' });
    d.pass(5000);
    expect(d.engine.service('web').failCount).toBe(0);
    d.want('g', 'active');
    d.untilGroup('g', 'active');
  });

  it('renewals wake nobody', () => {
    const d = active({ web: {} }, { exclusive: true });
    const before = d.effects.length;
    for (let n = 0; n < 10; n += 1) d.want('g', 'active');
    expect(d.effects.length).toBe(before);
  });

  it('is needed by a group restored as active', () => {
    const restored = { groups: [{ group: 'g', desired: 'active' as const }] };
    const d = driver({ web: {}, db: {} }, { exclusive: true }, { restored, truth: { web: 'active' } });
    d.pass(60_000);
    expect(d.actions()).toEqual([]);
    expect(d.engine.group('g')).toMatchObject({ state: 'initial', desired: 'active', inactive: false });
    d.want('g', 'active');
    d.untilGroup('g', 'active');
    expect(d.actions()).toEqual(['db enable']);
  });
});

describe('revoke', () => {
  const revoke = (d: LocalDriver) => d.step({ type: 'group.revoke', group: 'g', reason: 'peer is silent' });
  const killed = (d: LocalDriver) =>
    d.effects.flatMap((effect) => (effect.type === 'kill.service' ? [effect.service] : []));

  it('kills everything active and stops it at once, in parallel, in any order', () => {
    const d = active(
      { app: { kernelState: true }, db: {}, drbd: { promotable: true } },
      {
        exclusive: true,
        dependencies: [...pair('app', 'db'), needs('drbd', 'go-standby', 'db', 'disabled')],
      },
      { maxRunning: 1 },
    );
    const before = d.runs.length;
    revoke(d);
    expect(killed(d)).toEqual(['app', 'db', 'drbd']);
    expect(
      d.runs
        .slice(before)
        .map((run) => `${run.service} ${run.action}`)
        .sort(),
    ).toEqual(['app disable', 'db disable', 'drbd disable']);
    expect(d.engine.group('g').inactive).toBe(false);
    d.pass(10);
    expect(d.engine.group('g')).toMatchObject({ state: 'disabled', inactive: true, activation: 0 });
  });

  it('kills a running activating script, and is done only after its end', () => {
    const d = driver(
      { web: {} },
      { exclusive: true },
      { behaviour: (run) => (run.action === 'enable' ? { afterMs: 5000 } : undefined) },
    );
    d.want('g', 'active');
    d.untilState('web', 'enabling');
    d.pass(1);
    revoke(d);
    expect(d.effects.some((effect) => effect.type === 'kill')).toBe(true);
    expect(d.actions()).toEqual(['web enable']);
    d.untilGroup('g', 'disabled');
    expect(d.engine.group('g').inactive).toBe(true);
    expect(d.actions()).toEqual(['web enable', 'web disable']);
  });

  it('lets standby services be stopped in peace', () => {
    const d = driver({ drbd: { promotable: true } }, { exclusive: true });
    d.want('g', 'standby');
    d.untilGroup('g', 'standby');
    revoke(d);
    expect(killed(d)).toEqual([]);
    d.untilGroup('g', 'disabled');
  });

  it('is proven by an audit where the stop script fails', () => {
    const d = active({ web: {} }, { exclusive: true });
    d.behaviour = (run) => (run.action === 'disable' ? { end: 1 } : undefined);
    revoke(d);
    d.pass(100);
    expect(d.state('web')).toBe('disabled');
    expect(d.engine.group('g').inactive).toBe(true);
  });

  it('is proven by a kill where every script fails, at once where the stop script had failed before', () => {
    const failing = (run: RunEffect) =>
      run.action === 'enable' ? undefined : ({ end: { kind: 'signal', signal: 'SIGSEGV' } } as const);
    const d = active({ web: {} }, { exclusive: true });
    d.behaviour = failing;
    revoke(d);
    d.untilGroup('g', 'disabled', 10_000);
    expect(d.runs.at(-1)).toMatchObject({ action: 'disable', killsInstead: true });
    expect(d.engine.group('g').inactive).toBe(true);

    const stuck = active({ web: {} }, { exclusive: true });
    stuck.behaviour = failing;
    stuck.want('g', 'standby');
    stuck.pass(60_000);
    expect(stuck.engine.group('g')).toMatchObject({ inactive: false, stuck: expect.stringMatching(/^web/) });
    revoke(stuck);
    stuck.untilGroup('g', 'disabled', 100);
    expect(stuck.engine.group('g')).toMatchObject({ inactive: true, stuck: '' });
  });

  it('of what outlives processes is not proven by a kill', () => {
    const d = active({ fs: { kernelState: true } }, { exclusive: true });
    d.behaviour = () => ({ end: { kind: 'signal', signal: 'SIGSEGV' } });
    revoke(d);
    d.pass(600_000);
    expect(d.runs.filter(({ killsInstead }) => killsInstead)).toEqual([]);
    expect(d.engine.group('g').inactive).toBe(false);
  });

  it('is not proven by a stop that only a rule calls a success', () => {
    const d = active(
      { Filesystem: { type: 'ocf-script', kernelState: true, without: ['audit-disabled'] } },
      { exclusive: true },
    );
    let mounted = true;
    d.behaviour = (run) => {
      if (run.action === 'disable') return { end: 1 };
      return run.action === 'audit-enabled' && mounted ? { end: 0 } : undefined;
    };
    revoke(d);
    d.pass(60_000);
    expect(d.engine.group('g')).toMatchObject({ state: 'disabling', inactive: false });
    expect(d.runs.length, 'with pauses').toBeLessThan(30);
    mounted = false;
    d.pass(31_000);
    expect(d.engine.group('g')).toMatchObject({ state: 'disabled', inactive: true });
  });

  it('never claims what is not proven, and never gives up', () => {
    const d = active({ fs: { kernelState: true } }, { exclusive: true });
    let stuck = true;
    d.behaviour = (run) => {
      if (!stuck) return undefined;
      if (run.action === 'disable') return { end: 1, tail: 'device is busy' };
      return run.action === 'audit-enabled' ? { end: 0 } : undefined;
    };
    revoke(d);
    d.pass(3_600_000);
    expect(d.engine.group('g')).toMatchObject({ state: 'disabling', inactive: false, status: 'failed' });
    expect(d.runs.length, 'with pauses').toBeLessThan(400);
    stuck = false;
    d.pass(31_000);
    expect(d.engine.group('g').inactive).toBe(true);
  });

  it('reaches services that are not managed', () => {
    const d = active({ web: {} }, { exclusive: true });
    d.step({ type: 'service.manage', service: 'web', managed: false, reason: 'upgrade' });
    revoke(d);
    d.untilGroup('g', 'disabled');
    expect(d.engine.group('g').inactive).toBe(true);
    expect(d.truth.get('web')).toBe('stopped');
  });

  it('at any moment of a start ends with nothing active', () => {
    for (let moment = 0; moment < 80; moment += 1) {
      const d = driver(
        { web: {}, drbd: { promotable: true } },
        { exclusive: true, dependencies: pair('web', 'drbd') },
      );
      d.want('g', 'active');
      d.pass(moment);
      revoke(d);
      d.until(() => d.engine.group('g').inactive, 1000);
      expect(d.truth.get('web') ?? 'stopped').toBe('stopped');
      expect(d.truth.get('drbd') ?? 'stopped').not.toBe('active');
      d.want('g', 'active', 2);
      d.untilGroup('g', 'active');
      expect(d.engine.group('g').activation).toBe(2);
    }
  });
});

describe('history', () => {
  it('tells every change with cause and chain of reasons, and stores each once', () => {
    const d = active({ web: {} });
    expect(d.history('g').map(({ from, to, cause }) => ({ from, to, cause }))).toEqual([
      { from: 'initial', to: 'go-active', cause: 'go-active' },
      { from: 'go-active', to: 'active', cause: 'members-changed' },
    ]);
    const count = d.effects.filter(
      (effect) => effect.type.startsWith('persist') || effect.type === 'history',
    ).length;
    d.pass(600_000);
    const later = d.effects.filter(
      (effect) => effect.type.startsWith('persist') || effect.type === 'history',
    ).length;
    expect(later).toBe(count);
  });

  it('names who asked', () => {
    const d = active({ web: {} });
    d.step({ type: 'group.want', group: 'g', desired: 'disabled', reason: 'lock', actor: 'admin' });
    expect(d.history('web').at(-1)).toMatchObject({ actor: 'admin' });
    expect(d.history('g').at(-1)).toMatchObject({ actor: 'admin', reason: expect.stringContaining('lock') });
  });
});
