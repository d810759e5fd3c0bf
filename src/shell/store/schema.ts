/**
 * The schema of the database: db/migrations, numbered files, each applied once and in order. The number of the last one
 * is kept in PRAGMA user_version. db/schema.sql is their sum, for reading and for `sqlite3 new.db < db/schema.sql`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type Database from 'better-sqlite3';

/** The folder `db` of the installed program: beside src and beside dist. */
export const DATABASE_FOLDER = fileURLToPath(new URL('../../../db', import.meta.url));

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** In order: 1, 2, 3... A gap or a double number is a fault of the installation. */
export function readMigrations(folder: string = join(DATABASE_FOLDER, 'migrations')): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => /^\d{3}-.+\.sql$/.test(name))
    .sort();
  return names.map((name, index) => {
    const version = Number(name.slice(0, 3));
    if (version !== index + 1) {
      throw new Error(`${folder}: ${name} is not number ${index + 1}: the installation is damaged`);
    }
    return { version, name, sql: readFileSync(join(folder, name), 'utf8') };
  });
}

export function schemaVersion(database: Database.Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

/** Applies what is missing, all or nothing. The caller has made sure that the file is not newer. */
export function migrate(database: Database.Database, migrations = readMigrations()): void {
  const missing = migrations.filter((migration) => migration.version > schemaVersion(database));
  if (missing.length === 0) return;
  database.transaction(() => {
    for (const migration of missing) {
      database.exec(migration.sql);
      database.pragma(`user_version = ${migration.version}`);
    }
  })();
}
