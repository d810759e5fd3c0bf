/** Health for load balancers and orchestrators, metrics for Prometheus, changes as they happen. */

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import Type from 'typebox';
import type { Row, Rows } from '../../shell/store/live-reader.ts';
import { stillReads } from '../access.ts';
import { problem } from '../problem.ts';
import { Health, NoQuery } from '../schemas.ts';
import { CLIENTS_MAX } from '../stream.ts';
import type { ApiContext, App } from './context.ts';

export function addLive(app: App, context: ApiContext): void {
  addHealth(app, context);
  addMetrics(app, context);
  addStream(app, context);
}

function addHealth(app: App, { daemon, answers }: ApiContext): void {
  const judge = () => {
    const reasons: string[] = [];
    if (daemon.awayMs() !== null) reasons.push(`sm does not answer: ${daemon.fault}`);
    try {
      answers.read((rows) => rows.query('SELECT 1'));
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
    return { live: true, ready: reasons.length === 0, reasons };
  };
  app.get(
    '/v1/health',
    {
      config: { open: true, isLiveness: true },
      schema: { summary: 'Whether it works: always 200', querystring: NoQuery, response: { 200: Health } },
    },
    judge,
  );
  app.get(
    '/v1/health/ready',
    {
      config: { open: true },
      schema: {
        summary: '200 when sm can be asked, else 503',
        querystring: NoQuery,
        response: { 200: Health, 503: Health },
      },
    },
    (_request, reply) => {
      const health = judge();
      reply.code(health.ready ? 200 : 503).send(health);
    },
  );
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (rows: Rows) => readonly { labels: Record<string, string>; value: number }[];
}

const text = (value: Row[string] | undefined): string => String(value ?? '');
const GROUP_STATES = [
  'active',
  'standby',
  'disabled',
  'go-active',
  'go-standby',
  'disabling',
  'unknown',
  'initial',
];

/** Names and the habit "one sample for each state, 1 for the one that holds" are those of ha_cluster_exporter. */
const FAMILIES: readonly Family[] = [
  {
    name: 'sm_service_groups',
    help: 'Service groups by node and state; 1 = it is in that state',
    labels: ['group', 'node', 'state'],
    samples: (rows) =>
      rows.all('SERVICE_DOMAIN_ASSIGNMENTS').flatMap((row) =>
        GROUP_STATES.map((state) => ({
          labels: { group: text(row.SERVICE_GROUP_NAME), node: text(row.NODE_NAME), state },
          value: row.STATE === state ? 1 : 0,
        })),
      ),
  },
  {
    name: 'sm_services',
    help: 'Services of this node; always 1, the state is a label',
    labels: ['service', 'state', 'desired_state', 'status'],
    samples: (rows) =>
      rows
        .all('SERVICES')
        .filter(({ PROVISIONED }) => PROVISIONED === 'yes')
        .map((row) => ({
          labels: {
            service: text(row.NAME),
            state: text(row.STATE),
            desired_state: text(row.DESIRED_STATE),
            status: text(row.STATUS),
          },
          value: 1,
        })),
  },
  {
    name: 'sm_nodes',
    help: 'Nodes; always 1, the states are labels',
    labels: ['node', 'administrative', 'operational', 'availability', 'ready'],
    samples: (rows) =>
      rows.all('NODES').map((row) => ({
        labels: {
          node: text(row.NAME),
          administrative: text(row.ADMINISTRATIVE_STATE),
          operational: text(row.OPERATIONAL_STATE),
          availability: text(row.AVAILABILITY_STATUS),
          ready: text(row.READY_STATE),
        },
        value: 1,
      })),
  },
  {
    name: 'sm_links_up',
    help: '1 = the link to the other node is up',
    labels: ['interface'],
    samples: (rows) =>
      rows
        .all('SERVICE_DOMAIN_INTERFACES')
        .filter(({ PROVISIONED }) => PROVISIONED === 'yes')
        .map((row) => ({
          labels: { interface: text(row.SERVICE_DOMAIN_INTERFACE) },
          value: row.INTERFACE_STATE === 'enabled' ? 1 : 0,
        })),
  },
  {
    name: 'sm_domain_leader',
    help: '1 = the node leads the domain',
    labels: ['domain', 'node'],
    samples: (rows) =>
      rows.all('SERVICE_DOMAINS').flatMap((domain) =>
        rows.all('NODES').map((row) => ({
          labels: { domain: text(domain.NAME), node: text(row.NAME) },
          value: domain.LEADER === row.NAME ? 1 : 0,
        })),
      ),
  },
  {
    name: 'sm_alarms',
    help: 'Alarms that are raised now, by severity',
    labels: ['severity'],
    samples: (rows) =>
      ['minor', 'major', 'critical'].map((severity) => ({
        labels: { severity },
        value: rows.all('SM_ALARMS').filter(({ SEVERITY }) => SEVERITY === severity).length,
      })),
  },
];

function addMetrics(app: App, { answers, daemon, stream }: ApiContext): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'sm_api_' });
  const up = new Gauge({ name: 'sm_up', help: '1 = sm answers on this node', registers: [registry] });
  const clients = new Gauge({
    name: 'sm_api_stream_clients',
    help: 'Readers of /v1/stream',
    registers: [registry],
  });
  const gauges = FAMILIES.map((family) => ({
    family,
    gauge: new Gauge({
      name: family.name,
      help: family.help,
      labelNames: [...family.labels],
      registers: [registry],
    }),
  }));
  app.get(
    '/metrics',
    {
      schema: {
        summary: 'Metrics for Prometheus',
        querystring: NoQuery,
        produces: ['text/plain'],
        response: { 200: Type.String() },
      },
    },
    async (_request, reply) => {
      up.set(daemon.awayMs() === null ? 1 : 0);
      clients.set(stream.size);
      answers.read((rows) => {
        for (const { family, gauge } of gauges) {
          gauge.reset();
          for (const { labels, value } of family.samples(rows)) gauge.set(labels, value);
        }
      });
      return reply.type(registry.contentType).send(await registry.metrics());
    },
  );
}

const EVENTS = 'text/event-stream; charset=utf-8';
const StreamQuery = Type.Object(
  {
    lastEventId: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,15}$', description: 'where Last-Event-ID can not be sent' }),
    ),
  },
  { additionalProperties: false },
);

function addStream(app: App, { stream, access }: ApiContext): void {
  app.get(
    '/v1/stream',
    {
      schema: {
        summary: 'Every change of state as it happens: server-sent events',
        querystring: StreamQuery,
        produces: ['text/event-stream'],
        response: { 200: Type.String() },
      },
    },
    (request, reply) => {
      const sent = request.headers['last-event-id'] ?? request.query.lastEventId;
      if (sent !== undefined && !/^[0-9]{1,15}$/.test(String(sent)))
        throw problem('SM_API_INPUT', { place: 'Last-Event-ID', detail: 'it must be the id of an event' });
      // Without events there is nothing to wait for.
      if (request.method === 'HEAD') {
        reply.type(EVENTS).send('');
        return;
      }
      if (stream.size >= CLIENTS_MAX) throw problem('SM_API_BUSY');
      const from = stream.startOf(sent === undefined ? null : Number(sent));
      // From here on nothing can be refused any more.
      reply.hijack();
      // What hooks have set is sent by us: the answer does not go through the framework any more.
      reply.raw.writeHead(200, {
        ...Object.fromEntries(Object.entries(reply.getHeaders()).map(([key, value]) => [key, String(value)])),
        'content-type': EVENTS,
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      stream.add(reply.raw, from, () => stillReads(request, access));
    },
  );
}
