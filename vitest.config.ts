import { defineConfig } from 'vitest/config';

/**
 * Two kinds of tests, one after the other. `fast` needs a processor and nothing else: files run side by side. `real`
 * starts daemons, scripts and namespaces whose clocks are real: one file at a time, so that a test never waits because
 * another one is busy.
 */
const REAL = 'test/integration/**/*.test.ts';
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
        test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: [REAL], sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: 'real', include: [REAL], exclude: [INSTALL], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
