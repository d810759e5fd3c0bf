/** Idempotency-Key: an action that is sent twice, because its answer got lost, is done once. */
import { createHash } from 'node:crypto';
import { problem } from './problem.ts';

const KEYS_MAX = 1000;
/** A client that tries again after this time, ms, has given up before. */
export const KEPT_MS = 24 * 3600 * 1000;
const KEY = /^[\x21-\x7e]{1,128}$/;

interface Kept {
  readonly request: string;
  readonly at: number;
  readonly answer: Promise<unknown>;
}

export class Once {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;

  /** @param now monotonic ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * The answer of the first request with this key, also while it is still being made. Throws `SM_API_INPUT` for a key that
   * is none, `SM_API_KEY_REUSED` when it came with another request. What failed is not kept: it may be tried again.
   */
  do<T>(caller: string, key: string | undefined, request: unknown, work: () => Promise<T>): Promise<T> {
    if (key === undefined) return work();
    if (!KEY.test(key))
      throw problem('SM_API_INPUT', {
        place: 'Idempotency-Key',
        detail: 'it must have 1 to 128 printable characters without blanks',
      });
    const name = `${caller}\n${key}`;
    const sum = createHash('sha256').update(JSON.stringify(request)).digest('hex');
    this.#forget();
    const known = this.#kept.get(name);
    if (known !== undefined) {
      if (known.request !== sum) throw problem('SM_API_KEY_REUSED');
      return known.answer as Promise<T>;
    }
    const answer = work();
    this.#kept.set(name, { request: sum, at: this.#now(), answer });
    answer.catch(() => this.#kept.delete(name));
    return answer;
  }

  #forget(): void {
    const oldest = this.#now() - KEPT_MS;
    for (const [name, { at }] of this.#kept) {
      if (at >= oldest && this.#kept.size < KEYS_MAX) return;
      this.#kept.delete(name);
    }
  }
}
