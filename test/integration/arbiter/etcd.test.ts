/** The register in a real etcd: transactions, time-outs, members that are killed, stopped, restored; users. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Answer, RegisterReply } from '../../../src/core/arbiter/interface.ts';
import { EtcdRegister } from '../../../src/shell/arbiter/etcd.ts';
import { ETCD_MISSING, Etcd } from '../../support/etcd.ts';
import { stopProcess } from '../../support/stop.ts';

const LIMIT_MS = 3000;
const CTL_MISSING =
  spawnSync('etcdctl', ['version'], { env: { ...process.env, ETCDCTL_API: '3' } }).error !== undefined;
const MAY_INSTALL = process.geteuid?.() === 0;
if ((ETCD_MISSING || CTL_MISSING) && !MAY_INSTALL)
  console.warn(
    'etcd is not installed, and only root can: tests of it are left out (apt-get install etcd-server etcd-client)',
  );

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startEtcd(count = 1): Promise<Etcd> {
  if (ETCD_MISSING || CTL_MISSING)
    throw new Error('run make setup, or apt-get install etcd-server etcd-client');
  const etcd = await Etcd.start(count);
  cleanUps.push(() => etcd.stop());
  return etcd;
}

function register(
  endpoints: readonly string[],
  user: { name: string; password: string } | null = null,
): EtcdRegister {
  const made = new EtcdRegister({
    endpoints,
    prefix: '/sm/controller/',
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
  test('a transaction compares content and revision, puts, and reads what holds after it', async () => {
    const etcd = await startEtcd();
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
    etcd.ctl('put', '/sm/controller2', 'x');
    etcd.ctl('put', '/other/record', 'x');
    etcd.ctl('compact', '2');
    expect([...value(await a.ask(READ, LIMIT_MS)).entries.keys()]).toEqual(['record']);
  });

  test('nobody there is said at once, and the next endpoint is asked', async () => {
    const etcd = await startEtcd();
    const alone = register(['http://127.0.0.1:9']);
    expect(await alone.ask(put('record', 'x'), LIMIT_MS)).toMatchObject({
      kind: 'unknown',
      cause: 'unreachable',
    });
    const second = register(['http://127.0.0.1:9', ...etcd.urls]);
    expect(value(await second.ask(put('record', 'x'), LIMIT_MS)).committed).toBe(true);
  });

  test('a server that stopped is answered for within the limit, and asked again when it goes on', async () => {
    const etcd = await startEtcd();
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
    // It may have been done, and it may not.
    expect([undefined, 'late']).toContain(value(back).entries.get('record')?.text);
  });

  test('a write whose answer is lost is unknown, and was done', async () => {
    const etcd = await startEtcd();
    const relay = net.createServer((client) => {
      const server = net.connect(Number(new URL(etcd.urls[0]!).port), '127.0.0.1');
      client.pipe(server);
      // Answers are swallowed.
      server.resume();
      for (const socket of [client, server]) socket.on('error', () => {});
      cleanUps.push(() => [client, server].map((socket) => socket.destroy()));
    });
    relay.listen(0, '127.0.0.1');
    await once(relay, 'listening');
    cleanUps.push(() => relay.close());
    const deaf = register([`http://127.0.0.1:${(relay.address() as AddressInfo).port}`]);
    expect(await deaf.ask(put('record', 'done'), 500)).toMatchObject({ kind: 'unknown', cause: 'timeout' });
    const seen = value(await register(etcd.urls).ask(READ, LIMIT_MS)).entries.get('record');
    expect(seen?.text).toBe('done');
  });

  test('without a majority it says so in time; with one again it goes on', async () => {
    const etcd = await startEtcd(3);
    const a = register(etcd.urls);
    value(await a.ask(put('record', 'x'), LIMIT_MS));
    await Promise.all([etcd.members[1]!.kill(), etcd.members[2]!.kill()]);
    const started = performance.now();
    const answers = [await a.ask(put('record', 'y'), 500), await a.ask(READ, 500), await a.ask(READ, 500)];
    expect(performance.now() - started).toBeLessThan(4000);
    expect(answers.map(({ kind }) => kind)).toEqual(['unknown', 'unknown', 'unknown']);
    etcd.members[1]!.start();
    let back: Answer<RegisterReply> = answers[0]!;
    for (const end = performance.now() + 15_000; back.kind === 'unknown' && performance.now() < end; )
      back = await a.ask(READ, 1000);
    expect(['x', 'y']).toContain(value(back).entries.get('record')?.text);
  }, 40_000);

  test('a register that was restored has lost what came after, and every compare on it', async () => {
    const etcd = await startEtcd();
    const a = register(etcd.urls);
    value(await a.ask(put('record', 'before'), LIMIT_MS));
    const snapshot = join(etcd.directory, 'backup.db');
    etcd.ctl('snapshot', 'save', snapshot);
    const after = value(await a.ask(put('record', 'after'), LIMIT_MS)).entries.get('record')!;
    const member = etcd.members[0]!;
    await member.kill();
    rmSync(member.directory, { recursive: true });
    etcd.ctl(
      ...['snapshot', 'restore', snapshot, '--data-dir', member.directory, '--name', member.name],
      ...[
        '--initial-cluster',
        `${member.name}=${member.peerUrl}`,
        '--initial-advertise-peer-urls',
        member.peerUrl,
      ],
    );
    member.start();
    await etcd.ready();
    // The same revision may be given out again; the content was never seen under it.
    value(await a.ask(put('record', 'new'), LIMIT_MS));
    const lost = value(
      await a.ask({ expect: [{ key: 'record', seen: after }], put: put('record', 'x').put }, LIMIT_MS),
    );
    expect(lost.committed).toBe(false);
    expect(lost.entries.get('record')?.text).toBe('new');
  });

  test('users: the right password is in, a wrong one is said to be the cause and is not repeated', async () => {
    const etcd = await startEtcd();
    etcd.ctl('user', 'add', 'root:rootpass');
    etcd.ctl('user', 'add', 'sm:secret-of-sm');
    etcd.ctl('role', 'add', 'sm');
    etcd.ctl('role', 'grant-permission', 'sm', 'readwrite', '--prefix=true', '/sm/controller/');
    etcd.ctl('user', 'grant-role', 'sm', 'sm');
    etcd.ctl('user', 'grant-role', 'root', 'root');
    etcd.ctl('auth', 'enable');
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
