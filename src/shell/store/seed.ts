/** Filling a new store from a definition set: row by row, so that one bad row keeps none but itself out. */
import type Database from 'better-sqlite3';
import type { Problem } from '../../core/definitions/problems.ts';
import {
  DEFINITION_TABLES,
  type RawRow,
  type RawRows,
  rowKey,
  type Table,
} from '../../core/definitions/rows.ts';

/** Rows that could not be stored go to SM_QUARANTINE with their content; they are returned. The caller holds the transaction. */
export function seedRows(database: Database.Database, rows: RawRows, wallMs: number): readonly Problem[] {
  const refused: Problem[] = [];
  const quarantine = database.prepare(
    "INSERT INTO SM_QUARANTINE (STAGE, TABLE_NAME, ROW_KEY, PROBLEM, CONTENT, WALL_MS) VALUES ('seed', ?, ?, ?, ?, ?)",
  );
  for (const table of DEFINITION_TABLES) {
    for (const row of rows.get(table.name) ?? []) {
      const reason = insert(database, table, row);
      if (reason === null) continue;
      const key = rowKey(table, row);
      quarantine.run(table.name, key, reason, JSON.stringify(row.columns), wallMs);
      refused.push({
        severity: 'error',
        code: 'bad-cell',
        table: table.name,
        row: key,
        sentence: reason,
        quarantined: true,
      });
    }
  }
  database.exec('INSERT INTO SCHEMA_VERSION DEFAULT VALUES');
  return refused;
}

/** Run-time columns are left to their defaults: what another program wrote there says nothing about this node. */
function insert(database: Database.Database, table: Table, row: RawRow): string | null {
  const columns = table.columns.filter(
    (column) =>
      row.columns[column.name] !== undefined && (column.owner !== 'runtime' || column.kind === 'id'),
  );
  const names = columns.map((column) => column.name);
  const holes = names.map(() => '?').join(', ');
  try {
    database
      .prepare(`INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${holes})`)
      .run(names.map((name) => bindable(row.columns[name] ?? null)));
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.replace(/^CHECK constraint failed: /, '');
  }
}

/** A JavaScript number is bound as REAL, and would become `0.0` in a column of text. */
function bindable(cell: string | number | null): string | number | bigint | null {
  return typeof cell === 'number' && Number.isInteger(cell) ? BigInt(cell) : cell;
}
