/**
 * The language of the control socket: one JSON object per line. A request is `{id, method, params}`, its answer
 * `{id, ok: true, result}` or `{id, ok: false, error: {code, message}}`; after `subscribe`, `{event}` lines follow.
 * Source: docs/reference/control-socket.md.
 */
import type { OperatorCommand } from '../core/engine-interface.ts';
import { LIMITS } from '../core/kernel/limits.ts';
import { INTERFACE_ROLES } from '../core/kernel/names.ts';
import { OPERATION_KINDS } from '../core/link/types.ts';
import type { NodeChange } from '../core/membership.ts';

/** Bytes of one request. Answers are not bounded. */
export const REQUEST_BYTES_MAX = 64 * 1024;
/** Longest `--for`: one year. */
export const FOR_MS_MAX = 366 * 24 * 3600 * 1000;
const ACTOR_CHARACTERS_MAX = 64;
const ADDRESS_CHARACTERS_MAX = 64;

export const CONTROL_METHODS = [
  'ping',
  'view',
  'command',
  'subscribe',
  'shutdown',
  'restart',
  'nodes',
] as const;
export type ControlMethod = (typeof CONTROL_METHODS)[number];

export type ControlErrorCode =
  /** Not a request at all. */
  | 'bad-request'
  | 'unknown-method'
  | 'bad-parameters'
  | 'line-too-long'
  | 'too-many-clients'
  | 'too-many-requests'
  | 'internal';

export interface ControlRequest {
  readonly id: number | string;
  readonly method: ControlMethod;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What a command came to; `code` is '' when it was accepted. */
export interface CommandResult {
  readonly ok: boolean;
  readonly code: string;
  readonly message: string;
  /** Id of the persisted operation; '' = none. */
  readonly operation: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ControlErrorCode; readonly message: string };

const SERVICE_KINDS = ['restart', 'restart-safe', 'manage', 'unmanage', 'audit'] as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad<T>(code: ControlErrorCode, message: string): Parsed<T> {
  return { ok: false, code, message };
}

export function parseRequest(line: string): Parsed<ControlRequest> & { readonly id: number | string | null } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { ...bad<ControlRequest>('bad-request', 'the line is not JSON'), id: null };
  }
  if (!isRecord(value)) return { ...bad<ControlRequest>('bad-request', 'not a JSON object'), id: null };
  const { id, method, params = {} } = value;
  if (!(Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 64))) {
    return { ...bad<ControlRequest>('bad-request', 'id has to be an integer or a short string'), id: null };
  }
  const known = id as number | string;
  if (!CONTROL_METHODS.includes(method as ControlMethod)) {
    const message = `unknown method; known are ${CONTROL_METHODS.join(', ')}`;
    return { ...bad<ControlRequest>('unknown-method', message), id: known };
  }
  if (!isRecord(params)) {
    return { ...bad<ControlRequest>('bad-parameters', 'params has to be an object'), id: known };
  }
  return { ok: true, value: { id: known, method: method as ControlMethod, params }, id: known };
}

function text(value: unknown, charactersMax: number): value is string {
  if (typeof value !== 'string' || value.length > charactersMax) return false;
  // Control characters would forge lines in logs and tables.
  return ![...value].some((c) => c < ' ' || c === '\u007f');
}

/** Who asks, as the client tells it: whoever may open the socket may ask for everything. */
export function parseActor(params: Readonly<Record<string, unknown>>): Parsed<string> {
  const { actor = 'operator' } = params;
  if (!text(actor, ACTOR_CHARACTERS_MAX) || actor === '') {
    return bad('bad-parameters', `actor has to be a text of 1 to ${ACTOR_CHARACTERS_MAX} characters`);
  }
  return { ok: true, value: actor };
}

/** `why` of a request; '' = none is given. */
export function parseWhy(params: Readonly<Record<string, unknown>>): Parsed<string> {
  const { why = '' } = params;
  if (text(why, LIMITS.reasonCharactersMax)) return { ok: true, value: why };
  return bad('bad-parameters', `why has to be one line of at most ${LIMITS.reasonCharactersMax} characters`);
}

/** Node name, and for one that is added: links and port. What they say is checked with the definitions. */
export function parseNodeChange(params: Readonly<Record<string, unknown>>): Parsed<NodeChange> {
  const { change, node, links, port, dead } = params;
  if (!text(node, LIMITS.nameCharactersMax))
    return bad('bad-parameters', 'node has to be the name of a node');
  if (change === 'remove' && (dead === undefined || typeof dead === 'boolean'))
    return { ok: true, value: { change, node, dead: dead === true } };
  if (change === 'add' && Number.isSafeInteger(port) && isLinks(links))
    return { ok: true, value: { change, node, port: port as number, links } };
  return bad(
    'bad-parameters',
    'change has to be add (with links and port) or remove (with dead: true or false)',
  );
}

function isLinks(value: unknown): value is Extract<NodeChange, { change: 'add' }>['links'] {
  const isAddress = (each: unknown) => text(each, ADDRESS_CHARACTERS_MAX);
  return (
    Array.isArray(value) &&
    value.length <= INTERFACE_ROLES.length &&
    value.every(
      (link) =>
        isRecord(link) &&
        INTERFACE_ROLES.some((role) => role === link.role) &&
        [link.address, link.peerAddress].every(isAddress),
    )
  );
}

/** Typed twice by whoever says so, and never without a word on how it is known: both go into the history. */
function parseConfirmation(value: Record<string, unknown>): Parsed<OperatorCommand> {
  const { kind: _kind, node, again, why, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    return bad('bad-parameters', `a confirm-dead has no ${JSON.stringify(unknown.slice(0, 32))}`);
  if (!text(node, LIMITS.nameCharactersMax) || node === '')
    return bad('bad-parameters', 'node has to be the name of a node');
  if (again !== node) return bad('bad-parameters', 'again has to be the same name as node');
  if (!text(why, LIMITS.reasonCharactersMax) || why.trim() === '')
    return bad('bad-parameters', 'why has to say in one line how it is known');
  return { ok: true, value: { kind: 'confirm-dead', node, why } };
}

export function parseCommand(value: unknown): Parsed<OperatorCommand> {
  if (!isRecord(value)) return bad('bad-parameters', 'command has to be an object');
  const { kind, why = '', forMs = 0 } = value;
  if (kind === 'confirm-dead') return parseConfirmation(value);
  if (!text(why, LIMITS.reasonCharactersMax)) {
    return bad(
      'bad-parameters',
      `why has to be one line of at most ${LIMITS.reasonCharactersMax} characters`,
    );
  }
  if (typeof forMs !== 'number' || !Number.isSafeInteger(forMs) || forMs < 0 || forMs > FOR_MS_MAX) {
    return bad('bad-parameters', 'forMs has to be a whole number of ms, at most one year');
  }
  const operation = OPERATION_KINDS.find((known) => known === kind);
  const single = SERVICE_KINDS.find((known) => known === kind);
  const names = operation !== undefined ? ['node', 'group'] : ['service'];
  const allowed = ['kind', 'why', 'forMs', ...names];
  const unknown = Object.keys(value).find((key) => !allowed.includes(key));
  if (operation === undefined && single === undefined) {
    const known = [...OPERATION_KINDS, ...SERVICE_KINDS, 'confirm-dead'].join(', ');
    return bad('bad-parameters', `unknown kind of command; known are ${known}`);
  }
  if (unknown !== undefined) {
    return bad('bad-parameters', `a ${String(kind)} has no ${JSON.stringify(unknown.slice(0, 32))}`);
  }
  for (const name of names) {
    if (!text(value[name] ?? '', LIMITS.nameCharactersMax)) {
      return bad(
        'bad-parameters',
        `${name} has to be a name of at most ${LIMITS.nameCharactersMax} characters`,
      );
    }
  }
  if (operation !== undefined) {
    const { node = '', group = '' } = value as { node?: string; group?: string };
    // Taken and not obeyed, it would move more than was asked for.
    if (group !== '' && operation !== 'recover')
      return bad('bad-parameters', `a ${operation} takes no group: it is of all groups of a node`);
    return { ok: true, value: { kind: operation, node, group, why, forMs } };
  }
  const { service = '' } = value as { service?: string };
  if (service === '') return bad('bad-parameters', 'service is missing');
  return { ok: true, value: { kind: single!, service, why, forMs } };
}
