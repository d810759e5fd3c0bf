/** What goes in and out, as JSON Schema: validation, types and api/openapi.yaml come from this one text. */
import Type, { type TSchema } from 'typebox';
import { ROLES } from '../shell/credentials/tokens.ts';

const word = (description: string) => Type.String({ description });
const number = (description: string) => Type.Integer({ description });
const time = (description: string) => Type.String({ description: `${description}, ISO 8601, UTC` });
const Open = { additionalProperties: true } as const;

export const Fault = Type.Object(
  {
    error_message: word(
      'JSON text: {"faultcode":"Client"|"Server","faultstring":"<sentence>","debuginfo":null}; for a failed node action its result',
    ),
    code: word('coded error, docs/reference/errors.md'),
  },
  { $id: 'Fault' },
);

const Link = Type.Object({ href: Type.String(), rel: Type.String() });
const Version = Type.Object({ id: Type.String(), links: Type.Array(Link) });

export const Root = Type.Object({
  name: Type.String(),
  description: Type.String(),
  version: Type.Array(Version),
  default_version: Version,
});
export const V1 = Type.Object({ id: Type.String(), links: Type.Array(Link) }, Open);

export const Node = Type.Object(
  {
    id: number('row'),
    name: word('host name'),
    administrative_state: word('locked or unlocked'),
    operational_state: word('enabled or disabled'),
    availability_status: word('available, degraded, failed, offline...'),
    ready_state: word('enabled or disabled'),
  },
  { $id: 'Node' },
);

export const Service = Type.Object(
  {
    id: number('row'),
    name: word('service'),
    desired_state: word('what the service is wanted to be on this node'),
    state: word('what it is on this node'),
    status: word('empty, warn, degraded or failed'),
  },
  { $id: 'Service' },
);

export const Assignment = Type.Object(
  {
    id: number('row'),
    uuid: word('the same on both nodes'),
    name: word('domain'),
    node_name: word('node'),
    service_group_name: word('service group'),
    state: word('what the group is on that node'),
    desired_state: word('what it is wanted to be'),
    status: word('empty, warn, degraded or failed'),
    condition: word('more about the status'),
  },
  { $id: 'Assignment' },
);

/** The items of each list, by its member. */
export function ListOf(member: string, item: TSchema) {
  return Type.Object({
    [member]: Type.Array(item),
    next: Type.Optional(word('address of the next page; missing on the last one')),
  });
}

export const PagingQuery = Type.Object(
  {
    limit: Type.Optional(word('items of a page; 0 or none: 1000, which is also the most')),
    marker: Type.Optional(word('id, uuid or name of the last item seen')),
    sort_key: Type.Optional(word('a member of the items; name without it')),
    sort_dir: Type.Optional(word('asc or desc')),
  },
  { additionalProperties: false },
);

export const NoQuery = Type.Object({}, { additionalProperties: false });
export const KeyParams = Type.Object({ key: Type.String({ minLength: 1, maxLength: 64 }) });
export const HostParams = Type.Object({ hostname: Type.String({ minLength: 1, maxLength: 64 }) });

export const ServiceNode = Type.Object(
  {
    origin: word('always sm'),
    hostname: word('node'),
    admin: word('locked or unlocked'),
    oper: word('enabled or disabled'),
    avail: word('available, degraded, failed...'),
    active_services: word('yes: a group is active there, on its way, or not known to be inactive'),
    swactable_services: word('yes: one of those is a group that a switch-over moves'),
  },
  { $id: 'ServiceNode' },
);

export const NODE_ACTIONS = [
  'swact-pre-check',
  'swact',
  'swact-force',
  'lock-pre-check',
  'lock',
  'unlock',
  'event',
] as const;

const text = (description: string) => Type.Optional(Type.String({ maxLength: 64, description }));

export const NodeAction = Type.Object(
  {
    action: Type.String({
      maxLength: 64,
      description: `one of ${NODE_ACTIONS.join(', ')}`,
    }),
    origin: text('who asks: mtce, sysinv...'),
    admin: text('administrative state as the caller sees it'),
    oper: text('operational state as the caller sees it'),
    avail: text('availability as the caller sees it'),
  },
  { additionalProperties: false, $id: 'NodeAction' },
);

export const NodeActionResult = Type.Object(
  {
    origin: Type.String(),
    hostname: Type.String(),
    action: Type.String(),
    admin: Type.Optional(Type.String()),
    oper: Type.Optional(Type.String()),
    avail: Type.Optional(Type.String()),
    error_code: word('"0" success, "-1000" no such node, "-1001" refused, "-1003" sole provider'),
    error_details: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    impact_service_list: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  },
  { $id: 'NodeActionResult' },
);

export const OPERATION_WORDS = ['swact', 'swact-force', 'lock', 'unlock', 'recover'] as const;
export const SERVICE_WORDS = ['restart', 'restart-safe', 'manage', 'unmanage', 'audit'] as const;

const why = Type.Optional(
  Type.String({
    maxLength: 256,
    description: 'why, for the history; one line',
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  }),
);
const forMs = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: 366 * 24 * 3600 * 1000,
    description: 'ends by itself after so many ms; 0 = it does not',
  }),
);

export const OperationRequest = Type.Object(
  {
    kind: Type.Enum([...OPERATION_WORDS], { description: 'what to do' }),
    node: Type.Optional(Type.String({ maxLength: 31, description: 'node it is about' })),
    group: Type.Optional(Type.String({ maxLength: 31, description: 'group to recover' })),
    why,
    forMs,
  },
  { additionalProperties: false, $id: 'OperationRequest' },
);

export const ServiceActionRequest = Type.Object(
  { kind: Type.Enum([...SERVICE_WORDS], { description: 'what to do' }), why, forMs },
  { additionalProperties: false, $id: 'ServiceActionRequest' },
);

export const NodeActionRequest = Type.Object(
  {
    kind: Type.Enum(['confirm-dead'], { description: 'your word that the node has no power' }),
    again: Type.String({ maxLength: 31, description: 'the name of the node once more' }),
    why: Type.String({
      maxLength: 256,
      description: 'how you know, for the history; one line',
      pattern: '^[^\\u0000-\\u001f\\u007f]*[^\\u0000-\\u0020\\u007f][^\\u0000-\\u001f\\u007f]*$',
    }),
  },
  { additionalProperties: false, $id: 'NodeActionRequest' },
);

export const Accepted = Type.Object(
  {
    message: word('what was accepted'),
    operation: word('id to follow at /v1/operations/{id}; empty: it is done at once'),
  },
  { $id: 'Accepted' },
);

export const OPERATION_ENDS = ['done', 'failed-back', 'refused', 'timed-out'] as const;

export const Operation = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    node: Type.String(),
    group: Type.String(),
    step: word('accepted, stopping, stopped, activating; at the end done, failed-back, refused or timed-out'),
    ended: Type.Boolean(),
    actor: word('who asked'),
    why: Type.String(),
    reason: word('why it is at that step'),
    requested_at: time('when'),
  },
  { $id: 'Operation' },
);

export const Change = Type.Object(
  {
    id: number('rising'),
    time: time('when it was stored'),
    entity: word('service, group, node, interface, domain, operation, alarm, daemon'),
    name: Type.String(),
    from: word('state before'),
    to: word('state after'),
    cause: Type.String(),
    actor: word('engine, or who asked'),
    reason: Type.String(),
  },
  { $id: 'Change' },
);

export const ChangeQuery = Type.Object(
  {
    about: Type.Optional(word('only of this kind, or of this name')),
    entity: Type.Optional(word('only of this kind')),
    name: Type.Optional(word('only of this name')),
    since: Type.Optional(word('only from this time on, ISO 8601 or ms since 1970')),
    until: Type.Optional(word('only up to this time')),
    after: Type.Optional(word('only after the one with this id')),
    limit: Type.Optional(word('at most so many; 100 without it, 1000 is the most')),
  },
  { additionalProperties: false },
);

export const Alarm = Type.Object(
  {
    id: Type.String(),
    entity: Type.String(),
    severity: word('minor, major or critical'),
    reason: Type.String(),
    repair: word('what to do'),
    raised_at: time('since when'),
  },
  { $id: 'Alarm' },
);

export const Interface = Type.Object(
  {
    name: Type.String(),
    domain: Type.String(),
    state: word('enabled, disabled, unknown'),
    path_type: Type.String(),
    auth_type: Type.String(),
    interface_name: Type.String(),
    network_type: Type.String(),
    network_address: Type.String(),
    network_port: Type.Union([Type.Integer(), Type.Literal('')]),
    network_peer_address: Type.String(),
    network_peer_port: Type.Union([Type.Integer(), Type.Literal('')]),
  },
  { $id: 'Interface' },
);

export const Neighbor = Type.Object(
  { name: Type.String(), domain: Type.String(), state: Type.String(), designation: Type.String() },
  { $id: 'Neighbor' },
);

export const Domain = Type.Object(
  {
    name: Type.String(),
    state: word('waiting, leader, backup'),
    leader: Type.String(),
    generation: number('leadership number'),
    hello_interval: number('ms'),
    dead_interval: number('ms'),
    wait_interval: number('ms'),
    exchange_interval: number('ms'),
    policy: word('what is done about a silent peer'),
    stop_bound: number('ms'),
  },
  { $id: 'Domain' },
);

export const Definitions = Type.Object(
  {
    digest: word('equal on two nodes exactly when what they share is equal'),
    tables: Type.Record(Type.String(), Type.Array(Type.Object({}, Open))),
  },
  { $id: 'Definitions' },
);

export const Explanation = Type.Object(
  {
    kind: Type.String(),
    name: Type.String(),
    sentences: Type.Array(Type.String(), { description: 'nearest cause first, what can be done last' }),
  },
  { $id: 'Explanation' },
);

const Named = Type.Object({ name: Type.String(), state: Type.String(), reason: Type.String() });

export const Status = Type.Object(
  {
    stale: Type.Union([Type.String(), Type.Null()], {
      description: 'why this may be out of date: it is the last that sm wrote down; null = sm itself says so',
    }),
    node: word('the node that answers'),
    domain: Type.Object({ name: Type.String(), leader: Type.String(), number: number('of the leadership') }),
    permission: word('whether the node may act, in words'),
    policy: word('what is done about a silent peer, in words'),
    peer: word('what is known of the other node, in words'),
    links: Type.Array(Type.Object({ role: Type.String(), state: Type.String(), good: Type.Boolean() })),
    nodes: Type.Array(
      Type.Object({
        name: Type.String(),
        state: word('administrative-operational-availability'),
        ready: word('enabled or disabled'),
        lock: word('why, and for how long; empty = it is not locked'),
        lockedUntil: Type.Union([Type.String(), Type.Null()]),
      }),
    ),
    groups: Type.Array(
      Type.Object({
        name: Type.String(),
        on: Type.Record(Type.String(), Type.String(), { description: 'state and status by node' }),
      }),
    ),
    failures: Type.Array(Named),
    alone: Type.Array(
      Type.Object({
        service: Type.String(),
        reason: Type.String(),
        until: Type.Union([Type.String(), Type.Null()]),
      }),
      { description: 'services that are left alone by order' },
    ),
    pending: Type.Array(
      Type.Object({ what: Type.String(), step: Type.String(), actor: Type.String(), why: Type.String() }),
      { description: 'operations under way' },
    ),
    alarms: Type.Array(
      Type.Object({
        severity: Type.String(),
        id: Type.String(),
        entity: Type.String(),
        reason: Type.String(),
        repair: Type.String(),
        since: Type.String(),
      }),
    ),
    dropped: Type.Array(Type.Object({ role: Type.String(), cause: Type.String(), total: Type.Integer() }), {
      description: 'datagrams that were not believed',
    }),
  },
  { $id: 'Status' },
);

export const Activity = Type.Object(
  {
    name: word('service'),
    desired_state: word('what it is wanted to be on this node'),
    state: word('what it is'),
    status: word('empty, warn, degraded or failed'),
    condition: word('more about the status: action-failure...'),
    reason: word('last cause of a change'),
    managed: Type.Boolean({ description: 'false = it is left alone' }),
    running: word('script action that runs now; empty = none does'),
    waits_for: word('what is waited for; empty = nothing'),
    settled: Type.Boolean({ description: 'it is where it is wanted, and nothing is under way' }),
  },
  { $id: 'Activity' },
);

export const Health = Type.Object(
  {
    live: Type.Boolean({ description: 'this server works' }),
    ready: Type.Boolean({ description: 'sm answers and the database can be read' }),
    reasons: Type.Array(Type.String(), { description: 'why it is not ready' }),
  },
  { $id: 'Health' },
);

export const Identity = Type.Object(
  { name: Type.String(), role: Type.Union([Type.Enum([...ROLES]), Type.Null()]) },
  { $id: 'Identity' },
);

/** Named in api/openapi.yaml. */
export const NAMED: readonly TSchema[] = [
  Fault,
  Node,
  Service,
  Assignment,
  ServiceNode,
  NodeAction,
  NodeActionResult,
  OperationRequest,
  ServiceActionRequest,
  NodeActionRequest,
  Accepted,
  Operation,
  Change,
  Alarm,
  Interface,
  Neighbor,
  Domain,
  Definitions,
  Explanation,
  Status,
  Activity,
  Health,
  Identity,
];
