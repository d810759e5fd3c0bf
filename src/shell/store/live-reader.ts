/**
 * A lasting read-only connection to the database that `sm` writes, for the REST server: what was read is kept until
 * another process commits, so that a thousand readers cost as much as one.
 */
import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { openError } from './open.ts';

/** How long a read waits for a writer, ms. A reader of a WAL database waits only while the file is made or checked. */
const BUSY_MS = 500;
/** A file that was moved away and made anew is noticed within this time, ms. */
const IDENTITY_MS = 1000;

export type Row = Readonly<Record<string, string | number | null>>;

/** Reads of one commit. */
export interface Rows {
  /** `table` and its columns as they are; [] where the table does not exist. */
  all(table: string): readonly Row[];
  /** A statement of the program's own; values are bound, never written into it. */
  query(sql: string, ...values: readonly unknown[]): readonly Row[];
}

interface Open {
  readonly database: Database.Database;
  /** Asked at each request: compiled once. */
  readonly version: Database.Statement;
  readonly identity: string;
}

export class LiveReader {
  readonly #path: string;
  readonly #now: () => number;
  #open: Open | null = null;
  #checkedAt = Number.NEGATIVE_INFINITY;
  /** Files opened so far: `data_version` counts from the start of a connection. */
  #opened = 0;

  /** @param now monotonic ms */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /**
   * A text that changes with every commit of another process. Errors: `SM_STORE_MISSING`, `SM_STORE_OPEN`,
   * `SM_STORE_FOREIGN`, `SM_STORE_NOT_A_DATABASE`, `SM_STORE_CORRUPT`, `SM_STORE_LOCKED`.
   */
  version(): Result<string> {
    return this.#use(({ version }) => `${this.#opened}.${String(version.get())}`);
  }

  /** What `work` reads, all of it from one commit. Errors: as `version`. */
  read<T>(work: (rows: Rows) => T): Result<T> {
    return this.#use(({ database }) => database.transaction(() => work(rowsOf(database)))());
  }

  close(): void {
    this.#open?.database.close();
    this.#open = null;
  }

  #use<T>(work: (open: Open) => T): Result<T> {
    const identity = this.#identity();
    if (identity === '') {
      this.close();
      return failure('SM_STORE_MISSING', { path: this.#path });
    }
    if (this.#open?.identity !== identity) this.close();
    try {
      this.#open ??= this.#connect(identity);
      return { ok: true, value: work(this.#open) };
    } catch (error) {
      if (!(error instanceof Database.SqliteError) && !(error instanceof ForeignDatabase)) throw error;
      this.close();
      if (error instanceof ForeignDatabase)
        return failure('SM_STORE_FOREIGN', { path: this.#path, detail: error.message });
      return { ok: false, error: openError(this.#path, error) };
    }
  }

  #connect(identity: string): Open {
    const database = new Database(this.#path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
    this.#opened += 1;
    const known = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'SM_EVENTS'");
    if (known.get() === undefined) {
      database.close();
      throw new ForeignDatabase('it has no table SM_EVENTS');
    }
    return { database, identity, version: database.prepare('PRAGMA data_version').pluck() };
  }

  /** Device and inode of the file, looked up once in a while; '' = there is none. */
  #identity(): string {
    const now = this.#now();
    if (this.#open !== null && now - this.#checkedAt < IDENTITY_MS) return this.#open.identity;
    this.#checkedAt = now;
    const facts = statSync(this.#path, { throwIfNoEntry: false });
    return facts === undefined ? '' : `${facts.dev}/${facts.ino}`;
  }
}

class ForeignDatabase extends Error {}

function rowsOf(database: Database.Database): Rows {
  const query = (sql: string, ...values: readonly unknown[]) => database.prepare(sql).all(...values) as Row[];
  return {
    query,
    all: (table) => {
      const exists = query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", table).length > 0;
      return exists ? query(`SELECT * FROM "${table.replaceAll('"', '""')}" ORDER BY rowid`) : [];
    },
  };
}
