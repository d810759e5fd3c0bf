/** A real etcd that speaks TLS and asks for certificates: who has one is answered, and nobody else. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../../src/lab/node.ts';
import { EtcdRegister } from '../../../src/shell/arbiter/etcd.ts';
import type { TlsOptions } from '../../../src/shell/arbiter/http.ts';
import { ETCD_MISSING, freePorts } from '../../support/etcd.ts';

const LIMIT_MS = 20_000;

describe.runIf(!ETCD_MISSING)('etcd over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sm-etcd-tls-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  let url = '';
  let etcd: ChildProcess | null = null;

  function authority(name: string): void {
    const subject = ['-subj', `/CN=${name}`, '-days', '2'];
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      ...subject,
    );
  }

  function certificate(name: string, by: string): void {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
    const signer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...signer,
      '-days',
      '2',
      '-extfile',
      'names',
      '-out',
      `${name}.pem`,
    );
  }

  const tls = (ca: string, own: string): TlsOptions => ({
    ca: readFileSync(at(`${ca}.pem`), 'utf8'),
    ...(own === ''
      ? {}
      : { cert: readFileSync(at(`${own}.pem`), 'utf8'), key: readFileSync(at(`${own}.key`), 'utf8') }),
  });

  async function asked(options: TlsOptions) {
    const register = new EtcdRegister({
      endpoints: [url],
      prefix: '/sm/test/',
      user: null,
      tls: options,
      now: () => performance.now(),
    });
    try {
      return await register.ask({ expect: [], put: [{ key: 'record', text: 'x' }] }, 2000);
    } finally {
      register.close();
    }
  }

  beforeAll(async () => {
    authority('ca');
    authority('stranger-ca');
    certificate('server', 'ca');
    certificate('client', 'ca');
    certificate('stranger', 'stranger-ca');
    const [client, peer] = await freePorts(2);
    url = `https://127.0.0.1:${client}`;
    etcd = spawn(
      'etcd',
      [
        ...['--name', 'm', '--data-dir', at('data'), '--logger', 'zap'],
        ...['--listen-client-urls', url, '--advertise-client-urls', url],
        ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-cluster', `m=http://127.0.0.1:${peer}`],
        ...['--cert-file', at('server.pem'), '--key-file', at('server.key')],
        ...['--client-cert-auth', '--trusted-ca-file', at('ca.pem')],
      ],
      { stdio: 'ignore' },
    );
    await eventually('etcd answers', LIMIT_MS, async () =>
      (await asked(tls('ca', 'client'))).kind === 'known' ? true : null,
    );
  }, 2 * LIMIT_MS);
  afterAll(async () => {
    etcd?.kill('SIGKILL');
    if (etcd !== null) await once(etcd, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });

  test('answers who has a certificate of its authority', async () => {
    const answer = await asked(tls('ca', 'client'));
    expect(answer).toMatchObject({ kind: 'known', value: { committed: true } });
  });

  test('is not known to who trusts another authority, and does not know who has no certificate of its own', async () => {
    for (const options of [tls('stranger-ca', 'client'), tls('ca', ''), tls('ca', 'stranger')]) {
      const answer = await asked(options);
      expect(answer.kind).toBe('unknown');
      // A key never shows in what is told.
      expect(JSON.stringify(answer)).not.toContain('PRIVATE KEY');
    }
  });
});
