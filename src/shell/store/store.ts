/**
 * The one database file of a node: definitions, state, history. Written by `sm` alone, one transaction a turn; read by
 * everybody, at any time. WAL, so that readers never wait; synchronous FULL, so that what was stored survives a loss of
 * power. Source: docs/reference/database.md.
 */
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import type { Problem } from '../../core/definitions/problems.ts';
import type { RawRows } from '../../core/definitions/rows.ts';
import type { Restored } from '../../core/engine-interface.ts';
import { type CodedError, codedError, failure, type Result } from '../../core/kernel/errors.ts';
import { LIMITS } from '../../core/kernel/limits.ts';
import type { LifeId } from '../../core/link/types.ts';
import { inspect, openError } from './open.ts';
import { Persister, type StoredEffect } from './persist.ts';
import { cleanUp, readRestored, readState } from './restore.ts';
import { migrate, readMigrations } from './schema.ts';
import { seedRows } from './seed.ts';
import { readRows } from './source.ts';

/** How long a statement waits for another writer: an operator's open transaction in a shell, mostly. */
const BUSY_TIMEOUT_MS = 2000;
/** The same within a turn of the engine, which must not stand still: a commit that fails is tried again. */
const TURN_BUSY_TIMEOUT_MS = 200;
/** Owner only: the rows tell who may command the cluster, and with which key by name. */
const FILE_MODE = 0o600;

export interface StoreOptions {
  readonly readonly?: boolean;
  /** A link for tools that know only StarlingX's path, `/var/run/sm/sm.db`. */
  readonly linkPath?: string;
  /** Rows kept of SM_EVENTS. */
  readonly historyRowsMax?: number;
}

export type CommitResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * Opens the store, and makes it where there is none (unless `readonly`). A file with a fault (corrupt, locked, of a
 * newer schema, not to be written, no database, not ours) gives its own error and stays as it was.
 */
export function openStore(path: string, options: StoreOptions = {}): Result<Store> {
  const migrations = readMigrations();
  const found = inspect(path, migrations.length);
  if (found.kind === 'unusable') return { ok: false, error: found.error };
  if (options.readonly === true && found.kind === 'absent') return failure('SM_STORE_MISSING', { path });
  let database: Database.Database | undefined;
  try {
    if (options.readonly === true) {
      database = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
      database.pragma('trusted_schema = OFF');
      return { ok: true, value: new Store(database, path, [], options) };
    }
    // Made here and not by SQLite: the mode has to hold from the first byte on.
    if (found.kind === 'absent') closeSync(openSync(path, 'a', FILE_MODE));
    database = openWritable(path);
    migrate(database, migrations);
    if ((statSync(path).mode & 0o777) !== FILE_MODE) chmodSync(path, FILE_MODE);
    const warnings = options.linkPath === undefined ? [] : makeLink(options.linkPath, path);
    return { ok: true, value: new Store(database, path, warnings, options) };
  } catch (error) {
    database?.close();
    return { ok: false, error: openError(path, error) };
  }
}

function openWritable(path: string): Database.Database {
  const database = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    database.pragma('trusted_schema = OFF');
    // A lock, or a file that can only be read, shows itself here: before anything is changed.
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Replaces an older link, never a file: what is there may be the database of another program. */
function makeLink(linkPath: string, target: string): CodedError[] {
  try {
    mkdirSync(dirname(linkPath), { recursive: true });
    const present = lstatSync(linkPath, { throwIfNoEntry: false });
    if (present !== undefined && !present.isSymbolicLink()) throw new Error('there is a file of that name');
    if (present !== undefined && readlinkSync(linkPath) === target) return [];
    const fresh = `${linkPath}.${process.pid}.new`;
    symlinkSync(target, fresh);
    renameSync(fresh, linkPath);
    return [];
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [codedError('SM_STORE_LINK', { path: linkPath, target, detail })];
  }
}

/** Takes back a transaction; never seen outside. */
class NothingToKeep extends Error {}

export class Store {
  readonly path: string;
  /** What did not work, and does not hinder. */
  readonly warnings: readonly CodedError[];

  readonly #database: Database.Database;
  readonly #historyRowsMax: number;
  #persister: Persister | undefined;
  /** Written with the first commit, so that a crash before it leaves the former one. */
  #kernelLifeToStore = '';
  #dataVersion: number;

  constructor(
    database: Database.Database,
    path: string,
    warnings: readonly CodedError[],
    options: StoreOptions,
  ) {
    this.#database = database;
    this.path = path;
    this.warnings = warnings;
    this.#historyRowsMax = options.historyRowsMax ?? LIMITS.historyRowsMax;
    this.#dataVersion = this.#readDataVersion();
  }

  /**
   * True until a definition set was stored. A set that has lost its domain is a broken one: filling it up from another
   * would mix the two.
   */
  get empty(): boolean {
    return ['SERVICE_DOMAINS', 'SERVICE_GROUPS', 'SERVICES'].every((table) => this.#isEmpty(table));
  }

  #isEmpty(table: string): boolean {
    return this.#database.prepare(`SELECT count(*) FROM ${table}`).pluck().get() === 0;
  }

  /** The definitions as they stand, for `buildDefinitions`. */
  rows(): RawRows {
    return readRows(this.#database);
  }

  /**
   * First start: stores a definition set. Rows that break a rule of the schema are kept in SM_QUARANTINE and returned,
   * all others are stored. `loadProblems`: statements of the set that could not be carried out. A set whose domain can
   * not be stored leaves the store empty, so that the next start takes the corrected set.
   */
  seed(rows: RawRows, loadProblems: readonly Problem[], wallMs: number): readonly Problem[] {
    let refused: readonly Problem[] = [];
    const work = (): void => {
      refused = seedRows(this.#database, rows, wallMs);
      for (const problem of loadProblems) this.#quarantine('seed', problem, wallMs);
      if (this.#isEmpty('SERVICE_DOMAINS')) throw new NothingToKeep();
    };
    try {
      this.#immediate(work);
    } catch (error) {
      if (!(error instanceof NothingToKeep)) throw error;
    }
    return refused;
  }

  /** What the newest check of the stored definitions took out replaces what the one before did. */
  setQuarantine(problems: readonly Problem[], wallMs: number): void {
    this.#immediate(() => {
      this.#database.exec("DELETE FROM SM_QUARANTINE WHERE STAGE = 'load'");
      for (const problem of problems) if (problem.quarantined) this.#quarantine('load', problem, wallMs);
    });
  }

  /**
   * Once, before the engine: cleans up what can not be true any more, and tells what the engine goes on from. The
   * kernel life it returns is that of the former start; the new one is stored with the first commit.
   */
  begin(start: { readonly node: string; readonly kernelLife: LifeId }): Restored {
    const restored = this.#immediate(() => {
      cleanUp(this.#database, start.node, readState(this.#database, 'kernel_life') !== start.kernelLife);
      this.#kernelLifeToStore = start.kernelLife;
      // Whose file this is, for whoever finds it elsewhere.
      this.setState('node', start.node);
      return this.restored();
    });
    this.#database.pragma(`busy_timeout = ${TURN_BUSY_TIMEOUT_MS}`);
    return restored;
  }

  /** Reads only: the same again, at any time. */
  restored(): Restored {
    return readRestored(this.#database);
  }

  /** One turn: all effects in one transaction, durable when it returns ok. Never throws for a failure of the store. */
  commit(effects: readonly StoredEffect[], wallMs: number): CommitResult {
    if (effects.length === 0) return { ok: true };
    try {
      const persister = this.#persisting();
      this.#immediate(() => {
        if (this.#kernelLifeToStore !== '') persister.setState('kernel_life', this.#kernelLifeToStore);
        persister.apply(effects, wallMs);
      });
      this.#kernelLifeToStore = '';
      return { ok: true };
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
      return {
        ok: false,
        reason: codedError('SM_STORE_WRITE', { path: this.path, detail: error.message }).message,
      };
    }
  }

  /** Single facts (SM_STATE); '' where there is none. */
  state(key: string): string {
    return readState(this.#database, key);
  }

  setState(key: string, value: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO SM_STATE (KEY, VALUE) VALUES (?, ?)').run(key, value);
  }

  /** True once after each time that another connection has committed something. */
  changedByOthers(): boolean {
    const version = this.#readDataVersion();
    const changed = version !== this.#dataVersion;
    this.#dataVersion = version;
    return changed;
  }

  /** For readers: rows of a SELECT, as objects. */
  select<Row>(sql: string, ...parameters: readonly (string | number)[]): readonly Row[] {
    const statement = this.#database.prepare(sql);
    if (!statement.readonly) throw new Error(`a reader may only read: ${sql}`);
    return statement.all(...parameters) as Row[];
  }

  /** How safely this connection writes: `wal` and 2 (FULL). */
  durability(): { readonly journalMode: string; readonly synchronous: number } {
    return {
      journalMode: this.#database.pragma('journal_mode', { simple: true }) as string,
      synchronous: this.#database.pragma('synchronous', { simple: true }) as number,
    };
  }

  /** Moves the log into the database file, as far as readers let it. Between turns, not within one. */
  checkpoint(): void {
    this.#database.pragma('wal_checkpoint(PASSIVE)');
  }

  close(): void {
    this.#database.close();
  }

  #quarantine(stage: 'seed' | 'load', problem: Problem, wallMs: number): void {
    this.#database
      .prepare(
        'INSERT INTO SM_QUARANTINE (STAGE, TABLE_NAME, ROW_KEY, PROBLEM, WALL_MS) VALUES (?, ?, ?, ?, ?)',
      )
      .run(stage, problem.table, problem.row, problem.sentence, wallMs);
  }

  /** The write lock is taken at once, so that a busy file fails before the first row, not in the middle. */
  #immediate<T>(work: () => T): T {
    return this.#database.transaction(work).immediate();
  }

  #persisting(): Persister {
    if (this.#persister === undefined) {
      const domain = this.#database
        .prepare("SELECT NAME FROM SERVICE_DOMAINS WHERE PROVISIONED = 'yes' ORDER BY ID")
        .pluck()
        .get() as string | undefined;
      this.#persister = new Persister(this.#database, domain ?? 'controller', this.#historyRowsMax);
    }
    return this.#persister;
  }

  #readDataVersion(): number {
    return this.#database.pragma('data_version', { simple: true }) as number;
  }
}
