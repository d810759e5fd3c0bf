/** The text of src/cli/rest-types.ts: what api/openapi.yaml says of requests and answers, as types for our own client. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const HEAD = `/**
 * What api/openapi.yaml says of requests and answers.
 * Made by \`npx vitest run test/api/rest-types -u\`; a test compares.
 */
`;

const BIOME = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url));

export function restTypes({ paths, components }: Document): string {
  const types = Object.entries(components.schemas).map(
    ([name, schema]) => `export type ${name} = ${typeOf(schema)};\n`,
  );
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const shapes = operations.map(({ operation }) => `${operation.operationId}: ${shapeOf(operation)};`);
  const routes = operations.map(
    ({ path, method, operation }) => `${operation.operationId}: ['${method.toUpperCase()}', '${path}'],`,
  );
  const text = [
    HEAD,
    ...types,
    `export interface Operations {\n${shapes.join('\n')}\n}\n`,
    `/** Method and path of each operation. */\nexport const ROUTES = {\n${routes.join('\n')}\n} as const;\n`,
  ].join('\n');
  return execFileSync(BIOME, ['format', '--stdin-file-path=rest-types.ts'], {
    input: text,
    encoding: 'utf8',
  });
}

function shapeOf({ parameters = [], requestBody, responses }: Operation): string {
  const given = (place: string): string => {
    const found = parameters.filter((parameter) => parameter.in === place);
    const members = found.map(({ name, required, schema }) => member(name, schema, required === true));
    return members.length === 0 ? 'Record<never, never>' : `{${members.join(';')}}`;
  };
  const good = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
  return `{ params: ${given('path')}; query: ${given('query')}; body: ${bodyOf(requestBody)}; answer: ${bodyOf(good)} }`;
}

function bodyOf(content: Content | undefined): string {
  const schema = content?.content?.['application/json']?.schema;
  return schema === undefined ? 'undefined' : typeOf(schema);
}

function member(name: string, schema: Schema, required: boolean): string {
  return `readonly ${/^\w+$/.test(name) ? name : JSON.stringify(name)}${required ? '' : '?'}: ${typeOf(schema)}`;
}

const PLAIN: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
};

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.replace(/^.*\//, '');
  if (schema.enum !== undefined) return schema.enum.map((word) => JSON.stringify(word)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ');
  if (schema.type === 'array') return `readonly (${typeOf(schema.items ?? {})})[]`;
  if (schema.type !== 'object') return PLAIN[schema.type ?? ''] ?? 'unknown';
  const { required = [], properties = {}, additionalProperties: others = false } = schema;
  if (typeof others === 'object') return `Readonly<Record<string, ${typeOf(others)}>>`;
  const members = Object.entries(properties).map(([name, inner]) =>
    member(name, inner, required.includes(name)),
  );
  const open = 'Readonly<Record<string, unknown>>';
  if (members.length === 0) return open;
  return `{${members.join(';')}}${others ? ` & ${open}` : ''}`;
}
