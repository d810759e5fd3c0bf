/** Who may do what, by each way to prove it, and what hostile requests get. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseBody } from '../../src/api/body.ts';
import { redactParameters } from '../../src/api/redact.ts';
import { type Connection, uidOfPeer } from '../../src/shell/credentials/local-caller.ts';
import { revokeToken } from '../../src/shell/credentials/tokens.ts';
import { type ApiFixture, makeApi } from './fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await makeApi();
});
afterEach(() => api.close());

const SWACT = { method: 'PATCH', url: '/v1/servicenode/controller-0', payload: { action: 'swact' } } as const;
const from = (remoteAddress: string, headers: Record<string, string> = {}) => ({ remoteAddress, headers });
/** encodeURIComponent takes no half of a pair. */
const wellFormed = (text: string): string => Buffer.from(text).toString();
const status = async (request: object) => (await api.app.inject(request)).statusCode;

test.each([
  ['reader', 200, 403],
  ['operator', 200, 200],
  ['admin', 200, 200],
] as const)('a token of a %s', async (role, read, change) => {
  const token = api.token(role);
  for (const headers of [{ 'x-auth-token': token }, { authorization: `Bearer ${token}` }] as Record<
    string,
    string
  >[]) {
    expect(await status({ url: '/v1/nodes', ...from('10.0.0.9', headers) })).toBe(read);
    expect(await status({ ...SWACT, ...from('10.0.0.9', headers) })).toBe(change);
  }
});

test('a revoked token is worth nothing, at once; an unknown one is never taken for none', async () => {
  const token = api.token('operator', 'ci');
  const headers = { 'x-auth-token': token };
  expect(await status({ ...SWACT, ...from('10.0.0.9', headers) })).toBe(200);
  revokeToken(`${api.directory}/tokens`, 'ci');
  expect(await status({ ...SWACT, ...from('10.0.0.9', headers) })).toBe(401);
  expect(await status({ url: '/v1/nodes', headers })).toBe(401);
  expect(await status({ url: '/v1/nodes', headers: { authorization: 'Basic eDp5' } })).toBe(401);
});

test('without a token: local readers read, root changes, others and strangers do not', async () => {
  expect(await status({ url: '/v1/nodes' })).toBe(200);
  expect(await status(SWACT)).toBe(403);
  api.uid = null;
  expect(await status(SWACT)).toBe(401);
  expect(await status({ url: '/v1/nodes' })).toBe(200);
  api.uid = 0;
  expect(await status(SWACT)).toBe(200);
  expect(await status({ url: '/v1/nodes', ...from('10.0.0.9') })).toBe(401);
  expect(await status({ ...SWACT, ...from('10.0.0.9') })).toBe(401);
  expect(await status({ url: '/v1', ...from('10.0.0.9') })).toBe(200);
});

test('root on this node may send a token that only Keystone could check, as mtce does', async () => {
  api.uid = 0;
  expect(await status({ ...SWACT, headers: { 'x-auth-token': 'gAAAAkeystone' } })).toBe(200);
  // One that was ours once is not asked about.
  expect(await status({ ...SWACT, headers: { 'x-auth-token': 'smt_revoked' } })).toBe(401);
});

test('who guesses tokens is slowed down; his neighbours are not', async () => {
  const guess = (address: string) =>
    status({ url: '/v1/nodes', ...from(address, { 'x-auth-token': 'guess' }) });
  for (let tries = 0; tries < 30; tries += 1) expect(await guess('10.0.0.9')).toBe(401);
  expect(await guess('10.0.0.9')).toBe(429);
  expect(await guess('10.0.0.8')).toBe(401);
});

test('who orders without end is slowed down', async () => {
  await api.close();
  api = await makeApi({ changesPerMinute: 3 });
  api.uid = 0;
  for (let orders = 0; orders < 3; orders += 1) expect(await status(SWACT)).toBe(200);
  expect(await status(SWACT)).toBe(429);
  expect(await status({ url: '/v1/nodes' })).toBe(200);
});

test('no answer, no record and no token list shows a token', async () => {
  const token = api.token('reader');
  const { body } = await api.app.inject({ ...SWACT, ...from('10.0.0.9', { 'x-auth-token': token }) });
  expect(body + JSON.stringify(api.records)).not.toContain(token);
});

test('secrets in definitions are hidden', async () => {
  const { body } = await api.app.inject({ url: '/v1/definitions' });
  expect(body).not.toContain('hunter2');
  expect(body).toContain('url=ldap://x,admin_password=(hidden),level=1');
  expect(redactParameters('a=1,dbpass=x,y,b=2')).toBe('a=1,dbpass=(hidden),b=2');
});

test.each([
  ['not JSON', '{"action":', 400],
  ['a member twice', '{"action":"event","action":"swact-force"}', 400],
  ['a member twice, written in two ways', '{"action":"event","\\u0061ction":"swact-force"}', 400],
  ['too deep', `${'['.repeat(9)}${']'.repeat(9)}`, 400],
  ['a prototype', '{"__proto__":{"action":"swact"}}', 400],
  ['an array', '[]', 400],
  ['nothing', '', 400],
  ['null', 'null', 400],
  ['too large', JSON.stringify({ action: 'x'.repeat(20_000) }), 413],
])('a body that is %s is refused', async (_what, payload, expected) => {
  api.uid = 0;
  const { statusCode, body } = await api.app.inject({
    method: 'PATCH',
    url: '/v1/servicenode/controller-0',
    headers: { 'content-type': 'application/json' },
    payload,
  });
  expect([statusCode, body.includes('error_message')]).toEqual([expected, true]);
  expect(api.commands).toEqual([]);
});

test('a body of another type is 415; bytes that are no UTF-8 are 400', async () => {
  api.uid = 0;
  const send = (contentType: string, payload: string | Buffer) =>
    status({
      method: 'PATCH',
      url: '/v1/servicenode/controller-0',
      headers: { 'content-type': contentType },
      payload,
    });
  expect(await send('text/plain', '{}')).toBe(415);
  expect(await send('application/xml', '<a/>')).toBe(415);
  expect(await send('application/json', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toBe(400);
});

test('whatever is sent, the answer is below 500 and no order reaches sm without an action', async () => {
  api.uid = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PATCH', 'PUT', 'DELETE') as fc.Arbitrary<'GET'>,
      fc.constantFrom(
        '/v1/services',
        '/v1/nodes',
        '/v1/events',
        '/v1/operations',
        '/v1/explain',
        '/v1/servicenode',
      ),
      fc.array(
        fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('..', '%2e%2e', "'", '%00', '%ff', '\ud800')),
        { maxLength: 3 },
      ),
      fc.dictionary(fc.string({ maxLength: 10 }), fc.string({ maxLength: 20 }), { maxKeys: 3 }),
      fc.option(fc.jsonValue({ maxDepth: 4 }), { nil: undefined }),
      async (method, base, parts, query, payload) => {
        const path = parts
          .map((part) => (part.startsWith('%') ? part : encodeURIComponent(wellFormed(part))))
          .join('/');
        const search = new URLSearchParams(query).toString();
        const { statusCode } = await api.app.inject({
          method,
          url: `${base}/${path}${search === '' ? '' : `?${search}`}`,
          ...(payload === undefined || method === 'GET'
            ? {}
            : { payload: JSON.stringify(payload), headers: { 'content-type': 'application/json' } }),
        });
        // explain has no engine behind it here.
        if (base === '/v1/explain') return;
        // Changing a service is said to be no work of this server, whatever the change is.
        const changes = String(method) === 'PATCH' && base === '/v1/services';
        if (!(changes && statusCode === 501)) expect(statusCode).toBeLessThan(500);
      },
    ),
    { numRuns: 300 },
  );
  expect(api.commands).toEqual([]);
});

test('parseBody never throws anything but a refusal, and agrees with JSON where it accepts', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json({ maxDepth: 5 }), fc.string()), (text) => {
      let value: unknown;
      try {
        value = parseBody(Buffer.from(text));
      } catch (error) {
        expect((error as { code: string }).code).toBe('SM_API_BODY');
        return;
      }
      if (text.trim() !== '') expect(value).toEqual(JSON.parse(text));
    }),
  );
});

test('garbage on the socket closes the connection or is 400, and the server lives', async () => {
  const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = new URL(address);
  const raw = (text: string | Buffer) =>
    new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.end(text));
      socket.on('data', (bytes) => {
        got += bytes.toString('latin1');
      });
      socket.on('close', () => resolve(got));
      socket.on('error', () => {});
    });
  for (const text of [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    'GET /v1 HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n',
    'POST /v1/operations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff]),
  ]) {
    const got = await raw(text);
    expect(got).not.toMatch(/^HTTP\/1.1 5/m);
  }
  expect((await fetch(`${address}/v1/health`)).status).toBe(200);
});

test('the kernel tells who is at the other end of a local connection', async () => {
  const address = new URL(await api.app.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect(Number(address.port), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const connection: Connection = {
    remoteAddress: '127.0.0.1',
    remotePort: socket.localPort ?? 0,
    localAddress: '127.0.0.1',
    localPort: Number(address.port),
  };
  expect(uidOfPeer(connection)).toBe(process.getuid?.());
  expect(uidOfPeer({ ...connection, remotePort: 1 })).toBe(null);
  expect(uidOfPeer({ ...connection, remoteAddress: '::ffff:127.0.0.1' })).toBe(process.getuid?.());
  socket.destroy();
});

test('a table that shows the connection twice shows nobody', () => {
  const line =
    '   0: 0100007F:1F90 0100007F:1E61 01 00000000:00000000 00:00000000 00000000     0        0 1 1';
  const connection = {
    remoteAddress: '127.0.0.1',
    remotePort: 0x1f90,
    localAddress: '127.0.0.1',
    localPort: 0x1e61,
  };
  const table =
    (...lines: string[]) =>
    (path: string) =>
      path.endsWith('tcp') ? `head\n${lines.join('\n')}\n` : '';
  expect(uidOfPeer(connection, table(line))).toBe(0);
  expect(uidOfPeer(connection, table(line, line))).toBe(null);
  expect(uidOfPeer(connection, table(line.replace(' 01 ', ' 06 ')))).toBe(null);
});
