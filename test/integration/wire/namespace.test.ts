/** Links that really fail, in a network namespace of the test's own; an ordinary user needs user namespaces for it. */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, 'in-namespace.ts');
const UNSHARE = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  '--net',
  '--mount',
  '--kill-child',
  '--fork',
];
const PROBE = 'ip link add left0 type veth peer name right0'.split(' ');
const allowed = spawnSync('unshare', [...UNSHARE, ...PROBE]).status === 0;

/** The shipped link_down_detect. */
const DETECT_MS_MAX = 100;

async function findings(prepare: string): Promise<Record<string, { ms: number; reason: string }>> {
  const command = `${prepare} exec '${process.execPath}' --import tsx '${SCRIPT}'`;
  const { stdout } = await promisify(execFile)('unshare', [...UNSHARE, 'sh', '-c', command], {
    timeout: 25_000,
  });
  return JSON.parse(stdout);
}

test.runIf(allowed).each([
  ['with its own /sys', 'mount -t sysfs sysfs /sys &&', /^left0 has no carrier$/],
  ['with the /sys of another namespace', '', /^left0, .* is down or gone$/],
])('carrier, address, groups and late addresses, %s', async (_what, prepare, carrierReason) => {
  const found = await findings(prepare);
  const steps = ['carrier lost', 'carrier back', 'address lost', 'address back', 'taken down', 'put up'];
  for (const step of steps) expect(found[step]?.ms, step).toBeLessThanOrEqual(DETECT_MS_MAX);
  expect(found['carrier lost']?.reason).toMatch(carrierReason);
  expect(found['address lost']?.reason).toBe('address 10.77.0.1 was taken off left0');
  expect(found['taken down']?.reason).toMatch(/^left0/);
  expect(found.multicast).toEqual([1, 1]);
  // Nothing was dropped: neither by the group of the other family nor from a source that was not the peer.
  expect(found.anew).toEqual(['', '']);
  expect(found.late).toEqual({
    reasons: ['address 10.77.1.9 is not on this node', ''],
    failed: { closed: 1, ENETUNREACH: 1 },
  });
});
