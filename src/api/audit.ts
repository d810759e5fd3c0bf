/** The record of every change that was asked for: who, what, from where, with which result. Refusals stand there too. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface AuditRecord {
  readonly time: string;
  readonly who: string;
  readonly from: string;
  readonly method: string;
  readonly path: string;
  /** What of the body says what is to be done; never a credential. */
  readonly action: string;
  readonly status: number;
  readonly result: string;
  readonly operation: string;
  readonly request: string;
}

const TEXT_CHARACTERS_MAX = 256;

/** Appends one line of JSON for each record; the file is made 0600. */
export class AuditFile {
  readonly #path: string;
  readonly #failed: (detail: string) => void;

  constructor(path: string, failed: (detail: string) => void) {
    this.#path = path;
    this.#failed = failed;
  }

  /** A record that can not be written is told to the log; the change has happened. */
  write(record: AuditRecord): void {
    const short = Object.fromEntries(
      Object.entries(record).map(([key, value]) => [
        key,
        typeof value === 'string' ? value.slice(0, TEXT_CHARACTERS_MAX) : value,
      ]),
    );
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      // Opened for each record: whoever rotates the file need not tell us.
      const file = openSync(this.#path, 'a', 0o600);
      try {
        writeSync(file, `${JSON.stringify(short)}\n`);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }
}
