import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ActiveRun, allActiveAt, bothActiveMs, overlaps, StampLog } from '../../../src/lab/stamps.ts';

const run = (node: string, service: string, firstMs: number, lastMs: number): ActiveRun => ({
  node,
  service,
  pid: 100,
  activation: 1,
  firstMs,
  lastMs,
});

const line = (ms: number, role = 'active', pid = 100, activation = 1): string =>
  `${ms}000000 n ${activation} ${role} ${pid}\n`;

describe('stamps become lives', () => {
  test('from the first to the last stamp', () => {
    const log = new StampLog();
    log.add('a', 's', line(10) + line(20) + line(30));
    expect(log.runs).toEqual([{ ...run('a', 's', 10, 30) }]);
  });

  test('pieces of any size give the same', () => {
    const text = [10, 20, 30].map((ms) => line(ms)).join('') + line(40, 'standby') + line(50);
    const whole = new StampLog();
    whole.add('a', 's', text);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const log = new StampLog();
        const places = [0, ...cuts.sort((x, y) => x - y), text.length];
        for (const [i, from] of places.entries()) log.add('a', 's', text.slice(from, places[i + 1]));
        expect(log.runs).toEqual(whole.runs);
        expect(log.damaged).toBe(0);
      }),
    );
  });

  test('standby ends a life; the next active stamp begins another', () => {
    const log = new StampLog();
    log.add('a', 's', line(10) + line(20) + line(30, 'standby') + line(40, 'standby') + line(50) + line(60));
    expect(log.runs.map(({ firstMs, lastMs }) => [firstMs, lastMs])).toEqual([
      [10, 20],
      [50, 60],
    ]);
  });

  test('a process that did not run for long was alive all the time', () => {
    const log = new StampLog();
    log.add('a', 's', line(10) + line(5000));
    expect(log.runs).toEqual([run('a', 's', 10, 5000)]);
  });

  test('another process, and another activation, is another life, also when the lines mix', () => {
    const log = new StampLog();
    log.add(
      'a',
      's',
      line(10) + line(12, 'active', 7) + line(20) + line(22, 'active', 7) + line(30, 'active', 7, 2),
    );
    expect(
      log.runs.map(({ pid, activation, firstMs, lastMs }) => [pid, activation, firstMs, lastMs]),
    ).toEqual([
      [100, 1, 10, 20],
      [7, 1, 12, 22],
      [7, 2, 30, 30],
    ]);
  });

  test('after a loss of power the same number is another process', () => {
    const log = new StampLog();
    log.add('a', 's', line(10));
    log.add('b', 's', line(10));
    log.restarted('a');
    log.add('a', 's', line(900));
    log.add('b', 's', line(900));
    expect(log.runs.map(({ node, firstMs, lastMs }) => [node, firstMs, lastMs])).toEqual([
      ['a', 10, 10],
      ['b', 10, 900],
      ['a', 900, 900],
    ]);
  });

  test('what is no stamp is counted, never ignored', () => {
    const log = new StampLog();
    log.add('a', 's', `${line(10)}10000000 n 1 act\n${line(20).trimEnd()}${line(30)}\n`);
    expect(log.damaged).toBe(3);
    expect(log.runs).toEqual([run('a', 's', 10, 10)]);
  });
});

describe('two nodes active at once', () => {
  test.each([
    ['nothing', [], 0],
    ['one node alone', [run('a', 's', 0, 100), run('a', 't', 50, 900)], 0],
    ['one after the other', [run('a', 's', 0, 100), run('b', 's', 101, 200)], 0],
    ['there and back', [run('a', 's', 0, 100), run('b', 's', 150, 200), run('a', 's', 201, 300)], 0],
    ['in a pause of the other', [run('a', 's', 0, 100), run('a', 's', 300, 400), run('b', 's', 150, 250)], 0],
    ['one service', [run('a', 's', 0, 100), run('b', 's', 60, 200)], 40],
    ['the order of the nodes does not matter', [run('b', 's', 0, 100), run('a', 's', 60, 200)], 40],
    ['one within the other', [run('a', 's', 0, 1000), run('b', 's', 300, 400)], 100],
    ['different services of the group', [run('a', 's', 0, 100), run('b', 't', 60, 200)], 40],
    [
      'several services count once',
      [run('a', 's', 0, 100), run('a', 't', 0, 90), run('b', 's', 60, 200), run('b', 't', 70, 200)],
      40,
    ],
    ['twice', [run('a', 's', 0, 100), run('b', 's', 80, 120), run('a', 's', 110, 200)], 30],
    ['a single stamp amid the other', [run('a', 's', 0, 100), run('b', 's', 50, 50)], 10],
    ['a single stamp at the very end', [run('a', 's', 0, 100), run('b', 's', 100, 300)], 10],
    ['single stamps at the same moment', [run('a', 's', 5, 5), run('b', 's', 5, 5)], 10],
    ['a short overlap counts a whole stamp', [run('a', 's', 0, 100), run('b', 's', 97, 300)], 10],
    ['three nodes, each pair', [run('a', 's', 0, 100), run('b', 's', 0, 100), run('c', 's', 0, 100)], 300],
  ])('%s', (_what, runs, expected) => {
    expect(bothActiveMs(runs)).toBe(expected);
  });

  test('an overlap says where and when', () => {
    expect(overlaps([run('b', 's', 0, 100), run('a', 't', 60, 200)])).toEqual([
      { nodes: ['a', 'b'], fromMs: 60, durationMs: 40 },
    ]);
  });

  /** Slow and obvious: looks at every stamp time and asks who was alive then. */
  function bothActiveAnywhere(runs: readonly ActiveRun[]): boolean {
    const moments = runs.flatMap(({ firstMs, lastMs }) => [firstMs, lastMs]);
    return moments.some((at) => {
      const alive = runs.filter(({ firstMs, lastMs }) => firstMs <= at && at <= lastMs);
      return new Set(alive.map(({ node }) => node)).size > 1;
    });
  }

  const runs = fc.array(
    fc
      .record({
        node: fc.constantFrom('a', 'b'),
        service: fc.constantFrom('s', 't', 'u'),
        firstMs: fc.nat(400),
        length: fc.nat(40),
      })
      .map(({ node, service, firstMs, length }) => run(node, service, firstMs, firstMs + length)),
    { maxLength: 12 },
  );

  test('is found exactly when it was so', () => {
    fc.assert(
      fc.property(runs, (found) => {
        expect(bothActiveMs(found) > 0).toBe(bothActiveAnywhere(found));
      }),
      {
        numRuns: 2000,
      },
    );
  });

  test('neither the order of the lives nor the names of the nodes matter', () => {
    fc.assert(
      fc.property(runs, (found) => {
        const swapped = found.map((each) => ({ ...each, node: each.node === 'a' ? 'z' : 'c' })).reverse();
        expect(bothActiveMs(swapped)).toBe(bothActiveMs(found));
      }),
    );
  });

  test('another life never makes it less', () => {
    fc.assert(
      fc.property(runs, fc.nat(400), fc.nat(40), (found, firstMs, length) => {
        const more = [...found, run('a', 's', firstMs, firstMs + length)];
        // Lives that merge may merge short overlaps, each of which counted a whole stamp.
        expect(bothActiveMs(more) > 0 || bothActiveMs(found) === 0).toBe(true);
      }),
    );
  });
});

describe('all active', () => {
  const runs = [
    run('a', 's', 100, 900),
    run('a', 't', 130, 900),
    run('b', 's', 50, 60),
    run('a', 's', 500, 900),
  ];

  test('when the last of the services has its first stamp', () => {
    expect(allActiveAt(runs, ['s', 't'], 'a', 90)).toBe(130);
  });

  test('only lives that began since count', () => {
    expect(allActiveAt(runs, ['s'], 'a', 101)).toBe(500);
    expect(allActiveAt(runs, ['s', 't'], 'a', 131)).toBeNull();
  });

  test('not on another node, not while one is missing', () => {
    expect(allActiveAt(runs, ['s', 't'], 'b', 0)).toBeNull();
    expect(allActiveAt(runs, ['s', 'u'], 'a', 0)).toBeNull();
  });
});
