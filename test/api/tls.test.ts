/** Certificates of our own authority in real handshakes: node:tls verifies what was made. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Files, issue, makeAuthority, type Purpose } from '../../src/shell/credentials/pki.ts';
import { type ApiFixture, makeApi } from './fixture.ts';

const NOW = Date.now();
const directory = mkdtempSync(join(tmpdir(), 'sm-pki-'));
afterAll(() => rmSync(directory, { recursive: true }));

const own = join(directory, 'own');
const foreign = join(directory, 'foreign');
const made: Record<string, Files> = {};
const make = (where: string, name: string, purpose: Purpose, now = NOW, renew = false): void => {
  const issued = issue(where, { name, purpose, days: 30, now, renew });
  if (!issued.ok) throw new Error(issued.error.message);
  made[where === own ? name : `foreign ${name}`] = issued.value;
};
const SERVER: Purpose = { kind: 'server', names: ['controller-0', '127.0.0.1'] };

beforeAll(() => {
  for (const where of [own, foreign]) makeAuthority(where, 'test', NOW);
  make(own, 'server', SERVER);
  for (const role of ['reader', 'operator'] as const) make(own, role, { kind: 'client', role });
  make(own, 'expired', { kind: 'client', role: 'operator' }, NOW - 40 * 86_400_000);
  make(foreign, 'operator', { kind: 'client', role: 'operator' });
});

const pem = (path: string) => readFileSync(path, 'utf8');
const files = (name: string) => {
  const { certificate, key } = made[name] as Files;
  return { cert: pem(certificate), key: pem(key) };
};

let api: ApiFixture;
let port: number;
beforeEach(async () => {
  const tls = {
    ...files('server'),
    ca: pem(join(own, 'ca.pem')),
    requestCert: true,
    rejectUnauthorized: false,
  } as const;
  api = await makeApi({ tls });
  port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterEach(() => api.close());

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly host?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** Rejects when the handshake fails. */
function ask({ body = '', path = '/v1/whoami', host = 'controller-0', ...rest }: Asked) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const ca = pem(join(own, 'ca.pem'));
    const outgoing = request(
      { host: '127.0.0.1', port, path, servername: host, agent: false, ca, ...rest },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const SWACT = {
  method: 'PATCH',
  path: '/v1/servicenode/controller-0',
  headers: { 'content-type': 'application/json' },
  body: '{"action":"swact-force"}',
};

test('a caller who trusts the authority believes the server under its names alone', async () => {
  expect((await ask({})).status).toBe(200);
  await expect(ask({ host: 'controller-1' })).rejects.toThrow(/Hostname\/IP does not match/);
  await expect(ask({ ca: pem(join(foreign, 'ca.pem')) })).rejects.toThrow(/unable to|self.signed|signature/i);
});

test.each([
  ['reader', 'certificate reader', 403],
  ['operator', 'certificate operator', 200],
] as const)('a certificate of a %s is a credential', async (name, who, change) => {
  expect(JSON.parse((await ask(files(name))).body)).toEqual({ name: who, role: name });
  expect((await ask({ ...SWACT, ...files(name) })).status).toBe(change);
  expect(api.records.at(-1)).toMatchObject({ who, status: change });
});

test.each([
  ['of another authority', 'foreign operator'],
  ['that is over', 'expired'],
  ['of a server', 'server'],
])('a certificate %s is none', async (_what, name) => {
  expect(JSON.parse((await ask(files(name))).body)).toEqual({ name: 'uid 1000', role: 'reader' });
  expect((await ask({ ...SWACT, ...files(name) })).status).toBe(403);
  expect(api.commands).toEqual([]);
});

test('a token does over TLS, too', async () => {
  const headers = { ...SWACT.headers, authorization: `Bearer ${api.token('operator')}` };
  expect((await ask({ ...SWACT, headers })).status).toBe(200);
});

test('whoever speaks plain HTTP gets no answer', async () => {
  await expect(fetch(`http://127.0.0.1:${port}/v1`)).rejects.toThrow();
  expect((await ask({})).status).toBe(200);
});

test('a renewed certificate holds as the one before did', async () => {
  make(own, 'operator', { kind: 'client', role: 'operator' }, NOW, true);
  expect((await ask({ ...SWACT, ...files('operator') })).status).toBe(200);
});
