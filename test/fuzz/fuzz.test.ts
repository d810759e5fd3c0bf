/**
 * Hostile input for every reader: a few seconds of it, always the same, in `make test`; `make fuzz MINUTES=60` goes on for
 * as long as it is told to, with other input each time. What fails is made smaller and printed with its seed.
 */
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TARGETS } from './targets.ts';

const MINUTES = Number(process.env.FUZZ_MINUTES ?? 0);
const RUNS = 60;
/** So much input is a matter of ms. Of processor time: what a busy machine takes away is nobody's fault here. */
const INPUT_MS_MAX = 300;
const TRIES = 3;
const HEAP_GROWTH_BYTES_MAX = 64 * 1024 * 1024;

/** The same property, which fails when an input takes too long each time. */
function inTime(property: fc.IRawProperty<unknown>): fc.IRawProperty<unknown> {
  const run = property.run.bind(property);
  property.run = (value) => {
    for (let attempt = 1; ; attempt += 1) {
      const started = process.cpuUsage();
      const outcome = run(value);
      const { user, system } = process.cpuUsage(started);
      const tookMs = (user + system) / 1000;
      if (outcome !== null || tookMs <= INPUT_MS_MAX) return outcome;
      if (attempt === TRIES)
        return { error: new Error(`one input takes ${Math.round(tookMs)} ms, each time`) };
    }
  };
  return property;
}

const turn = promisify(setImmediate);

function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('node has to run with --expose-gc (vitest.config.ts)');
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

test.each(TARGETS.map((target) => [target.name, target] as const))(
  '%s: no crash, no hang, no memory without end',
  async (_name, { property, share = 1 }) => {
    const before = heapBytes();
    const end = performance.now() + (MINUTES * 60_000) / TARGETS.length;
    let seed = MINUTES === 0 ? 1 : Date.now() % 2 ** 31;
    do {
      fc.assert(inTime(property()), {
        seed,
        numRuns: Math.max(1, Math.round((MINUTES === 0 ? RUNS : 2000) * share)),
        ...(MINUTES === 0
          ? {}
          : { interruptAfterTimeLimit: Math.max(1, end - performance.now()), markInterruptAsFailure: false }),
      });
      seed += 1;
      // What streams put off until later is done, so that it is no memory of theirs.
      await turn();
    } while (performance.now() < end);
    expect(heapBytes() - before).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
  },
  MINUTES * 60_000 + 60_000,
);
