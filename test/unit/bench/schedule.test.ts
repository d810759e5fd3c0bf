import { expect, it } from 'vitest';
import { listScheduleMs, overheadMs, type Script } from '../../../scripts/bench/schedule.ts';

const script = (service: string, command: 'start' | 'stop', beginMs: number, ms: number): Script => ({
  service,
  command,
  beginMs,
  endMs: beginMs + ms,
});

it('gives each script to the first worker that is free, in the order in which they began', () => {
  const three = [script('a', 'stop', 0, 30), script('b', 'stop', 1, 10), script('c', 'stop', 2, 10)];
  expect(listScheduleMs(three, 1, 0)).toBe(50);
  expect(listScheduleMs(three, 2, 0)).toBe(30);
  expect(listScheduleMs(three.toReversed(), 2, 5)).toBe(35);
});

it('starts no service before it was stopped', () => {
  const move = [script('a', 'stop', 0, 30), script('a', 'start', 40, 10)];
  expect(listScheduleMs(move, 2, 0)).toBe(40);
  expect(listScheduleMs([script('a', 'stop', 0, 30), script('b', 'start', 5, 10)], 2, 0)).toBe(30);
});

it('finds what each took beside its own lines', () => {
  const two = [script('a', 'stop', 0, 1), script('b', 'stop', 0, 3)];
  expect(overheadMs(two, 2, 5)).toBe(3);
  expect(overheadMs(two, 1, 3)).toBe(0);
});
