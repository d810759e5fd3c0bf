import { defineConfig } from 'vitest/config';

/** `make test-install`: builds the package and lives with it, on fresh machines. About two minutes, and root. */
export default defineConfig({
  test: {
    include: ['test/integration/install/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 180_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
