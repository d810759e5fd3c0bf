/**
 * Ten agents of the package resource-agents run unchanged under sm's runner, with the results that the package's own test
 * cases (`ocft`), or else its meta-data, state. Only root can: in namespaces that end with the test. `make test-agents` has
 * the cases of those that drive further packages, or take long.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { Finding } from '../../support/agent-judge.ts';
import { OCFT } from '../../support/ocft.ts';
import { CASES } from './cases.ts';

const SCRIPT = join(import.meta.dirname, 'in-namespace.ts');
const TIME_MS = 120_000;

it(
  'runs agents of resource-agents with the results that they state',
  async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'left out, for it needs root: it changes addresses, routes and mounts');
    expect(
      existsSync(OCFT),
      'resource-agents is missing: make setup, or apt-get install resource-agents',
    ).toBe(true);
    // The shell is process 1 of the namespace and buries what daemons leave behind.
    const { stdout } = await promisify(execFile)(
      'unshare',
      [
        ...'--net --mount --pid --fork --kill-child --mount-proc sh -c'.split(' '),
        '"$@"; exit',
        'sh',
        process.execPath,
        '--import',
        'tsx',
        SCRIPT,
      ],
      { timeout: TIME_MS - 5000 },
    );
    const findings: Record<string, Finding> = JSON.parse(stdout);
    const agents = new Set(Object.values(findings).map(({ agent }) => agent));
    expect([...agents].sort()).toEqual([
      'Delay',
      'Dummy',
      'Filesystem',
      'IPaddr2',
      'IPsrcaddr',
      'Route',
      'SendArp',
      'Stateful',
      'anything',
      'symlink',
    ]);
    for (const [name, { stated, failures, own }] of Object.entries(findings)) {
      expect(failures, name).toEqual([]);
      expect(stated, name).toBeGreaterThanOrEqual(7);
      for (const each of own) expect(CASES[name]?.own, name).toHaveProperty([each.case]);
    }
  },
  TIME_MS,
);
