/** Input as an enemy or a broken disk makes it: good input cut, changed, repeated and mixed; and texts made of what grammars are. */
import fc from 'fast-check';

/** One change of a byte string. `at`, `from` are shares of its length. */
const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: share(), byte: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: share() }),
  fc.record({ kind: fc.constant('drop' as const), at: share(), length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: share(), bytes: fc.uint8Array({ maxLength: 32 }) }),
  fc.record({
    kind: fc.constant('copy' as const),
    at: share(),
    from: share(),
    length: fc.integer({ min: 1, max: 64 }),
  }),
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

/** A place in something, anywhere: 0 to below 1. Doubles would be drawn as often below 1e-150 as above. */
export function share(): fc.Arbitrary<number> {
  return fc.nat({ max: 0xffff }).map((part) => part / 0x1_0000);
}

function edited(bytes: Uint8Array, change: Edit): Uint8Array {
  const at = Math.floor(change.at * bytes.length);
  const before = bytes.subarray(0, at);
  switch (change.kind) {
    case 'set':
      return Uint8Array.from(bytes, (byte, index) => (index === at ? change.byte : byte));
    case 'cut':
      return before;
    case 'drop':
      return Buffer.concat([before, bytes.subarray(at + change.length)]);
    case 'insert':
      return Buffer.concat([before, change.bytes, bytes.subarray(at)]);
    case 'copy': {
      const from = Math.floor(change.from * bytes.length);
      return Buffer.concat([before, bytes.subarray(from, from + change.length), bytes.subarray(at)]);
    }
  }
}

export function mutatedBytes(good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const mutated = fc
    .tuple(good, fc.array(edit, { maxLength: 6 }))
    .map(([bytes, edits]) => edits.reduce(edited, bytes));
  return fc.oneof(
    { arbitrary: mutated, weight: 9 },
    { arbitrary: fc.uint8Array({ maxLength: 1600 }), weight: 1 },
  );
}

/**
 * Texts near good ones; any texts; and short sequences of the grammar's own words, repeated until the text has this size:
 * what takes the square of its length shows itself so.
 */
export function hostileText(
  good: readonly string[],
  words: readonly string[],
  charactersMax = 32_768,
): fc.Arbitrary<string> {
  const mutated = mutatedBytes(fc.constantFrom(...good).map((text) => Buffer.from(text))).map((bytes) =>
    Buffer.from(bytes).toString('utf8'),
  );
  const pieces = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 3 })), {
    minLength: 1,
    maxLength: 5,
  });
  const repeated = fc
    .tuple(
      fc.string({ maxLength: 8 }),
      pieces,
      fc.constantFrom(1, 3, charactersMax),
      fc.constantFrom(...words, ''),
    )
    .map(([head, piece, size, tail]) => {
      const unit = piece.join('') || 'x';
      return (
        head +
        unit.repeat(Math.max(1, Math.floor(Math.min(size * unit.length, charactersMax) / unit.length))) +
        tail
      );
    });
  return fc.oneof(mutated, repeated, fc.string({ unit: 'binary', maxLength: 200 }));
}

/** Any JSON, with the words of the reader among its keys and values. */
export function hostileJson(words: readonly string[]): fc.Arbitrary<unknown> {
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(...words, null, true, 0, -1, 1e308, 2 ** 53, 'x'.repeat(300), '__proto__'),
      fc.string(),
      fc.double(),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(
        fc.oneof(fc.constantFrom(...words, '__proto__', 'constructor'), fc.string({ maxLength: 6 })),
        tie('tree'),
        { maxKeys: 6 },
      ),
    ),
  }));
  return tree;
}

/** Good JSON in which one to three values, anywhere, are something else. */
export function nearJson(good: readonly unknown[], words: readonly string[]): fc.Arbitrary<unknown> {
  const edits = fc.array(fc.tuple(share(), hostileJson(words)), { minLength: 1, maxLength: 3 });
  return fc
    .tuple(fc.constantFrom(...good), edits)
    .map(([value, changes]) => changes.reduce((whole, [at, other]) => replaced(whole, at, other), value));
}

function replaced(value: unknown, at: number, other: unknown): unknown {
  const target = Math.floor(at * sizeOf(value));
  let seen = -1;
  const walk = (each: unknown): unknown => {
    seen += 1;
    if (seen === target) return other;
    if (typeof each !== 'object' || each === null) return each;
    if (Array.isArray(each)) return each.map(walk);
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(value);
}

/** Of values in it, itself among them. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, inner) => sum + sizeOf(inner), 1);
}
