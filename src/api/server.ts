/**
 * The REST server: one fastify instance with every route, its limits, and what holds for all of them: who asks, what the
 * answer says of the age of its facts, how failures look, and the audit.
 */
import { STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import underPressure from '@fastify/under-pressure';
import fastify, { type FastifyError, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { Logger } from '../shell/log.ts';
import { demand, identify } from './access.ts';
import { parseBody } from './body.ts';
import { describe, INFO, SECURITY, SECURITY_SCHEMES } from './openapi.ts';
import { Problem, problem, problemBody } from './problem.ts';
import type { ApiContext, App } from './routes/context.ts';
import { addInspection } from './routes/inspect.ts';
import { addLive } from './routes/live.ts';
import { addNodeActions } from './routes/node-actions.ts';
import { addOperations } from './routes/operations.ts';
import { addPresent } from './routes/present.ts';
import { addRecords } from './routes/records.ts';
import { addServiceNode } from './routes/servicenode.ts';
import { NAMED } from './schemas.ts';

export const LIMITS = {
  bodyBytes: 16 * 1024,
  headerBytes: 8 * 1024,
  /** For the whole head of a request, ms. */
  headMs: 5000,
  /** For the whole request, ms. */
  requestMs: 10_000,
  /** Between two requests of one connection, ms. */
  idleMs: 30_000,
  connections: 2048,
  /** Orders of one caller in a minute. A pair needs a handful; a program that runs wild needs none. */
  changesPerMinute: 120,
  /** Credentials that do not hold, from one address in a minute. */
  failuresPerMinute: 30,
  /** The loop late by so much: what comes is sent away, ms. */
  lateMs: 500,
  /** The first measure of lateness, taken a second after the start and standing for another, is that of loading programs. */
  warmUpMs: 2000,
} as const;

/** Connections that are slow are looked at so often, ms. */
const LOOK_MS = 1000;

export interface ServerOptions {
  readonly context: ApiContext;
  readonly log: Logger | false;
  readonly tls?: SecureContextOptions & { readonly requestCert: boolean; readonly rejectUnauthorized: false };
  /** Orders of one caller in a minute; as in LIMITS without it. */
  readonly changesPerMinute?: number;
  /** As in LIMITS without it; 0 = never too late. */
  readonly lateMs?: number;
  /** As in LIMITS without them. */
  readonly headMs?: number;
  readonly requestMs?: number;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no credential anywhere. */
    open?: boolean;
    /** Answered however busy the server is: who asks would end it otherwise. */
    isLiveness?: boolean;
    /** reader without it. */
    role?: 'reader' | 'operator' | 'admin';
  }
}

export async function buildServer(options: ServerOptions): Promise<App> {
  const { context, log, tls, headMs = LIMITS.headMs, requestMs = LIMITS.requestMs } = options;
  const limits = {
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: headMs,
    // node looks at its time limits only so often.
    connectionsCheckingInterval: Math.min(LOOK_MS, headMs),
  };
  const app = fastify({
    ...(log === false ? { logger: false } : { loggerInstance: log as never }),
    logController: new LogController({ disableRequestLogging: true }),
    // What is logged names the request itself: a logger for each one would cost as much as its answer.
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: true,
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: requestMs,
    keepAliveTimeout: LIMITS.idleMs,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
    // Addresses that are not even looked for.
    frameworkErrors: (_error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      const detail = 'it is too long, or not encoded as the path of a URL has to be';
      const failed = problem('SM_API_INPUT', { place: 'path', detail });
      void reply
        .code(failed.status)
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(problemBody(failed)));
    },
    clientErrorHandler: refuseUnreadable,
    http: limits,
    ...(tls === undefined ? {} : { https: { ...tls, ...limits } }),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;
  app.server.maxConnections = LIMITS.connections;
  app.server.maxRequestsPerSocket = 0;

  app.decorateRequest('caller', null as never);
  app.decorateRequest('record', null as never);
  app.addHook('onRequest', async (request) => {
    request.caller = { name: request.ip, role: null };
    request.record = { action: '', result: '', operation: '' };
    // Before anybody asks who sends it: no byte of it is worth reading.
    if (Number(request.headers['content-length'] ?? 0) > LIMITS.bodyBytes) throw tooLarge();
  });
  takeBodies(app);
  tellFailures(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: INFO,
      components: { securitySchemes: SECURITY_SCHEMES as never },
      security: SECURITY,
    },
    transform: describe,
    refResolver: { buildLocalReference },
  });
  await sendAwayWhenLate(app, options.lateMs ?? LIMITS.lateMs);
  for (const schema of NAMED) app.addSchema(schema);
  await knowCallers(app, context, options.changesPerMinute ?? LIMITS.changesPerMinute);
  tellAge(app, context);
  writeAudit(app, context);
  addRecords(app, context);
  addServiceNode(app, context);
  addOperations(app, context);
  addNodeActions(app, context);
  addInspection(app, context);
  addPresent(app, context);
  addLive(app, context);
  return app;
}

/** What node's parser says no to, by its codes: the status and what it says of it. */
const UNREADABLE: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'it did not come to an end in time'],
  HPE_HEADER_OVERFLOW: [431, `its head has more than ${LIMITS.headerBytes} bytes`],
};

/** Where no request came about there is no answer of the framework: the same Fault, and the connection ends. */
function refuseUnreadable({ code }: { readonly code?: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || socket.destroyed) return;
  // An answer is under way: nothing can be said beside it.
  if (isAnswering(socket)) return void socket.destroy();
  const [status, detail] = UNREADABLE[code ?? ''] ?? [400, 'it is not HTTP/1.1'];
  const body = JSON.stringify(problemBody(problem('SM_API_INPUT', { place: 'request', detail })));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}

/** node:http keeps the answer of a connection at its socket, and does the same where nobody handles 'clientError'. */
const isAnswering = (
  socket: Socket & { readonly _httpMessage?: { readonly headersSent?: boolean } },
): boolean => socket._httpMessage?.headersSent === true;

const buildLocalReference = (
  json: { $id?: string },
  _base: unknown,
  _fragment: unknown,
  index: number,
): string => json.$id ?? `schema-${index}`;

async function sendAwayWhenLate(app: App, lateMs: number): Promise<void> {
  const beganAt = performance.now();
  await app.register(underPressure, {
    maxEventLoopDelay: lateMs,
    pressureHandler: (request) => {
      if (request.routeOptions.config.isLiveness === true) return;
      if (performance.now() - beganAt > LIMITS.warmUpMs) throw problem('SM_API_BUSY');
    },
  });
}

function takeBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

const tooLarge = (): Problem => problem('SM_API_BODY_SIZE', { limit: LIMITS.bodyBytes });

/** fastify's own failures, by its codes. */
const OWN_FAILURES: Readonly<Record<string, () => Problem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => tooLarge(),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => problem('SM_API_BODY_TYPE'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => problem('SM_API_BODY', { detail: 'it is empty' }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    problem('SM_API_BODY', { detail: 'it is not as long as it says' }),
};

function problemOf(error: FastifyError, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error.validation !== undefined) {
    const [first] = error.validation;
    const place = `${error.validationContext ?? 'request'}${(first?.instancePath ?? '').replaceAll('/', '.')}`;
    const extra = first?.params.additionalProperty;
    const detail =
      typeof extra === 'string'
        ? `unknown argument: ${JSON.stringify(extra.slice(0, 32))}`
        : `it ${first?.message ?? 'is not as it has to be'}`;
    return problem('SM_API_INPUT', { place, detail });
  }
  const own = OWN_FAILURES[error.code]?.();
  if (own !== undefined) return own;
  if (error.statusCode !== undefined && error.statusCode < 500)
    return problem('SM_API_INPUT', { place: 'request', detail: error.message });
  request.log.error({ error: error.stack ?? String(error), request: request.id }, 'a request failed');
  return problem('SM_API_INTERNAL', { request: request.id });
}

function tellFailures(app: App): void {
  const paths = rememberPaths(app);
  const fail = (failed: Problem, request: FastifyRequest, reply: FastifyReply) => {
    request.record.result = `${failed.code} ${failed.message}`;
    if (failed.status === 401) reply.header('www-authenticate', 'Bearer realm="sm"');
    if (failed.status === 413) {
      // The rest is not taken in: a hundred megabytes would cost their memory until they are swept up.
      reply.header('connection', 'close');
      const { socket } = request.raw;
      if (socket instanceof Socket) socket.pause();
    }
    reply.code(failed.status).headers(failed.headers).type('application/json; charset=utf-8');
    return reply.send(problemBody(failed));
  };
  app.setErrorHandler<FastifyError>((error, request, reply) =>
    fail(problemOf(error, request), request, reply),
  );
  app.setNotFoundHandler((request, reply) => {
    const path = (request.url.split('?', 1)[0] ?? '').slice(0, 128);
    const allowed = paths.find(({ pattern }) => pattern.test(path))?.methods;
    if (allowed === undefined) return fail(problem('SM_API_PATH', { path }), request, reply);
    const list = [...allowed].sort().join(', ');
    reply.header('allow', list);
    return fail(problem('SM_API_METHOD', { path, method: request.method, allowed: list }), request, reply);
  });
}

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Tells a wrong method from a wrong address. */
function rememberPaths(app: App): readonly KnownPath[] {
  const paths = new Map<string, KnownPath>();
  app.addHook('onRoute', ({ url, method }) => {
    const text = url.replace(/[.+*?^$()[\]{}|\\]/g, '\\$&').replace(/:[a-z]+/gi, '[^/]+');
    const known = paths.get(url) ?? { pattern: new RegExp(`^${text}/?$`), methods: new Set<string>() };
    for (const each of [method].flat()) known.methods.add(each);
    paths.set(url, known);
    list.splice(0, list.length, ...paths.values());
  });
  const list: KnownPath[] = [];
  return list;
}

const MINUTE_MS = 60_000;

const tooMany = (seconds: number): Problem => problem('SM_API_RATE', { seconds });

/** Every request has a caller before anything else is looked at; who sends credentials that do not hold is slowed down. */
async function knowCallers(app: App, { access }: ApiContext, changesPerMinute: number): Promise<void> {
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, { ttl }) => tooMany(Math.ceil(ttl / 1000)),
  });
  const failures = app.createRateLimit({ max: LIMITS.failuresPerMinute, timeWindow: MINUTE_MS });
  const changes = app.createRateLimit({
    max: changesPerMinute,
    timeWindow: MINUTE_MS,
    keyGenerator: (request) => `change ${request.caller.name}`,
  });
  app.addHook('onRequest', async (request) => {
    const { open = false, role = 'reader' } = request.routeOptions.config;
    try {
      request.caller = await identify(request, access);
      if (open || request.is404) return;
      demand(request.caller, role);
    } catch (error) {
      const used = await failures(request);
      if (!used.isAllowed && used.isExceeded) throw tooMany(used.ttlInSeconds);
      throw error;
    }
    if (role === 'reader') return;
    const used = await changes(request);
    if (!used.isAllowed && used.isExceeded) throw tooMany(used.ttlInSeconds);
  });
}

/** While `sm` is away the database is the last it has said: RFC 9111, sections 5.1 and 4.2.4. */
function tellAge(app: App, { daemon }: ApiContext): void {
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    if (request.method !== 'GET') return;
    // Each reader asks again: an ETag makes that cheap.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-cache');
    const away = daemon.awayMs();
    if (away !== null)
      reply.headers({ age: String(Math.floor(away / 1000)), 'x-sm-stale': 'sm does not answer' });
  });
}

/** Every change that was asked for, and every refusal to a caller, is on record before its caller is answered. */
function writeAudit(app: App, { audit, wallMs }: ApiContext): void {
  app.addHook('onSend', async (request, reply) => {
    const { method, caller, record } = request;
    const reading = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
    if (reading && reply.statusCode !== 401 && reply.statusCode !== 403) return;
    audit({
      time: new Date(wallMs()).toISOString(),
      who: caller.name,
      from: request.ip,
      method,
      // Without the query, which means nothing to a change: who sends a credential in it does so by mistake.
      path: (request.url.split('?', 1)[0] ?? '').slice(0, 128),
      action: record.action,
      status: reply.statusCode,
      result: record.result,
      operation: record.operation,
      request: request.id,
    });
  });
}
