/**
 * Requests that nobody would make in good faith, for every route of the description: each is answered below 500 with a
 * reason, or the connection ends; nothing of the inside is told, no order gets through, and the server lives.
 */
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Description, descriptionOf } from '../../scripts/openapi.ts';
import { LIMITS } from '../../src/api/server.ts';
import { type ApiFixture, makeApi } from './fixture.ts';

const HEAD_MS = 300;
const REQUEST_MS = 600;

let api: ApiFixture;
let port: number;
let description: Description;
beforeAll(async () => {
  api = await makeApi({ changesPerMinute: 1e6, headMs: HEAD_MS, requestMs: REQUEST_MS });
  api.uid = 0;
  description = descriptionOf(api.app);
  port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => api.close());

interface Route {
  readonly method: string;
  readonly path: string;
  readonly body: boolean;
}

const routes = (): Route[] =>
  Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(() => path !== '/v1/stream')
      .map(([method, { requestBody }]) => ({
        path,
        method: method.toUpperCase(),
        body: requestBody !== undefined || method === 'patch',
      })),
  );

/** Words that should be somewhere in an answer only if the inside shows. */
const INSIDE = /node_modules|\bat \S+ \(|SELECT |sqlite|\/tmp\/|\.ts:\d|TypeError|undefined/;

function judge(what: string, status: number, body: string): void {
  expect(status, `${what}: ${body}`).toBeLessThan(502);
  if (status >= 500) expect([what, status]).toEqual([expect.stringContaining('PATCH /v1/services/'), 501]);
  if (status < 400) return;
  expect(body, what).not.toMatch(INSIDE);
  const { error_message: inner, code } = JSON.parse(body) as { error_message: string; code: string };
  expect(code, what).toMatch(/^SM_[A-Z_]+$/);
  const told = JSON.parse(inner) as { faultstring?: string; error_details?: string };
  expect((told.faultstring ?? told.error_details ?? '').length, what).toBeGreaterThan(5);
}

/** What reaches `sm` is a command that it could know, whatever was sent. */
function judgeCommands(): void {
  for (const { command } of api.commands.splice(0)) {
    expect(JSON.stringify(command).length).toBeLessThan(1000);
    expect([
      'swact',
      'swact-force',
      'lock',
      'unlock',
      'recover',
      'restart',
      'restart-safe',
      'manage',
      'unmanage',
    ]).toContain(command.kind);
  }
}

const tricks = fc.constantFrom(
  '..',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '%00',
  '%ff%fe',
  '%',
  '%zz',
  '__proto__',
  'constructor',
  "'%20OR%201=1--",
  'controller-0,swact-force',
  'a'.repeat(300),
  '%F0%9F%92%A9',
  '-1',
  '9'.repeat(40),
  '1e999',
  '0x10',
);
const segment = fc.oneof(tricks, fc.string({ unit: 'binary', maxLength: 20 }).map(encoded));

function encoded(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '?'));
}

const query = fc.array(
  fc.tuple(
    fc.oneof(
      fc.constantFrom(
        'limit',
        'marker',
        'sort_key',
        'sort_dir',
        'since',
        'until',
        'after',
        'about',
        'lastEventId',
      ),
      fc.constantFrom('__proto__', 'constructor', 'limit[]', 'limit[a]', 'toString', '', '%00'),
    ),
    fc.oneof(
      tricks,
      fc.constantFrom(
        '',
        '-1',
        '1.5',
        'NaN',
        'Infinity',
        '999999999999999999999',
        'asc',
        'name',
        '2026-13-45',
      ),
    ),
  ),
  { maxLength: 4 },
);

/** Members of the requests that there are, with values that do not belong there; some twice. */
const value = fc.oneof(
  fc.constantFrom(
    ...['null', 'true', '-1', '1e999', '-0', '9007199254740993', '1.5', '[]', '{}', '""', '"swact"'],
  ),
  fc.constantFrom(
    '"\\u0000"',
    '"\\ud800"',
    `"${'x'.repeat(5000)}"`,
    `${'9'.repeat(400)}`,
    '"lock"',
    '"restart"',
  ),
  fc.constantFrom('[[[[[[[[[[1]]]]]]]]]]', '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}'),
  fc.jsonValue({ maxDepth: 2 }).map((any) => JSON.stringify(any)),
);
const member = fc.tuple(
  fc.oneof(
    fc.constantFrom('kind', 'node', 'group', 'why', 'forMs', 'action', 'origin', 'admin', 'oper', 'avail'),
    fc.constantFrom('__proto__', 'constructor', 'k\\u0069nd', 'toString', ''),
  ),
  value,
);
const object = fc
  .array(member, { maxLength: 5 })
  .map((members) => `{${members.map(([name, text]) => `"${name}":${text}`).join(',')}}`);
const body = fc.oneof(
  object.map((text) => Buffer.from(text)),
  fc
    .tuple(object, fc.uint8Array({ maxLength: 8 }))
    .map(([text, bytes]) => Buffer.concat([Buffer.from(text), bytes])),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom('['.repeat(10_000), '{"a":'.repeat(2000), '"', '{"kind":', '\ufeff{}')
    .map((text) => Buffer.from(text)),
  fc.constant(Buffer.alloc(LIMITS.bodyBytes + 1, 0x20)),
);
const headers = fc.dictionary(
  fc.constantFrom(
    'if-none-match',
    'if-match',
    'idempotency-key',
    'accept',
    'host',
    'last-event-id',
    'x-forwarded-for',
  ),
  fc.oneof(
    fc.constantFrom('*', '""', 'W/"a"', 'a b', ',,,', 'x'.repeat(2000), '\u00e9'),
    fc.string({ maxLength: 20 }),
  ),
);

test('of every route: paths, queries, headers and bodies that nobody would send in good faith', async () => {
  const all = routes();
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...all),
      fc.array(segment, { minLength: 2, maxLength: 2 }),
      query,
      headers,
      body,
      fc.boolean(),
      async (route, parts, pairs, sent, payload, known) => {
        const rest = [...parts];
        const names = ['controller-0', 'keystone'];
        const url = route.path.replace(/\{(\w+)\}/g, () => (known ? names : rest).shift() ?? 'x');
        const search = pairs.map(([key, text]) => `${key}=${text}`).join('&');
        const response = await api.app.inject({
          method: route.method as 'GET',
          url: search === '' ? url : `${url}?${search}`,
          headers: { ...sent, ...(route.body ? { 'content-type': 'application/json' } : {}) },
          ...(route.body ? { payload } : {}),
        });
        asked += 1;
        judge(`${route.method} ${route.path} ${url}?${search}`, response.statusCode, response.body);
        judgeCommands();
      },
    ),
    { numRuns: 60 * all.length },
  );
  console.log(`hostile requests: ${asked}, for ${all.length} routes`);
}, 60_000);

/** Writes raw bytes; resolves with all that came when the connection is over. */
function raw(bytes: string | Buffer, keep = false): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(port, '127.0.0.1', () => (keep ? socket.write(bytes) : socket.end(bytes)));
    socket.on('data', (piece) => {
      got += piece.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(got));
  });
}

const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
const lives = async () => expect((await fetch(`http://127.0.0.1:${port}/v1/health`)).status).toBe(200);

test.each([
  ['a flood of headers', `GET /v1 HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(5000)}\r\n`, [431]],
  ['one endless header', `GET /v1 HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}`, [431]],
  ['an endless path', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, [431]],
  [
    'two lengths',
    'POST /v1/operations HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    [400],
  ],
  [
    'a length and chunks',
    'POST /v1/operations HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    [400],
  ],
  [
    'a bad chunk',
    'POST /v1/operations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    [400],
  ],
  ['a negative length', 'POST /v1/operations HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', [400]],
  ['two hosts', 'GET /v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', [200, 400]],
  ['no host', 'GET /v1 HTTP/1.1\r\n\r\n', [400]],
  ['a method that is none', 'SWACT /v1/services HTTP/1.1\r\nHost: a\r\n\r\n', [400]],
  ['a tunnel', 'CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n', []],
  [
    'another protocol',
    'GET /v1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    [200],
  ],
  ['an address as path', 'GET http://10.0.0.1/v1/nodes HTTP/1.1\r\nHost: a\r\n\r\n', [200, 400]],
  ['a header with a line feed', 'GET /v1 HTTP/1.1\r\nHost: a\nX: y\r\n\r\n', [200, 400]],
])('on the wire, %s: no more than a refusal', async (what, bytes, expected) => {
  const got = await raw(bytes);
  for (const status of statuses(got)) expect(expected, got.slice(0, 300)).toContain(status);
  const [last = 200] = statuses(got).slice(-1);
  // Without a host it is node that refuses, in no words.
  if (last >= 400 && what !== 'no host')
    judge(bytes.slice(0, 40), last, got.slice(got.lastIndexOf('\r\n\r\n') + 4));
  expect(got).not.toMatch(INSIDE);
  expect(api.commands).toEqual([]);
  await lives();
});

test('garbage behind a request: the request is answered, the garbage ends the connection', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), async (garbage) => {
      const one = 'GET /v1/nodes HTTP/1.1\r\nHost: a\r\n\r\n';
      const got = await raw(
        Buffer.concat([Buffer.from(one + one), Buffer.from(garbage), Buffer.from('\r\n\r\n')]),
      );
      const [first] = statuses(got);
      // What follows at once may be read before the answer is written.
      expect([200, 400, undefined]).toContain(first);
      for (const status of statuses(got)) expect(status).toBeLessThan(500);
    }),
    { numRuns: 40 },
  );
  await lives();
});

test('five hundred connections that never come to an end are ended, and others are served meanwhile', async () => {
  const halves = [
    '',
    'GET /v1',
    'GET /v1 HTTP/1.1\r\nHost: a\r\nX: ',
    'POST /v1/operations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"kind"',
  ];
  const open = Array.from({ length: 500 }, (_, i) => raw(halves[i % halves.length] ?? '', true));
  await lives();
  const ends = await Promise.all(open.filter((_, i) => i % halves.length !== 0));
  for (const got of ends) for (const status of statuses(got)) expect([400, 408]).toContain(status);
  expect(api.commands).toEqual([]);
  await lives();
}, 20_000);

test.each([
  ['POST /v1/operations', 'Content-Length: 104857600'],
  ['POST /v1/operations', 'Transfer-Encoding: chunked'],
  // Where no body is looked at, and nothing is at all.
  ['GET /v1/services', 'Content-Length: 104857600'],
  ['POST /nothing', 'Content-Length: 104857600'],
])('%s with a body of 100 MB, %s, is refused before it was sent', async (line, length) => {
  const head = `${line} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${length}\r\n\r\n`;
  const chunk = length.startsWith('Transfer') ? ['10000\r\n', '\r\n'] : ['', ''];
  const got = new Promise<{ text: string; sent: number }>((resolve) => {
    let text = '';
    const socket: Socket = connect(port, '127.0.0.1', () => {
      socket.write(head);
      const piece = Buffer.from(chunk.join(' '.repeat(64 * 1024)));
      const more = () => {
        while (!socket.destroyed && socket.bytesWritten < 104_857_600) if (!socket.write(piece)) return;
      };
      socket.on('drain', more);
      more();
    });
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve({ text, sent: socket.bytesWritten }));
  });
  const { text, sent } = await got;
  if (text !== '') expect(statuses(text)).toEqual([413]);
  expect(sent).toBeLessThan(20 * 1024 * 1024);
  await lives();
});
