/** Two nodes' keepers on a real etcd and a real file with O_DIRECT: who may act, on the real clock. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ArbiterDefinitions } from '../../../src/core/definitions/arbiter-model.ts';
import { realTime } from '../../../src/shell/time.ts';
import { bothActed, Site } from '../../support/arbiter-site.ts';
import { ETCD_MISSING, Etcd } from '../../support/etcd.ts';
import { ROOT } from '../../tidy/project.ts';

/** Larger than the shipped numbers: what is shown is who may act, on a machine and a disk that are busy with other tests. */
const P = 2000;
const S = 300;
const QUIET = 2550;
const MAY_INSTALL = process.geteuid?.() === 0;
if (ETCD_MISSING && !MAY_INSTALL)
  console.warn('etcd is not installed, and only root can: its tests are left out');

const NO_FENCING = {
  delayMs: 0,
  afterwards: 'off',
  verifyGapMs: 200,
  auditIntervalMs: 60_000,
  devices: [],
} as const;
const TIMES = { stampIntervalMs: 200, requestLimitMs: 500 };

/** As in the product, but a plain file is taken for the shared disk. */
function startDisk(device: string, slot: 0 | 1, lockFile: string): ChildProcess {
  const args = ['--import', 'tsx', join(ROOT, 'src/bin/sm-disk.ts'), device, String(slot), lockFile, 'local'];
  return spawn(process.execPath, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
}

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Shared {
  readonly arbiters: ArbiterDefinitions;
  readonly restart: (() => Promise<void>) | null;
}

async function etcd(): Promise<Shared> {
  if (ETCD_MISSING) throw new Error('run make setup, or apt-get install etcd-server');
  const server = await Etcd.start();
  cleanUps.push(() => server.stop());
  const definition = {
    endpoints: server.urls,
    userName: '',
    passwordSecret: '',
    caFile: '',
    certificateFile: '',
    certificateKeySecret: '',
    ...TIMES,
  };
  return {
    arbiters: { etcd: definition, disk: null, fencing: NO_FENCING, gateways: [] },
    restart: async () => {
      await server.members[0]!.kill();
      server.members[0]!.start();
      await server.ready();
    },
  };
}

async function disk(): Promise<Shared> {
  const folder = mkdtempSync(join(tmpdir(), 'sm-disk-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const device = join(folder, 'disk');
  writeFileSync(device, '');
  truncateSync(device, 1024 * 1024);
  return {
    arbiters: { etcd: null, disk: { device, ...TIMES }, fencing: NO_FENCING, gateways: [] },
    restart: null,
  };
}

function site(ordinal: 0 | 1, arbiters: ArbiterDefinitions): Site {
  const made = new Site({ ordinal, arbiters, permissionMs: P, stopBoundMs: S, startDisk });
  cleanUps.push(() => made.off());
  return made;
}

/** A pair that has met: controller-0 leads and holds. */
async function pair(shared: Shared): Promise<[Site, Site]> {
  const sites: [Site, Site] = [site(0, shared.arbiters), site(1, shared.arbiters)];
  for (const each of sites) each.word(true);
  sites[0].wish(true, 'controller-0', 1);
  sites[1].wish(false, 'controller-0', 1);
  const now = realTime.now();
  await Promise.all([sites[0].fact('arbiter.renewed', now), sites[1].fact('arbiter.numbers', now)]);
  return sites;
}

describe.each([
  ['etcd', etcd, 0] as const,
  ['disk', disk, 200 + QUIET] as const,
])('%s', (kind, make, extraMs) => {
  const runs = kind === 'disk' || !ETCD_MISSING || MAY_INSTALL;

  test.runIf(runs)(
    'a holder that is gone is replaced after P + S + m of quiet, and not sooner',
    async () => {
      const [a, b] = await pair(await make());
      const cutAt = realTime.now();
      b.word(false);
      a.off();
      const stoppedAt = realTime.now();
      const grantedAt = await b.fact('arbiter.granted', cutAt);
      expect(grantedAt - cutAt).toBeGreaterThanOrEqual(QUIET + extraMs - 250);
      expect(grantedAt - stoppedAt).toBeLessThan(QUIET + extraMs + 5000);
      await b.fact('arbiter.sole', grantedAt);
      expect(bothActed(a, b, S)).toEqual([]);
      console.log(`${kind}: replaced ${Math.round(grantedAt - stoppedAt)} ms after its last word`);
    },
    40_000,
  );

  test.runIf(runs)(
    'a cut between two that both reach it moves nothing',
    async () => {
      const [a, b] = await pair(await make());
      const cutAt = realTime.now();
      a.word(false);
      b.word(false);
      for (let i = 0; i < 2 * QUIET; i += 200) await a.fact('arbiter.renewed', cutAt + i);
      for (const each of [a, b])
        expect(each.facts(cutAt, 'arbiter.granted', 'arbiter.lost', 'arbiter.sole')).toEqual([]);
    },
    40_000,
  );

  test.runIf(runs)(
    'the standby is powered off: the holder is sole, and the arbiter may then be away',
    async () => {
      const shared = await make();
      const [a, b] = await pair(shared);
      const offAt = realTime.now();
      a.word(false);
      b.off();
      const soleAt = await a.fact('arbiter.sole', offAt);
      await shared.restart?.();
      await a.fact('arbiter.sole', Math.max(soleAt + 1, realTime.now()));
      expect(a.facts(offAt, 'arbiter.lost', 'arbiter.limit')).toEqual([]);

      // It comes back: permission is made finite, and then only the record lets it in.
      const backAt = realTime.now();
      const again = site(1, shared.arbiters);
      a.word(true);
      again.word(true);
      const limitedAt = await a.fact('arbiter.limit', backAt);
      expect(await a.fact('arbiter.renewed', limitedAt)).toBeGreaterThanOrEqual(limitedAt);
    },
    40_000,
  );
});
