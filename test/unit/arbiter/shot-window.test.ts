import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FenceAudits } from '../../../src/core/arbiter/fence-audits.ts';
import { fenceWaitMs } from '../../../src/core/arbiter/fence-rules.ts';
import {
  budgetsOf,
  nextWindow,
  OffTimes,
  type Rounds,
  shotBudget,
  shotsMs,
} from '../../../src/core/arbiter/shot-window.ts';
import type { FenceDeviceDefinition } from '../../../src/core/definitions/arbiter-model.ts';

const DEVICE: FenceDeviceDefinition = {
  name: 'bmc',
  node: 'controller-1',
  level: 1,
  agent: 'fence_ipmilan',
  parameters: [['ip', '192.0.2.7']],
  secrets: [],
  statusLimitMs: 5000,
  offLimitMs: 20_000,
  verifyLimitMs: 5000,
};
const GAP_MS = 200;

function read(tookMs: number, ready = true) {
  return {
    arbiter: 'bmc',
    ready,
    cause: ready ? null : 'timeout',
    reason: '',
    checkedAt: 0,
    tookMs,
  } as const;
}

test('by the limits where nothing was measured, by what was measured else, and never more than the limits', () => {
  expect(shotBudget(DEVICE, null, null)).toEqual({ device: 'bmc', readMs: 5000, offMs: 20_000 });
  expect(shotBudget(DEVICE, 100, 300)).toEqual({ device: 'bmc', readMs: 400, offMs: 2300 });
  expect(shotBudget(DEVICE, 100, 4000)).toMatchObject({ offMs: 12_000 });
  expect(shotBudget(DEVICE, 4900, 19_000)).toEqual({ device: 'bmc', readMs: 5000, offMs: 20_000 });
});

test('the slowest answer counts, one that did not come does not', () => {
  const audits = new FenceAudits();
  const budget = () => budgetsOf([[DEVICE]], audits, new OffTimes(''))[0];
  audits.note(read(5000, false));
  expect(budget()).toMatchObject({ readMs: 5000 });
  audits.note(read(150));
  audits.note(read(90));
  expect(budget()).toMatchObject({ readMs: 500 });
  audits.note(read(1000));
  expect(budget()).toMatchObject({ readMs: 2200 });
});

test('the shots of one level are a reading and an order; a level that fails first takes its whole fencing', () => {
  const budgets = [{ device: 'bmc', readMs: 300, offMs: 1310 }];
  expect(shotsMs([], GAP_MS, [])).toBe(0);
  expect(shotsMs([[DEVICE]], GAP_MS, [])).toBe(25_000);
  expect(shotsMs([[DEVICE]], GAP_MS, budgets)).toBe(1700);
  const strip = { ...DEVICE, name: 'strip', level: 2, statusLimitMs: 1000, offLimitMs: 2000 };
  // Off and on again, the shot, its verification, off at its end: 2 x 300 + 200, 1310, 5000, 2 x (300 + 200).
  expect(shotsMs([[DEVICE], [strip]], GAP_MS, budgets)).toBe(8200 + 3000);
});

test('what was measured is of the device as it is defined, only grows, and is stored as text', () => {
  const times = new OffTimes('');
  expect(times.msOf(DEVICE)).toBeNull();
  expect(times.note(DEVICE, 812.4)).toBe(true);
  expect(times.note(DEVICE, 300)).toBe(false);
  const again = new OffTimes(times.text);
  expect(again.msOf(DEVICE)).toBe(813);
  expect(again.msOf({ ...DEVICE, parameters: [['ip', '192.0.2.8']] })).toBeNull();
  expect(again.msOf({ ...DEVICE, agent: 'fence_redfish' })).toBeNull();
});

test('stored text that is none counts as nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(new OffTimes(text).msOf(DEVICE)).toBeNull();
    }),
  );
});

test('two nodes are never in their times at once, in no round, whenever each begins', () => {
  const ms = (min: number, max: number) => fc.integer({ min, max });
  const drawn = fc.record({
    dead: ms(200, 5000),
    first: ms(100, 60_000),
    second: ms(100, 60_000),
    configured: ms(0, 90_000),
    apart: fc.double({ min: -1, max: 1, noNaN: true }),
    needs: fc.double({ min: 0, max: 1, noNaN: true }),
    times: fc.array(ms(0, 600_000), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(drawn, ({ dead, first, second, configured, apart, needs, times }) => {
      const waitMs = fenceWaitMs(configured, first, dead);
      const roundMs = waitMs + second + dead;
      const one: Rounds = { base: 0, delayMs: 0, ownMs: first, roundMs };
      const other: Rounds = { base: apart * dead, delayMs: waitMs, ownMs: second, roundMs };
      for (const now of times) {
        const mine = nextWindow(one, needs * first, now);
        const theirs = nextWindow(other, needs * second, now);
        expect(mine.until <= theirs.from || theirs.until <= mine.from).toBe(true);
        // There is time for the whole shot, and nobody waits longer than two rounds.
        expect(mine.until - Math.max(now, mine.from)).toBeGreaterThanOrEqual(needs * first - 0.001);
        expect(mine.from).toBeLessThanOrEqual(now + 2 * roundMs);
      }
    }),
  );
});
