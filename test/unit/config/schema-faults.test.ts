import fc from 'fast-check';
import { Errors } from 'typebox/schema';
import { Settings } from 'typebox/system';
import { expect, test } from 'vitest';
import { ConfigFile } from '../../../src/shell/config-schema.ts';
import { type Schema, schemaFaults } from '../../../src/shell/schema-faults.ts';

const SCHEMA: Schema = ConfigFile;

/** Every word that the configuration is described in is one that is checked. */
const WORDS = [
  ...['type', 'enum', 'pattern', 'maxLength', 'minimum', 'maximum'],
  ...['properties', 'required', 'additionalProperties'],
];
const NOTES = ['description', 'rule', 'fallback', 'change'];

function wordsOf(schema: Schema): string[] {
  return [...Object.keys(schema), ...Object.values(schema.properties ?? {}).flatMap(wordsOf)];
}

/** What fits a key, nearly fits it, or has nothing to do with it. */
function valuesFor(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const junk = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.double(),
    fc.constantFrom(null, true, [], {}, -0, 1.5),
  );
  if (schema.properties !== undefined && depth > 0) {
    const keys = Object.entries(schema.properties).map(([key, inner]) => [key, valuesFor(inner, depth - 1)]);
    const record = fc.record({ ...Object.fromEntries(keys), unknown: junk }, { requiredKeys: [] });
    return fc.oneof({ weight: 4, arbitrary: record }, junk);
  }
  const near = [
    ...(schema.enum ?? []).map((word) => fc.constant(word)),
    fc.integer({ min: (schema.minimum ?? 0) - 2, max: (schema.maximum ?? 0) + 2 }),
    fc.constantFrom('/', '/run/sm', 'controller-0', '-x', '/\0', '/\u{1f600}'.repeat(3), 'a'.repeat(33)),
    fc.constant(`/${'a'.repeat(schema.maxLength ?? 0)}`),
  ];
  return fc.oneof(junk, ...near);
}

// It tells eight at most by itself.
Settings.Set({ maxErrors: 1000 });

test('finds fault with what a whole validator finds fault with, at the same places', () => {
  fc.assert(
    fc.property(valuesFor(SCHEMA, 3), (value) => {
      const [, errors] = Errors(ConfigFile, value);
      const theirs = errors.flatMap((error) => {
        if (error.keyword === 'boolean') return [];
        if (error.keyword !== 'additionalProperties') return [error.instancePath];
        return error.params.additionalProperties.map((key) => `${error.instancePath}/${key}`);
      });
      const ours = schemaFaults(SCHEMA, value).map(({ path, unknownKey }) =>
        ['', ...path, ...(unknownKey === null ? [] : [unknownKey])].join('/'),
      );
      expect(new Set(ours)).toEqual(new Set(theirs));
    }),
    { numRuns: 2000 },
  );
});

test('knows every word that the configuration is described in', () => {
  expect([...WORDS, ...NOTES]).toEqual(expect.arrayContaining(wordsOf(SCHEMA)));
});
