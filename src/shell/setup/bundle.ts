/** The file that `smctl init` makes and `smctl join` reads: all that the other node needs, the key included. */
import { closeSync, constants, fstatSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RawRow, RawRows } from '../../core/definitions/rows.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { checkPair, type Pair } from './pair.ts';

const FORMAT = 'sm-join-1';

export interface Bundle {
  readonly pair: Pair;
  /** base64 */
  readonly key: string;
  /** Of the first node's database, so that both nodes have the same definitions. */
  readonly rows: RawRows;
}

/** Never replaces a file, and nobody but its owner can read it. */
export function writeBundle(path: string, { pair, key, rows }: Bundle): Result<null> {
  try {
    const text = JSON.stringify({ format: FORMAT, pair, key, rows: [...rows] });
    writeFileSync(path, `${text}\n`, { flag: 'wx', mode: 0o600 });
    return { ok: true, value: null };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return failure('SM_SETUP_EXISTS', { path });
    rmSync(path, { force: true });
    return failure('SM_SETUP_WRITE', { path, detail: messageOf(error) });
  }
}

export function readBundle(path: string): Result<Bundle> {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return failure('SM_SETUP_BUNDLE', { path, detail: messageOf(error) });
  }
  try {
    const { mode, uid } = fstatSync(file);
    // It holds the key: whoever could read or write it could be this pair's second node.
    const others = (mode & 0o177).toString(8);
    if (others !== '0') return failure('SM_KEY_MODE', { path, mode: (mode & 0o7777).toString(8) });
    if (uid !== 0 && uid !== process.getuid?.()) return failure('SM_KEY_OWNER', { path, uid });
    return parseBundle(path, readFileSync(file, 'utf8'));
  } catch (error) {
    return failure('SM_SETUP_BUNDLE', { path, detail: messageOf(error) });
  } finally {
    closeSync(file);
  }
}

function parseBundle(path: string, text: string): Result<Bundle> {
  const bad = (detail: string) => failure('SM_SETUP_BUNDLE', { path, detail });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return bad('it is cut off, or no JSON');
  }
  const { format, pair, key, rows } = (content ?? {}) as Record<string, unknown>;
  if (format !== FORMAT) return bad(`its format is not ${FORMAT}`);
  if (!isPair(pair) || typeof key !== 'string' || !isRows(rows)) return bad('a part is missing');
  const checked = checkPair(pair);
  return checked.ok ? { ok: true, value: { pair, key, rows: new Map(rows) } } : checked;
}

const isPairOf = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === 'string');

function isPair(value: unknown): value is Pair {
  const { nodes, links, port } = (value ?? {}) as Record<string, unknown>;
  return (
    isPairOf(nodes) &&
    typeof port === 'number' &&
    Array.isArray(links) &&
    links.every((link) => typeof link?.role === 'string' && isPairOf(link.addresses))
  );
}

/** What the rows say is checked when they are stored. */
function isRows(value: unknown): value is [string, RawRow[]][] {
  return (
    Array.isArray(value) &&
    value.every(
      (entry) =>
        Array.isArray(entry) &&
        typeof entry[0] === 'string' &&
        Array.isArray(entry[1]) &&
        entry[1].every((row: unknown) => typeof (row as RawRow | null)?.columns === 'object'),
    )
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
