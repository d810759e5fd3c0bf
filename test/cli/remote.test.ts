/** `smctl --url`: the same commands by REST, over real connections to a server, with and without TLS. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { SMCTL } from '../../src/cli/smctl.ts';
import {
  authorityFiles,
  filesOf,
  issue,
  makeAuthority,
  type Purpose,
} from '../../src/shell/credentials/pki.ts';
import { revokeToken } from '../../src/shell/credentials/tokens.ts';
import { type ApiFixture, makeApi } from '../api/fixture.ts';
import { type Fixture, lastJson, makeFixture, run } from './fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'sm-remote-'));
const own = join(directory, 'own');
const foreign = join(directory, 'foreign');
let fixture: Fixture;
beforeAll(() => {
  fixture = makeFixture();
  for (const where of [own, foreign]) {
    makeAuthority(where, 'test', Date.now());
    const make = (name: string, purpose: Purpose) =>
      issue(where, { name, purpose, days: 2, now: Date.now(), renew: false });
    if (where === own) make('server', { kind: 'server', names: ['127.0.0.1'] });
    make('operator', { kind: 'client', role: 'operator' });
  }
});
afterAll(() => {
  fixture.remove();
  rmSync(directory, { recursive: true });
});

const ca = join(own, 'ca.pem');
const pem = (path: string) => readFileSync(path, 'utf8');

let api: ApiFixture;
let url: string;
beforeEach(async () => {
  const { certificate, key } = filesOf(own, 'server');
  const authority = pem(authorityFiles(own).certificate);
  const tls = { cert: pem(certificate), key: pem(key), ca: authority, requestCert: true } as const;
  api = await makeApi({ tls: { ...tls, rejectUnauthorized: false } });
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => api.close());

const tokenFile = (text: string, mode = 0o600): string => {
  const path = join(directory, 'token');
  rmSync(path, { force: true });
  writeFileSync(path, `${text}\n`, { mode });
  chmodSync(path, mode);
  return path;
};

const smctl = (words: readonly string[], token = '', change = {}) =>
  run(SMCTL, [...words, '--url', url], fixture, {
    environment: (name) => (name === 'SM_TOKEN' ? token : ''),
    ...change,
  });
const trusting = (words: readonly string[], token = '', change = {}) =>
  smctl([...words, '--ca', ca], token, change);

test('reads show what they show on the node', async () => {
  const status = await trusting(['status']);
  expect(status).toMatchObject({ exit: 0, err: '' });
  expect(status.out).toContain('domain                controller: leads, number 12\n');
  expect(lastJson((await trusting(['status', '--json'])).out)).toMatchObject({
    stale: null,
    node: 'controller-0',
    groups: [{ name: 'web', on: { 'controller-0': 'active', 'controller-1': 'standby' } }],
  });
  expect((await trusting(['explain', 'service', 'keystone'])).out).toContain('Last cause: exit 1.');
  expect((await trusting(['explain', 'node'])).out).toContain('Permission is held');
  expect(await trusting(['explain', 'service', 'nope'])).toMatchObject({ exit: 1 });
  expect((await trusting(['alarms'])).out).toContain('critical  400.001  service=keystone');
  const events = await trusting(['events', '--entity', 'keystone']);
  expect(events.out.trim().split('\n')).toHaveLength(1);
  expect(events.out).toContain('enabling -> disabled');
  expect((await trusting(['events', '--entity', 'group'])).out.trim().split('\n')).toHaveLength(2);
});

test('while sm is away the status is what it said last, and the exit code says so', async () => {
  await api.stopDaemon();
  const { exit, out } = await trusting(['status']);
  expect(exit).toBe(4);
  expect(out).toMatch(/^STALE, from the database: /);
  expect(await trusting(['swact', 'controller-0'], api.token('operator'))).toMatchObject({
    exit: 4,
    err: expect.stringContaining('sm does not answer on this node'),
  });
});

test('an order is followed to its end by its id', async () => {
  const token = api.token('operator');
  api.answer = { ok: true, code: '', message: 'accepted', operation: 'x-1' };
  const step = (name: string) =>
    api.sql(`INSERT INTO SM_OPERATIONS (OPERATION, KIND, NODE_NAME, STEP, REQUESTED_AT, ACTOR, WHY, REASON)
             VALUES ('x-1', 'swact', 'controller-0', '${name}', 1, 'a', '', '${name === 'done' ? '' : 'web is slow'}')
             ON CONFLICT (OPERATION) DO UPDATE SET STEP = excluded.STEP, REASON = excluded.REASON`);
  step('stopping');
  const steps = ['activating', 'done'];
  const pause = async () => {
    const next = steps.shift();
    if (next !== undefined) step(next);
  };
  expect(await trusting(['swact', '--why', 'kernel update'], token, { pause })).toEqual({
    exit: 0,
    out: 'swact controller-0: done\n',
    err: 'stopping\nactivating\n',
  });
  expect(api.commands).toEqual([
    {
      actor: 'api: token operator',
      command: { kind: 'swact', node: 'controller-0', group: '', why: 'kernel update', forMs: 0 },
    },
  ]);
  step('failed-back');
  const back = await trusting(['swact', 'controller-0', '--json'], token);
  expect([back.exit, lastJson(back.out)]).toEqual([
    1,
    { ok: false, code: 'failed-back', message: 'web is slow', operation: 'x-1' },
  ]);
  expect((await trusting(['swact', '--no-wait'], token)).exit).toBe(0);
});

test('an order to a service is followed by what the service does', async () => {
  const token = api.token('operator');
  expect(await trusting(['unmanage', 'keystone', '--for', '1h'], token)).toMatchObject({
    exit: 0,
    out: 'keystone: left alone\n',
  });
  let wallMs = 1_800_000_000_000;
  const pause = async (ms: number) => {
    wallMs += ms;
  };
  // It never comes back.
  const restarted = await trusting(['restart', 'keystone', '--wait', '1s'], token, {
    wallMs: () => wallMs,
    pause,
  });
  expect(restarted).toMatchObject({ exit: 6, err: expect.stringContaining('not ended yet, it is disabled') });
  expect(await trusting(['restart', 'nope'], token)).toMatchObject({
    exit: 1,
    err: expect.stringContaining('There is no service "nope"'),
  });
});

test('what the server refuses is told with its words, and an exit code that a script can use', async () => {
  // Nothing tells who is at the other end.
  api.uid = null;
  const none = await trusting(['swact', 'controller-0']);
  expect([none.exit, none.err]).toEqual([
    5,
    expect.stringMatching(/^127.0.0.1:\d+: .*SM_TOKEN, or --cert and --key; none was given\.\n$/),
  ]);
  const reader = await trusting(['swact', 'controller-0'], api.token('reader'));
  expect([reader.exit, reader.err]).toEqual([5, expect.stringContaining('this needs the role operator')]);
  const operator = api.token('operator');
  api.answer = { ok: false, code: 'refused', message: 'controller-1 is locked', operation: '' };
  const refused = await trusting(['swact', 'controller-0', '--json'], operator);
  expect([refused.exit, lastJson(refused.out).code]).toEqual([5, 'SM_API_REFUSED']);
  expect(refused.err).toContain('controller-1 is locked');
  revokeToken(join(api.directory, 'tokens'), 'operator');
  const revoked = await trusting(['swact', 'controller-0'], operator);
  expect([revoked.exit, revoked.err]).toEqual([5, expect.stringContaining('may be revoked or over')]);
  expect((await trusting(['lock', 'x'.repeat(40)], api.token('admin'))).exit).toBe(2);
});

test('confirm-dead from afar: as on the node, and for admins', async () => {
  const words = ['confirm-dead', 'controller-1', '--why', 'unplugged'];
  const admin = api.token('admin');
  expect((await trusting([...words, '--yes', 'controller-0'], admin)).exit).toBe(5);
  expect(await trusting([...words, '--yes', 'controller-1'], api.token('operator'))).toMatchObject({
    exit: 5,
    err: expect.stringContaining('this needs the role admin'),
  });
  expect(api.commands).toEqual([]);
  const typed = await trusting(words, admin, { ask: async () => 'controller-1' });
  expect([typed.exit, typed.out]).toEqual([0, 'accepted\n']);
  const command = { kind: 'confirm-dead', node: 'controller-1', why: 'unplugged' };
  expect(api.commands).toEqual([{ actor: 'api: token admin', command }]);
});

test('a certificate stands for a token', async () => {
  const files = (where: string) => {
    const { certificate, key } = filesOf(where, 'operator');
    return ['--cert', certificate, '--key', key];
  };
  expect(await trusting(['unmanage', 'keystone', ...files(own)])).toMatchObject({ exit: 0 });
  expect(api.commands[0]?.actor).toBe('api: certificate operator');
  expect((await trusting(['unmanage', 'keystone', ...files(foreign)])).exit).toBe(5);
});

test('a server that can not be believed or reached is told from one that says no', async () => {
  expect(await smctl(['status'])).toMatchObject({
    exit: 4,
    err: expect.stringContaining('give it with --ca'),
  });
  expect(await smctl(['status', '--ca', join(foreign, 'ca.pem')])).toMatchObject({
    exit: 4,
    err: expect.stringContaining('not of the authority in --ca'),
  });
  url = url.replace('127.0.0.1', 'localhost');
  expect((await trusting(['status'])).err).toContain('its certificate is for another name');
  url = url.replace('https://', 'http://');
  expect((await smctl(['status'])).err).toContain('is it https:// there?');
  url = 'http://127.0.0.1:1';
  expect(await smctl(['status'])).toMatchObject({ exit: 4, err: expect.stringContaining('nobody listens') });
  url = 'http://nowhere.invalid';
  expect((await smctl(['status'])).exit).toBe(4);
});

/** Answers everything with these bytes. */
async function saying(bytes: string, use: () => Promise<void>): Promise<void> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  await use();
  await new Promise((resolve) => server.close(resolve));
}

test.each([
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'not as sm-api does'],
  ['HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n', 'answered 302'],
  ['HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>', 'answered 502'],
  ['HTTP/1.1 409 No\r\nContent-Length: 26\r\n\r\n{"error_message":"{{","c":1}', 'answered 409'],
  ['SSH-2.0-OpenSSH_9\r\n', 'its answer is not HTTP'],
  ['', 'it closed the connection'],
])('what does not talk as sm-api does is told: %j', async (bytes, words) => {
  await saying(bytes, async () => {
    const { exit, err } = await smctl(['status']);
    expect(err).toContain(words);
    expect([1, 4, 5]).toContain(exit);
  });
});

test.each([
  [['history'], 'history needs the node itself'],
  [['token', 'list'], 'list needs the node itself'],
  [['status', '--socket', '/x'], '--socket is about this node'],
  [['status', '--cert', '/x'], '--cert and --key go together'],
  [['status', '--token-file', '/nowhere'], '/nowhere can not be read'],
])('%j with --url is called wrongly', async (words, sentence) => {
  expect(await trusting(words)).toMatchObject({ exit: 2, err: expect.stringContaining(sentence) });
});

test.each([
  ['ftp://x', 'takes an address'],
  ['controller-0:7777', 'takes an address'],
  ['https://me:secret@x', 'takes no name and password'],
])('--url %s is refused', async (address, sentence) => {
  url = address;
  expect(await smctl(['status'])).toMatchObject({ exit: 2, err: expect.stringContaining(sentence) });
});

test('a token is kept from other users and from the network', async () => {
  const token = api.token('operator');
  const given = ['--token-file', tokenFile(token)];
  expect((await trusting(['unmanage', 'keystone', ...given])).exit).toBe(0);
  const open = await trusting(['status', '--token-file', tokenFile(token, 0o644)]);
  expect([open.exit, open.err]).toEqual([2, expect.stringContaining('chmod 0600')]);
  expect((await trusting(['status'], 'two\nlines')).err).toContain('no line of text');
  url = 'http://controller-0:7777';
  expect((await smctl(['status'], token)).err).toContain('over https:// alone');
  expect((await run(SMCTL, ['status', '--ca', ca], fixture)).err).toContain('go with --url');
});

test('events --follow goes on by the stream, also after the server was away', async () => {
  let looks = 0;
  const lines: string[] = [];
  const out = (line: string) => {
    lines.push(line);
    if (!line.includes('ready')) return;
    looks += 1;
    if (looks === 1) api.app.server.closeAllConnections();
    insert();
  };
  const insert = () =>
    api.sql(`INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE, CAUSE, ACTOR, REASON)
             VALUES (1800000000000, 'node', 'controller-0', '', 'ready${looks}', 'node-ready', 'engine', '')`);
  const started = setTimeout(insert, 100);
  const { exit } = await trusting(['events', '--follow', '--entity', 'node'], '', {
    out,
    stopped: () => looks >= 3,
  });
  clearTimeout(started);
  expect(exit).toBe(0);
  expect(lines.filter((line) => line.includes('ready')).map((line) => /ready\d/.exec(line)?.[0])).toEqual([
    'ready0',
    'ready1',
    'ready2',
  ]);
});
