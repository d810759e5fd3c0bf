import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { failure, verdictOn } from '../../../src/lab/verdict.ts';

const BOUNDS = { failover_ms: 1500, both_active_ms: 0, events: 0 };
const CORES = availableParallelism();
const judge = (figures: object, load: number) => {
  const { line, code } = verdictOn(
    'demo',
    { failover_ms: 1200, both_active_ms: 0, events: 0, ...figures },
    BOUNDS,
    {},
    load,
  );
  return { ...(JSON.parse(line) as { reason?: string }), code };
};

test('within its bounds all is well, also on a busy machine', () => {
  const figures = { failover_ms: 1500, both_active_ms: 0, events: 0 };
  expect(judge(figures, 40)).toEqual({ demo: 'ok', ...figures, code: 0 });
});

test('a time that is missed names the load', () => {
  expect(judge({ failover_ms: 1501 }, 40.04)).toMatchObject({
    demo: 'failed',
    code: 1,
    reason: `failover_ms is above 1500 (load average 40.0 on ${CORES} cores: this machine was busy with other work too)`,
  });
  expect(judge({ failover_ms: 1501 }, 0.5).reason).toBe(
    `failover_ms is above 1500 (load average 0.5 on ${CORES} cores)`,
  );
});

test.each([
  ['two active nodes', { both_active_ms: 10 }, 'both_active_ms is above 0'],
  ['an event', { events: 1 }, 'events is above 0'],
])('%s are never a matter of load', (_what, figures, reason) => {
  expect(judge(figures, 40)).toMatchObject({ demo: 'failed', reason, code: 1 });
});

test('a figure that is missing, or no number, is a failure', () => {
  expect(judge({ events: undefined }, 0)).toMatchObject({ demo: 'failed', code: 1 });
  expect(judge({ failover_ms: Number.NaN }, 0)).toMatchObject({ demo: 'failed', code: 1 });
});

test('something that did not come in time names the load too, anything else does not', () => {
  const line = (message: string) => failure('lab', new Error(message), { isolation: 'loopback' }, 0.5).line;
  expect(JSON.parse(line('not within 20000 ms: sm is back'))).toEqual({
    lab: 'failed',
    reason: `not within 20000 ms: sm is back (load average 0.5 on ${CORES} cores)`,
    isolation: 'loopback',
  });
  expect(JSON.parse(line('swact refused')).reason).toBe('swact refused');
});
