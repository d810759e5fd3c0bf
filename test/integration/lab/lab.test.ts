/** The lab itself: machines that lose their power, cables, and a judge that sees two who are active at once. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rackOptions } from '../../../src/lab/enter.ts';

const PROGRAM = join(import.meta.dirname, 'machines.ts');
const options = rackOptions();
/** From SIGKILL until the last process of a machine has stamped for the last time. */
const LAST_STAMP_MS_MAX = 100;

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sm-lab-'));
  writeFileSync(join(root, 'log'), '');
});
afterEach(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

async function findings(isolation: 'namespaces' | 'loopback'): Promise<Record<string, unknown>> {
  const program = [process.execPath, '--import', 'tsx', PROGRAM, isolation, root];
  const argv = isolation === 'namespaces' ? ['unshare', ...(options ?? []), '--', ...program] : program;
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect(code, `${stderr}${readFileSync(join(root, 'log'), 'utf8')}`).toBe(0);
  return JSON.parse(stdout);
}

function expectPower(found: Record<string, unknown>): void {
  expect(found.bothActiveMs).toBeGreaterThanOrEqual(100);
  expect(found.stampsAfterPowerOffMs).toBeLessThan(LAST_STAMP_MS_MAX);
  expect(found.livesOfA).toBe(1);
  expect(found.livesOfB).toBe(2);
  expect(found.stampsAfterEnd).toBe(false);
}

test('machines on loopback addresses', async () => {
  expectPower(await findings('loopback'));
});

test.runIf(options !== null)('machines in namespaces', async () => {
  const found = await findings('namespaces');
  expectPower(found);
  // What was done to link 1, its carrier as the machine sees it, and whether links 1 and 2 work.
  expect(found.cuts).toEqual([
    ['up', '1', true, true],
    ['cut', '1', false, true],
    ['up', '1', true, true],
    ['unplugged', '0', false, true],
    ['up', '1', true, true],
  ]);
});
