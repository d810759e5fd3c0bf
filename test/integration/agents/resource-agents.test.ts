/**
 * Ten agents of the package resource-agents run unchanged under sm's runner, with the results that the package's own test
 * cases (`ocft`), or else its meta-data, state. Only root can: in namespaces that end with the test.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const SCRIPT = join(import.meta.dirname, 'in-namespace.ts');
const CASES = '/usr/share/resource-agents/ocft/configs/IPaddr2';
const TIME_MS = 120_000;

interface Finding {
  readonly stated: number;
  readonly failures: readonly unknown[];
  readonly own?: readonly { readonly case: string }[];
}

/** Where resource-agents 4.12 itself does not do what its cases state: the same without sm. */
const OWN: Readonly<Record<string, string>> = {
  'IPaddr2, version 6': 'params with force cidr_netmask (base netmask < assigned netmask)',
  IPsrcaddr: 'double stop',
};

it(
  'runs agents of resource-agents with the results that they state',
  async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'left out, for it needs root: it changes addresses, routes and mounts');
    expect(
      existsSync(CASES),
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
    const agents = new Set(Object.keys(findings).map((name) => name.split(',')[0]));
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
    for (const [agent, { stated, failures, own = [] }] of Object.entries(findings)) {
      expect(failures, agent).toEqual([]);
      expect(stated, agent).toBeGreaterThanOrEqual(7);
      for (const { case: name } of own) expect(name, agent).toBe(OWN[agent]);
    }
  },
  TIME_MS,
);
