/**
 * The mark that this node has told the peer that it leaves (docs/SAFETY.md, rule 14c). A failing store does not hold that word
 * back and knows nothing of it, so it is kept in the run directory, with the life of the kernel: it outlives `sm` and the
 * store's failure, and means nothing after a restart of the system. It ends with the commit that has what came of the word.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitResult, Log, SavedEffect, StorePort, WordPort } from './ports.ts';

export class GivenWord implements WordPort {
  readonly #path: string;
  readonly #kernelLife: string;
  readonly #log: Log;
  #isKept: boolean;
  /** Kernel life of the mark that was found at the start; '' = none was. */
  readonly found: string;

  constructor(runDirectory: string, kernelLife: string, log: Log) {
    this.#path = join(runDirectory, 'word');
    this.#kernelLife = kernelLife;
    this.#log = log;
    this.found = read(this.#path);
    this.#isKept = this.found === kernelLife;
  }

  /** One that is there is not written again: on a full file system that would lose it. */
  keep(): boolean {
    if (this.#isKept) return true;
    try {
      writeFileSync(this.#path, this.#kernelLife, { mode: 0o600 });
      this.#isKept = true;
    } catch (error) {
      this.#log.error({ path: this.#path, code: codeOf(error) }, 'it can not be kept that this node leaves');
    }
    return this.#isKept;
  }

  /** The store, with which the mark ends. While that is not possible nothing counts as stored, so nothing begins. */
  endingWith(store: StorePort): StorePort {
    return {
      commit: (effects: readonly SavedEffect[]): CommitResult => {
        const result = store.commit(effects);
        if (!result.ok || !effects.some(({ type }) => type === 'persist.word')) return result;
        return this.#forget();
      },
    };
  }

  #forget(): CommitResult {
    try {
      rmSync(this.#path, { force: true });
      this.#isKept = false;
      return { ok: true };
    } catch (error) {
      return { ok: false, reason: `${this.#path} can not be removed: ${codeOf(error)}` };
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
