/** The parts that determinism rests on. */
import { expect, test } from 'vitest';
import { Disk } from '../../src/sim/disk.ts';
import { Digest, Prng } from '../../src/sim/prng.ts';
import { EventQueue } from '../../src/sim/queue.ts';

test('the queue keeps time, and the order of arrival where times are equal', () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  const rng = new Prng('queue');
  const times = Array.from({ length: 500 }, () => rng.integer(0, 40));
  times.forEach((at, order) => {
    queue.push(at, () => seen.push(`${at}/${order}`));
  });
  for (let item = queue.pop(100); item !== null; item = queue.pop(100)) item.run?.();
  const expected = times
    .map((at, order) => ({ at, order }))
    .sort((a, b) => a.at - b.at || a.order - b.order)
    .map(({ at, order }) => `${at}/${order}`);
  expect(seen).toEqual(expected);
});

test('a cancelled item never comes, a later one waits for its time', () => {
  const queue = new EventQueue();
  queue.push(1, () => {}).run = null;
  queue.push(5, () => {});
  expect(queue.pop(4)).toBeNull();
  expect(queue.pop(5)?.at).toBe(5);
  expect(queue.size).toBe(0);
});

test('a fork depends on its label, not on what was drawn before', () => {
  const [a, b] = [new Prng('seed'), new Prng('seed')];
  a.float();
  expect(a.fork('x').uint32()).toBe(b.fork('x').uint32());
  expect(a.fork('x').uint32()).not.toBe(a.fork('y').uint32());
});

test('numbers are spread evenly and stay in range', () => {
  const rng = new Prng('spread');
  const counts = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 60_000; i++) counts[rng.integer(0, 5)]! += 1;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test('digests tell lines and their order apart', () => {
  const digest = (...lines: string[]): string => {
    const sum = new Digest();
    for (const line of lines) sum.add(line);
    return sum.toString();
  };
  expect(digest('a', 'b')).not.toBe(digest('b', 'a'));
  expect(digest('a', 'b')).toBe(digest('a', 'b'));
});

test('a failing disk keeps nothing, a working one keeps the whole turn', () => {
  const disk = new Disk();
  const turn = [
    { type: 'persist.group', group: 'g', desired: 'active', state: 'active', status: '', condition: '' },
    { type: 'persist.intent', run: 4, service: 's', action: 'enable', ended: false },
  ] as const;
  disk.failing = true;
  expect(disk.commit(turn, 'life')).toBe(false);
  expect(disk.restored().groups).toEqual([]);
  disk.failing = false;
  expect(disk.commit(turn, 'life')).toBe(true);
  const { groups, intents, kernelLife } = disk.restored();
  expect(groups).toEqual([{ group: 'g', desired: 'active' }]);
  expect(intents).toHaveLength(1);
  expect(kernelLife).toBe('life');
});
