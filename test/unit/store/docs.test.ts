/** The reference says what the program does: tables, columns and coded errors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { ERRORS } from '../../../src/core/kernel/errors.ts';
import { DATABASE_FOLDER, migrate } from '../../../src/shell/store/schema.ts';

const REFERENCE = join(DATABASE_FOLDER, '../docs/reference');

test('docs/reference/database.md has every table and every column with its type, and no other', () => {
  const database = new Database(':memory:');
  migrate(database);
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    .pluck()
    .all() as string[];
  const expected = tables.map((table) => {
    const columns = database.pragma(`table_info(${table})`) as { name: string; type: string }[];
    return [table, ...columns.map(({ name, type }) => `${name} ${type}`)];
  });
  const sections = readFileSync(join(REFERENCE, 'database.md'), 'utf8').split(/^### /m).slice(1);
  const told = sections.map((section) => [
    section.split('\n')[0],
    ...[...section.matchAll(/^\| (\S+) \| (\S+) \| [^|]*\| [^|]+\|$/gm)]
      .filter((match) => match[1] !== 'column')
      .map((match) => `${match[1]} ${match[2]}`),
  ]);
  expect(told).toEqual(expected);
});

test('docs/reference/errors.md has every coded error as it is, and no other', () => {
  const text = readFileSync(join(REFERENCE, 'errors.md'), 'utf8');
  const told = [...text.matchAll(/^\| (SM_\w+) \| (\d) \| (\d+) \| (.+) \|$/gm)].map((match) =>
    match.slice(1),
  );
  const expected = Object.entries(ERRORS).map(([code, { sentence, exitCode, httpStatus }]) => [
    code,
    String(exitCode),
    String(httpStatus),
    sentence,
  ]);
  expect(told).toEqual(expected);
});
