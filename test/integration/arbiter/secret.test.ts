import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ping } from '../../../src/shell/arbiter/ping.ts';
import { blotted, readSecret, secretPath } from '../../../src/shell/arbiter/secret.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sm-secrets-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const read = (reference: string, environment: Record<string, string> = {}) =>
  readSecret(reference, { directory, environment });

function file(name: string, text: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('a file of mode 0600, without its last newline, or a variable', () => {
  const path = file('bmc-1', 'se cret\n');
  expect(read('bmc-1')).toEqual({ ok: true, value: 'se cret' });
  expect(secretPath('bmc-1', { directory, environment: {} })).toEqual({ ok: true, value: path });
  expect(read('env:BMC', { BMC: 'x' })).toEqual({ ok: true, value: 'x' });
});

test.each<[string, (name: string) => void, string]>([
  ['is not there', () => {}, 'ENOENT'],
  ['others may read', (name) => file(name, 'hunter2', 0o640), 'chmod 0600'],
  ['is empty', (name) => file(name, '\n'), 'no text'],
  ['is binary', (name) => file(name, 'hunter2\0'), 'no text'],
  ['is endless', (name) => file(name, 'hunter2'.repeat(10_000)), 'longer than'],
  ['is a folder', (name) => mkdirSync(join(directory, name)), 'no regular file'],
  ['is a link', (name) => symlinkSync(file('other', 'hunter2'), join(directory, name)), 'ELOOP'],
  ['is a pipe', (name) => spawnSync('mkfifo', ['-m', '600', join(directory, name)]), 'no regular file'],
])('one that %s is refused, and never shown', (_name, make, reason) => {
  make('bmc-1');
  const told = read('bmc-1');
  expect(told.ok ? '' : told.error.message).toContain(reason);
  expect(JSON.stringify(told)).not.toContain('hunter2');
});

test.each([
  '../passwd',
  'a/b',
  '',
  '.',
  'env:',
  'env:1',
  'env:UNSET',
])('the reference "%s" names nothing', (reference) => {
  expect(read(reference)).toMatchObject({ ok: false, error: { code: 'SM_SECRET_UNFIT' } });
});

test('what a device repeats is blotted out', () => {
  expect(blotted('login of admin with hunter2 failed', ['hunter2', ''])).toBe(
    'login of admin with *** failed',
  );
});

const PING_IS_HERE = spawnSync('ping', ['-V']).error === undefined;
if (!PING_IS_HERE) console.warn('ping is not installed: its test is left out (apt-get install iputils-ping)');
const ask = (address: string, program?: string) => ping(address, '', 300, () => performance.now(), program);

test.runIf(PING_IS_HERE)('a gateway that answers', async () => {
  expect(await ask('127.0.0.1')).toMatchObject({ kind: 'known', value: 'answers' });
});

test('one that does not, by the exit code of ping', async () => {
  file('silent', '#!/bin/sh\nexit 1\n', 0o755);
  expect(await ask('127.0.0.1', join(directory, 'silent'))).toMatchObject({ kind: 'known', value: 'silent' });
  file('broken', '#!/bin/sh\necho no route >&2; exit 2\n', 0o755);
  expect(await ask('127.0.0.1', join(directory, 'broken'))).toMatchObject({
    kind: 'unknown',
    detail: 'no route',
  });
});

test('what can not be asked is unknown: no address, no program, an option in its place', async () => {
  expect(await ask('-f')).toMatchObject({ kind: 'unknown' });
  expect(await ask('gateway.example')).toMatchObject({ kind: 'unknown' });
  expect(await ask('127.0.0.1', join(directory, 'none'))).toMatchObject({
    kind: 'unknown',
    cause: 'refused',
  });
});

test('a ping that hangs is silent within its limit', async () => {
  file('slow', '#!/bin/sh\nexec sleep 1000\n', 0o755);
  const started = performance.now();
  expect(await ask('127.0.0.1', join(directory, 'slow'))).toMatchObject({ kind: 'known', value: 'silent' });
  expect(performance.now() - started).toBeLessThan(3000);
});
