/**
 * A register as an adversary would run it: linearizable, and everything else goes wrong. Requests get lost on the way
 * there, answers on the way back, and a write may be done long after its asker gave it up.
 */
import type {
  Answer,
  ArbiterCause,
  RegisterReply,
  RegisterRequest,
  Seen,
} from '../core/arbiter/interface.ts';

/** What becomes of one request. Times are ms after it went out. */
export interface Fate {
  /** null = it never arrives. */
  readonly doneAfterMs: number | null;
  /** null = the answer is lost. */
  readonly answeredAfterMs: number | null;
}

/** Whether a key is still as its asker saw it. */
type Compare = (now: Seen | undefined, seen: Seen | null) => boolean;

const byContent: Compare = (now, seen) => now?.revision === seen?.revision && now?.text === seen?.text;
/** Deliberately wrong: what somebody else has written meanwhile is not noticed. */
const byName: Compare = (now, seen) => (now === undefined) === (seen === null);

export class RegisterModel {
  readonly #entries = new Map<string, Seen>();
  readonly #isAsSeen: Compare;
  #revision = 0;
  identity = 'register-1';

  constructor(breaks?: ReadonlySet<string>) {
    this.#isAsSeen = breaks?.has('nonce') === true ? byName : byContent;
  }

  apply({ expect, put }: RegisterRequest): RegisterReply {
    const holds = expect.every(({ key, seen }) => this.#isAsSeen(this.#entries.get(key), seen));
    if (holds && put.length > 0) {
      this.#revision += 1;
      for (const { key, text } of put) this.#entries.set(key, { revision: String(this.#revision), text });
    }
    return { committed: holds, register: this.identity, entries: new Map(this.#entries) };
  }

  text(key: string): string {
    return this.#entries.get(key)?.text ?? '';
  }

  /** Somebody else writes. */
  put(key: string, text: string): void {
    this.apply({ expect: [], put: [{ key, text }] });
  }

  /** As a backup brings it back. */
  snapshot(): () => void {
    const entries = new Map(this.#entries);
    const revision = this.#revision;
    return () => {
      this.#entries.clear();
      for (const [key, seen] of entries) this.#entries.set(key, seen);
      this.#revision = revision;
    };
  }
}

export function known<T>(value: T, askedAt: number, answeredAt: number): Answer<T> {
  return { kind: 'known', askedAt, answeredAt, value };
}

export function unknown(askedAt: number, answeredAt: number, cause: ArbiterCause = 'timeout'): Answer<never> {
  return { kind: 'unknown', askedAt, answeredAt, cause, detail: `${cause} in the model` };
}
