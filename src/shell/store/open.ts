/**
 * Opening database files without harm: what a file is, is found out by a connection that can not write, so that a file
 * with a fault stays as it is, byte for byte.
 */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { type CodedError, codedError } from '../../core/kernel/errors.ts';
import { schemaVersion } from './schema.ts';

/** SQLite's error codes, by their beginnings, and ours. */
export function openError(path: string, error: unknown): CodedError {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const detail = error instanceof Error ? error.message : String(error);
  if (code === 'SQLITE_NOTADB') return codedError('SM_STORE_NOT_A_DATABASE', { path });
  if (code.startsWith('SQLITE_CORRUPT')) return codedError('SM_STORE_CORRUPT', { path, detail });
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return codedError('SM_STORE_LOCKED', { path });
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return codedError('SM_STORE_READ_ONLY', { path, detail });
  }
  // The file is there, but what SQLite needs beside it can not be made.
  if (code.startsWith('SQLITE_CANTOPEN') && existsSync(path)) {
    return codedError('SM_STORE_READ_ONLY', { path, detail });
  }
  return codedError('SM_STORE_OPEN', { path, detail });
}

/** null = sound. */
export function verify(database: Database.Database, path: string): CodedError | null {
  const answer = database.pragma('integrity_check(1)', { simple: true });
  return answer === 'ok' ? null : codedError('SM_STORE_CORRUPT', { path, detail: String(answer) });
}

export type Inspection =
  | { readonly kind: 'absent' }
  | { readonly kind: 'ours'; readonly version: number }
  | { readonly kind: 'unusable'; readonly error: CodedError };

const HEADER = 'SQLite format 3\0';

/** Looks at a file and changes nothing. An empty file is a database that has no schema yet, as it is to SQLite. */
export function inspect(path: string, versionKnown: number): Inspection {
  if (!existsSync(path)) return { kind: 'absent' };
  let database: Database.Database | undefined;
  try {
    // Opening a FIFO would wait for ever.
    const header = statSync(path).isFile() ? readHeader(path) : 'no file';
    if (header === '') return { kind: 'absent' };
    if (header !== HEADER)
      return { kind: 'unusable', error: codedError('SM_STORE_NOT_A_DATABASE', { path }) };
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    const version = schemaVersion(database);
    if (version > versionKnown) {
      const error = codedError('SM_STORE_NEWER', { path, found: version, known: versionKnown });
      return { kind: 'unusable', error };
    }
    const fault = verify(database, path);
    if (fault !== null) return { kind: 'unusable', error: fault };
    const foreign = foreignDetail(database, version);
    if (foreign !== null) {
      return { kind: 'unusable', error: codedError('SM_STORE_FOREIGN', { path, detail: foreign }) };
    }
    return { kind: 'ours', version };
  } catch (error) {
    return { kind: 'unusable', error: openError(path, error) };
  } finally {
    database?.close();
  }
}

function readHeader(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(HEADER.length);
    return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

/** Our own files have a version, and from version 2 on the table of our facts. */
function foreignDetail(database: Database.Database, version: number): string | null {
  const has = (name: string): boolean =>
    database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND upper(name) = ?").get(name) !==
    undefined;
  if (version > 0) return has('SERVICES') && (version < 2 || has('SM_STATE')) ? null : 'it has other tables';
  const tables = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
  if (tables === 0) return null;
  return has('SERVICES') ? "it seems to be StarlingX's" : 'it has other tables';
}
