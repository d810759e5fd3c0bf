import { beforeEach, describe, expect, test } from 'vitest';
import type { FenceResult } from '../../../src/core/arbiter/fence.ts';
import type { ShotWindow } from '../../../src/core/arbiter/shot-window.ts';
import type { ClusterContext } from '../../../src/core/cluster/context.ts';
import { PeerFencing } from '../../../src/core/cluster/peer-fencing.ts';
import { PeerState } from '../../../src/core/cluster/peer-state.ts';
import type { DomainRole } from '../../../src/core/cluster/role.ts';
import type { FenceDeviceDefinition } from '../../../src/core/definitions/arbiter-model.ts';
import type { EngineEffect } from '../../../src/core/engine-interface.ts';
import { Timers } from '../../../src/core/kernel/timers.ts';
import { A, B } from '../../support/cluster-driver.ts';
import { emptyReport } from '../../support/guard-driver.ts';

const D = 800;
const ABLE = { able: true, forced: true, connected: true };
const deviceOf = (node: string): FenceDeviceDefinition => ({
  name: `bmc-${node}`,
  node,
  level: 1,
  agent: 'fence_ipmilan',
  parameters: [],
  secrets: [],
  statusLimitMs: 5000,
  offLimitMs: 3000,
  verifyLimitMs: 5000,
});

let effects: EngineEffect[];
let peer: PeerState;
let fencing: PeerFencing;

interface Site {
  readonly devices?: readonly FenceDeviceDefinition[];
  /** Who holds the only group, which is critical. */
  readonly holder?: string;
  readonly leader?: string;
  readonly offTimes?: string;
}

function site({ devices = [deviceOf(A), deviceOf(B)], holder = A, leader = A, offTimes = '' }: Site): void {
  effects = [];
  peer = new PeerState(B, '', 300);
  const emit = (effect: EngineEffect): void => void effects.push(effect);
  const group = { members: [{ failureImpact: 'critical' }] };
  const context = {
    me: A,
    peer,
    definitions: {
      domain: { deadIntervalMs: D },
      groups: new Map([['web', group]]),
      arbiters: { etcd: null, disk: null, gateways: [], fencing: { devices, verifyGapMs: 200, delayMs: 0 } },
    },
    timers: new Timers(emit),
    numbers: { all: () => [{ group: 'web', holder }] },
    emit,
    history: () => {},
  } as unknown as ClusterContext;
  fencing = new PeerFencing(context, { leads: leader === A, leader } as DomainRole, offTimes);
  audited(100, 0);
}

function audited(tookMs: number, now: number): void {
  const told = { arbiter: `bmc-${B}`, ready: true, cause: null, reason: '', checkedAt: now, tookMs } as const;
  fencing.onReadiness({ ...told, tie: 'tied' }, now);
}

function hears(shotsMs?: number): void {
  const report = emptyReport(shotsMs === undefined ? {} : { shotsMs });
  const fact = { type: 'guard.peer', heard: true, processLife: 'p', kernelLife: 'k', stopBoundMs: 300 };
  peer.apply(fact as Parameters<typeof peer.apply>[0]);
  peer.apply({ type: 'guard.report', report, version: 1, managerDownMs: 0, linkBits: 0, leaving: false });
}

function silent(now: number, need = ABLE): void {
  const since = now - D;
  peer.apply({ type: 'guard.peer', heard: false, since, mayTake: false, reason: 'silent', stopBoundMs: 300 });
  fencing.judge(peer, need, now);
}

/** Undefined = it does not fence. */
const window = (): ShotWindow | null | undefined =>
  effects.flatMap((effect) => (effect.type === 'guard.fence-peer' ? [effect.window] : [])).at(-1);

const failed: FenceResult = {
  outcome: 'failed',
  cause: 'timeout',
  reason: 'no answer',
  attempts: [],
  tookMs: 1,
  provenAt: null,
};

describe('what is announced', () => {
  test('by the limits first, then by the audits and the slowest fencing', () => {
    site({});
    // 2 x 100 + 200 for the reading, and the limit for the order.
    expect(fencing.shotsMs).toBe(3400);
    fencing.onResult({ ...failed, outcome: 'fenced', off: { devices: [`bmc-${B}`], tookMs: 300 } }, 1);
    expect(fencing.shotsMs).toBe(2700);
    const stored = effects.find((effect) => effect.type === 'persist.off-times');
    site({ offTimes: stored?.text ?? '' });
    expect(fencing.shotsMs).toBe(2700);
    fencing.onResult({ ...failed, outcome: 'fenced', off: { devices: [`bmc-${B}`], tookMs: 200 } }, 2);
    expect(effects).toEqual([]);
  });
  test('nothing without a device that may be used, and nothing is taken back', () => {
    site({ devices: [deviceOf(A)] });
    expect(fencing.shotsMs).toBe(0);
    site({});
    const lying = {
      ready: false,
      cause: 'lying',
      reason: 'another machine',
      checkedAt: 1,
      tookMs: 1,
    } as const;
    fencing.onReadiness({ ...lying, arbiter: `bmc-${B}`, tie: 'foreign' }, 1);
    expect(fencing.shotsMs).toBe(3400);
  });
});

describe('two that can shoot each other', () => {
  test('the one with more to lose shoots at once, within what it has announced', () => {
    site({});
    hears(2000);
    silent(10_000);
    expect(window()).toMatchObject({ from: 10_000, until: 13_400 });
  });
  test('the other one waits for what was announced to it, and d', () => {
    site({ holder: B });
    hears(2000);
    silent(10_000);
    expect(window()).toMatchObject({ from: 12_800, until: 16_200 });
  });
  test('for all that the limits allow where nothing was announced: an older program', () => {
    site({ holder: B });
    hears();
    silent(10_000);
    const limitMs = 2 * (5000 + 200) - 200 + 3000 + 5000 + 2 * (5000 + 200);
    expect(window()).toMatchObject({ from: 10_000 + limitMs + D });
  });
  test('one that does not hear us can not announce it again, and has not taken it back', () => {
    site({ holder: B });
    hears(2000);
    fencing.judge(peer, ABLE, 9000);
    hears();
    silent(10_000);
    expect(window()).toMatchObject({ from: 12_800, until: 16_200 });
  });
  test('what was announced a moment before the silence is not relied on', () => {
    site({});
    hears(2000);
    audited(900, 9000);
    silent(10_000);
    expect(window()?.until).toBe(13_400);
    site({});
    hears(2000);
    audited(900, 5000);
    silent(10_000);
    expect(window()?.until).toBe(15_000);
  });
  test('after a failure each tries again in its own time', () => {
    site({});
    hears(2000);
    silent(10_000);
    fencing.onResult(failed, 10_500);
    fencing.judge(peer, ABLE, 15_500);
    // 3400 + 800, 2000 + 800: the next round begins 7000 after the first.
    expect(window()).toMatchObject({ from: 17_000, until: 20_400 });
    expect(effects.filter(({ type }) => type === 'guard.fence-peer')).toHaveLength(2);
  });
});

describe('a reason to shoot', () => {
  beforeEach(() => site({}));
  test('who leads and has everything does it because the other one would', () => {
    hears(2000);
    silent(10_000);
    expect(window()).toBeDefined();
  });
  test('not at one that has said that it leaves', () => {
    hears(2000);
    const fact = { type: 'guard.peer-links', reportVersion: 1, linkBits: 0, managerDownMs: 0 } as const;
    peer.apply({ ...fact, leaving: true });
    silent(10_000);
    expect(window()).toBeUndefined();
  });
  test('not where this sm has not heard it: it may have said so to the one before', () => {
    silent(10_000);
    expect(window()).toBeUndefined();
    expect(fencing.lastResult).toBe('');
  });
  test('a restart of sm-watchdog makes no new silence of it', () => {
    hears(2000);
    silent(10_000);
    fencing.onResult(failed, 60_000);
    peer.forget();
    fencing.judge(peer, ABLE, 75_000);
    silent(76_000);
    expect(effects.filter(({ type }) => type === 'guard.fence-peer')).toHaveLength(1);
  });
  test('not again and again: who has not been shot in a minute is not shot', () => {
    hears(2000);
    silent(10_000);
    fencing.onResult(failed, 60_000);
    fencing.judge(peer, ABLE, 75_000);
    expect(effects.filter(({ type }) => type === 'guard.fence-peer')).toHaveLength(1);
  });
  test('not where this node has nothing, or can not be shot', () => {
    site({ holder: '' });
    silent(10_000);
    expect(window()).toBeUndefined();
    site({ devices: [deviceOf(B)] });
    silent(10_000);
    expect(window()).toBeUndefined();
  });
  test('at once and without an end where there is something to gain and nobody shoots back', () => {
    site({ devices: [deviceOf(B)], holder: B });
    silent(10_000);
    expect(window()).toBeNull();
  });
});
