/** What is not StarlingX's: history, links, neighbours, domain, definitions, alarms. */
import { digestOf } from '../../core/definitions/digest.ts';
import { DEFINITION_TABLES as DIGESTED } from '../../core/definitions/rows.ts';
import type { Row, Rows } from '../../shell/store/live-reader.ts';
import { findChanges } from '../history.ts';
import { problem } from '../problem.ts';
import { redactRow } from '../redact.ts';
import {
  Alarm,
  Change,
  ChangeQuery,
  Definitions,
  Domain,
  Identity,
  Interface,
  ListOf,
  Neighbor,
  NoQuery,
} from '../schemas.ts';
import { type ApiContext, type App, send } from './context.ts';

const CHANGES_DEFAULT = 100;
const CHANGES_MAX = 1000;

/** Tables of the definition set that say what runs where; those of arbiters and fence devices speak of credentials. */
const SHOWN_TABLES = [
  'SERVICE_DOMAINS',
  'SERVICE_DOMAIN_INTERFACES',
  'SERVICE_DOMAIN_MEMBERS',
  'SERVICE_GROUPS',
  'SERVICE_GROUP_MEMBERS',
  'SERVICES',
  'SERVICE_INSTANCES',
  'SERVICE_ACTIONS',
  'SERVICE_ACTION_RESULTS',
  'SERVICE_DEPENDENCY',
  'CONFIGURATION',
  'SM_DOMAIN_NODES',
  'SM_DOMAIN_SAFETY',
] as const;

const text = (value: Row[string] | undefined): string => String(value ?? '');

/** A list that is rows of one table. */
interface View {
  readonly path: string;
  readonly summary: string;
  readonly item: Parameters<typeof ListOf>[1];
  readonly rows: (rows: Rows) => readonly object[];
}

const VIEWS: readonly View[] = [
  {
    path: 'alarms',
    summary: 'What is wrong now, and what to do',
    item: Alarm,
    rows: (rows) =>
      rows.all('SM_ALARMS').map((row) => ({
        id: text(row.ALARM),
        entity: text(row.ENTITY),
        severity: text(row.SEVERITY),
        reason: text(row.REASON),
        repair: text(row.REPAIR),
        raised_at: new Date(Number(row.RAISED_AT)).toISOString(),
      })),
  },
  {
    path: 'interfaces',
    summary: 'The links to the other node',
    item: Interface,
    rows: (rows) =>
      rows
        .all('SERVICE_DOMAIN_INTERFACES')
        .filter(({ PROVISIONED }) => PROVISIONED === 'yes')
        .map((row) => ({
          name: text(row.SERVICE_DOMAIN_INTERFACE),
          domain: text(row.SERVICE_DOMAIN),
          state: text(row.INTERFACE_STATE),
          path_type: text(row.PATH_TYPE),
          auth_type: text(row.AUTH_TYPE),
          interface_name: text(row.INTERFACE_NAME),
          network_type: text(row.NETWORK_TYPE),
          network_address: text(row.NETWORK_ADDRESS),
          network_port: row.NETWORK_PORT,
          network_peer_address: text(row.NETWORK_PEER_ADDRESS),
          network_peer_port: row.NETWORK_PEER_PORT,
        })),
  },
  {
    path: 'neighbors',
    summary: 'The other node, as this one knows it',
    item: Neighbor,
    rows: (rows) =>
      rows.all('SERVICE_DOMAIN_NEIGHBORS').map((row) => ({
        name: text(row.NAME),
        domain: text(row.SERVICE_DOMAIN),
        state: text(row.STATE),
        designation: text(row.DESIGNATION),
      })),
  },
  {
    path: 'domains',
    summary: 'Leadership, timing and policy',
    item: Domain,
    rows: (rows) => {
      const safety = rows.all('SM_DOMAIN_SAFETY');
      return rows.all('SERVICE_DOMAINS').map((row) => {
        const own = safety.find(({ SERVICE_DOMAIN }) => SERVICE_DOMAIN === row.NAME);
        return {
          name: text(row.NAME),
          state: text(row.STATE),
          leader: text(row.LEADER),
          generation: Number(row.GENERATION),
          hello_interval: Number(row.HELLO_INTERVAL),
          dead_interval: Number(row.DEAD_INTERVAL),
          wait_interval: Number(row.WAIT_INTERVAL),
          exchange_interval: Number(row.EXCHANGE_INTERVAL),
          policy: text(own?.SILENCE_POLICY),
          stop_bound: Number(own?.STOP_BOUND ?? 0),
        };
      });
    },
  },
];

export function addInspection(app: App, context: ApiContext): void {
  const { answers } = context;
  for (const { path, summary, item, rows } of VIEWS) {
    const schema = { summary, querystring: NoQuery, response: { 200: ListOf(path, item) } };
    app.get(`/v1/${path}`, { schema }, (request, reply) => {
      send(
        reply,
        answers.get(request.url, (all) => ({ [path]: rows(all) })),
      );
    });
  }
  app.get(
    '/v1/definitions',
    {
      schema: {
        summary: 'The definition set in use, secrets left out',
        querystring: NoQuery,
        response: { 200: Definitions },
      },
    },
    (request, reply) => {
      send(reply, answers.get(request.url, definitionsOf));
    },
  );
  app.get(
    '/v1/whoami',
    {
      schema: {
        summary: 'Who this server takes the caller for',
        querystring: NoQuery,
        response: { 200: Identity },
      },
    },
    (request) => ({ name: request.caller.name, role: request.caller.role }),
  );
  addEvents(app, context);
}

function definitionsOf(rows: Rows): object {
  const raw = DIGESTED.map(({ name }) => {
    const found = rows.all(name).map((columns, index) => ({ rowid: index + 1, columns }));
    return [name, found] as const;
  });
  const digest = digestOf(new Map(raw));
  const tables = SHOWN_TABLES.map((table) => [table, rows.all(table).map(redactRow)]);
  return { digest, tables: Object.fromEntries(tables) };
}

function addEvents(app: App, { answers }: ApiContext): void {
  app.get(
    '/v1/events',
    {
      schema: {
        summary: 'History: every change of state with cause, actor and reason',
        querystring: ChangeQuery,
        response: { 200: ListOf('events', Change) },
      },
    },
    (request, reply) => {
      const { about, entity, name, since, until, after, limit } = request.query;
      const filter = {
        about,
        entity,
        name,
        sinceMs: timeOf('since', since),
        untilMs: timeOf('until', until),
        afterId: wholeOf('after', after, Number.MAX_SAFE_INTEGER),
        limit: wholeOf('limit', limit, CHANGES_MAX) || CHANGES_DEFAULT,
      };
      const make = (rows: Rows) => {
        const { changes, more } = findChanges(rows, filter);
        const last = changes.at(-1);
        if (!more || last === undefined || after === undefined) return { events: changes };
        const query = new URLSearchParams({ ...request.query, after: String(last.id) });
        return { events: changes, next: `/v1/events?${query}` };
      };
      send(reply, answers.get(request.url, make));
    },
  );
}

/** Throws `SM_API_INPUT`. */
function timeOf(place: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^[0-9]{1,15}$/.test(value)
    ? Number(value)
    : /^\d{4}-\d\d-\d\d/.test(value)
      ? Date.parse(value)
      : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw problem('SM_API_INPUT', { place, detail: 'it must be an ISO 8601 time or ms since 1970' });
}

/** Throws `SM_API_INPUT`. */
function wholeOf(place: string, value: string | undefined, max: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^[0-9]{1,15}$/.test(value) && Number(value) <= max) return Number(value);
  throw problem('SM_API_INPUT', { place, detail: `it must be a whole number from 0 to ${max}` });
}
