/**
 * What api/openapi.yaml says of each route beyond its own schema: its name for generated clients, its headers, and every
 * status that can occur. A test asks each route for each of them. OpenAPI 3.1.
 */
import type { FastifySchema, RouteOptions } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { ALIASES, RESOURCES } from './records.ts';
import { NAMED } from './schemas.ts';

export const INFO = {
  title: 'sm: service groups of a pair of controllers',
  version: '1',
  description: [
    "StarlingX's REST API v1 of its service manager, with its names, and what it lacks beside it.",
    'Every failure is an object Fault. A method that a path does not take is 405, with Allow.',
    'Callers on the node itself need no token to read; docs/SECURITY.md says who may what.',
  ].join('\n'),
} as const;

export const SECURITY_SCHEMES = {
  token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
  bearer: { type: 'http', scheme: 'bearer' },
  certificate: { type: 'mutualTLS' },
} as const;

/** Any one of them, or none for a reader on the node itself. */
export const SECURITY = [{ token: [] }, { bearer: [] }, { certificate: [] }, {}];

const OPERATION_IDS: Readonly<Record<string, string>> = {
  'GET /': 'getVersions',
  'GET /v1': 'getResources',
  'GET /v1/nodes': 'listNodes',
  'GET /v1/nodes/:key': 'getNode',
  'POST /v1/nodes/:key/actions': 'confirmDead',
  'GET /v1/servicenodes': 'listServicenodes',
  'GET /v1/servicenodes/:key': 'getServicenode',
  'GET /v1/services': 'listServices',
  'GET /v1/services/:key': 'getService',
  'GET /v1/services/:key/activity': 'getServiceActivity',
  'PATCH /v1/services/:key': 'changeService',
  'POST /v1/services/:key/actions': 'orderService',
  'GET /v1/service_groups': 'listServiceGroups',
  'GET /v1/service_groups/:key': 'getServiceGroup',
  'GET /v1/servicegroup': 'listServicegroup',
  'GET /v1/servicegroup/:key': 'getServicegroup',
  'GET /v1/sm_sda': 'listAssignments',
  'GET /v1/sm_sda/:key': 'getAssignment',
  'GET /v1/servicenode/:hostname': 'getNodeActivity',
  'PATCH /v1/servicenode/:hostname': 'orderNode',
  'GET /v1/operations': 'listOperations',
  'POST /v1/operations': 'orderOperation',
  'GET /v1/operations/:key': 'getOperation',
  'GET /v1/alarms': 'listAlarms',
  'GET /v1/interfaces': 'listInterfaces',
  'GET /v1/neighbors': 'listNeighbors',
  'GET /v1/domains': 'listDomains',
  'GET /v1/definitions': 'getDefinitions',
  'GET /v1/whoami': 'getIdentity',
  'GET /v1/events': 'listEvents',
  'GET /v1/explain/:kind/:name': 'explain',
  'GET /v1/status': 'getStatus',
  'GET /v1/health': 'getHealth',
  'GET /v1/health/ready': 'getReadiness',
  'GET /v1/stream': 'followEvents',
  'GET /metrics': 'getMetrics',
};

/** Routes whose answer is made from nothing that could be missing or fail. */
const ALWAYS_ANSWERED = ['/', '/v1', '/v1/whoami', '/v1/health', '/v1/health/ready'];
/** Routes whose answer has no ETag: those that do not come from the database alone. */
const WITHOUT_ETAG = [
  ...ALWAYS_ANSWERED,
  '/v1/explain/:kind/:name',
  '/v1/services/:key/activity',
  '/v1/status',
  '/v1/stream',
  '/metrics',
];

/** Of the methods that change something: definitions are changed with SQL. */
const READ_ONLY = '/v1/services/:key';
const SERVICE_ORDERS = '/v1/services/:key/actions';

const PAGED = [...RESOURCES.map(({ name }) => name), ...ALIASES.map(({ path }) => path)].map(
  (name) => `/v1/${name}`,
);

const STATUS_WORDS: Readonly<Record<number, string>> = {
  200: 'done',
  202: 'accepted, which is not done: follow the operation',
  304: 'as in If-None-Match',
  400: 'what was sent can not be used; it says which part',
  401: 'who asks is not known, or the credential does not hold',
  403: 'who asks has not the role',
  404: 'there is none of that name',
  409: 'refused, with the reason; or the Idempotency-Key was used for another request',
  412: 'it is not as in If-Match',
  413: 'the body is too large',
  415: 'the body is not JSON',
  429: 'too many requests of this caller',
  500: 'a fault of the server; its log tells more',
  501: 'definitions are changed with SQL',
  503: 'sm, the database, or the server itself has no time or is away',
};

/** Every status that is a Fault, and 304. */
function otherStatuses(method: string, { url, config }: RouteOptions): readonly number[] {
  const statuses = [400, 401, 429];
  if (config?.isLiveness !== true) statuses.push(503);
  if (!ALWAYS_ANSWERED.includes(url)) statuses.push(500);
  // Lists have a marker, which may name nothing.
  if (url.includes(':') || PAGED.includes(url)) statuses.push(404);
  if (method === 'GET') return WITHOUT_ETAG.includes(url) ? statuses : [...statuses, 304];
  statuses.push(403, 413, 415);
  if (url === READ_ONLY) return [...statuses.filter((status) => ![500, 404].includes(status)), 501];
  statuses.push(409);
  return url === SERVICE_ORDERS ? [...statuses, 412] : statuses;
}

const text = (description: string, maxLength = 128) => Type.Optional(Type.String({ description, maxLength }));

function headersOf(method: string, url: string): Record<string, TSchema> {
  if (url === '/v1/stream') return { 'Last-Event-ID': text('go on after the event of this id') };
  if (method === 'GET') return WITHOUT_ETAG.includes(url) ? {} : { 'If-None-Match': text('an ETag') };
  return {
    'Idempotency-Key': text('the same order, sent twice with this, is carried out once'),
    ...(url === SERVICE_ORDERS ? { 'If-Match': text('the ETag of the service as it was read') } : {}),
  };
}

/** For @fastify/swagger: the schema of a route as it stands in the document. */
export function describe({
  schema,
  url,
  route,
}: {
  schema: FastifySchema;
  url: string;
  route: RouteOptions;
}) {
  const method = String([route.method].flat()[0]);
  const fault = { $ref: 'Fault#' };
  const others = otherStatuses(method, route).map((status): [string, object] => [
    String(status),
    status === 304
      ? { type: 'null', description: STATUS_WORDS[status] }
      : { description: STATUS_WORDS[status], content: { 'application/json': { schema: fault } } },
  ]);
  const headers = headersOf(method, url);
  const own = Object.fromEntries(
    Object.entries((schema.response ?? {}) as Record<string, object>).map(([status, body]) => [
      status,
      { description: STATUS_WORDS[Number(status)], ...contentOf(schema, body) },
    ]),
  );
  const described: FastifySchema = {
    ...schema,
    operationId: OPERATION_IDS[`${method} ${url}`] ?? '',
    response: named({ ...Object.fromEntries(others), ...own }),
    ...(schema.body === undefined ? {} : { body: named(schema.body) }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: Type.Object(headers) }),
  };
  return { schema: described, url };
}

function contentOf({ produces = ['application/json'] }: FastifySchema, body: object): object {
  return { content: Object.fromEntries(produces.map((type) => [type, { schema: body }])) };
}

const NAMES = NAMED.map((schema) => (schema as { $id?: string }).$id);

/** Schemas that have a name stand there by it. */
function named(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== 'object' || value === null) return value;
  const { $id } = value as { $id?: string };
  if ($id !== undefined && NAMES.includes($id)) return { $ref: `${$id}#` };
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, named(inner)]));
}
