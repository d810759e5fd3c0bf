import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keystoneValidator } from '../../../src/api/keystone.ts';
import { isOperator } from '../../../src/shell/credentials/group-members.ts';
import {
  createToken,
  findToken,
  mayActAs,
  readTokens,
  revokeToken,
} from '../../../src/shell/credentials/tokens.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sm-tokens-'));
  path = join(directory, 'tokens');
});
afterEach(() => rmSync(directory, { recursive: true }));

const create = (name: string, expiresAt = 0) =>
  createToken(path, { name, role: 'operator', expiresAt, createdBy: 'alice', now: 1000 });
const tokens = () => {
  const read = readTokens(path);
  if (!read.ok) throw new Error(read.error.code);
  return read.value;
};

test('a token is found by its text alone, and stands nowhere', () => {
  const made = create('ci');
  if (!made.ok) throw new Error(made.error.code);
  expect(made.value).toMatch(/^smt_[A-Za-z0-9_-]{43}$/);
  expect(readFileSync(path, 'utf8')).not.toContain(made.value.slice(4));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(findToken(tokens(), made.value, 1000)).toMatchObject({
    name: 'ci',
    role: 'operator',
    createdBy: 'alice',
  });
  for (const other of ['', 'ci', `${made.value}x`, made.value.slice(0, -1), made.value.toLowerCase()])
    expect(findToken(tokens(), other, 1000)).toBe(null);
});

test('a token ends at its time, and its name is free then', () => {
  const made = create('ci', 2000);
  if (!made.ok) throw new Error(made.error.code);
  expect(findToken(tokens(), made.value, 1999)?.name).toBe('ci');
  expect(findToken(tokens(), made.value, 2000)).toBe(null);
  const again = createToken(path, { name: 'ci', role: 'reader', expiresAt: 0, createdBy: 'bob', now: 2000 });
  expect(again.ok).toBe(true);
});

test.each(['', '-x', 'a b', 'a\nb', 'x'.repeat(65)])('%j is no name', (name) => {
  expect(create(name)).toMatchObject({ ok: false, error: { code: 'SM_TOKEN_NAME' } });
});

test('a name is used once; what is revoked is gone', () => {
  create('ci');
  expect(create('ci')).toMatchObject({ error: { code: 'SM_TOKEN_EXISTS' } });
  expect(revokeToken(path, 'ci').ok).toBe(true);
  expect(revokeToken(path, 'ci')).toMatchObject({ error: { code: 'SM_TOKEN_MISSING' } });
  expect(tokens()).toEqual([]);
});

test.each([
  ['not JSON', '{'],
  ['another list', '{"tokens":[{"name":"x"}]}'],
  [
    'a wrong role',
    `{"tokens":[{"name":"x","role":"root","sha256":"${'0'.repeat(64)}","createdAt":1,"expiresAt":0,"createdBy":"a"}]}`,
  ],
  ['too many', JSON.stringify({ tokens: new Array(1001).fill({}) })],
])('a file that is %s is refused and left as it is', (_what, text) => {
  writeFileSync(path, text, { mode: 0o600 });
  expect(readTokens(path)).toMatchObject({ error: { code: 'SM_TOKENS_INVALID' } });
  expect(create('ci')).toMatchObject({ error: { code: 'SM_TOKENS_INVALID' } });
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a file that others may read is refused', () => {
  create('ci');
  chmodSync(path, 0o640);
  expect(readTokens(path)).toMatchObject({ error: { code: 'SM_TOKENS_MODE' } });
});

test('each role may do what the ones before it may', () => {
  expect(mayActAs('admin', 'reader')).toBe(true);
  expect(mayActAs('operator', 'operator')).toBe(true);
  expect(mayActAs('reader', 'operator')).toBe(false);
});

test('root and the members of the group sm may change things', () => {
  const read = (file: string) =>
    file === '/etc/group'
      ? 'root:x:0:\nsm:x:900:alice,carol\n'
      : 'alice:x:1000:1000::/:\nbob:x:1001:900::/:\neve:x:1002:1002::/:\n';
  expect([0, 1000, 1001, 1002, 4711].map((uid) => isOperator(uid, read))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  expect(isOperator(1000, () => '')).toBe(false);
});

test('Keystone is asked once a minute; its roles are ours; a token past its end or without a role is worth nothing', async () => {
  let now = 0;
  let asked = 0;
  let answer = { status: 200, body: {} };
  const failures: string[] = [];
  const validate = keystoneValidator({
    url: 'https://keystone:5000/v3/',
    now: () => now,
    wallMs: () => Date.parse('2026-01-01T00:00:00Z'),
    failed: (detail) => void failures.push(detail),
    fetch: (async (url: string, init: { headers: Record<string, string> }) => {
      asked += 1;
      expect(url).toBe('https://keystone:5000/v3/auth/tokens');
      expect(init.headers['x-subject-token']).toBe(init.headers['x-auth-token']);
      return new Response(JSON.stringify(answer.body), { status: answer.status });
    }) as never,
  });
  const token = (roles: string[], end: string) => ({
    status: 200,
    body: { token: { roles: roles.map((name) => ({ name })), user: { name: 'sysinv' }, expires_at: end } },
  });
  answer = token(['member', 'Administrator', 'reader'], '2026-01-01T01:00:00Z');
  expect(await validate('a')).toEqual({ name: 'sysinv', role: 'admin' });
  expect(await validate('a')).toEqual({ name: 'sysinv', role: 'admin' });
  expect(asked).toBe(1);
  now = 60_000;
  answer = { status: 404, body: {} };
  expect(await validate('a')).toBe(null);
  answer = token(['member'], '2026-01-01T01:00:00Z');
  expect(await validate('b')).toBe(null);
  answer = token(['admin'], '2025-12-31T23:59:59Z');
  expect(await validate('c')).toBe(null);
  expect(await validate('bad\ntoken')).toBe(null);
  answer = { status: 500, body: {} };
  expect(await validate('d')).toBe(null);
  expect(failures).toEqual(['Keystone answered 500']);
});
