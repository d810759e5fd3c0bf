/**
 * Keys of the heartbeat links: files `<directory>/<name>`, each holding the key's bytes as they are. A definition names a
 * key; the key itself is nowhere but in its file and in this process, as a KeyObject that no log prints.
 * Source: docs/reference/wire.md, "Keys".
 */
import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CodedError, codedError, failure, type Result } from '../../core/kernel/errors.ts';
import { UNSIGNED_KEY_ID } from '../../core/link/frame.ts';

export const KEY_BYTES_MIN = 32;
export const KEY_BYTES_MAX = 4096;
export const NEW_KEY_BYTES = 64;

const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** The key of every StarlingX installation. */
const PUBLIC_LITERAL = 'titanium-server';

export interface Key {
  readonly name: string;
  /** First 4 bytes of the SHA-512 of the key, hex: says in a frame which key signed it. */
  readonly id: string;
  readonly secret: KeyObject;
}

/** Reads and checks one key. Every refusal says what is wrong with which file, and never what is in it. */
export function readKey(directory: string, name: string): Result<Key> {
  const nameError = nameFault(name);
  if (nameError !== null) return { ok: false, error: nameError };
  const path = join(directory, name);
  let file: number;
  try {
    // NONBLOCK: a named pipe in the place of a key must not stop the daemon.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return { ok: false, error: openFault(path, name, error) };
  }
  try {
    const fileError = fileFault(path, fstatSync(file));
    if (fileError !== null) return { ok: false, error: fileError };
    return keyFrom(path, name, readWhole(file));
  } catch (error) {
    return failure('SM_KEY_UNREADABLE', { path, detail: messageOf(error) });
  } finally {
    closeSync(file);
  }
}

/** Writes a new random key. It is whole or absent, and never replaces another. */
export function createKey(directory: string, name: string): Result<Key> {
  return addKey(directory, name, newSecret());
}

/** The same with a secret from elsewhere, which is cleared. */
export function addKey(directory: string, name: string, secret: Buffer): Result<Key> {
  const nameError = nameFault(name);
  if (nameError !== null) return { ok: false, error: nameError };
  const path = join(directory, name);
  const draft = join(directory, `.${name}.${randomBytes(8).toString('hex')}`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeSynced(draft, secret);
    try {
      // Unlike a rename, a link fails where something of that name exists.
      linkSync(draft, path);
    } finally {
      unlinkSync(draft);
    }
    syncDirectory(directory);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return failure('SM_KEY_EXISTS', { path });
    return failure('SM_KEY_UNREADABLE', { path, detail: messageOf(error) });
  }
  return readKey(directory, name);
}

/**
 * Puts copies of keys under names that may be taken: all of them are written before the first is put in place, so that
 * they change within microseconds of each other.
 */
export function placeKeys(
  directory: string,
  copies: readonly { readonly from: string; readonly to: string }[],
): Result<null> {
  const drafts: { readonly draft: string; readonly path: string }[] = [];
  for (const { from, to } of copies) {
    const key = readKey(directory, from);
    if (!key.ok) return key;
    const nameError = nameFault(to);
    if (nameError !== null) return { ok: false, error: nameError };
    const path = join(directory, to);
    const draft = join(directory, `.${to}.${randomBytes(8).toString('hex')}`);
    try {
      writeSynced(draft, key.value.secret.export());
    } catch (error) {
      return failure('SM_KEY_UNREADABLE', { path, detail: messageOf(error) });
    }
    drafts.push({ draft, path });
  }
  for (const { draft, path } of drafts) renameSync(draft, path);
  syncDirectory(directory);
  return { ok: true, value: null };
}

/** All keys of a directory by name; files that can not be keys are told as errors. */
export function listKeys(directory: string): { keys: Key[]; errors: CodedError[] } {
  const keys: Key[] = [];
  const errors: CodedError[] = [];
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    return { keys, errors: [codedError('SM_KEY_UNREADABLE', { path: directory, detail: messageOf(error) })] };
  }
  for (const name of names.sort()) {
    const result = readKey(directory, name);
    if (result.ok) keys.push(result.value);
    else errors.push(result.error);
  }
  return { keys, errors };
}

interface Loaded {
  stamp: string;
  result: Result<Key>;
  /** Kept while a changed file is refused: a slip of the editor must not cut a link. */
  lastGood: Key | null;
}

/** The keys in use. `refresh` reads again what changed, which `changed` finds out. */
export class KeyRing {
  readonly #directory: string;
  readonly #loaded = new Map<string, Loaded>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The key to use now, or why there is none. */
  get(name: string): Result<Key> {
    let loaded = this.#loaded.get(name);
    if (loaded === undefined) {
      loaded = this.#load(name, null);
      this.#loaded.set(name, loaded);
    }
    return loaded.lastGood === null ? loaded.result : { ok: true, value: loaded.lastGood };
  }

  /**
   * Whether `refresh` would find a change. Asks aside, for a disk that hangs must not take the caller along: then it resolves
   * when the disk is back. What can not be asked counts as unchanged.
   */
  async changed(): Promise<boolean> {
    for (const [name, { stamp }] of [...this.#loaded]) {
      const now = await stat(join(this.#directory, name), { bigint: true }).then(
        stampOfStats,
        (error: unknown) => (codeOf(error) === 'ENOENT' ? '' : stamp),
      );
      if (now !== stamp) return true;
    }
    return false;
  }

  /** Names whose files changed since they were read, with what is wrong with them now. */
  refresh(): { readonly name: string; readonly error: CodedError | null }[] {
    const changes: { name: string; error: CodedError | null }[] = [];
    for (const [name, before] of this.#loaded) {
      if (stampOf(join(this.#directory, name)) === before.stamp) continue;
      const now = this.#load(name, before.lastGood);
      this.#loaded.set(name, now);
      changes.push({ name, error: now.result.ok ? null : now.result.error });
    }
    return changes;
  }

  /** Forgets keys that no interface names any more. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#loaded.keys()) if (!names.has(name)) this.#loaded.delete(name);
  }

  #load(name: string, lastGood: Key | null): Loaded {
    // The stamp is taken first: a change in between is found by the next refresh.
    const stamp = stampOf(join(this.#directory, name));
    const result = readKey(this.#directory, name);
    return { stamp, result, lastGood: result.ok ? result.value : lastGood };
  }
}

function nameFault(name: string): CodedError | null {
  if (name === PUBLIC_LITERAL) return codedError('SM_KEY_PUBLIC', { what: `The name '${name}'` });
  return KEY_NAME.test(name) ? null : codedError('SM_KEY_NAME', { name: name.slice(0, 64) });
}

function openFault(path: string, name: string, error: unknown): CodedError {
  const code = codeOf(error);
  if (code === 'ENOENT') return codedError('SM_KEY_MISSING', { path, name });
  const detail = code === 'ELOOP' ? 'it is a link' : messageOf(error);
  return codedError('SM_KEY_UNREADABLE', { path, detail });
}

function fileFault(path: string, stats: Stats): CodedError | null {
  if (!stats.isFile()) return codedError('SM_KEY_UNREADABLE', { path, detail: 'it is no regular file' });
  const mode = stats.mode & 0o7777;
  if ((mode & 0o177) !== 0) {
    return codedError('SM_KEY_MODE', { path, mode: mode.toString(8).padStart(4, '0') });
  }
  const trusted = stats.uid === 0 || stats.uid === process.getuid?.();
  return trusted ? null : codedError('SM_KEY_OWNER', { path, uid: stats.uid });
}

function keyFrom(path: string, name: string, bytes: Buffer): Result<Key> {
  if (bytes.includes(PUBLIC_LITERAL)) return failure('SM_KEY_PUBLIC', { what: path });
  if (bytes.length < KEY_BYTES_MIN || bytes.length > KEY_BYTES_MAX) {
    const detail = `a key has ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} random bytes`;
    return failure('SM_KEY_UNFIT', { path, detail });
  }
  const id = keyIdOf(bytes);
  if (id === UNSIGNED_KEY_ID) {
    return failure('SM_KEY_UNFIT', { path, detail: 'its id, one of four billion, means "unsigned"' });
  }
  const secret = createSecretKey(bytes);
  bytes.fill(0);
  return { ok: true, value: { name, id, secret } };
}

function keyIdOf(bytes: Uint8Array): string {
  return createHash('sha512').update(bytes).digest('hex').slice(0, 8);
}

function newSecret(): Buffer {
  for (;;) {
    const bytes = randomBytes(NEW_KEY_BYTES);
    if (keyIdOf(bytes) !== UNSIGNED_KEY_ID) return bytes;
  }
}

function readWhole(file: number): Buffer {
  const buffer = Buffer.alloc(KEY_BYTES_MAX + 1);
  let length = 0;
  for (;;) {
    const count = readSync(file, buffer, length, buffer.length - length, null);
    length += count;
    if (count === 0 || length === buffer.length) return buffer.subarray(0, length);
  }
}

function writeSynced(path: string, bytes: Buffer): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
    bytes.fill(0);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** What changes when a file does; '' = there is none. */
function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? '' : stampOfStats(stats);
}

function stampOfStats(stats: BigIntStats): string {
  return [stats.ino, stats.mtimeNs, stats.ctimeNs, stats.size].join(' ');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
