/** The pure parts of `make chaos`: what a seed draws, and what the account amounts to. */
import { expect, test } from 'vitest';
import {
  concludeChaos,
  type Double,
  longestGaps,
  merged,
  type Tally,
} from '../../../scripts/chaos/report.ts';
import {
  assumptionBrokenBy,
  kindsFor,
  leftOut,
  type Round,
  schedule,
} from '../../../scripts/chaos/schedule.ts';
import { programOf } from '../../../scripts/chaos/site.ts';
import { rulesFor } from '../../../scripts/chaos/wires.ts';
import { Prng } from '../../../src/sim/prng.ts';

const KINDS = kindsFor(new Set(['fuse', 'arbiter', 'bmc']));

function draw(seed: string, rounds: number, kinds = KINDS): Round[] {
  const drawn = schedule(new Prng(seed), kinds);
  return Array.from({ length: rounds }, () => drawn.next().value);
}

test('the same seed draws the same faults, another seed others', () => {
  expect(draw('1', 100)).toEqual(draw('1', 100));
  expect(draw('1', 5)).not.toEqual(draw('2', 5));
});

test('every kind comes before any comes twice; what needs something comes only where it is there', () => {
  const faults = draw('7', 200).flatMap((round) => round.faults);
  expect(new Set(faults.slice(0, KINDS.length + 3).map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(
    KINDS.length - 3,
  );
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(KINDS));
  expect(faults.map(({ number }) => number)).toEqual(faults.map((_, i) => i + 1));
  const without = kindsFor(new Set());
  expect(without).not.toContain('disk-hangs');
  expect(without).not.toContain('arbiter-dead');
  expect(without.length).toBeGreaterThanOrEqual(20);
});

test('what breaks an assumption is in a round of its own, and nothing is twice in one', () => {
  for (const { faults } of draw('3', 500)) {
    const kinds = faults.map(({ kind }) => kind);
    expect(new Set(kinds).size).toBe(kinds.length);
    if (kinds.some((kind) => assumptionBrokenBy(kind) !== null)) expect(kinds).toHaveLength(1);
    if (kinds.includes('power-off')) expect(kinds).not.toContain('power-off-both');
  }
});

const WELL: Tally = {
  minutes: 1,
  recovered: true,
  reason: '',
  doubles: [],
  gaps: [],
  leftOut: {},
  isRestricted: false,
  rounds: [
    {
      fromMs: 1000,
      untilMs: 9000,
      missed: ['kill-arbiter', 'kill-arbiter'],
      done: Array.from(
        { length: 10 },
        (_, i) => ({ kind: i % 2 ? 'cut-all' : 'kill-sm', atMs: 1000 + i }) as const,
      ),
    },
    { fromMs: 10_000, untilMs: 20_000, done: [{ kind: 'stop-node', atMs: 10_500 }], missed: [] },
  ],
};
const double = (fromMs: number): Double => ({ fromMs, durationMs: 30, seenBy: ['stamps'] });

test('a run without double activity that recovered is well', () => {
  const { line, code } = concludeChaos(WELL, { seed: 1 });
  expect(code).toBe(0);
  expect(JSON.parse(line)).toEqual({
    faults: 11,
    kinds: 3,
    overlaps: 0,
    recovered: true,
    gaps: {},
    resume: { faults: 1, overlaps: 0, overlap_ms: 0 },
    confirm: { faults: 0, overlaps: 0, overlap_ms: 0 },
    missed: { 'kill-arbiter': 2 },
    left_out: {},
    seed: 1,
  });
});

test('what the machine or the run has no means for is named with the reason', () => {
  const left = leftOut(new Set(['arbiter']));
  expect(left).toEqual({
    'disk-slow': 'needs /dev/fuse and bindfs',
    'disk-hangs': 'needs /dev/fuse and bindfs',
    'bmc-lies': 'needs ARBITER=fence',
  });
  const { line, code } = concludeChaos({ ...WELL, leftOut: left });
  expect(code).toBe(0);
  expect(JSON.parse(line).left_out).toEqual(left);
  expect(leftOut(new Set(['fuse', 'arbiter', 'bmc']))).toEqual({});
});

test('one double activity is a failure, but after a resume it is counted apart', () => {
  const bad = concludeChaos({ ...WELL, doubles: [double(5000)] });
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.line)).toMatchObject({
    overlaps: 1,
    reason: 'two nodes were active at once, 1 times',
  });
  const apart = concludeChaos({ ...WELL, doubles: [double(11_000)] });
  expect(apart.code).toBe(0);
  expect(JSON.parse(apart.line)).toMatchObject({
    overlaps: 0,
    resume: { overlaps: 1, overlap_ms: 30 },
    confirm: { overlaps: 0 },
  });
});

test('so it is after the false word of an operator, as a class of its own', () => {
  const done = [{ kind: 'confirm-alive', atMs: 30_100 }] as const;
  const rounds = [...WELL.rounds, { fromMs: 30_000, untilMs: 40_000, done, missed: [] }];
  const { line, code } = concludeChaos({ ...WELL, rounds, doubles: [double(31_000)] });
  expect(code).toBe(0);
  expect(JSON.parse(line)).toMatchObject({
    overlaps: 0,
    resume: { faults: 1, overlaps: 0 },
    confirm: { faults: 1, overlaps: 1, overlap_ms: 30 },
  });
});

test('so is double activity that nobody can explain by a round', () => {
  expect(concludeChaos({ ...WELL, doubles: [double(10)] }).code).toBe(1);
});

test('a pair that did not recover, and too few faults, are failures', () => {
  const torn = concludeChaos({ ...WELL, recovered: false, reason: 'round 2: the pair was not whole' });
  expect(torn.code).toBe(1);
  expect(JSON.parse(torn.line)).toMatchObject({
    recovered: false,
    reason: 'round 2: the pair was not whole',
  });
  const few = concludeChaos({ ...WELL, minutes: 10 });
  expect(few.code).toBe(1);
  expect(JSON.parse(few.line).reason).toBe('only 11 faults in 10 minutes');
});

test('so are too few kinds, one a minute and ten at most, unless they were chosen', () => {
  const kinds = draw('1', 20).flatMap(({ faults }) => faults.map(({ kind }) => kind));
  const of = (count: number, minutes: number, more: Partial<Tally> = {}) => {
    const some = [...new Set(kinds)].slice(0, count);
    const done = Array.from({ length: 6 * minutes }, (_, i) => ({ kind: some[i % count]!, atMs: 1000 + i }));
    const rounds = [{ fromMs: 1000, untilMs: 9000, done, missed: [] }];
    const { line, code } = concludeChaos({ ...WELL, minutes, rounds, ...more });
    return code === 0 ? 'enough' : JSON.parse(line).reason;
  };
  expect(of(10, 10)).toBe('enough');
  expect(of(9, 10)).toBe('faults of only 9 kinds in 10 minutes');
  expect(of(4, 5)).toBe('faults of only 4 kinds in 5 minutes');
  expect(of(10, 60)).toBe('enough');
  expect(of(1, 10, { isRestricted: true })).toBe('enough');
});

test('pieces of one double activity count once', () => {
  const seen = (fromMs: number, by: 'stamps' | 'neighbour'): Double => ({
    fromMs,
    durationMs: 10,
    seenBy: [by],
  });
  const pieces = [
    seen(5020, 'neighbour'),
    seen(5000, 'stamps'),
    seen(5040, 'neighbour'),
    seen(9000, 'stamps'),
  ];
  expect(merged(pieces)).toEqual([
    { fromMs: 5000, durationMs: 50, seenBy: ['stamps', 'neighbour'] },
    { fromMs: 9000, durationMs: 10, seenBy: ['stamps'] },
  ]);
});

test('a gap is told under the last fault before it, and rather under one that takes services away', () => {
  const gaps = [
    { fromMs: 1004, durationMs: 12 },
    { fromMs: 5000, durationMs: 700 },
    { fromMs: 10_490, durationMs: 2900 },
    { fromMs: 10, durationMs: 4 },
    { fromMs: 30_800, durationMs: 900 },
  ];
  const both = ['swact', 'loss'] as const;
  const last = {
    fromMs: 30_000,
    untilMs: 40_000,
    done: both.map((kind) => ({ kind, atMs: 30_500 })),
    missed: [],
  };
  const rounds = [...WELL.rounds, last];
  expect(longestGaps({ rounds, gaps })).toEqual({ 'cut-all': 700, 'stop-node': 2900, swact: 900 });
});

test('obstacles become rules that begin anew each time', () => {
  const rack = { address: (link: number, node: number) => `10.${link}.0.${node}` };
  const text = rulesFor(
    [
      { link: 0, from: 0, to: 1, percent: 100 },
      { link: 2, from: 1, to: 0, percent: 30 },
    ],
    rack,
  );
  expect(text.split('\n').slice(1)).toEqual([
    'delete table bridge chaos',
    'add table bridge chaos',
    'add chain bridge chaos wires { type filter hook forward priority 0; }',
    'add rule bridge chaos wires ip saddr 10.0.0.0 ip daddr 10.0.0.1 drop',
    'add rule bridge chaos wires ip saddr 10.2.0.1 ip daddr 10.2.0.0 numgen random mod 100 < 30 drop',
    '',
  ]);
});

test.each([
  ['node /p/dist/bin/sm.js --engine --config /c --begin', 'sm'],
  ['node /p/dist/bin/sm.js --foreground --config /c', 'sm-watchdog'],
  ['sm-watchdog', 'sm-watchdog'],
  ['node /p/dist/bin/sm-watchdog.js', 'sm-watchdog'],
  ['sm-arbiter', 'sm-arbiter'],
  ['node /p/dist/bin/smctl.js status', null],
  ['node /p/dist/bin/sm.js --check', null],
  ['perl /d/sm-stamp --file f', null],
])('%s is %s', (words, program) => {
  expect(programOf(words.split(' '))).toBe(program);
});
