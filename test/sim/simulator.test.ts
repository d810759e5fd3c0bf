/** The simulator itself: equal seeds give equal worlds, worlds without faults come to rest, few seeds with all faults. */
import { expect, test } from 'vitest';
import { CampaignProgress, summarize } from '../../src/sim/campaign.ts';
import { drawPlan } from '../../src/sim/faults.ts';
import type { WorldClass } from '../../src/sim/options.ts';
import { runSeed, type SeedResult } from '../../src/sim/run.ts';
import { runScenario } from '../../src/sim/scenario.ts';
import { checkerOf, scenarioOf, shrink } from '../../src/sim/shrink.ts';
import { drawOptions } from '../../src/sim/swarm.ts';
import { MixedWire } from '../support/mixed-wire.ts';

const run = (seed: number, minutes: number, worldClass: WorldClass = 'default'): SeedResult =>
  runSeed(drawOptions({ seed, minutes, worldClass, breaks: [] }));

test('equal seeds give equal worlds, other seeds other worlds', () => {
  const first = run(7, 1);
  expect(run(7, 1).digest).toBe(first.digest);
  expect(run(8, 1).digest).not.toBe(first.digest);
});

test('a trace changes nothing', () => {
  const options = drawOptions({ seed: 7, minutes: 1, worldClass: 'default', breaks: [] });
  const lines: string[] = [];
  const traced = runSeed(options, { trace: (_, node, __, text) => lines.push(`${node} ${text}`) });
  expect(traced.digest).toBe(run(7, 1).digest);
  expect(lines.length).toBeGreaterThan(50);
});

test.each([1, 2, 3, 4, 5, 6])('seed %i without faults settles, and stays so', (seed) => {
  const options = drawOptions({ seed, minutes: 0.5, worldClass: 'default', breaks: [] });
  const { violations, unconverged } = runSeed({ ...options, faults: {} });
  expect(violations).toEqual([]);
  expect(unconverged).toBe('');
});

test.each([11, 12, 13, 14, 15, 16, 17, 18])('seed %i with its faults breaks no rule and settles', (seed) => {
  const { violations, unconverged, counts } = run(seed, 4);
  expect(violations).toEqual([]);
  expect(unconverged).toBe('');
  expect(counts.size).toBeGreaterThan(0);
});

/** A full cut of two live nodes under `takeover`, clocks that run apart, carriers that are noticed late. */
test.each([
  'cut',
  'clock',
  'detect',
] as const)('what is outside of the assumptions is noticed: %s', (name) => {
  const seeds = [1, 2, 3, 4, 5, 6];
  const isFound = (seed: number) =>
    run(seed, 3, name).violations.some(({ checker }) => checker === 'single-active');
  expect(seeds.some(isFound)).toBe(true);
});

test('a failing seed is cut down to a scenario that fails for the same reason', () => {
  // Its world has no arbiter: a take-over by time is where a carrier matters.
  const options = drawOptions({ seed: 6, minutes: 2, worldClass: 'default', breaks: ['links-all'] });
  const faulty = { ...options, faults: { 'carrier-down-all': 8000, 'process-death': 8000, swact: 8000 } };
  const plan = drawPlan(faulty);
  const checker = checkerOf(runSeed(faulty, { plan, stopEarly: true }));
  expect(checker).toBe('single-active');
  const smallest = shrink({ options: faulty, plan, checker }, 100);
  expect(smallest.plan.length).toBeLessThan(3);
  const text = scenarioOf(smallest, plan.length);
  const { failures } = runScenario(text);
  expect(failures.join()).toContain('single-active');
});

test('a world with real bytes on its wire is cut down, and written, with them', () => {
  const options = drawOptions({ seed: 6, minutes: 0.2, worldClass: 'default', breaks: [] });
  const wires = [new MixedWire([]), new MixedWire([])] as const;
  const smallest = shrink({ options, plan: [], checker: '', wire: wires[0] }, 2);
  expect(wires[0].sent.size).toBeGreaterThan(0);
  const text = scenarioOf(smallest, 0);
  expect(text).toContain('set wire signed');
  runScenario(text, wires[1]);
  expect(wires[1].sent.size).toBeGreaterThan(0);
});

test('what was found does not depend on who computed it first', () => {
  const request = {
    firstSeed: 1,
    seeds: 3,
    minutes: 0.5,
    worldClass: 'default',
    breaks: [],
    hmac: false,
    workers: 2,
  } as const;
  const results = [1, 2, 3].map((seed) => run(seed, 0.5));
  const { digest } = summarize(request, results, 1);
  expect(summarize({ ...request, workers: 1 }, results.toReversed(), 9).digest).toBe(digest);
});

test('a long campaign says twice a minute how far it is', () => {
  const result = { ...run(1, 0.1), unconverged: 'a group waits' };
  const progress = new CampaignProgress({
    firstSeed: 1,
    seeds: 9,
    minutes: 0.1,
    worldClass: 'default',
    breaks: [],
    hmac: false,
    workers: 1,
  });
  expect([29, 60, 61, 90].map((seconds) => progress.after(result, seconds))).toEqual([
    '',
    '2 of 9 seeds, 2 findings, about 4 min left',
    '',
    '4 of 9 seeds, 4 findings, about 2 min left',
  ]);
});
