/**
 * Checks a value against the words of JSON Schema in which the configuration is described, and no others. A whole validator
 * takes longer to load than all the rest of `sm`, and every start and every tool would wait for it; a test compares them.
 */
export interface Schema {
  readonly type?: 'object' | 'string' | 'integer';
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** Keys that are not in `properties` are faults. */
  readonly additionalProperties?: false;
}

export interface SchemaFault {
  /** Keys from the whole value down to the one that is wrong. */
  readonly path: readonly string[];
  /** The key below it that may not be there; null = the value itself is not as it has to be. */
  readonly unknownKey: string | null;
}

export function schemaFaults(schema: Schema, value: unknown, path: readonly string[] = []): SchemaFault[] {
  const own: SchemaFault = { path, unknownKey: null };
  if (!fits(schema, value)) return [own];
  const { properties, required = [] } = schema;
  if (properties === undefined || !isObject(value)) return [];
  const below = Object.entries(value).flatMap(([key, each]) => {
    const inner = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (inner !== undefined) return schemaFaults(inner, each, [...path, key]);
    return schema.additionalProperties === false ? [{ path, unknownKey: key }] : [];
  });
  return required.every((key) => Object.hasOwn(value, key)) ? below : [own, ...below];
}

/** The value itself, without its keys. */
function fits(schema: Schema, value: unknown): boolean {
  if (schema.type !== undefined && !TYPES[schema.type](value)) return false;
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false;
  if (typeof value === 'string') return stringFits(schema, value);
  if (typeof value !== 'number') return true;
  return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity);
}

function stringFits({ pattern, maxLength }: Schema, value: string): boolean {
  if (maxLength !== undefined && [...value].length > maxLength) return false;
  return pattern === undefined || new RegExp(pattern, 'u').test(value);
}

const TYPES: Readonly<Record<NonNullable<Schema['type']>, (value: unknown) => boolean>> = {
  object: isObject,
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
};

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
