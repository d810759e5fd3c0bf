/** Follows the stamp files of all nodes while they grow. */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StampLog } from './stamps.ts';

const SUFFIX = '.stamps';

export class Witness {
  readonly log = new StampLog();
  readonly #directories: ReadonlyMap<string, string>;
  /** Bytes read, by path. */
  readonly #read = new Map<string, number>();

  /** `directories`: where the stamp files lie, by node. */
  constructor(directories: ReadonlyMap<string, string>) {
    this.#directories = directories;
  }

  /** Reads what is new. */
  look(): StampLog {
    for (const [node, directory] of this.#directories) {
      for (const name of readdirSync(directory)) {
        if (!name.endsWith(SUFFIX)) continue;
        this.log.add(node, name.slice(0, -SUFFIX.length), this.#readNew(join(directory, name)));
      }
    }
    return this.log;
  }

  /** Call it when the node has lost its power and before it starts again. */
  restarted(node: string): void {
    this.look();
    this.log.restarted(node);
  }

  #readNew(path: string): string {
    const from = this.#read.get(path) ?? 0;
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - from));
      const count = readSync(file, bytes, 0, bytes.length, from);
      this.#read.set(path, from + count);
      return bytes.toString('latin1', 0, count);
    } finally {
      closeSync(file);
    }
  }
}
