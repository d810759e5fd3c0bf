/** What the machine says of itself: commands, files and modes, each with a limit, none with a wish to fail. */
import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export const COMMAND_LIMIT_MS = 5000;
export const OUTPUT_BYTES_MAX = 1024 * 1024;
const LISTED_MAX = 2000;
const TABLE_ROWS_MAX = 5000;

export interface Taken {
  readonly text: string;
  /** '' = whole. */
  readonly note: string;
}

/** Runs a program to its end or its limit. A missing program is `null`. */
export function outputOf(argv: readonly string[], limitMs = COMMAND_LIMIT_MS): Promise<Taken | null> {
  const [program = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/sbin:/usr/sbin:/bin:/usr/bin', LANG: 'C' },
      detached: true,
    });
    const parts: Buffer[] = [];
    let bytes = 0;
    let note = '';
    const end = (): void => {
      clearTimeout(timer);
      // A child that holds the pipe must not hold us.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ text: Buffer.concat(parts).toString('utf8'), note });
    };
    const kill = (why: string): void => {
      note = why;
      // Its own process group: what it has started ends with it.
      if (child.pid !== undefined) killGroup(child.pid);
      end();
    };
    const timer = setTimeout(() => kill(`ended after ${limitMs} ms`), limitMs);
    const take = (chunk: Buffer): void => {
      const room = OUTPUT_BYTES_MAX - bytes;
      if (room <= 0) return;
      parts.push(chunk.subarray(0, room));
      bytes += chunk.length;
      if (bytes >= OUTPUT_BYTES_MAX) kill(`cut off after ${OUTPUT_BYTES_MAX} bytes`);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', () => {
      clearTimeout(timer);
      resolve(null);
    });
    child.once('close', (code, signal) => {
      if (note === '' && code !== 0) note = `ended with ${signal ?? code}`;
      end();
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** The end of a file. Only of a regular file: opening anything else might wait for ever. A text = why not. */
export function tailOf(path: string, bytesMax: number): Taken | string {
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(file);
    if (!stat.isFile()) return 'it is no file';
    // Files of /proc say that they are empty.
    const buffer = Buffer.alloc(stat.size === 0 ? bytesMax : Math.min(stat.size, bytesMax));
    const skipped = Math.max(0, stat.size - buffer.length);
    let length = 0;
    for (;;) {
      const read = readSync(file, buffer, length, buffer.length - length, skipped + length);
      length += read;
      if (read === 0 || length === buffer.length) break;
    }
    const note = skipped === 0 ? '' : `the last ${buffer.length} of ${stat.size} bytes`;
    return { text: buffer.toString('utf8', 0, length), note };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** Kind, mode, owner, size and time of everything below, names only: nothing is opened. */
export function listing(roots: readonly string[]): Taken {
  const lines: string[] = [];
  const pending = [...roots];
  while (pending.length > 0 && lines.length < LISTED_MAX) {
    const path = pending.shift() ?? '';
    try {
      const stat = lstatSync(path);
      const kind = stat.isDirectory() ? 'd' : stat.isSymbolicLink() ? 'l' : stat.isFile() ? '-' : 's';
      const target = kind === 'l' ? ` -> ${readlinkSync(path)}` : '';
      const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0');
      const { uid, gid, size, mtime } = stat;
      lines.push(`${kind} ${mode} ${uid}:${gid} ${size} ${mtime.toISOString()} ${path}${target}`);
      if (kind === 'd') pending.push(...readdirSync(path).map((name) => join(path, name)));
    } catch (error) {
      lines.push(`? ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const note = pending.length === 0 ? '' : `the first ${LISTED_MAX} only`;
  return { text: `${lines.join('\n')}\n`, note };
}

/** Every table but the history, as rows. A text = why not. */
export function tablesOf(path: string): ReadonlyMap<string, readonly Record<string, unknown>[]> | string {
  let database: Database.Database | undefined;
  try {
    if (!lstatSync(path).isFile()) return 'it is no file';
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    database.pragma('trusted_schema = OFF');
    const names = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'SM_EVENTS' ORDER BY name")
      .pluck()
      .all() as string[];
    const tables = new Map<string, readonly Record<string, unknown>[]>();
    for (const name of names) {
      const quoted = `"${name.replaceAll('"', '""')}"`;
      const rows = database.prepare(`SELECT * FROM ${quoted} LIMIT ${TABLE_ROWS_MAX}`).all();
      tables.set(name, rows as Record<string, unknown>[]);
    }
    return tables;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    database?.close();
  }
}
