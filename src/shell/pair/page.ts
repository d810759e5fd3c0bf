/**
 * A few numbers that one process writes over again and again, and another one reads when it needs them: what `sm` and
 * `sm-watchdog` have to know of each other several times a second, without waking the other one up for it. A file in the run
 * directory, on a memory file system; both keep it open, so that it outlives its writer for as long as somebody reads it.
 *
 * Everything stands in it twice, behind a number that rises with each writing: what was being written meanwhile is no news yet.
 */
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';

const NUMBER_BYTES = 8;

export interface PageOut {
  readonly path: string;
  /** False = it can not be written any more, and says nothing new. */
  write(...numbers: readonly number[]): boolean;
}

export interface PageIn {
  /** What was written since it was read last; null = nothing. */
  read(): Float64Array | null;
  close(): void;
}

/** A page of so many numbers; in the place of one of the same path, which its readers keep. null = it can not be made. */
export function makePage(path: string, count: number): PageOut | null {
  const bytes = Buffer.alloc(2 * (1 + count) * NUMBER_BYTES);
  const { O_CREAT, O_TRUNC, O_WRONLY, O_NOFOLLOW } = constants;
  let file: number;
  try {
    file = openSync(`${path}.new`, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW, 0o600);
    // From here on there is room for it.
    writeSync(file, bytes);
    renameSync(`${path}.new`, path);
  } catch {
    return null;
  }
  const values = new Float64Array(bytes.buffer, bytes.byteOffset, 2 * (1 + count));
  let writes = 0;
  const write = (...numbers: readonly number[]): boolean => {
    writes += 1;
    for (const start of [0, 1 + count]) {
      values[start] = writes;
      values.set(numbers, start + 1);
    }
    try {
      return writeSync(file, bytes, 0, bytes.length, 0) === bytes.length;
    } catch {
      return false;
    }
  };
  return { path, write };
}

/** null = there is no such page. */
export function openPage(path: string, count: number): PageIn | null {
  const length = 1 + count;
  const bytes = Buffer.alloc(2 * length * NUMBER_BYTES);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return null;
  }
  const { size } = fstatSync(file);
  if (size !== bytes.length) {
    closeSync(file);
    return null;
  }
  const values = new Float64Array(bytes.buffer, bytes.byteOffset, 2 * length);
  let seen = 0;
  const read = (): Float64Array | null => {
    try {
      if (readSync(file, bytes, 0, bytes.length, 0) !== bytes.length) return null;
    } catch {
      return null;
    }
    const writes = values[0] ?? 0;
    if (!(writes > seen)) return null;
    for (let i = 0; i < length; i += 1) if (!Object.is(values[i], values[i + length])) return null;
    seen = writes;
    return values.subarray(1, length);
  };
  return { read, close: () => closeSync(file) };
}
