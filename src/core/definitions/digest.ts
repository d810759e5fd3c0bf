/**
 * The digest of a definition set: equal on two nodes exactly when their shared definitions are equal. Pure.
 *
 * Left out are run-time columns, row ids and the order of rows, and the columns that are each node's own (addresses,
 * ports, pid files, instance parameters), which differ between two nodes of one domain as a matter of course.
 */
import type { RawRow, RawRows, Table } from './rows.ts';
import { DEFINITION_TABLES } from './rows.ts';

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const MASK_64 = 0xffffffffffffffffn;

/**
 * FNV-1a, 64 bits, over the UTF-16 code units, as 16 hex digits. It tells different sets apart, by accident: it is not a
 * signature, and frames that carry it are signed as a whole. Source: draft-eastlake-fnv.
 */
export function fnv1a64(text: string): string {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    hash = ((hash ^ BigInt(unit & 0xff)) * FNV_PRIME) & MASK_64;
    if (unit > 0xff) hash = ((hash ^ BigInt(unit >> 8)) * FNV_PRIME) & MASK_64;
  }
  return hash.toString(16).padStart(16, '0');
}

/** The text that is hashed: a line a row, sorted within its table. */
export function canonicalText(rows: RawRows): string {
  return DEFINITION_TABLES.map((table) => {
    const lines = (rows.get(table.name) ?? []).map((row) => canonicalRow(table, row));
    return [table.name, ...lines.sort()].join('\n');
  }).join('\n');
}

export function digestOf(rows: RawRows): string {
  return fnv1a64(canonicalText(rows));
}

function canonicalRow(table: Table, row: RawRow): string {
  const cells = table.columns
    .filter((column) => column.owner === 'shared')
    .map((column) => String(row.columns[column.name] ?? column.fallback ?? ''));
  return JSON.stringify(cells);
}
