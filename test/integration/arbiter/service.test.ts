/** Two nodes' keepers on a real etcd and a real file with O_DIRECT: who may act, on the real clock. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ArbiterFact, PeerWord } from '../../../src/core/arbiter/interface.ts';
import type { ArbiterDefinitions } from '../../../src/core/definitions/arbiter-model.ts';
import type { FromArbiter } from '../../../src/shell/arbiter/messages.ts';
import { ArbiterService } from '../../../src/shell/arbiter/service.ts';
import { realTime } from '../../../src/shell/time.ts';
import { ETCD_MISSING, Etcd } from '../../support/etcd.ts';
import { ROOT } from '../../tidy/project.ts';

/** Larger than the shipped numbers: what is shown is who may act, on a machine and a disk that are busy with other tests. */
const P = 2000;
const S = 300;
const QUIET = 2550;
/** Everything here waits for what is told; this is when to give up. */
const LIMIT_MS = 20_000;
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

class Site {
  readonly told: { readonly at: number; readonly fact: ArbiterFact }[] = [];
  readonly service: ArbiterService;
  readonly #waiting = new Set<() => void>();
  readonly #node: string;

  constructor(ordinal: 0 | 1, arbiters: ArbiterDefinitions) {
    this.#node = `controller-${ordinal}`;
    this.service = new ArbiterService({
      plan: {
        node: this.#node,
        peer: `controller-${1 - ordinal}`,
        ordinal,
        domain: { name: 'controller', deadIntervalMs: P, stopBoundMs: S },
        arbiters,
        secretsDirectory: '/nonexistent',
        agentsDirectory: '/usr/sbin',
        diskLock: `${arbiters.disk?.device ?? ''}.lock-${ordinal}`,
        kernelLife: `kernel-${ordinal}`,
        knownRegister: '',
      },
      tell: (message) => this.#receive(message),
      environment: {},
      time: realTime,
      startDisk,
    });
    this.service.start();
  }

  #receive(message: FromArbiter): void {
    if (message.type !== 'fact') return;
    this.told.push({ at: realTime.now(), fact: message.fact });
    // What sm-watchdog does: permission is finite from here.
    if (message.fact.type === 'arbiter.limit')
      this.service.receive({ type: 'limited', ticket: message.fact.ticket });
    for (const look of [...this.#waiting]) look();
  }

  word(heard: boolean): void {
    const word: PeerWord = {
      heard,
      exchanged: heard,
      leaving: false,
      lastReceiptAt: heard ? realTime.now() : Number.NEGATIVE_INFINITY,
      permissionMs: P,
      stopBoundMs: S,
    };
    this.service.receive({ type: 'peer', word, productUuid: '' });
  }

  wish(leads: boolean, holder: string, activation: number): void {
    const holds = holder === this.#node ? [{ group: 'app', activation }] : [];
    this.service.receive({
      type: 'wish',
      wish: { leads, number: 1, groups: [{ group: 'app', holder, activation }], holds },
    });
  }

  /** The next fact of this type that was told after `since`. */
  fact(type: ArbiterFact['type'], since: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(
              `${type} was not told; told were ${this.told
                .slice(-5)
                .map(({ fact }) => JSON.stringify(fact))
                .join(' ')}`,
            ),
          ),
        LIMIT_MS,
      );
      const look = (): void => {
        const found = this.told.find(({ at, fact }) => at >= since && fact.type === type);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found.at);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** All facts of these types that were told after `since`. */
  facts(since: number, ...types: readonly ArbiterFact['type'][]): readonly unknown[] {
    return this.told
      .filter(({ at, fact }) => at >= since && types.includes(fact.type))
      .map(({ at, fact }) => ({ afterMs: Math.round(at - since), ...fact }));
  }
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

/** A pair that has met: controller-0 leads and holds. */
async function pair(shared: Shared): Promise<[Site, Site]> {
  const sites: [Site, Site] = [new Site(0, shared.arbiters), new Site(1, shared.arbiters)];
  for (const { service } of sites) cleanUps.push(() => service.stop());
  for (const site of sites) site.word(true);
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
      a.service.stop();
      const stoppedAt = realTime.now();
      const grantedAt = await b.fact('arbiter.granted', cutAt);
      expect(grantedAt - cutAt).toBeGreaterThanOrEqual(QUIET + extraMs - 250);
      expect(grantedAt - stoppedAt).toBeLessThan(QUIET + extraMs + 5000);
      await b.fact('arbiter.sole', grantedAt);
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
      for (const site of [a, b])
        expect(site.facts(cutAt, 'arbiter.granted', 'arbiter.lost', 'arbiter.sole')).toEqual([]);
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
      b.service.stop();
      const soleAt = await a.fact('arbiter.sole', offAt);
      await shared.restart?.();
      await a.fact('arbiter.sole', Math.max(soleAt + 1, realTime.now()));
      expect(a.facts(offAt, 'arbiter.lost', 'arbiter.limit')).toEqual([]);

      // It comes back: permission is made finite, and then only the record lets it in.
      const backAt = realTime.now();
      const again = new Site(1, shared.arbiters);
      cleanUps.push(() => again.service.stop());
      a.word(true);
      again.word(true);
      const limitedAt = await a.fact('arbiter.limit', backAt);
      expect(await a.fact('arbiter.renewed', limitedAt)).toBeGreaterThanOrEqual(limitedAt);
    },
    40_000,
  );
});
