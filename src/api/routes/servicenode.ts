/**
 * `/v1/servicenode/{hostname}`: what mtce and sysinv ask and order. The bodies are theirs; the action goes to `sm` as one of
 * its operations, whose id stands in a header. Source: docs/reference/api.md, "Node actions".
 */
import type { Static } from 'typebox';
import { codedError } from '../../core/kernel/errors.ts';
import type { Row } from '../../shell/store/live-reader.ts';
import { activity, type Picture, pictureOf, soleServices, swactObstacle } from '../prechecks.ts';
import { Problem } from '../problem.ts';
import { HostParams, NODE_ACTIONS, NodeAction, NodeActionResult, NoQuery, ServiceNode } from '../schemas.ts';
import { type ApiContext, type App, send } from './context.ts';
import { order } from './operations.ts';

type Action = (typeof NODE_ACTIONS)[number];
type Body = Static<typeof NodeAction>;
type Result = Static<typeof NodeActionResult>;

const NO_NODE = '-1000';
const REFUSED = '-1001';
const SOLE_PROVIDER = '-1003';

const AVAILABILITIES = ['unknown', 'none', 'available', 'degraded', 'failed'];

const quoted = (text: string): string => JSON.stringify(text.slice(0, 64));

/** What the caller said of the node, in the words that StarlingX's daemon gives back. */
function echo(hostname: string, body: Body): Omit<Result, 'error_code'> {
  const { action, admin, oper, avail } = body;
  return {
    origin: 'sm',
    hostname,
    action,
    ...(admin === undefined ? {} : { admin: admin.toLowerCase() }),
    ...(oper === undefined ? {} : { oper: oper.toLowerCase() }),
    ...(avail === undefined
      ? {}
      : { avail: AVAILABILITIES.includes(avail.toLowerCase()) ? avail.toLowerCase() : 'unknown' }),
  };
}

function nodeOf({ nodes }: Picture, hostname: string): Row {
  const node = nodes.find(({ NAME }) => NAME === hostname);
  if (node !== undefined) return node;
  const result = {
    origin: 'sm',
    hostname,
    error_code: NO_NODE,
    error_details: `there is no node ${quoted(hostname)}`,
  };
  throw new Problem(codedError('SM_API_NOT_FOUND', { what: 'node', name: quoted(hostname) }), result);
}

interface Ordered {
  readonly result: Result;
  readonly operation: string;
}

export function addServiceNode(app: App, context: ApiContext): void {
  const { answers } = context;
  app.get(
    '/v1/servicenode/:hostname',
    {
      schema: {
        summary: 'A node and whether it is active',
        params: HostParams,
        querystring: NoQuery,
        response: { 200: ServiceNode },
      },
    },
    (request, reply) =>
      send(
        reply,
        answers.get(request.url, (rows) => describe(pictureOf(rows), request.params.hostname)),
      ),
  );
  app.patch(
    '/v1/servicenode/:hostname',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Switch over, lock or unlock a node, or ask whether that would do harm',
        params: HostParams,
        querystring: NoQuery,
        body: NodeAction,
        response: { 200: NodeActionResult },
      },
    },
    async (request, reply) => {
      const { hostname } = request.params;
      const { body } = request;
      request.record.action = `${body.action} ${hostname}`;
      const work = () => act(context, request.caller.name, hostname, body);
      const key = request.headers['idempotency-key'];
      const { result, operation } = await context.once.do(
        request.caller.name,
        typeof key === 'string' ? key : undefined,
        [hostname, body],
        work,
      );
      if (operation !== '')
        reply.headers({ 'x-sm-operation': operation, location: `/v1/operations/${operation}` });
      request.record.operation = operation;
      request.record.result = `${result.error_code} ${result.error_details ?? ''}`.trimEnd();
      return result;
    },
  );
}

function describe(picture: Picture, hostname: string): Static<typeof ServiceNode> {
  const node = nodeOf(picture, hostname);
  const { active, swactable } = activity(picture, hostname);
  const yesNo = (value: boolean) => (value ? 'yes' : 'no');
  return {
    origin: 'sm',
    hostname,
    admin: String(node.ADMINISTRATIVE_STATE),
    oper: String(node.OPERATIONAL_STATE),
    avail: String(node.AVAILABILITY_STATUS),
    active_services: yesNo(active),
    swactable_services: yesNo(swactable),
  };
}

/** Throws a Problem. */
export async function act(
  context: ApiContext,
  caller: string,
  hostname: string,
  body: Body,
): Promise<Ordered> {
  const action = NODE_ACTIONS.find((known) => known === body.action);
  if (action === undefined) {
    const detail = `it must be one of ${NODE_ACTIONS.join(', ')}, not ${quoted(body.action)}`;
    throw new Problem(codedError('SM_API_INPUT', { place: 'action', detail }));
  }
  const picture = context.answers.read(pictureOf);
  const node = nodeOf(picture, hostname);
  const said = echo(hostname, body);
  const check = CHECKS[action]?.(picture, hostname) ?? null;
  if (action === 'swact-pre-check' || action === 'lock-pre-check')
    return { result: { ...said, ...(check ?? passed(action)) }, operation: '' };
  if (check !== null)
    throw new Problem(codedError('SM_API_PRECHECK', { detail: String(check.error_details) }), {
      ...said,
      ...check,
    });
  const kind = orderOf(action, node, body);
  if (kind === null) return { result: { ...said, error_code: '0' }, operation: '' };
  const origin = body.origin ?? 'a client';
  const why = action === 'event' ? EVENT_WHY : `${action} by ${origin}`.replace(/\p{Cc}/gu, '?');
  const command = { kind, node: hostname, why, forMs: 0 };
  const operation = await order(context, caller, command, (detail) => ({
    ...said,
    error_code: REFUSED,
    error_details: detail,
  }));
  return { result: { ...said, error_code: '0' }, operation: operation.operation };
}

type Check = Pick<Result, 'error_code' | 'error_details' | 'impact_service_list'>;

const mayNotMove = (picture: Picture, hostname: string): Check | null => {
  const obstacle = swactObstacle(picture, hostname);
  return obstacle === null ? null : { error_code: REFUSED, error_details: obstacle };
};

const isSoleProvider = (picture: Picture, hostname: string): Check | null => {
  const services = soleServices(picture, hostname);
  if (services.length === 0) return null;
  const details = `${hostname} is the sole provider of some services.`;
  return { error_code: SOLE_PROVIDER, error_details: details, impact_service_list: services };
};

/** What is looked at before an action. */
const CHECKS: Partial<Readonly<Record<Action, (picture: Picture, hostname: string) => Check | null>>> = {
  'swact-pre-check': mayNotMove,
  swact: mayNotMove,
  'lock-pre-check': isSoleProvider,
  lock: isSoleProvider,
};

function passed(action: 'swact-pre-check' | 'lock-pre-check'): Check {
  return action === 'swact-pre-check'
    ? { error_code: '0', error_details: null }
    : { error_code: '0', impact_service_list: null };
}

/** Tells a lock that maintenance's news brought from one that a person ordered. */
const EVENT_WHY = 'maintenance reports the node disabled';

/**
 * mtce reports its own view with `event`: a node that it holds for disabled gives up its groups, as by a lock that the news
 * of its recovery ends. Other news change nothing. null = nothing to order.
 */
function orderOf(action: Action, node: Row, { oper = '' }: Body): string | null {
  if (action !== 'event') return action;
  const locked = node.ADMINISTRATIVE_STATE === 'locked';
  if (oper.toLowerCase() === 'disabled' && !locked) return 'lock';
  if (oper.toLowerCase() === 'enabled' && locked && node.LOCK_REASON === EVENT_WHY) return 'unlock';
  return null;
}
