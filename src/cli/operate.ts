/**
 * The commands that change something. Each is handed to `sm`, which accepts or refuses it at once; then, unless asked
 * otherwise, the tool waits until it has ended and says what came of it.
 */
import { hasEnded } from '../core/explain.ts';
import {
  type CommandSpec,
  type Context,
  type Given,
  type OptionSpec,
  type Outcome,
  problem,
  text,
} from './command.ts';
import {
  type Desk,
  type OperationState,
  ownDesk,
  type Reply,
  remoteDesk,
  type ServiceState,
} from './desk.ts';
import { EXIT } from './exit-codes.ts';
import { parseDuration } from './format.ts';

const WAIT_FALLBACK = '2m';

const WHY: OptionSpec = { flags: '--why <text>', text: 'reason, for the history and for whoever asks later' };
const FOR: OptionSpec = { flags: '--for <duration>', text: 'ends by itself after 30m, 2h, 1d...' };
const WAITING: readonly OptionSpec[] = [
  { flags: '--no-wait', text: 'return as soon as sm has accepted it' },
  { flags: '--wait <duration>', text: 'how long to wait for its end', fallback: WAIT_FALLBACK },
];

/** A command, and how it is looked at until it has ended. */
interface Order {
  readonly command: object;
  readonly look: (operation: string) => Promise<Look>;
}

/** What an order has come to: its end, or where it is. */
interface Look {
  readonly outcome: Outcome | null;
  readonly progress: string;
}

/* Operations of nodes and groups: persisted, driven by the leader */

interface Operated {
  readonly kind: 'lock' | 'unlock' | 'swact' | 'swact-force' | 'recover';
  readonly summary: string;
  readonly details?: readonly string[];
  readonly examples?: readonly string[];
  readonly of: 'node' | 'own-node' | 'group';
  readonly options?: readonly OptionSpec[];
}

const OPERATIONS: readonly Operated[] = [
  {
    kind: 'lock',
    summary: 'Take all groups from a node and give it none until it is unlocked',
    examples: ['smctl lock controller-1 --for 2h --why "new disk"'],
    of: 'node',
    options: [FOR, WHY],
  },
  { kind: 'unlock', summary: 'End a lock', of: 'node', options: [WHY] },
  {
    kind: 'swact',
    summary: 'Move the active groups of a node to the other one',
    details: ['Refused when the other node could not take them; smctl explain tells why.'],
    of: 'own-node',
    options: [WHY],
  },
  {
    kind: 'swact-force',
    summary: 'Like swact, also when the other node is less healthy',
    details: [
      'What has failed there is tried anew. If it fails there again, the groups go back where they were.',
    ],
    of: 'own-node',
    options: [WHY],
  },
  {
    kind: 'recover',
    summary: 'Try a failed group again, as if it had not failed',
    of: 'group',
    options: [{ flags: '--node <name>', text: 'on that node; left out: on this one' }, WHY],
  },
];

const ARGUMENTS = {
  node: [{ syntax: '<node>', text: 'name of a node' }],
  'own-node': [{ syntax: '[node]', text: 'the node that loses its active groups; left out: this one' }],
  group: [{ syntax: '<group>', text: 'name of a service group' }],
} as const;

/* Orders to one service of this node */

const SERVICE_ORDERS = [
  { kind: 'restart', summary: 'Stop and start a service, and what depends on it', options: [WHY] },
  { kind: 'restart-safe', summary: 'Restart a service and leave what depends on it alone', options: [WHY] },
  { kind: 'manage', summary: 'Take up a service again that was left alone', options: [WHY] },
  { kind: 'audit', summary: 'Look now whether a service is as it should be', options: [WHY] },
  {
    kind: 'unmanage',
    summary: 'Leave a service alone: it is neither started, stopped nor audited',
    details: ['Other services go on as if it were where it is wanted.'],
    examples: ['smctl unmanage nginx --for 1h --why "debugging"'],
    options: [FOR, WHY],
  },
] as const;

export const OPERATE: readonly CommandSpec[] = [
  ...OPERATIONS.map(
    (operated): CommandSpec => ({
      name: operated.kind,
      summary: operated.summary,
      ...(operated.details === undefined ? {} : { details: operated.details }),
      ...(operated.examples === undefined ? {} : { examples: operated.examples }),
      arguments: ARGUMENTS[operated.of],
      options: [...(operated.options ?? []), ...WAITING],
      run: (context, given) => operate(context, given, ownDesk(context, given), operated),
      remote: (context, given, rest) => operate(context, given, remoteDesk(rest), operated),
    }),
  ),
  ...SERVICE_ORDERS.map(
    (order): CommandSpec => ({
      name: order.kind,
      summary: order.summary,
      ...('details' in order ? { details: order.details, examples: order.examples } : {}),
      arguments: [{ syntax: '<service>', text: 'name of a service' }],
      options: [...order.options, ...WAITING],
      run: (context, given) => orderService(context, given, ownDesk(context, given), order.kind),
      remote: (context, given, rest) => orderService(context, given, remoteDesk(rest), order.kind),
    }),
  ),
];

async function operate(context: Context, given: Given, desk: Desk, operated: Operated): Promise<Outcome> {
  const name = given.arguments[0] ?? '';
  const base = common(given);
  if ('exit' in base) return base;
  return send(context, given, desk, async () => {
    const node = operated.of === 'group' ? text(given, 'node') : name;
    const command = {
      kind: operated.kind,
      node: node === '' ? await desk.node() : node,
      group: operated.of === 'group' ? name : '',
      ...base,
    };
    const look = async (id: string): Promise<Look> => {
      const operation = await desk.operation(id);
      return { outcome: operationEnded(operation), progress: operation?.step ?? '' };
    };
    return { command, look };
  });
}

async function orderService(context: Context, given: Given, desk: Desk, kind: string): Promise<Outcome> {
  const name = given.arguments[0] ?? '';
  const base = common(given);
  if ('exit' in base) return base;
  return send(context, given, desk, async () => ({
    command: { kind, service: name, ...base },
    look: async () => {
      const service = await desk.service(name);
      return { outcome: serviceEnded(service, kind, name), progress: service?.state ?? '' };
    },
  }));
}

/** What all orders carry. */
function common(given: Given): { why: string; forMs: number } | Outcome {
  const forMs = text(given, 'for') === '' ? 0 : parseDuration(text(given, 'for'));
  if (forMs === null || (forMs === 0 && text(given, 'for') !== ''))
    return problem(EXIT.usage, 'usage', '--for takes a duration like 30m, 2h or 1d');
  return { why: text(given, 'why'), forMs };
}

function operationEnded(operation: OperationState | null): Outcome | null {
  if (operation === null || !hasEnded(operation.step)) return null;
  const { id, kind, node, group, step, reason } = operation;
  const what = `${kind} ${group === '' ? node : group}`;
  const because = reason === '' ? '' : `: ${reason}`;
  const json = { ok: step === 'done', code: step === 'done' ? '' : step, message: reason, operation: id };
  if (step === 'done') return { exit: EXIT.ok, lines: [`${what}: done${because}`], json };
  const exit = step === 'timed-out' ? EXIT.timedOut : step === 'refused' ? EXIT.refused : EXIT.failed;
  return { exit, problems: [`${what}: ${step}${because}`], json };
}

function serviceEnded(service: ServiceState | null, kind: string, name: string): Outcome | null {
  if (service === null)
    return problem(EXIT.failed, 'unknown-name', `this node has no service ${name} any more`);
  const { state, status, condition, reason, idle, settled } = service;
  const json = { ok: true, service: name, state, status };
  if (kind === 'manage' || kind === 'unmanage')
    return { exit: EXIT.ok, lines: [`${name}: ${kind === 'manage' ? 'managed again' : 'left alone'}`], json };
  if (idle && /-failure$/.test(condition))
    return {
      exit: EXIT.failed,
      problems: [`${name}: ${state}, ${condition}${reason === '' ? '' : `: ${reason}`}`],
      json: { ...json, ok: false, code: condition, message: reason },
    };
  if (!settled) return null;
  return { exit: EXIT.ok, lines: [`${name}: ${state}${status === '' ? '' : `, ${status}`}`], json };
}

/* Sending and waiting */

async function send(
  context: Context,
  given: Given,
  desk: Desk,
  make: () => Promise<Order>,
): Promise<Outcome> {
  const waitMs = parseDuration(text(given, 'wait', WAIT_FALLBACK));
  if (waitMs === null) return problem(EXIT.usage, 'usage', '--wait takes a duration like 30s or 5m');
  try {
    const order = await make();
    const reply = await desk.order(order.command);
    if (!reply.ok) return problem(EXIT.refused, reply.code, reply.message);
    if (given.options.wait === false) return accepted(reply);
    return await wait(context, desk, order, reply, waitMs);
  } catch (error) {
    return desk.problem(error);
  }
}

function accepted(reply: Reply): Outcome {
  const line = reply.message === '' ? 'accepted' : reply.message;
  return { exit: EXIT.ok, lines: [line], json: { ...reply, ok: true } };
}

/** `sm` may restart meanwhile: operations are persisted, so the tool just looks again. */
async function wait(
  context: Context,
  desk: Desk,
  order: Order,
  reply: Reply,
  waitMs: number,
): Promise<Outcome> {
  const until = context.wallMs() + waitMs;
  let told = '';
  for (;;) {
    const { outcome, progress } = await order.look(reply.operation).catch((error: unknown) => {
      if (!desk.isAway(error)) throw error;
      return { outcome: null, progress: 'sm is away' };
    });
    if (outcome !== null) return outcome;
    if (progress !== told && progress !== '') context.err(progress);
    told = progress;
    if (context.stopped() || context.wallMs() >= until) return notEnded(reply, progress);
    await context.pause(desk.lookMs);
  }
}

function notEnded(reply: Reply, progress: string): Outcome {
  const at = progress === '' ? '' : `, it is ${progress}`;
  const message = `accepted, but not ended yet${at}; it goes on: smctl status shows it`;
  return {
    exit: EXIT.timedOut,
    problems: [message],
    json: { ...reply, ok: false, code: 'not-ended', message },
  };
}
