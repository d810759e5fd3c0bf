/** The program sm-api: how it starts, what it refuses, how it ends. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { authorityFiles, filesOf, issue, makeAuthority } from '../../../src/shell/credentials/pki.ts';
import { createToken } from '../../../src/shell/credentials/tokens.ts';
import { eventually } from '../pair/node.ts';
import { type ApiProcess, freePort, startApi, untilSaid, writeApiConfiguration } from './program.ts';

const LIMIT_MS = 20_000;

const LISTENS = '"msg":"listens"';

let directory: string;
let port: number;
const started: ApiProcess[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sm-api-'));
  port = await freePort();
});
afterEach(async () => {
  for (const { child, exit } of started.splice(0)) {
    child.kill('SIGKILL');
    await exit;
  }
  rmSync(directory, { recursive: true });
});

const start = (api: object): ApiProcess => {
  const running = startApi(['--config', writeApiConfiguration(directory, { port, ...api })]);
  started.push(running);
  return running;
};

const tls = () => {
  const pki = join(directory, 'pki');
  const purpose = { kind: 'server', names: ['127.0.0.1'] } as const;
  makeAuthority(pki, 'test', Date.now());
  const make = (renew: boolean) => issue(pki, { name: 'server', purpose, days: 1, now: Date.now(), renew });
  make(false);
  const { certificate, key } = filesOf(pki, 'server');
  return { files: { certificate, key }, renew: () => make(true), ca: authorityFiles(pki).certificate };
};

test('without sm and without a database it tells what is missing, and ends in order', async () => {
  const api = start({});
  await untilSaid(api, LISTENS);
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  expect((await ask('/v1/health')).status).toBe(200);
  // On a machine that is busy it may say that first.
  const reasons = await eventually('it tells why it is not ready', LIMIT_MS, async () => {
    const ready = await ask('/v1/health/ready');
    expect(ready.status).toBe(503);
    return ((await ready.json()) as { reasons?: string[] }).reasons ?? null;
  });
  expect(reasons[0]).toContain('sm does not answer');
  expect(reasons[1]).toContain('does not exist');
  expect((await ask('/v1/services')).status).toBe(503);
  api.child.kill('SIGTERM');
  expect(await api.exit).toBe(0);
});

test('an address that others reach needs TLS, and somebody who can prove who he is', async () => {
  const open = start({ address: '0.0.0.0' });
  expect(await open.exit).toBe(78);
  expect(open.said()).toMatch(/SM_API_ADDRESS: .* Set api\.tls in the configuration/);
  const { files } = tls();
  const nobody = start({ address: '0.0.0.0', tls: files });
  expect(await nobody.exit).toBe(78);
  expect(nobody.said()).toMatch(/SM_API_CREDENTIAL: .* smctl token create/);
  const wanted = { name: 'ci', role: 'reader', expiresAt: 0, createdBy: 'test', now: Date.now() } as const;
  expect(createToken(join(directory, 'tokens'), wanted).ok).toBe(true);
  await untilSaid(start({ address: '0.0.0.0', tls: files }), LISTENS);
});

test('what can not be used is told with its code', async () => {
  const none = start({ tls: { certificate: join(directory, 'none.pem'), key: join(directory, 'none.key') } });
  expect(await none.exit).toBe(78);
  expect(none.said()).toContain('SM_API_TLS');
  const words = startApi(['--colour']);
  expect(await words.exit).toBe(64);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve));
  const second = start({});
  expect(await second.exit).toBe(69);
  expect(second.said()).toContain('SM_API_LISTEN');
  await new Promise((resolve) => taken.close(resolve));
});

test('SIGHUP takes up a renewed certificate without losing a connection', async () => {
  const { files, renew, ca } = tls();
  const api = start({ tls: files });
  await untilSaid(api, LISTENS);
  const handshake = () =>
    new Promise<PeerCertificate>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(ca) }, () => {
        resolve(socket.getPeerCertificate());
        socket.end();
      });
      socket.on('error', reject);
    });
  const before = await handshake();
  expect(renew().ok).toBe(true);
  expect((await handshake()).serialNumber).toBe(before.serialNumber);
  api.child.kill('SIGHUP');
  await untilSaid(api, 'read anew');
  expect((await handshake()).serialNumber).not.toBe(before.serialNumber);
});
