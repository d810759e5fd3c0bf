/**
 * The set while it is being checked: rows with known words and ranges, what was found wrong, and what had to be taken
 * out because of it. Pure.
 */
import { type ProblemCode, ProblemList } from './problems.ts';
import type { Column, RawRow, RawRows, Table } from './rows.ts';
import { cellIsValid, columnSentence, DEFINITION_TABLES, rowKey, tableOf } from './rows.ts';

/** A row whose every cell holds what its column may hold. */
export class CheckedRow {
  readonly table: Table;
  readonly raw: RawRow;
  /** Unprovisioned rows are checked like all others, and then left out of the set. */
  readonly provisioned: boolean;

  constructor(table: Table, raw: RawRow) {
    this.table = table;
    this.raw = raw;
    this.provisioned = raw.columns.PROVISIONED === undefined || this.is('PROVISIONED');
  }

  get key(): string {
    return rowKey(this.table, this.raw);
  }

  /** StarlingX's `none` of a status or condition is the empty string. */
  text(column: string): string {
    const content = String(this.raw.columns[column] ?? this.#column(column).fallback ?? '');
    return content === 'none' && /STATUS|CONDITION/.test(column) ? '' : content;
  }

  /** A word of a checked column: the cell was compared with the column's words, which are those of T. */
  word<T extends string>(column: string): T {
    return this.text(column) as T;
  }

  /** 0 where the number is not set. */
  number(column: string): number {
    return Number(this.text(column));
  }

  is(column: string): boolean {
    return this.text(column) === 'yes';
  }

  #column(name: string): Column {
    const column = this.table.columns.find((each) => each.name === name);
    if (column === undefined) throw new RangeError(`${this.table.name} has no column ${name}`);
    return column;
  }
}

export class Draft {
  readonly problems = new ProblemList();
  /** Names that may not be in the set. A bad row takes out the service, group or interface that it describes. */
  readonly lostServices = new Set<string>();
  readonly lostGroups = new Set<string>();
  readonly lostInterfaces = new Set<string>();
  /** Without a sound domain there is nothing to run. */
  fatal = false;

  readonly #raw: RawRows;
  readonly #rows = new Map<string, readonly CheckedRow[]>();

  constructor(raw: RawRows) {
    this.#raw = raw;
    for (const table of DEFINITION_TABLES) this.#rows.set(table.name, this.#check(table));
  }

  rows(table: string): readonly CheckedRow[] {
    return this.#rows.get(tableOf(table).name) ?? [];
  }

  /** Every name that occurs in the column, bad rows included: a name in a bad row is spoiled, not unknown. */
  names(table: string, column: string): ReadonlySet<string> {
    return new Set((this.#raw.get(table) ?? []).map((row) => String(row.columns[column] ?? '')));
  }

  count(table: string): number {
    return this.#raw.get(table)?.length ?? 0;
  }

  /** Takes out what the row describes. A result rule or a setting is alone: losing it spoils nothing else. */
  spoil(table: Table, row: RawRow): void {
    const name = (column: string): string => String(row.columns[column] ?? '');
    switch (table.name) {
      case 'SERVICE_DOMAINS':
        if (name('PROVISIONED') !== 'no') this.fatal = true;
        break;
      case 'SM_DOMAIN_NODES':
      case 'SM_DOMAIN_SAFETY':
      // Without them the domain would go on under a weaker rule than it was given.
      case 'SM_ETCD':
      case 'SM_SHARED_DISK':
        this.fatal = true;
        break;
      case 'SERVICE_DOMAIN_INTERFACES':
      case 'SM_INTERFACE_FACTS':
        this.lostInterfaces.add(name('SERVICE_DOMAIN_INTERFACE'));
        break;
      case 'SERVICE_GROUPS':
        this.lostGroups.add(name('NAME'));
        break;
      case 'SERVICE_DOMAIN_MEMBERS':
        this.lostGroups.add(name('SERVICE_GROUP_NAME'));
        break;
      case 'SERVICES':
        this.lostServices.add(name('NAME'));
        break;
      case 'SERVICE_GROUP_MEMBERS':
      case 'SERVICE_INSTANCES':
      case 'SERVICE_ACTIONS':
      case 'SERVICE_DEPENDENCY':
      case 'SM_SERVICE_FACTS':
        this.lostServices.add(name('SERVICE_NAME'));
        break;
    }
  }

  #check(table: Table): CheckedRow[] {
    const raw = this.#raw.get(table.name);
    if (raw === undefined) {
      // StarlingX keeps its heartbeats in a file of their own.
      if (table.name.startsWith('SM_') || table.name === 'SERVICE_HEARTBEAT') return [];
      this.problems.error(
        'missing-table',
        table,
        '-',
        'the table is missing: every definition table is needed',
      );
      this.fatal = true;
      return [];
    }
    const seen = new Set<string>();
    const checked: CheckedRow[] = [];
    for (const row of raw) {
      const bad = table.columns.filter((column) => !this.#cellIsValid(column, row));
      const key = table.key.map((column) => String(row.columns[column] ?? '')).join('\n');
      for (const column of bad) {
        const shown = JSON.stringify(row.columns[column.name] ?? null);
        this.problems.error('bad-cell', table, row, `${columnSentence(column)}; it is ${shown}`);
      }
      const twice = seen.has(key);
      if (twice)
        this.problems.error('duplicate-row', table, row, 'there is another row with this key: delete one');
      seen.add(key);
      if (bad.length > 0 || twice) this.spoil(table, row);
      else checked.push(new CheckedRow(table, row));
    }
    return checked;
  }

  /** A column that the source does not have takes its fallback; a run-time column is never a definition. */
  #cellIsValid(column: Column, row: RawRow): boolean {
    if (column.owner === 'runtime') return true;
    const cell = row.columns[column.name];
    if (cell === undefined) return column.fallback !== null;
    return cellIsValid(column, cell);
  }
}

/** An error of the row that takes out what it describes. */
export function lose(draft: Draft, row: CheckedRow, code: ProblemCode, sentence: string): void {
  draft.problems.error(code, row.table, row.raw, sentence);
  draft.spoil(row.table, row.raw);
}
