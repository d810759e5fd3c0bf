import { describe, expect, it } from 'vitest';
import type { GroupState } from '../../../src/core/kernel/names.ts';
import { definitionSet, type ServiceSketch } from '../../support/local-definitions.ts';
import { LocalDriver } from '../../support/local-driver.ts';

const LIMIT_MS = 5000;

function driver(services: Readonly<Record<string, ServiceSketch>>): LocalDriver {
  const set = definitionSet({ groups: { g: { services, exclusive: true } } });
  return new LocalDriver(set, { barriers: new Map([['g', LIMIT_MS]]) });
}

const notified = (d: LocalDriver, state: GroupState): void =>
  d.step({ type: 'group.notified', group: 'g', state, problem: '' });

describe('a group that waits for its hooks', () => {
  it('starts nothing before they have ended, and says what it waits for', () => {
    const d = driver({ web: {} });
    d.want('g', 'active');
    d.pass(LIMIT_MS - 1);
    expect(d.actions()).toEqual([]);
    const reason = 'waits for the notification hooks of g (go-active)';
    const waits = d.engine.waits().map(({ entity, reason, until }) => ({ entity, reason, until }));
    expect(waits).toEqual([
      { entity: 'group', reason, until: 1000 + LIMIT_MS },
      { entity: 'service', reason, until: 1000 + LIMIT_MS },
    ]);
    notified(d, 'go-active');
    d.untilGroup('g', 'active');
    expect(d.actions()).toEqual(['web enable']);
    expect(d.history('g').map(({ cause }) => cause)).not.toContain('notification-late');
  });

  it('makes ready what may be ready: only what activates is held up', () => {
    const d = driver({ drbd: { promotable: true } });
    d.want('g', 'active');
    d.pass(1000);
    expect(d.actions()).toEqual(['drbd enable']);
    expect(d.truth.get('drbd')).toBe('standby');
    notified(d, 'go-active');
    d.untilGroup('g', 'active');
  });

  it('goes on at the limit, and the history says so', () => {
    const d = driver({ web: {} });
    d.want('g', 'active');
    d.untilGroup('g', 'active', LIMIT_MS + 1000);
    expect(d.history('g').find(({ cause }) => cause === 'notification-late')).toMatchObject({
      reason: 'the hooks were told of go-active and did not end within 5000 ms: the group goes on',
    });
  });

  it('does not count as stopped before they have ended', () => {
    const d = driver({ web: {} });
    d.want('g', 'active');
    notified(d, 'go-active');
    d.untilGroup('g', 'active');
    d.want('g', 'standby');
    d.pass(1000);
    expect(d.truth.get('web')).toBe('stopped');
    expect(d.engine.group('g')).toMatchObject({ state: 'go-standby', inactive: false });
    notified(d, 'go-standby');
    expect(d.engine.group('g')).toMatchObject({ state: 'standby', inactive: true });
    d.want('g', 'active', 2);
    notified(d, 'go-active');
    d.untilGroup('g', 'active');
    d.want('g', 'disabled');
    d.pass(1000);
    expect(d.engine.group('g').state).toBe('disabling');
    d.untilGroup('g', 'disabled', LIMIT_MS);
  });

  it('is not released by a word about another change', () => {
    const d = driver({ web: {} });
    d.want('g', 'active');
    for (const state of ['standby', 'go-standby', 'initial'] as const) notified(d, state);
    d.pass(100);
    expect(d.actions()).toEqual([]);
    d.want('g', 'standby');
    notified(d, 'go-active');
    expect(d.engine.group('g').inactive).toBe(d.engine.group('g').state === 'standby');
    d.want('g', 'active', 2);
    d.pass(100);
    expect(d.actions()).toEqual([]);
    notified(d, 'go-active');
    d.untilGroup('g', 'active');
  });

  it('waits for nobody when it has lost its permission', () => {
    const d = driver({ web: {} });
    d.want('g', 'active');
    notified(d, 'go-active');
    d.untilGroup('g', 'active');
    d.step({ type: 'group.revoke', group: 'g', reason: 'test' });
    d.until(() => d.engine.group('g').inactive, 1000);
    expect(d.truth.get('web')).toBe('stopped');
  });
});

describe('hooks that hang on both nodes of a pair', () => {
  const set = definitionSet({ groups: { g: { services: { web: {} }, exclusive: true } } });
  /** How long a swact takes, from one node to the other, and a take-over, where that one begins at once. */
  function durations(barriers: ReadonlyMap<string, number>): { swact: number; takeover: number } {
    const from = new LocalDriver(set, { barriers });
    from.want('g', 'active');
    from.untilGroup('g', 'active', LIMIT_MS + 1000);
    const begun = from.now;
    from.want('g', 'standby');
    from.untilGroup('g', 'standby', LIMIT_MS + 1000);
    expect(from.engine.group('g').inactive).toBe(true);
    const to = new LocalDriver(set, { barriers });
    const taken = to.now;
    to.want('g', 'active', 2);
    to.untilGroup('g', 'active', LIMIT_MS + 1000);
    const takeover = to.now - taken;
    return { swact: from.now - begun + takeover, takeover };
  }

  it('delay a take-over by their limit at most, and a swact by that of each node', () => {
    const without = durations(new Map());
    const hung = durations(new Map([['g', LIMIT_MS]]));
    // Between the two, one event more or less.
    const fuzzMs = 100;
    expect(hung.takeover - without.takeover).toBeGreaterThan(LIMIT_MS - fuzzMs);
    expect(hung.takeover - without.takeover).toBeLessThanOrEqual(LIMIT_MS + fuzzMs);
    expect(hung.swact - without.swact).toBeGreaterThan(2 * (LIMIT_MS - fuzzMs));
    expect(hung.swact - without.swact).toBeLessThanOrEqual(2 * (LIMIT_MS + fuzzMs));
  });
});
