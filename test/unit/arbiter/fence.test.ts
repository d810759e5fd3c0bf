import { describe, expect, test } from 'vitest';
import {
  type FenceEffect,
  type FenceResult,
  type FenceTarget,
  type FenceTargetDevice,
  Fencing,
  fencingLimitMs,
  type PowerAnswer,
} from '../../../src/core/arbiter/fence.ts';
import { FenceAudits, levelsOf, usableLevels } from '../../../src/core/arbiter/fence-audits.ts';
import {
  deviceReadiness,
  fenceWaitMs,
  proofOf,
  shootsSecond,
} from '../../../src/core/arbiter/fence-rules.ts';
import type { ArbiterCause, DeviceTie, Readiness } from '../../../src/core/arbiter/interface.ts';
import type { ShotWindow } from '../../../src/core/arbiter/shot-window.ts';
import { known, unknown } from '../../../src/sim/register.ts';

const LIMITS = { statusLimitMs: 1000, offLimitMs: 5000, verifyLimitMs: 2000 };
const named = (name: string): FenceTargetDevice => ({ name, ...LIMITS });
const TARGET: FenceTarget = { node: 'controller-1', levels: [[named('bmc')]], doubts: [], gapMs: 200 };

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

/** Answers take 10 ms if nothing else is said, and never longer than they may. */
function run(
  machine: Machine,
  options: {
    target?: Partial<FenceTarget>;
    window?: ShotWindow;
    tookMs?: number;
    aliveAt?: number;
    breaks?: string[];
  } = {},
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
      const { device, action, request, limitMs } = effect;
      calls.push(`${action} ${device} ${now}`);
      const askedAt = now;
      queue.push({
        at: now + Math.min(limitMs, options.tookMs ?? 10),
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
  fencing.start(options.window ?? null, now);
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
  const { result, calls } = run(
    { status: () => 'off' },
    { window: { from: 60_000, until: 70_000, budgets: [] } },
  );
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
  expect(proofOf(result, 'life', -1)).toBeNull();
});

test('an agent that failed counts for nothing if the readings say off', () => {
  expect(run({ ...dutiful, off: () => 'timeout' }).result.outcome).toBe('fenced');
});

test('the break verify-off believes the agent', () => {
  expect(run({ status: () => 'on' }, { breaks: ['verify-off'] }).result.outcome).toBe('fenced');
});

describe('levels', () => {
  const two = { levels: [[named('bmc')], [named('pdu-a'), named('pdu-b')]] };
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
      { target: { levels: [[named('pdu-a'), named('pdu-b')]] } },
    );
    expect(result).toMatchObject({ outcome: 'failed', cause: 'lying' });
  });
  test('without devices it fails at once', () => {
    const { result } = run(dutiful, { target: { levels: [] } });
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: 'no fence device is configured for controller-1',
    });
  });
  test('when the audits have left out all of them it says so', () => {
    const doubts = ["bmc: it has controller-0's power"];
    const { result } = run(dutiful, { target: { levels: [], doubts } });
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: "no fence device is known to be controller-1's: bmc: it has controller-0's power",
    });
  });
});

describe('where the other one can shoot back', () => {
  const budgets = [{ device: 'bmc', readMs: 300, offMs: 2000 }];
  const later = { from: 5000, until: 10_000, budgets };
  test('the shot waits for its time, readings do not', () => {
    expect(run(dutiful, { window: later }).calls.slice(0, 2)).toEqual(['status bmc 0', 'off bmc 5000']);
  });
  test('a node that is heard meanwhile is not shot', () => {
    const { result, calls } = run(dutiful, { window: later, aliveAt: 3000 });
    expect(result.outcome).toBe('cancelled');
    expect(calls).toEqual(['status bmc 0']);
  });
  test('after the shot nothing ends it', () => {
    expect(run(dutiful, { aliveAt: 15 }).result.outcome).toBe('fenced');
  });
  test('no shot begins that could end after its time', () => {
    const window = { from: 0, until: 2009, budgets };
    const { result, calls } = run(dutiful, { window });
    expect(result).toMatchObject({
      outcome: 'failed',
      cause: 'timeout',
      reason: expect.stringContaining('announced'),
    });
    expect(calls).toEqual(['status bmc 0']);
    expect(run(dutiful, { window: { ...window, until: 2010 } }).result.outcome).toBe('fenced');
  });
  test('a shot has what is left of it, and readings after it all the time that they need', () => {
    const limits: unknown[] = [];
    const fencing: Fencing = new Fencing(TARGET, (effect) => {
      if (effect.type !== 'power') return;
      limits.push([effect.action, effect.limitMs]);
    });
    const answer = (value: PowerAnswer, now: number): void =>
      fencing.step({ type: 'answer', request: limits.length, answer: known(value, now - 5, now) }, now);
    fencing.start({ from: 0, until: 2500, budgets }, 0);
    answer('on', 200);
    fencing.step({ type: 'timer', key: 'fence', generation: 1 }, 200);
    answer('done', 900);
    expect(limits).toEqual([
      ['status', 300],
      ['off', 2300],
      ['status', 1000],
    ]);
  });
  test('a level that does not answer leaves the next one its time', () => {
    const levels = [[named('bmc')], [named('pdu')]];
    const machine: Machine = {
      status: (device, now, shots) => (device === 'bmc' ? 'timeout' : dutiful.status(device, now, shots)),
    };
    const window = { from: 0, until: 3000, budgets: [...budgets, { ...budgets[0]!, device: 'pdu' }] };
    const { result, calls } = run(machine, { target: { levels }, window, tookMs: 5000 });
    expect(calls.slice(0, 3)).toEqual(['status bmc 0', 'status pdu 300', 'off pdu 600']);
    expect(result.outcome).toBe('fenced');
  });
  test.each([
    [{ criticalGroups: 2, leads: false }, { criticalGroups: 1, leads: true }, false],
    [{ criticalGroups: 1, leads: true }, { criticalGroups: 2, leads: false }, true],
    [{ criticalGroups: 1, leads: true }, { criticalGroups: 1, leads: false }, false],
    [{ criticalGroups: 1, leads: false }, { criticalGroups: 1, leads: true }, true],
  ])('%o against %o waits: %s', (mine, theirs, second) => {
    expect(shootsSecond(mine, theirs)).toBe(second);
    // Never both, never neither.
    expect(shootsSecond(theirs, mine)).toBe(!second);
  });
  test('the wait is longer than the shots of the other one, and not shorter than is configured', () => {
    expect(fenceWaitMs(0, 1700, 800)).toBe(2500);
    expect(fenceWaitMs(9000, 1700, 800)).toBe(9000);
  });
});

test('a verified shot says how long the device took; an order that was not obeyed at once says nothing', () => {
  expect(run(dutiful).result.off).toEqual({ devices: ['bmc'], tookMs: 20 });
  expect(run({ status: () => 'off' }).result.off).toBeUndefined();
  const two = { levels: [[named('bmc')], [named('pdu')]] };
  const stubborn: Machine = {
    status: (device, _now, shots) => (device === 'pdu' && shots.includes('pdu') ? 'off' : 'on'),
  };
  const { result } = run(stubborn, { target: two });
  expect(result).toMatchObject({ outcome: 'fenced' });
  expect(result.off).toBeUndefined();
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
    expect(look('on', identity)).toMatchObject({ ready, tie: ready ? 'tied' : 'foreign' });
  });
  test('it must read on while the peer is heard, and may read anything while it is not', () => {
    expect(look('off', null)).toMatchObject({ ready: false, cause: 'lying', tie: 'foreign' });
    expect(look('off', null, false)).toMatchObject({ ready: true, tookMs: 30, tie: 'open' });
    expect(look('on', null)).toMatchObject({ ready: true, tie: 'tied' });
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

test('a proof is dated with the first of its two readings, and a frame since then voids it', () => {
  const { result, calls } = run(dutiful);
  expect(calls.slice(-2)).toEqual(['status bmc 20', 'status bmc 230']);
  expect(proofOf(result, 'life', 19)).toEqual({ kernelLife: 'life', by: 'fence: fenced', at: 20 });
  expect(proofOf(result, 'life', 20)).toBeNull();
});

describe('how long a fencing takes', () => {
  /** Every answer takes as long as it may, and says what costs most. */
  function slowest(levels: FenceTarget['levels']): number {
    const queue: { at: number; work: () => void }[] = [];
    let now = 0;
    let took = Number.NaN;
    let verifyUntil = 0;
    const read = new Set<string>();
    const perform = (effect: FenceEffect): void => {
      if (effect.type === 'result') took = effect.result.tookMs;
      else if (effect.type === 'timer') {
        const { key, generation, at } = effect;
        if (at !== null)
          queue.push({ at, work: () => fencing.step({ type: 'timer', key, generation }, now) });
      } else {
        const { device, action, request, limitMs } = effect;
        const askedAt = now;
        const limits = levels.flat().find(({ name }) => name === device);
        const work = (): void => {
          if (action === 'off') verifyUntil = now + (limits?.verifyLimitMs ?? 0);
          // Off and on before the shot; after it on for as long as that is waited for, and then off.
          const late = verifyUntil > 0 && now >= verifyUntil;
          const said: PowerAnswer =
            action === 'off' ? 'done' : late || (verifyUntil === 0 && !read.has(device)) ? 'off' : 'on';
          read.add(device);
          fencing.step({ type: 'answer', request, answer: known(said, askedAt, now) }, now);
        };
        queue.push({ at: now + limitMs, work });
      }
    };
    const fencing: Fencing = new Fencing({ ...TARGET, levels }, perform);
    fencing.start(null, now);
    while (Number.isNaN(took)) {
      const next = queue.sort((a, b) => a.at - b.at).shift();
      if (next === undefined) throw new Error(`it waits for nothing in ${fencing.state}`);
      now = next.at;
      next.work();
    }
    return took;
  }

  test.each([
    [[[named('bmc')]]],
    [[[{ ...named('bmc'), verifyLimitMs: 3601 }]]],
    [[[{ ...named('pdu-a'), statusLimitMs: 300 }, named('pdu-b')]]],
  ])('never longer than the sum that is printed: %o', (levels) => {
    const limitMs = fencingLimitMs({ levels, gapMs: TARGET.gapMs });
    expect(slowest(levels)).toBeLessThanOrEqual(limitMs);
    expect(slowest(levels)).toBeGreaterThan(limitMs - 2 * (LIMITS.statusLimitMs + TARGET.gapMs));
  });

  test('each device has its own limits', () => {
    const asked: unknown[] = [];
    const levels = [
      [
        { name: 'quick', statusLimitMs: 300, offLimitMs: 400, verifyLimitMs: 500 },
        { name: 'slow', statusLimitMs: 9000, offLimitMs: 8000, verifyLimitMs: 7000 },
      ],
    ];
    const fencing: Fencing = new Fencing({ ...TARGET, levels }, (effect) => {
      if (effect.type === 'power') asked.push([effect.device, effect.action, effect.limitMs]);
      else if (effect.type === 'timer' && effect.at !== null)
        fencing.step({ type: 'timer', key: effect.key, generation: effect.generation }, effect.at);
    });
    fencing.start(null, 0);
    for (const request of [1, 2])
      fencing.step({ type: 'answer', request, answer: known<PowerAnswer>('on', 0, 5) }, 5);
    expect(asked).toEqual([
      ['quick', 'status', 300],
      ['slow', 'status', 9000],
      ['quick', 'off', 400],
      ['slow', 'off', 8000],
    ]);
  });
});

describe('whose a device is', () => {
  const audit = (arbiter: string, tie: DeviceTie, ready = tie !== 'foreign'): Readiness => {
    const cause = ready ? null : 'lying';
    return {
      arbiter,
      ready,
      cause,
      reason: ready ? '' : `${arbiter} is wrong`,
      checkedAt: 0,
      tookMs: 1,
      tie,
    };
  };
  const row = { node: 'controller-1', agent: 'fence_x', parameters: [], secrets: [], ...LIMITS };
  const rows = [
    { ...row, name: 'bmc', level: 1 },
    { ...row, name: 'pdu-b', level: 2 },
    { ...row, name: 'pdu-a', level: 2 },
    { ...row, name: 'mine', level: 1, node: 'controller-0' },
  ];
  const usable = (...noted: readonly Readiness[]) => {
    const audits = new FenceAudits();
    for (const each of noted) audits.note(each);
    return usableLevels(levelsOf(rows, 'controller-1'), audits).levels.map((level) =>
      level.map(({ name }) => name),
    );
  };

  test('one that was never read while the peer was heard proves nothing', () => {
    expect(usable()).toEqual([]);
    expect(usable(audit('bmc', 'open'))).toEqual([]);
    expect(new FenceAudits().doubt('bmc')).toContain('not seen to be on while the peer was heard');
  });
  test('one that was found to be the peer s may be used, also after audits of a silent peer', () => {
    expect(usable(audit('bmc', 'tied'), audit('bmc', 'open'), audit('bmc', 'open', false))).toEqual([
      ['bmc'],
    ]);
  });
  test('one that lied is barred until an audit passes again, whatever it answers meanwhile', () => {
    expect(usable(audit('bmc', 'tied'), audit('bmc', 'foreign'))).toEqual([]);
    expect(usable(audit('bmc', 'tied'), audit('bmc', 'foreign'), audit('bmc', 'open'))).toEqual([]);
    expect(usable(audit('bmc', 'foreign'), audit('bmc', 'tied'))).toEqual([['bmc']]);
    const audits = new FenceAudits();
    audits.note(audit('bmc', 'foreign'));
    audits.note(audit('bmc', 'open'));
    expect(audits.all).toMatchObject([{ ready: false, cause: 'lying', reason: 'bmc is wrong' }]);
  });
  test('a level with one that is barred is left out as a whole', () => {
    expect(usable(audit('bmc', 'tied'), audit('pdu-a', 'tied'), audit('pdu-b', 'foreign'))).toEqual([
      ['bmc'],
    ]);
    expect(usable(audit('pdu-a', 'tied'), audit('pdu-b', 'tied'))).toEqual([['pdu-b', 'pdu-a']]);
  });
  test('what another process has seen counts less than what was found out here', () => {
    const audits = new FenceAudits();
    audits.note(audit('bmc', 'foreign'));
    audits.note(audit('pdu-a', 'open'));
    audits.vouch(['bmc', 'pdu-a', 'pdu-b'], 0);
    expect(audits.tied).toEqual(['pdu-a', 'pdu-b']);
  });
});
