/** `/`, `/v1` and the lists of StarlingX's REST API v1. */
import type { FastifyRequest } from 'fastify';
import type { Rows } from '../../shell/store/live-reader.ts';
import { ALIASES, findItem, itemsOf, type Paging, page, RESOURCES, type Resource } from '../records.ts';
import { Assignment, KeyParams, ListOf, Node, NoQuery, PagingQuery, Root, Service, V1 } from '../schemas.ts';
import { type ApiContext, type App, send } from './context.ts';

const ITEM = { nodes: Node, services: Service, service_groups: Assignment, sm_sda: Assignment } as const;

/** The address as the client wrote it, so that links lead back through its proxy; never more than a host and a port. */
function baseOf(request: FastifyRequest): string {
  const host = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(request.host) ? request.host : 'localhost';
  return `${request.protocol}://${host}`;
}

function linksOf(base: string, name: string) {
  return [
    { href: `${base}/v1/${name}/`, rel: 'self' },
    { href: `${base}/${name}/`, rel: 'bookmark' },
  ];
}

export function addRecords(app: App, context: ApiContext): void {
  const version = (base: string) => ({ id: 'v1', links: [{ href: `${base}/v1/`, rel: 'self' }] });
  app.get(
    '/',
    {
      schema: { summary: 'Versions of this API', querystring: NoQuery, response: { 200: Root } },
      config: { open: true },
    },
    (request) => {
      const one = version(baseOf(request));
      return {
        name: 'System Management API',
        description: 'Service groups of a pair of controllers',
        version: [one],
        default_version: one,
      };
    },
  );
  app.get(
    '/v1',
    { schema: { summary: 'Resources', querystring: NoQuery, response: { 200: V1 } }, config: { open: true } },
    (request) => {
      const base = baseOf(request);
      const names = [...RESOURCES.map(({ name }) => name), 'servicenode'];
      return { ...version(base), ...Object.fromEntries(names.map((name) => [name, linksOf(base, name)])) };
    },
  );
  for (const resource of RESOURCES) addResource(app, context, resource, resource.name, resource.name);
  for (const { path, of, member } of ALIASES) {
    const resource = RESOURCES.find(({ name }) => name === of);
    if (resource !== undefined) addResource(app, context, resource, path, member);
  }
}

function addResource(
  app: App,
  { answers }: ApiContext,
  resource: Resource,
  path: string,
  member: string,
): void {
  const item = ITEM[resource.name as keyof typeof ITEM];
  const list = (query: Paging, base: string) => (rows: Rows) => {
    const { items, next } = page(resource, itemsOf(resource, rows), query);
    return next === '' ? { [member]: items } : { [member]: items, next: `${base}/v1/${path}?${next}` };
  };
  app.get(
    `/v1/${path}`,
    {
      schema: {
        summary: `All of: ${resource.what}`,
        querystring: PagingQuery,
        response: { 200: ListOf(member, item) },
      },
    },
    (request, reply) => {
      const base = baseOf(request);
      return send(reply, answers.get(`${base}${request.url}`, list(request.query, base)));
    },
  );
  app.get(
    `/v1/${path}/:key`,
    {
      schema: {
        summary: `One: ${resource.what}`,
        params: KeyParams,
        querystring: NoQuery,
        response: { 200: item },
      },
    },
    (request, reply) =>
      send(
        reply,
        answers.get(request.url, (rows) => findItem(resource, itemsOf(resource, rows), request.params.key)),
      ),
  );
}
