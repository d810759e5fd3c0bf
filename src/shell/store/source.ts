/**
 * A definition set as it is given: a folder of numbered .sql files, or a database (ours or StarlingX's). Read only.
 *
 * A folder is loaded into memory, into tables without any constraint, so that every bad row is loaded and named by the
 * checks of the core, not just the first one. Its files may insert, update and delete, nothing else.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import type { Problem } from '../../core/definitions/problems.ts';
import type { RawRow, RawRows } from '../../core/definitions/rows.ts';
import { DEFINITION_TABLES } from '../../core/definitions/rows.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { openError, verify } from './open.ts';
import { migrate } from './schema.ts';
import { type Statement, splitStatements } from './statements.ts';

export interface LoadedRows {
  readonly kind: 'folder' | 'database';
  readonly rows: RawRows;
  /** Statements that could not be carried out. */
  readonly problems: readonly Problem[];
  /** Files that look like definitions and are none, by their names. */
  readonly warnings: readonly Problem[];
}

/** Reads a definition set. What it says may be wrong in any way; that it can not be read at all is an error. */
export function loadRows(path: string): Result<LoadedRows> {
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind?.isDirectory()) return loadFolder(path);
  // Opening anything else might wait for ever: a FIFO does.
  return kind?.isFile() ? loadDatabase(path) : failure('SM_SET_MISSING', { path });
}

const DEFINITION_FILE = /^\d+-.+\.sql$/;

function skipped(name: string): Problem {
  const sentence = 'it is not read: a definition file is named like 10-name.sql; rename it, or move it away';
  return { severity: 'warning', code: 'skipped-file', table: '-', row: name, sentence, quarantined: false };
}

function loadFolder(path: string): Result<LoadedRows> {
  const isFile = (name: string): boolean => statSync(join(path, name)).isFile();
  const all = readdirSync(path).sort();
  const names = all
    .filter((name) => DEFINITION_FILE.test(name) && isFile(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
  if (names.length === 0) return failure('SM_SET_EMPTY', { path });
  const database = openRelaxed();
  try {
    const problems = names.flatMap((name) => runFile(database, join(path, name)));
    const warnings = all.filter((name) => /\.sql/i.test(name) && !names.includes(name)).map(skipped);
    return { ok: true, value: { kind: 'folder', rows: readRows(database), problems, warnings } };
  } finally {
    database.close();
  }
}

function loadDatabase(path: string): Result<LoadedRows> {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    database.pragma('trusted_schema = OFF');
    const fault = verify(database, path);
    if (fault !== null) return { ok: false, error: fault };
    const rows = readRows(database);
    // An empty file is a database to SQLite, and one sentence about it is better than one for each table.
    if (rows.size === 0) return failure('SM_SET_MISSING', { path });
    return { ok: true, value: { kind: 'database', rows, problems: [], warnings: [] } };
  } catch (error) {
    return { ok: false, error: openError(path, error) };
  } finally {
    database?.close();
  }
}

/** The tables of the schema with names, types and defaults, but without constraints and triggers. */
function openRelaxed(): Database.Database {
  const strict = new Database(':memory:');
  const relaxed = new Database(':memory:');
  migrate(strict);
  const tables = strict
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    .pluck()
    .all() as string[];
  for (const table of tables) {
    const columns = strict.pragma(`table_info(${table})`) as {
      name: string;
      type: string;
      dflt_value: string | null;
    }[];
    const parts = columns.map(({ name, type, dflt_value }) => {
      if (name === 'ID') return 'ID INTEGER';
      return `${name} ${type}${dflt_value === null ? '' : ` DEFAULT ${dflt_value}`}`;
    });
    relaxed.exec(`CREATE TABLE ${table} (${parts.join(', ')})`);
  }
  strict.close();
  return relaxed;
}

function runFile(database: Database.Database, path: string): Problem[] {
  const problems: Problem[] = [];
  for (const statement of splitStatements(readFileSync(path, 'utf8'))) {
    const fault = runStatement(database, statement);
    if (fault === null) continue;
    problems.push({
      severity: 'error',
      code: 'statement-failed',
      table: tableOf(statement.sql),
      row: `${basename(path)}:${statement.line}`,
      sentence: fault,
      quarantined: true,
    });
  }
  return problems;
}

function runStatement(database: Database.Database, { sql }: Statement): string | null {
  if (!/^(?:INSERT|REPLACE|UPDATE|DELETE)\b/i.test(sql)) {
    return `a definition file may INSERT, UPDATE and DELETE, nothing else: "${sql.slice(0, 40)}"`;
  }
  try {
    database.prepare(sql).run();
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const literal = /no such column: "/.test(reason) || /should this be a string literal/.test(reason);
    return literal ? `${reason}: texts stand in single quotes, double quotes hold names` : reason;
  }
}

function tableOf(sql: string): string {
  const match =
    /^(?:(?:INSERT|REPLACE)(?:\s+OR\s+\w+)?\s+INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM)\s+["`[]?(\w+)/i.exec(
      sql,
    );
  return match?.[1]?.toUpperCase() ?? '-';
}

/** All rows of the definition tables that the database has, whatever else is in it. */
export function readRows(database: Database.Database): RawRows {
  const rows = new Map<string, RawRow[]>();
  for (const { name } of DEFINITION_TABLES) {
    const found = database
      .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND upper(name) = ?")
      .get(name);
    if (found === undefined) continue;
    const all = database.prepare(`SELECT rowid AS "rowid ", * FROM ${name} ORDER BY rowid`).all();
    rows.set(name, (all as Record<string, unknown>[]).map(rawRow));
  }
  return rows;
}

/** Column names are compared in capitals, as SQLite does. A blob is no cell of ours: it fails the checks as null. */
function rawRow(row: Record<string, unknown>): RawRow {
  const columns: Record<string, string | number | null> = {};
  for (const [name, cell] of Object.entries(row)) {
    if (name === 'rowid ') continue;
    columns[name.toUpperCase()] = typeof cell === 'string' || typeof cell === 'number' ? cell : null;
  }
  return { rowid: Number(row['rowid ']), columns };
}
