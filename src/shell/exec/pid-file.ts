/**
 * Reading a pid file that anybody may have written: it may be missing, empty, garbage, huge, a FIFO or a directory.
 * The first line is the pid; everything after it is ignored. Whether the pid is believed is decided elsewhere
 * (pid-belief.ts); who had a hand in the file is told with it.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { lstat, open } from 'node:fs/promises';

export type PidFileContent =
  /** `owners`: of the file and, where the path ends in a symbolic link, of the link. */
  | { readonly kind: 'pid'; readonly pid: number; readonly owners: readonly number[] }
  | { readonly kind: 'missing' }
  /** There, but of no use: the reason says why. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** Larger than any pid with its white space; of a huge file no more than this is ever read. */
const BYTES_MAX = 64;
/** O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export function parsePidFile(text: string, owners: readonly number[]): PidFileContent {
  const line = text.split('\n', 1)[0]!.trim();
  if (text.length === BYTES_MAX && !text.includes('\n'))
    return { kind: 'unusable', reason: 'has a first line that is too long' };
  if (line === '') return { kind: 'unusable', reason: 'is empty' };
  if (!/^[0-9]{1,10}$/.test(line)) return { kind: 'unusable', reason: 'does not begin with a process id' };
  const pid = Number(line);
  // Pid 1 and our own are never a service's: a kill by such a file would take the node or sm along.
  if (pid <= 1 || pid === process.pid) return { kind: 'unusable', reason: `names process ${pid}` };
  return { kind: 'pid', pid, owners };
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
    const file = fstatSync(fd);
    if (!file.isFile()) return NOT_A_FILE;
    const buffer = Buffer.alloc(BYTES_MAX);
    const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, BYTES_MAX, 0));
    return parsePidFile(text, [file.uid, lstatSync(path).uid]);
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
      const stat = await file.stat();
      if (!stat.isFile()) return NOT_A_FILE;
      const buffer = Buffer.alloc(BYTES_MAX);
      const { bytesRead } = await file.read(buffer, 0, BYTES_MAX, 0);
      return parsePidFile(buffer.toString('latin1', 0, bytesRead), [stat.uid, (await lstat(path)).uid]);
    } finally {
      await file.close();
    }
  } catch (error) {
    return fromError(error);
  }
}

/** Two changes that follow each other sooner than this may have the same times: the kernel counts them in ticks. */
const SETTLED_MS = 1000;

/**
 * What changes when the file does, for one question where reading it takes five; null = read it: it is not there, is no plain
 * file, or changed just now.
 */
export async function pidFileStamp(path: string, wallMs = Date.now()): Promise<string | null> {
  const file = await lstat(path, { bigint: true }).catch(() => null);
  if (file === null || !file.isFile() || Math.abs(wallMs - Number(file.ctimeMs)) < SETTLED_MS) return null;
  return [file.dev, file.ino, file.mtimeNs, file.ctimeNs, file.size].join(' ');
}
