/**
 * Secrets of arbiters and fence devices. Definitions name them, nothing holds them: a file `<directory>/<name>` of mode
 * 0600, or `env:NAME`, a variable of our environment. They go to a device by its pipe, never into arguments or logs.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { failure, type Result } from '../../core/kernel/errors.ts';

const SECRET_BYTES_MAX = 16 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const VARIABLE = /^env:([A-Za-z_][A-Za-z0-9_]{0,63})$/;

export interface SecretPlace {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The secret as text, without a newline at its end. A refusal names the place, never what is in it. */
export function readSecret(reference: string, { directory, environment }: SecretPlace): Result<string> {
  const variable = VARIABLE.exec(reference)?.[1];
  if (variable !== undefined) {
    const value = environment[variable] ?? '';
    return value === '' ? unfit(reference, 'the variable is not set') : { ok: true, value };
  }
  if (!NAME.test(reference))
    return unfit(reference.slice(0, 64), 'it is neither a file name nor env:VARIABLE');
  return readFile(join(directory, reference));
}

/** Where the file lies, for what opens it by itself (keys of client certificates). */
export function secretPath(reference: string, { directory }: SecretPlace): Result<string> {
  if (!NAME.test(reference)) return unfit(reference.slice(0, 64), 'it is no file name');
  const path = join(directory, reference);
  const read = readFile(path);
  return read.ok ? { ok: true, value: path } : read;
}

function readFile(path: string): Result<string> {
  let file: number;
  try {
    // NONBLOCK: a named pipe in the place of a secret must not stop us.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return unfit(path, error instanceof Error ? error.message : String(error));
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return unfit(path, 'it is no regular file');
    if ((stats.mode & 0o177) !== 0) return unfit(path, 'others may use it: chmod 0600');
    if (stats.uid !== 0 && stats.uid !== process.getuid?.())
      return unfit(path, `it belongs to uid ${stats.uid}`);
    const bytes = Buffer.alloc(SECRET_BYTES_MAX + 1);
    const length = readSync(file, bytes, 0, bytes.length, 0);
    if (length > SECRET_BYTES_MAX) return unfit(path, `it is longer than ${SECRET_BYTES_MAX} bytes`);
    const value = bytes.toString('utf8', 0, length).replace(/\r?\n$/, '');
    bytes.fill(0);
    return value === '' || value.includes('\0') ? unfit(path, 'it holds no text') : { ok: true, value };
  } catch (error) {
    return unfit(path, error instanceof Error ? error.message : String(error));
  } finally {
    closeSync(file);
  }
}

function unfit(
  place: string,
  detail: string,
): { readonly ok: false; readonly error: ReturnType<typeof failure>['error'] } {
  return failure('SM_SECRET_UNFIT', { place, detail });
}

/** Text in which the secrets are blotted out: what a device says may repeat them. */
export function blotted(text: string, secrets: Iterable<string>): string {
  let clean = text;
  for (const secret of secrets) if (secret.length > 0) clean = clean.replaceAll(secret, '***');
  return clean;
}
