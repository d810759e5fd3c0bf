import { beforeEach, expect, it } from 'vitest';
import { GuardClock } from '../../../src/shell/watchdog/guard-clock.ts';

let monotonic: number;
let uptime: number | null;
let clock: GuardClock;

beforeEach(() => {
  monotonic = 10_000;
  uptime = 12_000;
  clock = new GuardClock(
    () => monotonic,
    () => uptime,
  );
});

function pass(durationMs: number): void {
  monotonic += durationMs;
  if (uptime !== null) uptime += durationMs;
}

it('goes with the monotonic clock', () => {
  pass(500);
  expect(clock.now()).toBe(10_500);
});

it('counts the time of a suspension, during which the monotonic clock stands', () => {
  uptime = 12_000 + 3000;
  expect(clock.now()).toBe(13_000);
  pass(200);
  expect(clock.now()).toBe(13_200);
  const told = clock.factToSm({ type: 'guard.permission', deadline: 13_500 });
  expect(told).toEqual({ type: 'guard.permission', deadline: 10_500 });
  expect(clock.fromSm(10_500)).toBe(13_500);
});

it('takes nothing that was before a suspension for something after it', () => {
  const askedAt = monotonic;
  pass(50);
  uptime = (uptime ?? 0) + 3000;
  pass(10);
  clock.now();
  pass(20);
  expect(clock.fromPast(askedAt)).toBe(10_000);
  expect(clock.fromPast(monotonic)).toBe(13_080);
  uptime += 1000;
  clock.now();
  expect(clock.fromPast(askedAt)).toBe(10_000);
  expect(clock.fromPast(monotonic - 1)).toBe(13_079);
  expect(clock.fromPast(Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
});

it('takes the coarse steps of the uptime for no suspension, and never goes back', () => {
  let before = clock.now();
  for (let i = 0; i < 1000; i += 1) {
    monotonic += 7;
    uptime = Math.floor((monotonic + 2000) / 10) * 10;
    const now = clock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    before = now;
  }
  expect(before).toBe(monotonic);
});

it('goes on where the uptime can not be read', () => {
  uptime = null;
  pass(100);
  expect(clock.now()).toBe(10_100);
});

it('asks for the uptime once for what comes together', () => {
  let asked = 0;
  const counted = new GuardClock(
    () => monotonic,
    () => {
      asked += 1;
      return uptime;
    },
  );
  const before = asked;
  for (const _ of [1, 2, 3]) {
    counted.now();
    pass(0.5);
  }
  expect(asked - before).toBe(1);
  pass(1);
  uptime = (uptime ?? 0) + 3000;
  expect(counted.now()).toBe(monotonic + 3000);
});
