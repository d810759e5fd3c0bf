/**
 * Reading a pid file that anybody may have written: it may be missing, empty, garbage, huge, a FIFO or a directory.
 * The first line is the pid; everything after it is ignored.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';

export type PidFileContent =
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'missing' }
  /** There, but of no use: the reason says why. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** Larger than any pid with its white space; of a huge file no more than this is ever read. */
const BYTES_MAX = 64;
/** O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export function parsePidFile(text: string): PidFileContent {
  const line = text.split('\n', 1)[0]!.trim();
  if (line === '') return { kind: 'unusable', reason: 'is empty' };
  if (!/^[0-9]{1,10}$/.test(line)) return { kind: 'unusable', reason: 'does not begin with a process id' };
  const pid = Number(line);
  // Pid 1 and our own are never a service's: a kill by such a file would take the node or sm along.
  if (pid <= 1 || pid === process.pid) return { kind: 'unusable', reason: `names process ${pid}` };
  return { kind: 'pid', pid };
}

function fromError(error: unknown): PidFileContent {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return code === 'ENOENT' ? { kind: 'missing' } : { kind: 'unusable', reason: `can not be read: ${code}` };
}

const NOT_A_FILE: PidFileContent = { kind: 'unusable', reason: 'is not a regular file' };

/** Never blocks on the file's type, but may on a hung mount: for threads that may wait, or as a last resort. */
export function readPidFileSync(path: string): PidFileContent {
  if (path === '') return { kind: 'missing' };
  let fd: number | null = null;
  try {
    fd = openSync(path, FLAGS);
    if (!fstatSync(fd).isFile()) return NOT_A_FILE;
    const buffer = Buffer.alloc(BYTES_MAX);
    return parsePidFile(buffer.toString('latin1', 0, readSync(fd, buffer, 0, BYTES_MAX, 0)));
  } catch (error) {
    return fromError(error);
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** The same without ever holding up the event loop. */
export async function readPidFile(path: string): Promise<PidFileContent> {
  if (path === '') return { kind: 'missing' };
  try {
    const file = await open(path, FLAGS);
    try {
      if (!(await file.stat()).isFile()) return NOT_A_FILE;
      const buffer = Buffer.alloc(BYTES_MAX);
      const { bytesRead } = await file.read(buffer, 0, BYTES_MAX, 0);
      return parsePidFile(buffer.toString('latin1', 0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    return fromError(error);
  }
}
