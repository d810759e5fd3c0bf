/**
 * The files of a trace: lines go into a buffer, the buffer into the newest file, full files are packed, and the oldest go
 * when all together are too large. Nobody waits for any of it, and a disk that fails ends the trace and nothing else.
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  write,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Log, Time } from '../ports.ts';

/** A file is full when it has this part of the bytes allowed for all. */
const FILE_SHARE = 1 / 8;
/**
 * How long a line may wait for others before it is written; the beginning of a life waits for nothing. Each write wakes two
 * threads, and an idle node has little else to do.
 */
export const WRITE_DELAY_MS = 1000;
/** More than this waits only for a disk that hangs. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** Files of earlier lives are packed when the start of a node is over. */
const TIDY_DELAY_MS = 30_000;

/** `<life>-<file>.trace`, and the same packed; in the order of their names they are in the order of their making. */
const NAME = /^(\d{6})-(\d{6})\.trace(\.gz)?$/;

export interface RingOptions {
  readonly directory: string;
  /** Of all files together, as they are on the disk. */
  readonly bytesMax: number;
  /** First line of each file. */
  readonly title: (life: number, file: number) => string;
  readonly time: Time;
  readonly log: Log;
}

export class TraceRing {
  readonly life: number;
  /** Second line of each file but the first, made between two turns: what is behind it needs no earlier file. */
  goesOn: () => string = () => '';
  readonly #options: RingOptions;
  #file = 0;
  #fd: number | null = null;
  /** Bytes of the newest file that are written. */
  #position = 0;
  /** Of them, those with which it begins: they do not count for its being full, however large a state is. */
  #headingBytes = 0;
  #waiting: string[] = [];
  #waitingBytes = 0;
  /** Handed to the kernel, and not acknowledged yet. */
  #inFlight: Buffer | null = null;
  #isScheduled = false;
  #hasBegun = false;
  #isTidying = false;

  /** Opens nothing that exists. A directory that can not be written means no trace, and a line in the log. */
  constructor(options: RingOptions) {
    this.#options = options;
    this.life = this.#prepare();
    if (this.#fd !== null) options.time.after(TIDY_DELAY_MS, () => this.#tidy());
  }

  get isOpen(): boolean {
    return this.#fd !== null;
  }

  add(line: string): void {
    if (this.#fd === null) return;
    this.#waiting.push(line);
    this.#waitingBytes += line.length + 1;
    if (this.#waitingBytes > BUFFER_BYTES_MAX) return this.#end('the disk does not keep up');
    if (this.#isScheduled || this.#inFlight !== null) return;
    this.#isScheduled = true;
    this.#options.time.after(this.#hasBegun ? WRITE_DELAY_MS : 0, () => {
      this.#isScheduled = false;
      this.#hasBegun = true;
      this.#write();
    });
  }

  /** The process ends: what waits is written now. */
  close(): void {
    if (this.#fd === null) return;
    // Whatever became of the write under way: the same bytes at the same place.
    const rest = Buffer.concat([this.#inFlight ?? Buffer.alloc(0), this.#take()]);
    try {
      writeSync(this.#fd, rest, 0, rest.length, this.#position);
      closeSync(this.#fd);
    } catch {
      // The trace ends a little earlier.
    }
    this.#fd = null;
  }

  #prepare(): number {
    const { directory, log } = this.#options;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const life =
        1 + Math.max(0, ...readdirSync(directory).map((name) => Number(NAME.exec(name)?.[1] ?? 0)));
      this.#open(life);
      return life;
    } catch (error) {
      log.warn({ directory, reason: String(error) }, 'no trace is written');
      return 0;
    }
  }

  #path(life: number, file: number): string {
    const number = (value: number): string => String(value).padStart(6, '0');
    return join(this.#options.directory, `${number(life)}-${number(file)}.trace`);
  }

  #open(life: number, base = ''): void {
    this.#file += 1;
    this.#fd = openSync(this.#path(life, this.#file), 'wx', 0o600);
    const title = this.#options.title(life, this.#file);
    this.#position = writeSync(this.#fd, `${title}\n${base === '' ? '' : `${base}\n`}`);
    this.#headingBytes = this.#position;
  }

  #take(): Buffer {
    const bytes = Buffer.from(this.#waiting.map((line) => `${line}\n`).join(''));
    this.#waiting = [];
    this.#waitingBytes = 0;
    return bytes;
  }

  #write(): void {
    if (this.#fd === null || this.#inFlight !== null || this.#waiting.length === 0) return;
    const bytes = this.#take();
    this.#inFlight = bytes;
    write(this.#fd, bytes, 0, bytes.length, this.#position, (error, written) => {
      this.#inFlight = null;
      if (this.#fd === null) return;
      if (error !== null || written < bytes.length) return this.#end(error?.message ?? 'no room');
      this.#position += written;
      if (this.#position - this.#headingBytes >= this.#options.bytesMax * FILE_SHARE) this.#next();
      this.#write();
    });
  }

  #next(): void {
    try {
      const base = this.goesOn();
      // What waits happened before that.
      const rest = this.#take();
      if (this.#fd !== null) {
        writeSync(this.#fd, rest, 0, rest.length, this.#position);
        closeSync(this.#fd);
        this.#fd = null;
      }
      this.#open(this.life, base);
    } catch (error) {
      this.#end(String(error));
      return;
    }
    this.#tidy();
  }

  /** A gap would be worse than an end: nothing behind it could be replayed. */
  #end(reason: string): void {
    this.#options.log.warn({ reason }, 'the trace of this life of sm ends');
    const fd = this.#fd;
    this.#fd = null;
    this.#take();
    try {
      if (fd !== null) closeSync(fd);
    } catch {
      // It is of no use any more.
    }
  }

  #tidy(): void {
    if (this.#isTidying) return;
    this.#isTidying = true;
    this.#packAndDrop().then(
      () => {
        this.#isTidying = false;
      },
      (error: unknown) => {
        this.#isTidying = false;
        this.#options.log.warn({ reason: String(error) }, 'files of traces could not be packed');
      },
    );
  }

  async #packAndDrop(): Promise<void> {
    const { directory, bytesMax } = this.#options;
    const newest = this.#path(this.life, this.#file);
    const paths = (): string[] =>
      readdirSync(directory)
        .filter((name) => NAME.test(name))
        .sort()
        .map((name) => join(directory, name))
        .filter((path) => path !== newest);
    for (const path of paths()) if (!path.endsWith('.gz')) await pack(path);
    // Room for the newest file when it is full.
    let bytes = bytesMax * FILE_SHARE + this.#headingBytes;
    for (const path of paths().reverse()) {
      bytes += statSync(path).size;
      if (bytes > bytesMax) rmSync(path);
    }
  }
}

/** Under its name only when it is whole. */
async function pack(path: string): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(unfinished, { mode: 0o600 }));
  renameSync(unfinished, `${path}.gz`);
  rmSync(path);
}
