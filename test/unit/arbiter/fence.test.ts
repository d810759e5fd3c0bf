import { describe, expect, test } from 'vitest';
import {
  type FenceEffect,
  type FenceResult,
  type FenceTarget,
  Fencing,
  type PowerAnswer,
} from '../../../src/core/arbiter/fence.ts';
import {
  deviceReadiness,
  fenceDelayMs,
  fenceRefusal,
  proofOf,
} from '../../../src/core/arbiter/fence-rules.ts';
import type { ArbiterCause } from '../../../src/core/arbiter/interface.ts';
import { known, unknown } from '../../../src/sim/register.ts';

const TARGET: FenceTarget = {
  node: 'controller-1',
  levels: [['bmc']],
  statusLimitMs: 1000,
  offLimitMs: 5000,
  verifyLimitMs: 2000,
  gapMs: 200,
};

interface Machine {
  /** What each device says to `status` at a time, and to `off`. */
  readonly status: (device: string, now: number, shots: readonly string[]) => PowerAnswer | ArbiterCause;
  readonly off?: (device: string) => PowerAnswer | ArbiterCause;
}

interface Told {
  readonly result: FenceResult;
  /** `off bmc 0`: action, device, time. */
  readonly calls: readonly string[];
}

const CAUSES: readonly string[] = ['unreachable', 'auth', 'refused', 'timeout', 'lying'];

/** Answers take 10 ms. */
function run(
  machine: Machine,
  options: { target?: Partial<FenceTarget>; delayMs?: number; aliveAt?: number; breaks?: string[] } = {},
): Told {
  const calls: string[] = [];
  const shots: string[] = [];
  const results: FenceResult[] = [];
  const queue: { at: number; work: () => void }[] = [];
  let now = 0;
  const perform = (effect: FenceEffect): void => {
    if (effect.type === 'result') results.push(effect.result);
    else if (effect.type === 'timer') {
      const { key, generation, at } = effect;
      if (at !== null) queue.push({ at, work: () => fencing.step({ type: 'timer', key, generation }, now) });
    } else {
      const { device, action, request } = effect;
      calls.push(`${action} ${device} ${now}`);
      const askedAt = now;
      queue.push({
        at: now + 10,
        work: () => {
          if (action === 'off') shots.push(device);
          const said =
            action === 'off' ? (machine.off?.(device) ?? 'done') : machine.status(device, now, shots);
          const answer = CAUSES.includes(said)
            ? unknown(askedAt, now, said as ArbiterCause)
            : known(said as PowerAnswer, askedAt, now);
          fencing.step({ type: 'answer', request, answer }, now);
        },
      });
    }
  };
  const fencing: Fencing = new Fencing({ ...TARGET, ...options.target }, perform, new Set(options.breaks));
  if (options.aliveAt !== undefined)
    queue.push({ at: options.aliveAt, work: () => fencing.step({ type: 'alive' }, now) });
  fencing.start(options.delayMs ?? 0, now);
  while (results.length === 0) {
    queue.sort((a, b) => a.at - b.at);
    const next = queue.shift();
    if (next === undefined) throw new Error(`it waits for nothing in ${fencing.state}: ${calls.join(', ')}`);
    now = next.at;
    next.work();
  }
  expect(results).toHaveLength(1);
  return { result: results[0]!, calls };
}

const dutiful: Machine = { status: (device, _now, shots) => (shots.includes(device) ? 'off' : 'on') };

test('already off: two readings 200 ms apart, no shot', () => {
  const { result, calls } = run({ status: () => 'off' }, { delayMs: 60_000 });
  expect(result.outcome).toBe('already-off');
  expect(calls).toEqual(['status bmc 0', 'status bmc 210']);
});

test('on: shot, then two readings of our own', () => {
  const { result, calls } = run(dutiful);
  expect(result).toMatchObject({ outcome: 'fenced', cause: null });
  expect(calls).toEqual(['status bmc 0', 'off bmc 10', 'status bmc 20', 'status bmc 230']);
});

test('a reading that is off once and on then is none', () => {
  const flicker: Machine = { status: (_device, now) => (now < 100 ? 'off' : 'on') };
  expect(run(flicker).result).toMatchObject({ outcome: 'failed', cause: 'lying' });
});

test.each<[string, Machine, ArbiterCause]>([
  ['can not be reached', { status: () => 'unreachable' }, 'unreachable'],
  ['knows another password', { status: () => 'auth' }, 'auth'],
  ['says done and stays on', { status: () => 'on' }, 'lying'],
  ['refuses the shot', { status: () => 'on', off: () => 'refused' }, 'refused'],
  [
    'is gone after the shot',
    { status: (_device, _now, shots) => (shots.length > 0 ? 'timeout' : 'on') },
    'timeout',
  ],
])('a device that %s proves nothing', (_name, machine, cause) => {
  const { result } = run(machine);
  expect(result).toMatchObject({ outcome: 'failed', cause });
  expect(result.reason).toContain('controller-1 is not proven off');
  expect(proofOf(result, 'life', 0)).toBeNull();
});

test('an agent that failed counts for nothing if the readings say off', () => {
  expect(run({ ...dutiful, off: () => 'timeout' }).result.outcome).toBe('fenced');
});

test('the break verify-off believes the agent', () => {
  expect(run({ status: () => 'on' }, { breaks: ['verify-off'] }).result.outcome).toBe('fenced');
});

describe('levels', () => {
  const two = { levels: [['bmc'], ['pdu-a', 'pdu-b']] };
  test('the next one is tried when one fails; all its devices have to be off', () => {
    const { result, calls } = run(
      {
        status: (device, now, shots) =>
          device === 'bmc' ? 'unreachable' : dutiful.status(device, now, shots),
      },
      { target: two },
    );
    expect(result.outcome).toBe('fenced');
    expect(calls.filter((call) => call.startsWith('off'))).toEqual(['off pdu-a 20', 'off pdu-b 20']);
  });
  test('one device that stays on keeps the node alive', () => {
    const { result } = run(
      {
        status: (device, _now, shots) => (device === 'pdu-b' ? 'on' : shots.includes(device) ? 'off' : 'on'),
      },
      { target: { levels: [['pdu-a', 'pdu-b']] } },
    );
    expect(result).toMatchObject({ outcome: 'failed', cause: 'lying' });
  });
  test('without devices it fails at once', () => {
    expect(run(dutiful, { target: { levels: [] } }).result).toMatchObject({ outcome: 'failed' });
  });
});

describe('the delay', () => {
  test('the shot waits for it, readings do not', () => {
    expect(run(dutiful, { delayMs: 5000 }).calls.slice(0, 2)).toEqual(['status bmc 0', 'off bmc 5000']);
  });
  test('a node that is heard meanwhile is not shot', () => {
    const { result, calls } = run(dutiful, { delayMs: 5000, aliveAt: 3000 });
    expect(result.outcome).toBe('cancelled');
    expect(calls).toEqual(['status bmc 0']);
  });
  test('after the shot nothing ends it', () => {
    expect(run(dutiful, { aliveAt: 15 }).result.outcome).toBe('fenced');
  });
  test.each([
    [{ criticalGroups: 2, leads: false }, { criticalGroups: 1, leads: true }, 0],
    [{ criticalGroups: 1, leads: true }, { criticalGroups: 2, leads: false }, 4800],
    [{ criticalGroups: 1, leads: true }, { criticalGroups: 1, leads: false }, 0],
    [{ criticalGroups: 1, leads: false }, { criticalGroups: 1, leads: true }, 4800],
  ])('%o against %o waits %i ms', (mine, theirs, delayMs) => {
    expect(fenceDelayMs(mine, theirs, 1000, 4000, 800)).toBe(delayMs);
    // Never both, never neither.
    expect(fenceDelayMs(theirs, mine, 1000, 4000, 800) === 0).toBe(delayMs !== 0);
  });
});

test('who has not heard its peer since its own start may not fence', () => {
  expect(fenceRefusal({ heardSinceStart: false, heard: false })).toContain('not heard since');
  expect(fenceRefusal({ heardSinceStart: true, heard: true })).toContain('is heard');
  expect(fenceRefusal({ heardSinceStart: true, heard: false })).toBe('');
});

describe('readiness', () => {
  const uuid = '03020100-0504-0706-0809-0a0b0c0d0e0f';
  const peer = { node: 'controller-1', productUuid: uuid };
  const look = (power: PowerAnswer, identity: string | null, heard = true) =>
    deviceReadiness({
      device: 'bmc',
      power: known(power, 0, 30),
      identity: identity === null ? null : known(identity, 0, 30),
      peer: heard ? peer : null,
    });
  test.each([
    [uuid.toUpperCase(), true],
    ['00010203-0405-0607-0809-0a0b0c0d0e0f', true],
    ['0f0e0d0c-0b0a-0908-0706-050403020100', true],
    ['13020100-0504-0706-0809-0a0b0c0d0e0f', false],
    ['', false],
  ])('identity %s', (identity, ready) => {
    expect(look('on', identity).ready).toBe(ready);
  });
  test('it must read on while the peer is heard, and may read anything while it is not', () => {
    expect(look('off', null)).toMatchObject({ ready: false, cause: 'lying' });
    expect(look('off', null, false)).toMatchObject({ ready: true, tookMs: 30 });
    expect(look('on', null)).toMatchObject({ ready: true });
  });
  test('what can not be asked is not ready, and says what to do', () => {
    const told = deviceReadiness({ device: 'bmc', power: unknown(0, 5, 'auth'), identity: null, peer });
    expect(told).toMatchObject({
      ready: false,
      cause: 'auth',
      reason: expect.stringContaining('correct user name'),
    });
  });
});
