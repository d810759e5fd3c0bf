/**
 * An engine that is set to the state of another one goes on as that one does: tried on the engines of drawn worlds, whatever
 * they are just in the middle of.
 */
import { expect, it, vi } from 'vitest';
import type { EngineEffect, EngineEvent, EngineOptions } from '../../src/core/engine-interface.ts';
import { capture, restore } from '../../src/core/trace/snapshot.ts';
import { decode, encode } from '../../src/core/trace/text.ts';
import { runSeed } from '../../src/sim/run.ts';
import { drawOptions } from '../../src/sim/swarm.ts';

const counts = vi.hoisted(() => ({ steps: 0, taken: 0, different: [] as string[] }));
/** Steps between two states that are taken: no divisor of anything. */
const STEPS = 41;

vi.mock('../../src/core/engine.ts', async (original) => {
  const real = await original<typeof import('../../src/core/engine.ts')>();
  const copy = <T>(value: T): T => decode(encode(value)) as T;

  class Engine extends real.Engine {
    readonly options: EngineOptions;
    #effects: EngineEffect[] = [];
    #twin: { readonly engine: Engine; readonly effects: EngineEffect[] } | null = null;

    constructor(options: EngineOptions, emit: (effect: EngineEffect) => void) {
      super(options, (effect) => {
        this.#effects.push(effect);
        emit(effect);
      });
      this.options = options;
    }

    override step(event: EngineEvent, now: number): void {
      const twin = this.#twin;
      this.#effects = [];
      super.step(event, now);
      if (twin !== null) {
        twin.effects.length = 0;
        twin.engine.asItself(copy(event), now);
        const [found, expected] = [twin.effects, this.#effects].map((effects) => JSON.stringify(effects));
        if (found !== expected) counts.different.push(`${event.type}: ${found} and not ${expected}`);
      }
      counts.steps += 1;
      if (counts.steps % STEPS === 0) this.#double();
    }

    asItself(event: EngineEvent, now: number): void {
      super.step(event, now);
    }

    #double(): void {
      const { breaks: _, ...rest } = this.options;
      const options = copy(rest);
      const effects: EngineEffect[] = [];
      const engine = new Engine(options, (effect) => void effects.push(effect));
      const state = capture(this, this.options);
      restore(engine, options, copy(state));
      const [found, expected] = [encode(capture(engine, options)), encode(state)];
      if (found !== expected) counts.different.push(`${found} is not ${expected}`);
      this.#twin = { engine, effects };
      counts.taken += 1;
    }
  }
  return { ...real, Engine };
});

it.each([2, 4, 5])('an engine of seed %i goes on from its state', (seed) => {
  runSeed(drawOptions({ seed, minutes: 1, worldClass: 'default', breaks: [] }));
  expect(counts.different.slice(0, 3).map((text) => text.slice(0, 3000))).toEqual([]);
  expect(counts.taken).toBeGreaterThan(10);
});
