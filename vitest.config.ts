import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * Three kinds of tests, one after the other. `fast` needs a processor and nothing else: files run side by side. `real`
 * starts daemons, scripts and namespaces whose clocks are real: one file at a time, so that a test never waits because
 * another one is busy. `calm` does that too, but mostly waits for others' clocks, with seconds to spare: two at a time.
 */
const REAL = 'test/integration/**/*.test.ts';
const CALM = [
  'test/integration/{agents,api,arbiter}/*.test.ts',
  'test/integration/wire/networks.test.ts',
];
/** Has a configuration of its own: it takes minutes, and needs root. */
const INSTALL = 'test/integration/install/**';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    // Programs are compiled anew before the tests that run them.
    hookTimeout: 120_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [REAL],
          // Bounds of memory are measured after a collection.
          execArgv: ['--expose-gc'],
          // One core less if left out, which is half of two.
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'real',
          include: [REAL],
          exclude: [INSTALL, ...CALM],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'calm', include: CALM, maxWorkers: 2, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
