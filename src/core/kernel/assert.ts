/**
 * A broken invariant is a programmer's error: the daemon stops at once and the peer, or the watchdog, goes on.
 * Assertions stay on in production. Operating errors are values, never assertions.
 */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

/** A message that has to be put together is a function: it is needed once in a program's life at most. */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message());
}

/** For the default branch of an exhaustive switch. */
export function never(value: never, what: string): never {
  throw new AssertionError(`${what}: unexpected ${JSON.stringify(value)}`);
}
