/**
 * A script's output goes into a file: one per service and action in the run-time directory, so that the last output of
 * each can be read at leisure, and what is kept in the end is its tail.
 *
 * Why not a pipe: daemons that a script starts inherit it and keep it for years. A pipe that nobody reads any more,
 * because `sm` was restarted, kills or blocks the daemon at its next word: a restart of `sm` must not be an event for
 * services. A file outlives us. (node's own pipes are sockets besides, on which a script's `>/dev/stderr` fails.)
 * Its price is the bound: a file over its limit is cut back by us, while the script runs every few milliseconds and
 * afterwards every few seconds. It is opened for appending, so that writers go on at the new end.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../core/kernel/limits.ts';

const FILE_BYTES_MAX = 256 * 1024;
const TAIL = LIMITS.outputTailBytesMax;
/** Appended by the script, read by us, and without what the script before it wrote. */
const APPEND_ANEW = constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND | constants.O_RDWR;
/** A script that never pauses is cut back all the same. */
const READ_ATTEMPTS_MAX = 16;

/** The output of one script while it runs. */
export class Output {
  /** For the child's stdout and stderr; null when there is no room for a file: then output is lost, the script runs. */
  readonly fd: number | null;
  /** End of what was cut away. */
  #earlier = '';

  constructor(path: string) {
    let fd: number | null = null;
    try {
      fd = openSync(path, APPEND_ANEW, 0o600);
    } catch {
      // A full or missing file system must not keep a service from being stopped.
    }
    this.fd = fd;
  }

  /** Cuts the file back when it is too long. Call often. */
  trim(): void {
    if (this.fd === null) return;
    let { size } = fstatSync(this.fd);
    if (size <= FILE_BYTES_MAX) return;
    // The script writes on meanwhile, perhaps its last words: read again until nothing came in between.
    for (let attempt = 0; attempt < READ_ATTEMPTS_MAX; attempt++) {
      this.#earlier = this.#readTail(size);
      const read = size;
      size = fstatSync(this.fd).size;
      if (size === read) break;
    }
    ftruncateSync(this.fd, 0);
  }

  /** The last bytes, as text; closes the file, which remains. */
  finish(): string {
    if (this.fd === null) return '';
    const { size } = fstatSync(this.fd);
    // Most scripts have nothing to say.
    const text = size === 0 ? this.#earlier : (this.#earlier + this.#readTail(size)).slice(-TAIL);
    // Decoded only now: a tail may begin in the middle of a character, which is dropped.
    const bytes = Buffer.from(text, 'latin1');
    if (size > FILE_BYTES_MAX) this.#keepOnly(this.fd, bytes);
    closeSync(this.fd);
    let start = 0;
    while (start < 4 && (bytes[start] ?? 0) >>> 6 === 2) start++;
    return bytes.toString('utf8', start).trimEnd();
  }

  /** A file that is too long keeps its tail alone, and not only after the next sweep. */
  #keepOnly(fd: number, tail: Uint8Array): void {
    try {
      ftruncateSync(fd, 0);
      writeSync(fd, tail);
    } catch {
      // A full file system: the tail is in the reason of the failure.
    }
  }

  #readTail(size: number): string {
    const buffer = Buffer.alloc(Math.min(size, TAIL));
    return buffer.toString('latin1', 0, readSync(this.fd!, buffer, 0, buffer.length, size - buffer.length));
  }
}

/** The directory of the files. */
export class OutputDirectory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  open(service: string, action: string): Output {
    return new Output(join(this.#path, `${service}.${action}`));
  }

  /**
   * Cuts back what daemons have written since their script ended, also that of scripts of an earlier `sm`. The directory is
   * in memory: to ask it takes microseconds, to have it asked by another thread a wake-up of both for each file.
   */
  sweep(): void {
    for (const name of readdirSync(this.#path)) {
      const path = join(this.#path, name);
      try {
        const file = statSync(path, { throwIfNoEntry: false });
        if (file !== undefined && file.size > FILE_BYTES_MAX) truncateSync(path, 0);
      } catch {
        // Gone meanwhile.
      }
    }
  }
}
