/**
 * Tokens of the REST server: who may ask, for what, until when. The file holds only SHA-256 sums of the tokens, so that
 * who reads it can not use it. Source: docs/SECURITY.md, "Tokens".
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { failure, type Result } from '../../core/kernel/errors.ts';

/** Each may do what the ones before it may. */
export const ROLES = ['reader', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export function mayActAs(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}

/** 256 random bits. */
const TOKEN_BYTES = 32;
/** Tells a leaked token from any other text, for secret scanners and people. */
export const PREFIX = 'smt_';
export const TOKENS_MAX = 1000;
const FILE_BYTES_MAX = 1024 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export interface Token {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Wall-clock ms. */
  readonly createdAt: number;
  /** Wall-clock ms; 0 = never. */
  readonly expiresAt: number;
  readonly createdBy: string;
}

const sum = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The tokens of a file. A missing file is an empty one. Errors: `SM_TOKENS_UNREADABLE`, `SM_TOKENS_MODE`, `SM_TOKENS_INVALID`. */
export function readTokens(path: string): Result<readonly Token[]> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { ok: true, value: [] };
    return failure('SM_TOKENS_UNREADABLE', { path, detail: (error as Error).message });
  }
  try {
    const facts = fstatSync(file);
    if (!facts.isFile() || facts.size > FILE_BYTES_MAX)
      return failure('SM_TOKENS_INVALID', { path, detail: 'it is no regular file of at most 1 MiB' });
    if ((facts.mode & 0o077) !== 0)
      return failure('SM_TOKENS_MODE', { path, mode: (facts.mode & 0o777).toString(8).padStart(4, '0') });
    return parse(path, readFileSync(file, 'utf8'));
  } finally {
    closeSync(file);
  }
}

function parse(path: string, text: string): Result<readonly Token[]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return failure('SM_TOKENS_INVALID', { path, detail: (error as Error).message });
  }
  const list = (value as { tokens?: unknown } | null)?.tokens;
  if (!Array.isArray(list) || list.length > TOKENS_MAX || !list.every(isToken))
    return failure('SM_TOKENS_INVALID', { path, detail: 'it does not hold a list of tokens' });
  return { ok: true, value: list };
}

function isToken(value: unknown): value is Token {
  if (typeof value !== 'object' || value === null) return false;
  const { name, role, sha256, createdAt, expiresAt, createdBy } = value as Record<string, unknown>;
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    ROLES.includes(role as Role) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Number.isSafeInteger(createdAt) &&
    Number.isSafeInteger(expiresAt) &&
    typeof createdBy === 'string'
  );
}

/** Written beside and renamed: a reader never sees half a file. Errors: `SM_TOKENS_WRITE`. */
function write(path: string, tokens: readonly Token[]): Result<null> {
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, `${JSON.stringify({ tokens }, null, 1)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    return { ok: true, value: null };
  } catch (error) {
    rmSync(temporary, { force: true });
    return failure('SM_TOKENS_WRITE', { path, detail: (error as Error).message });
  }
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly expiresAt: number;
  readonly createdBy: string;
  readonly now: number;
}

/**
 * Adds a token and returns its text, which is nowhere kept. Errors: those of reading and writing, `SM_TOKEN_NAME`,
 * `SM_TOKEN_EXISTS`, `SM_TOKENS_FULL`.
 */
export function createToken(path: string, wanted: NewToken): Result<string> {
  const { name, role, expiresAt, createdBy, now } = wanted;
  if (!NAME.test(name)) return failure('SM_TOKEN_NAME', { name });
  const read = readTokens(path);
  if (!read.ok) return read;
  const kept = read.value.filter((token) => token.expiresAt === 0 || token.expiresAt > now);
  if (kept.some((token) => token.name === name)) return failure('SM_TOKEN_EXISTS', { name });
  if (kept.length >= TOKENS_MAX) return failure('SM_TOKENS_FULL', { path, limit: TOKENS_MAX });
  const text = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  const token = { name, role, sha256: sum(text).toString('hex'), createdAt: now, expiresAt, createdBy };
  const written = write(path, [...kept, token]);
  return written.ok ? { ok: true, value: text } : written;
}

/** Errors: those of reading and writing, `SM_TOKEN_MISSING`. */
export function revokeToken(path: string, name: string): Result<null> {
  const read = readTokens(path);
  if (!read.ok) return read;
  const kept = read.value.filter((token) => token.name !== name);
  if (kept.length === read.value.length) return failure('SM_TOKEN_MISSING', { name });
  return write(path, kept);
}

/** Tokens by their sums, for each list that was read: a thousand tokens cost a request no more than one. */
const BY_SUM = new WeakMap<readonly Token[], ReadonlyMap<string, Token>>();

/**
 * The token that a caller sent, or null. It is looked up by its sum: how long that takes may tell about sums, but nobody
 * can make a text whose sum begins as he likes and learn from it anything about 256 random bits.
 */
export function findToken(tokens: readonly Token[], text: string, now: number): Token | null {
  let bySum = BY_SUM.get(tokens);
  if (bySum === undefined) {
    bySum = new Map(tokens.map((token) => [token.sha256, token]));
    BY_SUM.set(tokens, bySum);
  }
  const given = sum(text);
  const found = bySum.get(given.toString('hex'));
  if (found === undefined || !timingSafeEqual(Buffer.from(found.sha256, 'hex'), given)) return null;
  return found.expiresAt === 0 || found.expiresAt > now ? found : null;
}
