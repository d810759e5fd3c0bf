/** Cuts a stream of bytes into lines of bounded length. UTF-8 is decoded per line, so no character is cut in two. */
export class LineSplitter {
  readonly #bytesMax: number;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The complete lines, or null when a line is longer than allowed: the stream can not be read on. */
  push(chunk: Buffer): string[] | null {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      const piece = chunk.subarray(start, end < 0 ? chunk.length : end);
      if (this.#restBytes + piece.length > this.#bytesMax) return null;
      this.#rest.push(piece);
      this.#restBytes += piece.length;
      if (end < 0) return lines;
      lines.push(Buffer.concat(this.#rest).toString('utf8'));
      this.#rest = [];
      this.#restBytes = 0;
      start = end + 1;
    }
  }
}
