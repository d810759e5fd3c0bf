import { expect, test, vi } from 'vitest';
import { monotonicMs } from '../../../src/lab/machine.ts';
import { changedLives, changesSince } from '../../../src/lab/pair.ts';
import type { ActiveRun } from '../../../src/lab/stamps.ts';

const run = (node: string, firstMs: number, lastMs: number): ActiveRun => ({
  node,
  service: 's',
  pid: 1,
  activation: 1,
  firstMs,
  lastMs,
});

test('lives that began or ended since then are counted, on both nodes or on one', () => {
  const runs = [run('a', 0, 2000), run('a', 1100, 9990), run('b', 0, 9990), run('b', 0, 900)];
  expect(changedLives(runs, 1000, undefined, 10_000)).toBe(2);
  expect(changedLives(runs, 1000, 'a', 10_000)).toBe(2);
  expect(changedLives(runs, 1000, 'b', 10_000)).toBe(0);
});

test('an end is believed when it stays: a process that had to wait stamps again', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  try {
    const now = monotonicMs();
    const late = [run('a', now - 5000, now - 700)];
    const again = [run('a', now - 5000, now + 60_000)];
    const look = vi.fn<() => ActiveRun[]>().mockReturnValueOnce(late).mockReturnValue(again);
    const changes = changesSince(look, now - 1000);
    await vi.runAllTimersAsync();
    expect(await changes).toBe(0);
    const gone = changesSince(() => late, now - 1000);
    await vi.runAllTimersAsync();
    expect(await gone).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
