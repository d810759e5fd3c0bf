/**
 * JSON of views and messages. It has no word for infinity ("never"): we write 1e999, a number that every reader of JSON
 * accepts and JavaScript reads as Infinity. Maps are objects, bytes are base64.
 */
import { randomUUID } from 'node:crypto';

/** No text that comes from outside can hold these. */
const INFINITE = randomUUID();
const MINUS_INFINITE = randomUUID();
const PATTERN = new RegExp(`"(?:${INFINITE}|${MINUS_INFINITE})"`, 'g');

function replace(_key: string, value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY) return INFINITE;
  if (value === Number.NEGATIVE_INFINITY) return MINUS_INFINITE;
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}

export function toJson(value: object): string {
  return JSON.stringify(value, replace).replace(PATTERN, (found) =>
    found.includes(MINUS_INFINITE) ? '-1e999' : '1e999',
  );
}
