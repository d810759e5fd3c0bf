/** Pairs on networks of every kind: IPv6 with global and link-local addresses, IPv4 beside it, multicast groups. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rackOptions } from '../../../src/lab/enter.ts';
import { buildPrograms } from '../pair/build.ts';

const LIMIT_MS = 90_000;
const FAILOVER_MS_MAX = 3000;
const options = rackOptions();

let programs: ReturnType<typeof buildPrograms>;
const scratch = mkdtempSync(join(tmpdir(), 'sm-networks-'));
beforeAll(() => {
  programs = buildPrograms();
});
afterAll(() => {
  rmSync(programs.root, { recursive: true, force: true });
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
});

interface Disturbance {
  readonly told: string;
  readonly lives: number;
}

interface Findings {
  /** Links whose address could not be used at first. */
  readonly tentative: readonly number[];
  readonly settled: readonly string[];
  readonly cut: Disturbance;
  readonly unplugged: Disturbance;
  readonly 'address removed'?: Disturbance;
  readonly renamed?: string;
  readonly narrow: readonly string[];
  readonly failoverMs: number;
  readonly bothActiveMs: number;
  readonly damaged: number;
}

function findings(kind: string): Findings {
  const words = [
    '--import',
    'tsx',
    join(import.meta.dirname, 'networks.ts'),
    kind,
    join(scratch, kind),
    programs.dist,
  ];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [...(options ?? []), '--', process.execPath, ...words],
    {
      encoding: 'utf8',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    },
  );
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

test.runIf(options !== null).each([
  ['ipv6', [0, 1, 2], ['heard', 'heard', 'heard']],
  ['mixed', [1, 2], ['heard', 'heard', 'heard']],
  ['multicast', [1], ['heard', 'heard', 'not heard']],
])(
  'a pair by %s: it waits for its addresses, loses links and gets them back, and replaces a dead node',
  (kind, tentative, settled) => {
    const found = findings(kind);
    expect(found).toMatchObject({ tentative, settled });
    for (const name of ['cut', 'unplugged', 'address removed'] as const)
      expect(found[name]?.lives ?? 0, name).toBe(0);
    if (kind === 'mixed') expect(found.renamed).toBe('heard');
    expect(found.narrow).toEqual(['heard', 'not heard', 'not heard']);
    expect(found.failoverMs).toBeLessThan(FAILOVER_MS_MAX);
    expect(found).toMatchObject({ bothActiveMs: 0, damaged: 0 });
  },
  LIMIT_MS,
);
