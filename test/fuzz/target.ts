/** One reader, the input that it gets, and what has to hold of it. */
import fc from 'fast-check';

export interface Target {
  readonly name: string;
  /** Share of the runs that the others get: for what is slow by itself. */
  readonly share?: number;
  readonly property: () => fc.IRawProperty<unknown>;
}

export function target<T>(
  name: string,
  input: () => fc.Arbitrary<T>,
  run: (value: T) => void,
  share = 1,
): Target {
  return { name, share, property: () => fc.property(input(), run) as fc.IRawProperty<unknown> };
}
