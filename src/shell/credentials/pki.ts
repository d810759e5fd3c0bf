/**
 * The cluster's own certificate authority: makes the certificates of the REST server and of callers who prove themselves by
 * one. RFC 5280; the role of a caller is its OU. node-forge makes certificates of RSA keys only; verifying is node:tls's
 * work.
 */
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import forge from 'node-forge';
import { failure, type Result } from '../../core/kernel/errors.ts';
import type { Role } from './tokens.ts';

const DAY_MS = 24 * 3600 * 1000;
const AUTHORITY_DAYS = 3650;
export const CERTIFICATE_DAYS = 398;
const AUTHORITY_BITS = 3072;
const CERTIFICATE_BITS = 2048;
/** Clocks of two machines may differ: a certificate holds from a little before it was made. */
const SLACK_MS = 10 * 60 * 1000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** What a certificate is for. */
export type Purpose =
  | { readonly kind: 'server'; readonly names: readonly string[] }
  | { readonly kind: 'client'; readonly role: Role };

export interface Files {
  readonly certificate: string;
  readonly key: string;
}

export function authorityFiles(directory: string): Files {
  return { certificate: join(directory, 'ca.pem'), key: join(directory, 'ca.key') };
}

export function filesOf(directory: string, name: string): Files {
  return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
}

/** Errors: `SM_PKI_EXISTS`, `SM_PKI_WRITE`. */
export function makeAuthority(directory: string, cluster: string, now: number): Result<Files> {
  const files = authorityFiles(directory);
  const present = [files.certificate, files.key].find((path) => existsSync(path));
  if (present !== undefined) return failure('SM_PKI_EXISTS', { path: present });
  const keys = keyPair(AUTHORITY_BITS);
  const subject = [{ name: 'commonName', value: `sm ${cluster}` }];
  const certificate = blank(keys.publicKey, subject, subject, now, AUTHORITY_DAYS);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return write(files, forge.pki.certificateToPem(certificate), forge.pki.privateKeyToPem(keys.privateKey));
}

export interface Wanted {
  readonly name: string;
  readonly purpose: Purpose;
  readonly days: number;
  readonly now: number;
  /** Put in the place of what is there. */
  readonly renew: boolean;
}

/** The authority's own files are never in the way. */
const isOwnName = (name: string): boolean => NAME.test(name) && name !== 'ca';

/** Errors: `SM_PKI_NAME`, `SM_PKI_AUTHORITY`, `SM_PKI_EXISTS`, `SM_PKI_WRITE`. */
export function issue(directory: string, wanted: Wanted): Result<Files> {
  const { name, purpose, days, now, renew } = wanted;
  if (!isOwnName(name)) return failure('SM_PKI_NAME', { name });
  const authority = readAuthority(directory);
  if (!authority.ok) return authority;
  const files = filesOf(directory, name);
  if (!renew && existsSync(files.certificate)) return failure('SM_PKI_EXISTS', { path: files.certificate });
  const keys = keyPair(CERTIFICATE_BITS);
  const subject = [
    { name: 'commonName', value: name },
    ...(purpose.kind === 'client' ? [{ shortName: 'OU', value: purpose.role }] : []),
  ];
  const { certificate: ca, key } = authority.value;
  const certificate = blank(keys.publicKey, subject, ca.subject.attributes, now, days);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    purpose.kind === 'server'
      ? { name: 'extKeyUsage', serverAuth: true }
      : { name: 'extKeyUsage', clientAuth: true },
    ...(purpose.kind === 'server' ? [{ name: 'subjectAltName', altNames: purpose.names.map(altName) }] : []),
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: ca.generateSubjectKeyIdentifier().getBytes() },
  ]);
  certificate.sign(key, forge.md.sha256.create());
  return write(files, forge.pki.certificateToPem(certificate), forge.pki.privateKeyToPem(keys.privateKey));
}

/** What a certificate of ours was made for, so that it can be made anew. Errors: `SM_PKI_NAME`, `SM_PKI_UNREADABLE`. */
export function purposeOf(
  directory: string,
  name: string,
): Result<{ readonly purpose: Purpose; readonly endsAt: number }> {
  if (!isOwnName(name)) return failure('SM_PKI_NAME', { name });
  const path = filesOf(directory, name).certificate;
  try {
    const certificate = new X509Certificate(readFileSync(path));
    const endsAt = Date.parse(certificate.validTo);
    const role = /^OU=(reader|operator|admin)$/m.exec(certificate.subject)?.[1];
    if (role !== undefined)
      return { ok: true, value: { purpose: { kind: 'client', role: role as Role }, endsAt } };
    const names = (certificate.subjectAltName ?? '')
      .split(', ')
      .map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
      .filter((entry) => entry !== '');
    if (names.length === 0) throw new Error('it has neither a role nor the names of a server');
    return { ok: true, value: { purpose: { kind: 'server', names }, endsAt } };
  } catch (error) {
    return failure('SM_PKI_UNREADABLE', { path, detail: (error as Error).message });
  }
}

function altName(name: string) {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}

/** node:crypto makes it: many times as fast as node-forge, and with the system's randomness. */
function keyPair(bits: number): forge.pki.rsa.KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return {
    publicKey: forge.pki.publicKeyFromPem(publicKey) as forge.pki.rsa.PublicKey,
    privateKey: forge.pki.privateKeyFromPem(privateKey) as forge.pki.rsa.PrivateKey,
  };
}

function blank(
  publicKey: forge.pki.rsa.PublicKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  now: number,
  days: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  // Positive, and never the same twice: 127 random bits.
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f;
  certificate.serialNumber = serial.toString('hex');
  certificate.validity.notBefore = new Date(now - SLACK_MS);
  certificate.validity.notAfter = new Date(now + days * DAY_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}

function readAuthority(
  directory: string,
): Result<{ readonly certificate: forge.pki.Certificate; readonly key: forge.pki.rsa.PrivateKey }> {
  const files = authorityFiles(directory);
  try {
    const certificate = forge.pki.certificateFromPem(readFileSync(files.certificate, 'utf8'));
    const key = forge.pki.privateKeyFromPem(readFileSync(files.key, 'utf8')) as forge.pki.rsa.PrivateKey;
    return { ok: true, value: { certificate, key } };
  } catch (error) {
    return failure('SM_PKI_AUTHORITY', { path: directory, detail: (error as Error).message });
  }
}

/** The key first: a certificate without its key is worth nothing, a key without its certificate does no harm. */
function write(files: Files, certificate: string, key: string): Result<Files> {
  const temporary: string[] = [];
  try {
    mkdirSync(join(files.key, '..'), { recursive: true, mode: 0o700 });
    for (const [path, text, mode] of [
      [files.key, key, 0o600],
      [files.certificate, certificate, 0o644],
    ] as const) {
      const beside = `${path}.${process.pid}.new`;
      temporary.push(beside);
      rmSync(beside, { force: true });
      const file = openSync(beside, 'wx', mode);
      writeSync(file, text);
      fsyncSync(file);
      closeSync(file);
      renameSync(beside, path);
    }
    return { ok: true, value: files };
  } catch (error) {
    for (const path of temporary) rmSync(path, { force: true });
    return failure('SM_PKI_WRITE', { path: files.certificate, detail: (error as Error).message });
  }
}
