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

  constructor(stream: Duplex, handlers: ChannelHandlers<In>) {
    this.#stream = stream;
    this.#handlers = handlers;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('end', () => this.close('the other side ended'));
    stream.on('close', () => this.close('the other side ended'));
    stream.on('error', (error) => this.close(error.message));
  }

  send(message: Out): void {
    if (this.#closed) return;
    if (this.#stream.writableLength > BACKLOG_BYTES_MAX) {
      this.close('the other side does not read');
      return;
    }
    this.#stream.write(`${toJson(message)}\n`);
  }

  /** Resolves when everything that was sent is with the kernel. */
  async flush(): Promise<void> {
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
      let message: In;
      try {
        message = JSON.parse(line) as In;
      } catch {
        this.close('a message that is not JSON');
        return;
      }
      this.#handlers.message(message);
    }
  }
}
