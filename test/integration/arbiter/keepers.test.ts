/**
 * Two nodes' keepers on real etcds that lose their majority, answer late, are compacted and restored, and carry writes out after
 * their time-out. Judged is who may act, and that never both may; all at once, each pair with keys of its own.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ArbiterDefinitions } from '../../../src/core/definitions/arbiter-model.ts';
import { realTime } from '../../../src/shell/time.ts';
import { bothActed, Site, type SiteOptions } from '../../support/arbiter-site.ts';
import { ETCD_MISSING, Etcd } from '../../support/etcd.ts';
import { EtcdRelay } from '../../support/etcd-relay.ts';

const P = 1200;
const S = 300;
/** P + S + m. */
const QUIET = 1670;
const REQUEST_LIMIT = 350;
/** Between what happens and what is told of it here, while others use the machine. */
const LATE = 150;
const MAY_INSTALL = process.geteuid?.() === 0;

/** At the end of all: tests that run side by side have no end of their own that others could be told of. */
const cleanUps: (() => unknown)[] = [];

function asking(...endpoints: readonly string[]): ArbiterDefinitions {
  const etcd = {
    endpoints,
    userName: '',
    passwordSecret: '',
    caFile: '',
    certificateFile: '',
    certificateKeySecret: '',
    stampIntervalMs: 200,
    requestLimitMs: REQUEST_LIMIT,
  };
  const fencing = { delayMs: 0, afterwards: 'off', verifyGapMs: 200, auditIntervalMs: 60_000, devices: [] };
  return { etcd, disk: null, fencing, gateways: [] } as ArbiterDefinitions;
}

function site(
  domain: string,
  ordinal: 0 | 1,
  arbiters: ArbiterDefinitions,
  more?: Partial<SiteOptions>,
): Site {
  const made = new Site({ ordinal, arbiters, domain, permissionMs: P, stopBoundMs: S, ...more });
  cleanUps.push(() => made.off());
  return made;
}

/** Two that have met: the first one leads and holds. */
async function pair(
  domain: string,
  first: ArbiterDefinitions,
  second: ArbiterDefinitions = first,
): Promise<[Site, Site]> {
  const sites: [Site, Site] = [site(domain, 0, first), site(domain, 1, second)];
  for (const each of sites) each.word(true);
  sites[0].wish(true, 'controller-0', 1);
  sites[1].wish(false, 'controller-0', 1);
  await Promise.all([sites[0].fact('arbiter.renewed', 0), sites[1].fact('arbiter.numbers', 0)]);
  return sites;
}

/** Returns when. */
function cut(...sites: readonly Site[]): number {
  for (const each of sites) each.word(false);
  return realTime.now();
}

async function relayTo(etcd: Etcd): Promise<EtcdRelay> {
  const relay = await EtcdRelay.start(etcd.urls[0]!);
  cleanUps.push(() => relay.stop());
  return relay;
}

/** What is in etcd below the domain. */
async function stored(etcd: Etcd, domain: string, key: string): Promise<Record<string, unknown>> {
  return JSON.parse(await etcd.ctl('get', '--print-value-only', `/sm/${domain}/${key}`));
}

const moves = ['arbiter.granted', 'arbiter.lost', 'arbiter.sole'] as const;

describe.runIf(!ETCD_MISSING || MAY_INSTALL).concurrent('two keepers', { timeout: 40_000 }, () => {
  let etcd: Etcd;
  let cluster: Etcd;
  let restored: Etcd;
  beforeAll(async () => {
    if (ETCD_MISSING) throw new Error('run make setup, or apt-get install etcd-server');
    [etcd, cluster, restored] = await Promise.all([Etcd.start(), Etcd.start(3), Etcd.start()]);
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps) cleanUp();
    await Promise.all([etcd, cluster, restored].map((each) => each?.stop()));
  });

  test('without a majority a cut lets nobody in, and with one again it lets in one', async () => {
    const [a, b] = await pair('leaderless', asking(...cluster.urls));
    const [first, ...others] = cluster.members;
    await Promise.all(others.map((member) => member.kill()));
    const goneAt = realTime.now();
    // The one that is left knows it only after its own election time-out.
    await Promise.all(
      [a, b].map((each) => each.fact('arbiter.state', goneAt, ({ cause }) => cause === 'leaderless')),
    );
    expect(a.actsAt(realTime.now()), 'it acts as long as it hears its peer').toBe(true);

    const cutAt = cut(a, b);
    await b.eventually('waited for', () => realTime.now() > cutAt + QUIET + P);
    expect(b.facts(cutAt, ...moves)).toEqual([]);
    expect(a.actsAt(cutAt + P + LATE)).toBe(false);
    expect(b.spans).toEqual([]);

    for (const member of [first, ...others].slice(1)) member?.start();
    const backAt = realTime.now();
    const [winner, other] = await b.eventually('one of them back', () =>
      [[a, b] as const, [b, a] as const].find(([each]) => each.actsAt(realTime.now())),
    );
    await winner.eventually('one alone', () => realTime.now() > backAt + P + S);
    expect(other.actsAt(realTime.now())).toBe(false);
    expect(bothActed(a, b, S)).toEqual([]);
  });

  test('one that answers late, within the limit, changes nothing; later than that costs the holder its right', async () => {
    const relay = await relayTo(etcd);
    const [a, b] = await pair('slow', asking(relay.url), asking(...etcd.urls));
    relay.hold = () => REQUEST_LIMIT / 3;
    const cutAt = cut(a, b);
    await a.fact('arbiter.renewed', cutAt + QUIET);
    for (const each of [a, b]) expect(each.facts(cutAt, ...moves)).toEqual([]);

    relay.hold = () => 2 * REQUEST_LIMIT;
    const slowAt = realTime.now();
    await a.fact('arbiter.state', slowAt, ({ cause }) => cause === 'timeout');
    const grantedAt = await b.fact('arbiter.granted', slowAt);
    expect(a.actsAt(grantedAt)).toBe(false);
    expect(b.actsAt(grantedAt + LATE)).toBe(true);
    expect(bothActed(a, b, S)).toEqual([]);
  });

  test('a renewal that is done after its time-out renews nothing, and is a sign of life', async () => {
    const relay = await relayTo(etcd);
    const [a, b] = await pair('late-stamp', asking(relay.url), asking(...etcd.urls));
    relay.hold = () => P - LATE;
    const cutAt = cut(a, b);
    const stamp = await a.eventually('a late stamp', () =>
      relay.landed.find(({ at, puts }) => at > cutAt + REQUEST_LIMIT && puts.has('controller-0')),
    );
    expect(stamp.committed).toBe(true);
    expect(await stored(etcd, 'late-stamp', 'stamp/controller-0')).toEqual(
      JSON.parse(stamp.puts.get('controller-0')!),
    );
    const grantedAt = await b.fact('arbiter.granted', cutAt);
    expect(grantedAt - stamp.at).toBeGreaterThanOrEqual(QUIET - LATE);
    expect(a.facts(stamp.at, 'arbiter.renewed')).toEqual([]);
    expect(a.actsAt(stamp.at + LATE)).toBe(false);
    expect(bothActed(a, b, S)).toEqual([]);
  });

  test('a `sole` without an answer keeps nobody out once the peer is back, however late it is done', async () => {
    const relay = await relayTo(etcd);
    const [a, b] = await pair('late-sole', asking(relay.url), asking(...etcd.urls));
    relay.hold = (puts) => (puts.get('record')?.includes('"sole"') ? P + S : 0);
    b.off();
    const offAt = cut(a);
    await a.fact('arbiter.state', offAt, ({ cause }) => cause === 'timeout');
    expect(relay.landed.some(({ puts }) => puts.get('record')?.includes('"sole"'))).toBe(false);

    const back = site('late-sole', 1, asking(...etcd.urls), { kernelLife: 'kernel-1-2' });
    for (const each of [a, back]) each.word(true);
    back.wish(false, 'controller-0', 1);
    const late = await a.eventually('a late claim', () =>
      relay.landed.find(({ puts }) => puts.get('record')?.includes('"sole"')),
    );
    expect(late.committed).toBe(false);
    expect(await stored(etcd, 'late-sole', 'record')).toMatchObject({
      mode: 'leased',
      leader: 'controller-0',
    });
    expect(a.facts(offAt, 'arbiter.limit')).not.toEqual([]);
    expect(a.facts(offAt, ...moves)).toEqual([]);

    cut(back);
    a.off();
    await back.fact('arbiter.granted', late.at);
    expect(bothActed(a, back, S)).toEqual([]);
  });

  test('compactions in the middle of it change nothing, in a cut and in a take-over', async () => {
    const [a, b] = await pair('compacted', asking(...etcd.urls));
    let compactions = 0;
    const compact = async (): Promise<void> => {
      const { header } = JSON.parse(await etcd.ctl('get', 'any', '--write-out', 'json'));
      await etcd.ctl('compact', '--physical', String(header.revision)).then(
        () => (compactions += 1),
        // Nothing was written since the last one.
        () => {},
      );
    };
    const cutAt = cut(a, b);
    while (realTime.now() < cutAt + QUIET) await compact();
    expect(compactions).toBeGreaterThan(3);
    await a.fact('arbiter.renewed', realTime.now());
    for (const each of [a, b]) expect(each.facts(cutAt, ...moves, 'arbiter.state')).toEqual([]);

    a.off();
    const offAt = realTime.now();
    const granted = b.fact('arbiter.granted', offAt);
    while (b.facts(offAt, 'arbiter.granted').length === 0) await compact();
    expect((await granted) - offAt).toBeGreaterThanOrEqual(QUIET - 200 - LATE);
    expect(bothActed(a, b, S)).toEqual([]);
  });

  test('one that is restored from a backup is known for it: who acts alone goes on, who comes back waits', async () => {
    const [a, b] = await pair('restored', asking(...restored.urls));
    const backup = join(restored.directory, 'backup.db');
    await restored.ctl('snapshot', 'save', backup);
    b.off();
    const offAt = cut(a);
    await a.fact('arbiter.sole', offAt);
    expect(await stored(restored, 'restored', 'record')).toMatchObject({ mode: 'sole' });

    await restored.restore(backup);
    const restoredAt = realTime.now();
    await a.fact('arbiter.state', offAt, ({ cause }) => cause === 'lying');
    await a.fact('arbiter.sole', restoredAt);
    expect(await stored(restored, 'restored', 'record')).toMatchObject({
      mode: 'sole',
      leader: 'controller-0',
    });

    const { register } = await stored(restored, 'restored', 'record');
    const more = { kernelLife: 'kernel-1-2', knownRegister: String(register) };
    const back = site('restored', 1, asking(...restored.urls), more);
    // It stamps, so it is let in again: from then on both count time, and while both reach the record nothing moves.
    const limitedAt = await a.fact('arbiter.limit', restoredAt);
    await a.fact('arbiter.renewed', limitedAt + QUIET);
    expect(back.facts(0, ...moves)).toEqual([]);
    expect(a.facts(offAt, 'arbiter.lost')).toEqual([]);
    expect(a.spans).toHaveLength(1);
    expect(a.actsAt(realTime.now())).toBe(true);
    expect(bothActed(a, back, S)).toEqual([]);
  });
});
