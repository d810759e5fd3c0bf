/**
 * Changes definitions in the database of a node: everything that belongs together in one transaction, checked as a whole
 * before it is kept. `sm` reads definitions at its start; until then it goes on with what it has.
 */
import Database from 'better-sqlite3';
import { buildDefinitions } from '../../core/definitions/build.ts';
import { problemText } from '../../core/definitions/problems.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { openError } from './open.ts';
import { readRows } from './source.ts';

const BUSY_MS = 2000;

/** One statement of a change; values are bound, never written into it. */
export interface Edit {
  readonly sql: string;
  readonly values: readonly (string | number)[];
  /** What a statement that finds no row was looking for; left out: it need not find one. */
  readonly what?: string;
}

export interface Edited {
  /** Rows that are different now. */
  readonly changed: number;
  readonly digest: string;
}

class Refused extends Error {}
class Missing extends Error {}

/**
 * All edits or none. Errors: `SM_EDIT_MISSING` when an edit finds no row, `SM_EDIT_REFUSED` when a value is none or the
 * definitions would have an error that they do not have now, and those of opening a database.
 */
export function editDefinitions(path: string, edits: readonly Edit[]): Result<Edited> {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { fileMustExist: true, timeout: BUSY_MS });
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    const file = database;
    return { ok: true, value: database.transaction(() => apply(file, edits)).immediate() };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    if (error instanceof Missing) return failure('SM_EDIT_MISSING', { what: detail });
    if (error instanceof Refused) return failure('SM_EDIT_REFUSED', { detail });
    const { code = '' } = error as { code?: string };
    // The names of our constraints are sentences.
    if (code.startsWith('SQLITE_CONSTRAINT'))
      return failure('SM_EDIT_REFUSED', { detail: detail.replace(/^CHECK constraint failed: /, '') });
    return { ok: false, error: openError(path, error) };
  } finally {
    database?.close();
  }
}

function apply(database: Database.Database, edits: readonly Edit[]): Edited {
  const before = buildDefinitions(readRows(database));
  let changed = 0;
  for (const { sql, values, what } of edits) {
    const { changes } = database.prepare(sql).run(...values);
    if (changes === 0 && what !== undefined) throw new Missing(what);
    changed += changes;
  }
  const { set, problems } = buildDefinitions(readRows(database));
  const errors = (all: typeof problems) =>
    all.filter(({ severity }) => severity === 'error').map(problemText);
  const known = new Set(errors(before.problems));
  const news = errors(problems).filter((text) => !known.has(text));
  if (news.length > 0) throw new Refused(news.join('; '));
  return { changed: before.set?.digest === set?.digest ? 0 : changed, digest: set?.digest ?? '' };
}
