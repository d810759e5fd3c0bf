/** Answers to reads, kept until the database changes: a body and its ETag for each address that was asked for. */
import { createHash } from 'node:crypto';
import type { Result } from '../core/kernel/errors.ts';
import type { LiveReader, Rows } from '../shell/store/live-reader.ts';
import { Problem } from './problem.ts';

/** Different addresses kept at once; hostile ones push each other out. */
const ANSWERS_MAX = 512;

export interface Answer {
  readonly body: string;
  readonly etag: string;
}

export class Answers {
  readonly #reader: LiveReader;
  readonly #kept = new Map<string, Answer>();
  #version = '';

  constructor(reader: LiveReader) {
    this.#reader = reader;
  }

  /** Throws a Problem with the store's code, and whatever `make` throws. */
  get(address: string, make: (rows: Rows) => unknown): Answer {
    const version = unwrap(this.#reader.version());
    if (version !== this.#version) {
      this.#kept.clear();
      this.#version = version;
    }
    const known = this.#kept.get(address);
    if (known !== undefined) return known;
    const answer = answerOf(this.read(make));
    if (this.#kept.size >= ANSWERS_MAX) this.#kept.delete(this.#kept.keys().next().value ?? '');
    this.#kept.set(address, answer);
    return answer;
  }

  /** Not kept. */
  read<T>(make: (rows: Rows) => T): T {
    return unwrap(this.#reader.read(make));
  }
}

export function answerOf(value: unknown): Answer {
  const body = JSON.stringify(value);
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}

function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Problem(result.error);
  return result.value;
}
