/** Equality of plain data (objects, arrays, primitives) by content; cheaper than comparing texts made of it. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]))
    );
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  let keys = 0;
  for (const key in left) {
    keys += 1;
    // A name that every object inherits (__proto__) is there only where the object has it itself.
    if (!Object.hasOwn(right, key) || !same(left[key], right[key])) return false;
  }
  for (const _ in right) keys -= 1;
  return keys === 0;
}
