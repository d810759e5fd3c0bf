/** Changes as they happen, over a real connection. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { revokeToken } from '../../src/shell/credentials/tokens.ts';
import { type ApiFixture, makeApi } from './fixture.ts';

let api: ApiFixture;
let address: string;
beforeEach(async () => {
  api = await makeApi();
  address = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => api.close());

const change = (name: string, count = 1) =>
  api.sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE)
     SELECT 1800000000000, 'group', '${name}', 'standby', 'active' FROM n`,
  );

/** Reads until what came satisfies `enough`; the time limit is the test's. */
async function read(
  headers: Record<string, string>,
  enough: (text: string) => boolean,
  then = () => {},
): Promise<string> {
  const stop = new AbortController();
  const response = await fetch(`${address}/v1/stream`, { headers, signal: stop.signal });
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
  ]);
  const decoder = new TextDecoder();
  let text = '';
  let started = false;
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk);
    if (!started && text.includes('event: hello')) {
      started = true;
      then();
    }
    if (enough(text)) break;
  }
  stop.abort();
  return text;
}

test('a reader gets what changes from now on', async () => {
  const text = await read(
    {},
    (got) => got.includes('web-services'),
    () => change('web-services'),
  );
  expect(text).toContain('retry: 1000\nid: 3\nevent: hello');
  expect(text).toMatch(
    /id: 4\nevent: change\ndata: \{"id":4,"time":"2027-01-15T08:00:00.000Z","entity":"group","name":"web-services"/,
  );
  expect(text).not.toContain('oam-services');
});

test('a reader goes on after the last event that it has', async () => {
  const text = await read({ 'last-event-id': '1' }, (got) => got.includes('id: 3\nevent: change'));
  expect(text.match(/^id: \d+$/gm)).toEqual(['id: 1', 'id: 2', 'id: 3']);
});

test('many changes come in order, none is lost', async () => {
  const text = await read(
    {},
    (got) => got.includes('id: 1203\n'),
    () => change('g', 1200),
  );
  const ids = [...text.matchAll(/^id: (\d+)\nevent: change$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(Array.from({ length: 1200 }, (_, index) => index + 4));
});

test('readers that begin at forty places get everything, each from its own', async () => {
  change('g', 1200);
  const firsts = Array.from({ length: 40 }, (_, i) => i * 17);
  const texts = await Promise.all(
    firsts.map((first) =>
      read({ 'last-event-id': String(first) }, (got) => got.includes('id: 1203\n') && got.endsWith('\n\n')),
    ),
  );
  for (const [i, text] of texts.entries()) {
    const first = firsts[i] ?? 0;
    const ids = [...text.matchAll(/^id: (\d+)\nevent: change$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: 1203 - first }, (_, index) => first + 1 + index));
  }
});

test('whose token is revoked meanwhile is sent away; who never had one goes on', async () => {
  const local = new AbortController();
  const beside = await fetch(`${address}/v1/stream`, { signal: local.signal });
  const headers = { 'x-auth-token': api.token('reader', 'watcher') };
  const revoke = () => void revokeToken(join(api.directory, 'tokens'), 'watcher');
  const text = await read(headers, (got) => got.includes('event: dropped'), revoke);
  expect(text).toContain('data: {"reason":"its credential does not hold any more","lastEventId":3}');
  expect(api.context.stream.size).toBe(1);
  local.abort();
  await beside.text().catch(() => '');
});

test('who asks for its head alone has it, and waits for nothing', async () => {
  const response = await fetch(`${address}/v1/stream`, { method: 'HEAD' });
  expect([response.status, await response.text()]).toEqual([200, '']);
  expect(api.context.stream.size).toBe(0);
});

test('an id of the future starts with what comes; one that is none is 400', async () => {
  const text = await read(
    { 'last-event-id': '999' },
    (got) => got.includes('id: 4\n'),
    () => change('x'),
  );
  expect(text).toContain('id: 3\nevent: hello');
  expect((await fetch(`${address}/v1/stream`, { headers: { 'last-event-id': 'x' } })).status).toBe(400);
});

test('who does not read is sent away; the others are not', async () => {
  const { port } = new URL(address);
  const slow = connect(Number(port), '127.0.0.1');
  const closed = new Promise((resolve) => slow.once('close', resolve));
  slow.on('error', () => {});
  slow.write('GET /v1/stream HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => slow.once('readable', resolve));
  // More than the kernel keeps for a connection, both ends together.
  const total = 25_000;
  const text = await read(
    {},
    (got) => got.endsWith('\n\n') && got.includes(`id: ${total + 3}\n`),
    () => change('x'.repeat(1000), total),
  );
  expect(text).not.toContain('event: dropped');
  // It reads what was in flight: that ends.
  slow.resume();
  await closed;
}, 90_000);
