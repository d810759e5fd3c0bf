/** `smctl token` and `smctl pki`: what they print, what they never print, and what they refuse. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SMCTL } from '../../src/cli/smctl.ts';
import { findToken, readTokens } from '../../src/shell/credentials/tokens.ts';
import { type Fixture, lastJson, makeFixture, run } from './fixture.ts';

const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture();
});
afterEach(() => fixture.remove());

const smctl = (...words: string[]) => run(SMCTL, words, fixture);
const tokens = () => {
  const read = readTokens(join(fixture.directory, 'tokens'));
  if (!read.ok) throw new Error(read.error.message);
  return read.value;
};
const pki = (...words: string[]) => smctl('pki', ...words, '--directory', join(fixture.directory, 'pki'));
const certificate = (name: string) =>
  new X509Certificate(readFileSync(join(fixture.directory, 'pki', `${name}.pem`)));

test('a token is shown once, and only it goes to stdout', async () => {
  const made = await smctl('token', 'create', 'ci', '--role', 'operator', '--for', '30d');
  expect(made.exit).toBe(0);
  expect(made.out).toMatch(/^smt_[A-Za-z0-9_-]{43}\n$/);
  expect(made.err).toContain('shown only now; it holds until 2027-02-14T08:00:00.000Z');
  const text = made.out.trim();
  expect(findToken(tokens(), text, NOW)).toMatchObject({ name: 'ci', role: 'operator', createdBy: 'alice' });
  expect(findToken(tokens(), text, NOW + 30 * DAY_MS)).toBe(null);
  expect(readFileSync(join(fixture.directory, 'tokens'), 'utf8')).not.toContain(text);
  expect(statSync(join(fixture.directory, 'tokens')).mode & 0o777).toBe(0o600);
  const listed = await smctl('token', 'list');
  expect(listed.out).toBe(
    'ci  operator  until 2027-02-14T08:00:00.000Z  made 2027-01-15T08:00:00.000Z by alice\n',
  );
});

test('a token is a reader for 90 days unless said otherwise; one for ever says so', async () => {
  const { token, ...rest } = lastJson((await smctl('token', 'create', 'a', '--json')).out);
  expect(String(token)).toMatch(/^smt_/);
  expect(rest).toEqual({ ok: true, name: 'a', role: 'reader', expiresAt: '2027-04-15T08:00:00.000Z' });
  expect((await smctl('token', 'create', 'b', '--for', 'ever')).err).toContain('until it is revoked');
  expect(tokens().map(({ expiresAt }) => expiresAt)).toEqual([NOW + 90 * DAY_MS, 0]);
});

test.each([
  [['create', 'a b'], 2, "'a b' can not be the name of a token"],
  [['create', 'a', '--role', 'root'], 2, '--role must be one of reader, operator, admin'],
  [['create', 'a', '--for', '0d'], 2, '--for 0d: give a duration'],
  [['create', 'a', '--for', 'soon'], 2, '--for soon: give a duration'],
  [['revoke', 'nobody'], 1, 'There is no token nobody'],
])('smctl token %j is refused', async (words, exit, sentence) => {
  const said = await smctl('token', ...words);
  expect([said.exit, said.out]).toEqual([exit, '']);
  expect(said.err).toContain(sentence);
});

test('a name is used once, and free again when it is revoked', async () => {
  await smctl('token', 'create', 'ci');
  expect((await smctl('token', 'create', 'ci')).exit).toBe(5);
  expect((await smctl('token', 'revoke', 'ci')).out).toBe('ci is worth nothing any more\n');
  expect((await smctl('token', 'create', 'ci')).exit).toBe(0);
  expect(tokens()).toHaveLength(1);
});

test('a token file that is damaged, or that others may read, is neither used nor overwritten', async () => {
  const path = join(fixture.directory, 'tokens');
  writeFileSync(path, '{"tokens": 1}', { mode: 0o600 });
  expect((await smctl('token', 'create', 'a')).err).toContain('is not a list of tokens');
  expect(readFileSync(path, 'utf8')).toBe('{"tokens": 1}');
  await smctl('token', 'list');
  const open = join(fixture.directory, 'open');
  writeFileSync(open, '{"tokens":[]}', { mode: 0o644 });
  const read = readTokens(open);
  expect(!read.ok && read.error.message).toContain(`Run chmod 0600 ${open}`);
});

test('an authority is made once, and never overwritten', async () => {
  const made = await pki('init', '--cluster', 'east');
  expect(made.exit).toBe(0);
  expect(certificate('ca').subject).toBe('CN=sm east');
  expect(certificate('ca').ca).toBe(true);
  expect(statSync(join(fixture.directory, 'pki/ca.key')).mode & 0o777).toBe(0o600);
  const before = certificate('ca').fingerprint256;
  expect((await pki('init')).exit).toBe(5);
  expect(certificate('ca').fingerprint256).toBe(before);
});

test('certificates say what they are for, and renewing keeps it', async () => {
  await pki('init');
  const server = await pki('issue', 'controller-0', '--server', 'controller-0,10.77.1.1,fd00::1');
  expect(server.out).toBe(
    `${fixture.directory}/pki/controller-0.pem\n${fixture.directory}/pki/controller-0.key\n`,
  );
  await pki('issue', 'orchestrator', '--role', 'operator', '--days', '30');
  const names = 'DNS:controller-0, IP Address:10.77.1.1, IP Address:FD00:0:0:0:0:0:0:1';
  for (const renewed of [false, true]) {
    if (renewed)
      for (const name of ['controller-0', 'orchestrator']) {
        const { serialNumber, publicKey } = certificate(name);
        expect((await pki('renew', name)).exit).toBe(0);
        expect(certificate(name).serialNumber).not.toBe(serialNumber);
        expect(certificate(name).publicKey.equals(publicKey)).toBe(false);
      }
    expect(certificate('controller-0').subjectAltName).toBe(names);
    expect(certificate('orchestrator').subject).toBe('CN=orchestrator\nOU=operator');
    for (const name of ['controller-0', 'orchestrator'])
      expect(certificate(name).verify(certificate('ca').publicKey)).toBe(true);
  }
  expect((await pki('issue', 'controller-0', '--role', 'admin')).exit).toBe(5);
  expect(certificate('controller-0').subjectAltName).toBe(names);
});

test.each([
  [['issue', 'a'], 2, 'give either --server'],
  [['issue', 'a', '--server', 'x', '--role', 'admin'], 2, 'give either --server'],
  [['issue', 'a', '--role', 'root'], 2, '--role must be one of'],
  [['issue', 'a', '--server', 'a b'], 2, "'a b' is neither a host name nor an address"],
  [['issue', 'a', '--role', 'admin', '--days', '0'], 2, '--days takes a whole number'],
  [['issue', 'ca', '--role', 'admin'], 2, 'not ca'],
  [['issue', '../a', '--role', 'admin'], 2, 'can not be the name of a certificate'],
  [['issue', 'a', '--role', 'admin'], 1, 'Make it once with smctl pki init'],
  [['renew', 'gone'], 1, 'is not a certificate that can be renewed'],
  [['renew', '../tokens'], 2, 'can not be the name of a certificate'],
])('smctl pki %j is refused, and makes nothing', async (words, exit, sentence) => {
  const said = await pki(...words);
  expect([said.exit, said.out]).toEqual([exit, '']);
  expect(said.err).toContain(sentence);
  expect(existsSync(join(fixture.directory, 'pki'))).toBe(false);
});
