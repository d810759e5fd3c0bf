/** The register in a real etcd: transactions, time-outs, members that are killed, stopped, restored; users. */
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Answer, RegisterReply } from '../../../src/core/arbiter/interface.ts';
import { EtcdRegister } from '../../../src/shell/arbiter/etcd.ts';
import { ETCD_MISSING, Etcd } from '../../support/etcd.ts';
import { EtcdRelay } from '../../support/etcd-relay.ts';
import { stopProcess } from '../../support/stop.ts';

const LIMIT_MS = 3000;
/** Of each test: keys of its own, in an etcd that all of them share. */
let domain = '';
let domains = 0;
const CTL_MISSING =
  spawnSync('etcdctl', ['version'], { env: { ...process.env, ETCDCTL_API: '3' } }).error !== undefined;
const MAY_INSTALL = process.geteuid?.() === 0;
if ((ETCD_MISSING || CTL_MISSING) && !MAY_INSTALL)
  console.warn(
    'etcd is not installed, and only root can: tests of it are left out (apt-get install etcd-server etcd-client)',
  );

const cleanUps: (() => unknown)[] = [];
beforeEach(() => {
  domains += 1;
  domain = `domain-${domains}`;
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function register(
  endpoints: readonly string[],
  user: { name: string; password: string } | null = null,
): EtcdRegister {
  const made = new EtcdRegister({
    endpoints,
    prefix: `/sm/${domain}/`,
    user: user === null ? null : { name: user.name, password: () => ({ ok: true, value: user.password }) },
    tls: {},
    now: () => performance.now(),
  });
  cleanUps.push(() => made.close());
  return made;
}

function value(answer: Answer<RegisterReply>): RegisterReply {
  if (answer.kind === 'unknown') throw new Error(`${answer.cause}: ${answer.detail}`);
  return answer.value;
}

const put = (key: string, text: string) => ({ expect: [], put: [{ key, text }] });
const READ = { expect: [], put: [] };

describe.runIf(!(ETCD_MISSING || CTL_MISSING) || MAY_INSTALL)('etcd', () => {
  let etcd: Etcd;
  let cluster: Etcd;
  beforeAll(async () => {
    if (ETCD_MISSING || CTL_MISSING)
      throw new Error('run make setup, or apt-get install etcd-server etcd-client');
    [etcd, cluster] = await Promise.all([Etcd.start(), Etcd.start(3)]);
  });
  afterAll(() => Promise.all([etcd, cluster].map((each) => each?.stop())));

  test('a transaction compares content and revision, puts, and reads what holds after it', async () => {
    const [a, b] = [register(etcd.urls), register(etcd.urls)];
    expect(value(await a.ask(READ, LIMIT_MS)).entries.size).toBe(0);

    const first = await a.ask(
      { expect: [{ key: 'record', seen: null }], put: put('record', 'one ü').put },
      LIMIT_MS,
    );
    expect(value(first).committed).toBe(true);
    const seen = value(first).entries.get('record')!;
    expect(seen.text).toBe('one ü');

    // Who thinks that it is absent still, or has seen another content under this revision, changes nothing.
    for (const stale of [null, { ...seen, text: 'other' }, { ...seen, revision: '1' }]) {
      const lost = value(
        await b.ask({ expect: [{ key: 'record', seen: stale }], put: put('record', 'two').put }, LIMIT_MS),
      );
      expect(lost.committed).toBe(false);
      expect(lost.entries.get('record')).toEqual(seen);
    }
    const won = value(
      await b.ask({ expect: [{ key: 'record', seen }], put: put('record', 'two').put }, LIMIT_MS),
    );
    expect(won.committed).toBe(true);
    expect(won.register).toBe(value(first).register);

    // Keys of others are not ours to see.
    await etcd.ctl('put', `/sm/${domain}2`, 'x');
    await etcd.ctl('put', '/other/record', 'x');
    await etcd.ctl('compact', '2');
    expect([...value(await a.ask(READ, LIMIT_MS)).entries.keys()]).toEqual(['record']);
  });

  test('nobody there is said at once, and the next endpoint is asked', async () => {
    const alone = register(['http://127.0.0.1:9']);
    expect(await alone.ask(put('record', 'x'), LIMIT_MS)).toMatchObject({
      kind: 'unknown',
      cause: 'unreachable',
    });
    const second = register(['http://127.0.0.1:9', ...etcd.urls]);
    expect(value(await second.ask(put('record', 'x'), LIMIT_MS)).committed).toBe(true);
  });

  test('a server that stopped is answered for within the limit, and asked again when it goes on', async () => {
    const a = register(etcd.urls);
    value(await a.ask(READ, LIMIT_MS));
    await stopProcess(etcd.members[0]!.pid);
    const started = performance.now();
    expect(await a.ask(put('record', 'late'), 300)).toMatchObject({ kind: 'unknown', cause: 'timeout' });
    expect(performance.now() - started).toBeLessThan(1500);
    etcd.members[0]!.signal('SIGCONT');
    let back = await a.ask(READ, LIMIT_MS);
    for (const end = performance.now() + 10_000; back.kind === 'unknown' && performance.now() < end; )
      back = await a.ask(READ, LIMIT_MS);
    // It may have been done, and it may not: a compare on what is there now settles it.
    const seen = value(back).entries.get('record') ?? null;
    const next = { expect: [{ key: 'record', seen }], put: put('record', 'next').put };
    expect(value(await a.ask(next, LIMIT_MS))).toMatchObject({ committed: true });
    expect(value(await a.ask(READ, LIMIT_MS)).entries.get('record')?.text).toBe('next');
  });

  test.each([
    ['whose answer is lost', 'done', 0],
    ['that is held back until after its time-out', 'late', 600],
  ])('a write %s is unknown, and is done', async (_, text, holdMs) => {
    const relay = await EtcdRelay.start(etcd.urls[0]!);
    cleanUps.push(() => relay.stop());
    relay.hold = () => holdMs;
    relay.answers = false;
    const asked = await register([relay.url]).ask(put('record', text), 300);
    expect(asked).toMatchObject({ kind: 'unknown', cause: 'timeout' });
    const a = register(etcd.urls);
    const read = async () => value(await a.ask(READ, LIMIT_MS)).entries.get('record')?.text;
    if (holdMs > 0) expect(await read(), 'not yet').toBeUndefined();
    await vi.waitFor(() => expect(relay.landed).toHaveLength(1), { timeout: 5000, interval: 10 });
    expect(relay.landed[0]?.committed).toBe(true);
    expect(await read()).toBe(text);
  });

  test('without a majority it says so in time; with one again it goes on', async () => {
    const a = register(cluster.urls);
    const seen = value(await a.ask(put('record', 'x'), LIMIT_MS)).entries.get('record')!;
    await Promise.all([cluster.members[1]!.kill(), cluster.members[2]!.kill()]);
    const causes: (string | null)[] = [];
    for (
      const end = performance.now() + 15_000;
      causes.at(-1) !== 'leaderless' && performance.now() < end;
    ) {
      const answer = await a.ask(READ, 500);
      causes.push(answer.kind === 'unknown' ? answer.cause : null);
    }
    // Until its election time-out the one that is left still hopes.
    expect([...new Set(causes)].filter((cause) => cause !== 'timeout')).toEqual(['leaderless']);
    const started = performance.now();
    const refused = await a.ask({ expect: [], put: put('record', 'y').put }, LIMIT_MS);
    expect(refused).toMatchObject({ kind: 'unknown', cause: 'leaderless' });
    expect(performance.now() - started, 'it does not wait for its own time-out').toBeLessThan(1000);

    cluster.members[1]!.start();
    let back: Answer<RegisterReply> = refused;
    for (const end = performance.now() + 15_000; back.kind === 'unknown' && performance.now() < end; )
      back = await a.ask(READ, 1000);
    expect(value(back).entries.get('record'), 'what was refused so was never done').toEqual(seen);
  }, 40_000);

  test('a register that was restored has lost what came after, and every compare on it', async () => {
    const a = register(etcd.urls);
    value(await a.ask(put('record', 'before'), LIMIT_MS));
    const backup = join(etcd.directory, 'backup.db');
    await etcd.ctl('snapshot', 'save', backup);
    const after = value(await a.ask(put('record', 'after'), LIMIT_MS)).entries.get('record')!;
    await etcd.restore(backup);
    // The same revision may be given out again; the content was never seen under it.
    value(await a.ask(put('record', 'new'), LIMIT_MS));
    const lost = value(
      await a.ask({ expect: [{ key: 'record', seen: after }], put: put('record', 'x').put }, LIMIT_MS),
    );
    expect(lost.committed).toBe(false);
    expect(lost.entries.get('record')?.text).toBe('new');
  });

  test('users: the right password is in, a wrong one is said to be the cause and is not repeated', async () => {
    await etcd.ctl('user', 'add', 'root:rootpass');
    await etcd.ctl('user', 'add', 'sm:secret-of-sm');
    await etcd.ctl('role', 'add', 'sm');
    await etcd.ctl('role', 'grant-permission', 'sm', 'readwrite', '--prefix=true', `/sm/${domain}/`);
    await etcd.ctl('user', 'grant-role', 'sm', 'sm');
    await etcd.ctl('user', 'grant-role', 'root', 'root');
    await etcd.ctl('auth', 'enable');
    const right = register(etcd.urls, { name: 'sm', password: 'secret-of-sm' });
    expect(value(await right.ask(put('record', 'x'), LIMIT_MS)).committed).toBe(true);
    const wrong = await register(etcd.urls, { name: 'sm', password: 'guess-of-mine' }).ask(READ, LIMIT_MS);
    expect(wrong).toMatchObject({ kind: 'unknown', cause: 'auth' });
    expect(JSON.stringify(wrong)).not.toContain('guess-of-mine');
    expect(await register(etcd.urls).ask(READ, LIMIT_MS)).toMatchObject({ kind: 'unknown' });
  });
});

describe('a server that is no etcd', () => {
  async function server(handle: http.RequestListener): Promise<string> {
    const listening = http.createServer(handle).listen(0, '127.0.0.1');
    await new Promise((resolve) => listening.once('listening', resolve));
    cleanUps.push(() => {
      listening.closeAllConnections();
      listening.close();
    });
    return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  }

  test.each<[string, http.RequestListener, string]>([
    ['a page', (_, response) => response.end('<html>'), 'protocol'],
    [
      'an answer to another question',
      (_, response) => response.end('{"header":{"cluster_id":"1"},"kvs":[]}'),
      'protocol',
    ],
    [
      'endless',
      (_, response) => {
        const more = (): boolean => response.write('x'.repeat(65_536), () => void more());
        more();
      },
      'protocol',
    ],
    ['nothing', () => {}, 'timeout'],
    [
      'a broken answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"header"');
        setImmediate(() => response.destroy());
      },
      'unreachable',
    ],
    [
      'a redirection',
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      'protocol',
    ],
    [
      'no leader',
      (_, response) => response.writeHead(503).end('{"error":"etcdserver: no leader","code":14}'),
      'leaderless',
    ],
    [
      'its own time-out',
      (_, response) => response.writeHead(500).end('{"error":"etcdserver: request timed out","code":14}'),
      'timeout',
    ],
  ])('%s is unknown, with its cause', async (_name, handle, cause) => {
    const answer = await register([await server(handle)]).ask(put('record', 'x'), 500);
    expect(answer).toMatchObject({ kind: 'unknown', cause });
  });
});
