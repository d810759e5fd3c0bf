/**
 * The pipe between `sm` and `sm-watchdog`: a socket pair, one JSON object per line. It ends when either process does,
 * which is how each notices the death of the other.
 */
import type { Duplex } from 'node:stream';
import { toJson } from '../json.ts';
import { LineSplitter } from '../lines.ts';

/** File descriptor of the pipe in the process that was started by the other. */
export const CHANNEL_FD = 3;
/** Above the largest message, a report of LIMITS.reportPartsMax parts. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** The other side has not read for long when so much waits; it is given up for dead. */
const BACKLOG_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The next message of a pipe that has no channel yet; what comes after it stays to be read. Null = the other side ended, or
 * speaks another language.
 */
export async function nextMessage<In extends object>(stream: Duplex): Promise<In | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  while (bytes <= MESSAGE_BYTES_MAX) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) {
      if (!(await hasMore(stream))) return null;
      continue;
    }
    const end = chunk.indexOf(0x0a);
    pieces.push(end < 0 ? chunk : chunk.subarray(0, end));
    bytes += chunk.length;
    if (end < 0) continue;
    if (end + 1 < chunk.length) stream.unshift(chunk.subarray(end + 1));
    return objectOf(Buffer.concat(pieces).toString('utf8')) as In | null;
  }
  return null;
}

/** Waits until there is something to read; false = the other side ended. */
export function hasMore(stream: Duplex): Promise<boolean> {
  if (stream.readableEnded || stream.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close', 'error'] as const;
    const look = () => {
      for (const event of events) stream.off(event, look);
      // At the end of a stream it is readable too, with nothing in it.
      resolve(stream.readableLength > 0);
    };
    for (const event of events) stream.on(event, look);
  });
}

export function say(stream: Duplex, message: object): void {
  stream.write(`${toJson(message)}\n`);
}

export interface ChannelHandlers<In> {
  readonly message: (message: In) => void;
  /** Once. */
  readonly closed: (reason: string) => void;
}

export class Channel<In extends object, Out extends object> {
  readonly #stream: Duplex;
  readonly #handlers: ChannelHandlers<In>;
  readonly #lines = new LineSplitter(MESSAGE_BYTES_MAX);
  #closed = false;
  /** Lines that go out together, after what is being done now. */
  #queued = '';

  constructor(stream: Duplex, handlers: ChannelHandlers<In>) {
    this.#stream = stream;
    this.#handlers = handlers;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('end', () => this.close('the other side ended'));
    stream.on('close', () => this.close('the other side ended'));
    stream.on('error', (error) => this.close(error.message));
    // Nobody hears of an end that came before.
    if (stream.readableEnded || stream.destroyed)
      queueMicrotask(() => this.close('the other side had ended'));
  }

  /** At once, after what was queued. */
  send(message: Out): void {
    this.queue(message);
    this.sendQueued();
  }

  /** Together with others, when what is being done now is over: a word costs less than waking the other side for it. */
  queue(message: Out): void {
    if (this.#closed) return;
    if (this.#queued === '') queueMicrotask(() => this.sendQueued());
    this.#queued += `${toJson(message)}\n`;
  }

  sendQueued(): void {
    const lines = this.#queued;
    this.#queued = '';
    if (this.#closed || lines === '') return;
    if (this.#stream.writableLength > BACKLOG_BYTES_MAX) {
      this.close('the other side does not read');
      return;
    }
    this.#stream.write(lines);
  }

  /** Resolves when everything that was sent is with the kernel. */
  async flush(): Promise<void> {
    this.sendQueued();
    if (this.#closed) return;
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()));
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.destroy();
    this.#handlers.closed(reason);
  }

  #read(chunk: Buffer): void {
    const lines = this.#lines.push(chunk);
    if (lines === null) {
      this.close('a message without end');
      return;
    }
    for (const line of lines) {
      if (this.#closed) return;
      const message = objectOf(line);
      if (message === null) {
        this.close('a message that is no object of JSON');
        return;
      }
      this.#handlers.message(message as In);
    }
  }
}

function objectOf(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
