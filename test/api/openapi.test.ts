/**
 * api/openapi.yaml is what the routes say of themselves, with answers recorded here; and every route is asked for every
 * status that it names, each answer being as its schema says. `-u` writes the document.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Value from 'typebox/value';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Description, descriptionOf, openApiText, type Recorded } from '../../scripts/openapi.ts';
import { ROOT } from '../tidy/project.ts';
import { type ApiFixture, type FixtureOptions, makeApi } from './fixture.ts';

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly payload?: string;
  readonly remoteAddress?: string;
}

interface Case {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

const JSON_BODY = { 'content-type': 'application/json' };
const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/operations': { kind: 'swact', node: 'controller-0', why: 'kernel update' },
  'POST /v1/nodes/{key}/actions': { kind: 'confirm-dead', again: 'controller-1', why: 'unplugged it' },
  'POST /v1/services/{key}/actions': { kind: 'restart', why: 'new certificate' },
  'PATCH /v1/servicenode/{hostname}': {
    origin: 'mtce',
    action: 'swact',
    admin: 'unlocked',
    oper: 'enabled',
    avail: 'available',
  },
  'PATCH /v1/services/{key}': { enabled: false },
};

/** What stands for a parameter: something that there is. */
const KEYS: Readonly<Record<string, string>> = {
  '/v1/nodes/{key}': 'controller-0',
  '/v1/nodes/{key}/actions': 'controller-1',
  '/v1/servicenodes/{key}': 'controller-0',
  '/v1/services/{key}': 'oam-ip',
  '/v1/services/{key}/actions': 'oam-ip',
  '/v1/services/{key}/activity': 'keystone',
  '/v1/servicenode/{hostname}': 'controller-0',
  '/v1/operations/{key}': 'controller-0-ab12-1',
  '/v1/explain/{kind}/{name}': 'keystone',
};

const urlOf = (path: string, key = KEYS[path] ?? '1'): string =>
  path.replace('{kind}', 'service').replace(/\{\w+\}/, key);

function plainly({ method, path }: Case): Asked {
  const body = BODIES[`${method} ${path}`];
  const url = urlOf(path);
  return body === undefined
    ? { method, url }
    : { method, url, headers: JSON_BODY, payload: JSON.stringify(body) };
}

/** Servers in the states that the statuses need. */
const STATES = {
  works: {},
  away: { daemon: false },
  broken: { broken: true },
  late: { lateMs: 0.000_001 },
} as const satisfies Record<string, FixtureOptions>;
const servers = new Map<string, ApiFixture>();
const server = (state: keyof typeof STATES): ApiFixture => servers.get(state) as ApiFixture;

let description: Description;
beforeAll(async () => {
  for (const [state, options] of Object.entries(STATES)) {
    const made = await makeApi({ changesPerMinute: 1000, ...options });
    made.uid = 0;
    servers.set(state, made);
  }
  description = descriptionOf(server('works').app);
  rmSync(join(server('away').directory, 'sm.db'));
});
afterAll(async () => {
  for (const { close } of servers.values()) await close();
});

const inject = async (state: keyof typeof STATES, asked: Asked) =>
  server(state).app.inject(asked as { method: 'GET'; url: string });

/** Asks until the server is seen to be late: it is looked at once in a second. */
async function untilLate(asked: Asked) {
  for (const until = performance.now() + 20_000; ; ) {
    const response = await inject('late', asked);
    if (response.statusCode === 503 || performance.now() > until) return response;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('whether it works is told however late it is', async () => {
  expect((await untilLate({ method: 'GET', url: '/v1/whoami' })).statusCode).toBe(503);
  expect((await inject('late', { method: 'GET', url: '/v1/health' })).statusCode).toBe(200);
});

/** The stream has no end: its beginning, over a connection. */
async function opened() {
  const address = await server('works').app.listen({ host: '127.0.0.1', port: 0 });
  const stop = new AbortController();
  const { status, headers } = await fetch(`${address}/v1/stream`, { signal: stop.signal });
  expect(headers.get('content-type')).toContain('text/event-stream');
  stop.abort();
  return { statusCode: status, body: '' };
}

type Answered = { readonly statusCode: number; readonly body: string };

/** How a route is brought to a status. */
const WAYS: Readonly<Record<number, (one: Case) => Promise<Answered>>> = {
  200: async (one) => (one.path === '/v1/stream' ? opened() : inject('works', plainly(one))),
  202: async (one) => inject('works', plainly(one)),
  304: async (one) => {
    const first = await inject('works', plainly(one));
    return inject('works', { ...plainly(one), headers: { 'if-none-match': String(first.headers.etag) } });
  },
  400: async (one) => {
    const asked = plainly(one);
    return inject('works', { ...asked, url: `${asked.url}?colour=red` });
  },
  401: async (one) =>
    inject('works', { ...plainly(one), ...withToken(one, 'guess'), remoteAddress: stranger() }),
  403: async (one) =>
    inject('works', { ...plainly(one), ...withToken(one, reader()), remoteAddress: '10.0.0.2' }),
  404: async (one) => {
    const asked = plainly(one);
    const url = one.path.includes('{') ? urlOf(one.path, 'nothing') : `${asked.url}?marker=gone`;
    return inject('works', { ...asked, url });
  },
  409: async (one) => {
    const works = server('works');
    const { answer } = works;
    works.answer = { ok: false, code: 'refused', message: 'controller-1 is locked', operation: '' };
    const response = await inject('works', plainly(one));
    works.answer = answer;
    return response;
  },
  412: async (one) => inject('works', { ...plainly(one), headers: { ...JSON_BODY, 'if-match': '"other"' } }),
  413: async (one) =>
    inject('works', {
      ...plainly(one),
      headers: JSON_BODY,
      payload: JSON.stringify({ action: 'x'.repeat(20_000) }),
    }),
  415: async (one) =>
    inject('works', { ...plainly(one), headers: { 'content-type': 'text/plain' }, payload: 'swact' }),
  429: async (one) => {
    const guess = { ...plainly(one), ...withToken(one, 'guess'), remoteAddress: '10.0.0.3' };
    for (let tries = 0; tries <= 30; tries += 1) {
      const response = await inject('works', guess);
      if (response.statusCode === 429) return response;
    }
    return inject('works', guess);
  },
  500: async (one) => inject('broken', plainly(one)),
  501: async (one) => inject('works', plainly(one)),
  503: async (one) =>
    ALWAYS.includes(one.path) || (one.path === '/v1/services/{key}' && one.method === 'PATCH')
      ? untilLate(plainly(one))
      : inject('away', plainly(one)),
};

const ALWAYS = ['/', '/v1', '/v1/whoami', '/v1/health'];

/** Another one each time: who guesses is slowed down. */
let strangers = 0;
const stranger = () => `10.1.0.${++strangers}`;

let readerToken = '';
function reader(): string {
  readerToken ||= server('works').token('reader');
  return readerToken;
}

function withToken(one: Case, token: string) {
  return { headers: { ...plainly(one).headers, 'x-auth-token': token } };
}

/** Names resolved, and nothing allowed that is not named. */
function strict(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strict);
  if (typeof value !== 'object' || value === null) return value;
  const { $ref } = value as { $ref?: string };
  if ($ref !== undefined) return strict(description.components.schemas[$ref.replace(/^.*\//, '')]);
  const schema = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, strict(inner)]));
  return 'properties' in schema ? { additionalProperties: false, ...schema } : schema;
}

const cases = (): Case[] =>
  Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.keys(responses).map((status) => ({
        method: method.toUpperCase(),
        path,
        status: Number(status),
      })),
    ),
  );

describe('every route', () => {
  const recorded: Recorded[] = [];

  test('gives every status that its description names, each answer as its schema says', async () => {
    const problems: string[] = [];
    const all = cases();
    const reached: Case[] = [];
    for (const one of all) {
      const { method, path, status } = one;
      const what = `${method} ${path} ${status}`;
      const response = await WAYS[status]?.(one);
      if (response?.statusCode !== status) {
        problems.push(`${what}: it was ${response?.statusCode} ${response?.body}`);
        continue;
      }
      reached.push(one);
      if (response.body.includes('secret detail')) problems.push(`${what}: it tells of the inside`);
      const content = description.paths[path]?.[method.toLowerCase()]?.responses[status]?.content ?? {};
      const media = content['application/json'] as { schema?: object } | undefined;
      if (media?.schema === undefined) continue;
      const answer: unknown = JSON.parse(response.body);
      if (!Value.Check(strict(media.schema) as never, answer)) problems.push(`${what}: ${response.body}`);
      const request = BODIES[`${method} ${path}`];
      if (status < 300 || status === 409) recorded.push({ path, method, status, request, answer });
    }
    expect(problems).toEqual([]);
    const routesOf = (list: readonly Case[]) =>
      new Set(list.map(({ method, path }) => `${method} ${path}`)).size;
    const described = Object.values(description.paths).flatMap((methods) => Object.keys(methods)).length;
    const share = (part: number, whole: number) =>
      `${part} of ${whole}, ${Math.round((100 * part) / whole)} %`;
    console.log(
      `routes: ${share(routesOf(reached), described)}; statuses: ${share(reached.length, all.length)}`,
    );
    expect(routesOf(reached)).toBe(described);
  }, 120_000);

  test('has a name of its own, and api/openapi.yaml says what it does', async () => {
    const ids = Object.values(description.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain(undefined);
    await expect(openApiText(description, recorded)).toMatchFileSnapshot(join(ROOT, 'api/openapi.yaml'));
  });

  test('refuses every method that it does not take, and names those that it takes', async () => {
    for (const [path, methods] of Object.entries(description.paths)) {
      const url = urlOf(path);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        if (method.toLowerCase() in methods) continue;
        const { statusCode, headers } = await inject('works', { method, url });
        expect([method, path, statusCode]).toEqual([method, path, 405]);
        const taken = Object.keys(methods).map((each) => each.toUpperCase());
        expect(String(headers.allow).split(', ')).toEqual(
          [...taken, ...(taken.includes('GET') ? ['HEAD'] : [])].sort(),
        );
      }
    }
  });
});
