/**
 * The register in etcd, by its JSON gateway (etcd 3.4 and later, `/v3`). Every request is one transaction, so it is
 * linearizable, reads included. Only a transaction's own answer is an answer; whatever else comes back leaves a write
 * unknown. Source: etcd's api/etcdserverpb/rpc.proto; docs/reference/arbiters.md.
 */
import type {
  Answer,
  ArbiterCause,
  RegisterReply,
  RegisterRequest,
  Seen,
} from '../../core/arbiter/interface.ts';
import type { Result } from '../../core/kernel/errors.ts';
import { HttpEndpoint, type HttpOutcome, type TlsOptions } from './http.ts';

export interface EtcdOptions {
  readonly endpoints: readonly string[];
  /** Of all our keys: `/sm/<domain>/`. */
  readonly prefix: string;
  /** null = no user. The password is asked for when it is needed. */
  readonly user: { readonly name: string; readonly password: () => Result<string> } | null;
  readonly tls: TlsOptions;
  readonly now: () => number;
}

type Failed = Extract<HttpOutcome, { kind: 'failed' }>;

/** A part of the limit, so that the next endpoint has its chance too. */
const CONNECT_PART = 0.4;
const ENTRIES_MAX = 16;
/**
 * A member without a leader says so at once; without this it is silent until its own time-out, seconds after ours. Of the
 * gateway and of etcd's api/v3rpc/rpctypes/metadatafields.go.
 */
const REQUIRE_LEADER = { 'grpc-metadata-hasleader': 'true' } as const;
/** gRPC status codes that say for certain that nothing was done. */
const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;

export class EtcdRegister {
  readonly #options: EtcdOptions;
  readonly #endpoints: readonly HttpEndpoint[];
  /** The endpoint that answered last. */
  #first = 0;
  #token: string | null = null;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#endpoints = options.endpoints.map((url) => new HttpEndpoint(url, options.tls));
  }

  /** Asks once; answers within the limit. Endpoints that can not be reached are passed over. */
  async ask(request: RegisterRequest, limitMs: number): Promise<Answer<RegisterReply>> {
    const askedAt = this.#options.now();
    const until = askedAt + limitMs;
    const body = this.#transaction(request);
    let outcome = await this.#authorized(body, until);
    if (outcome.kind === 'answer' && refusalOf(outcome.text).code === UNAUTHENTICATED) {
      // The token ran out, or a member was restarted with another key: nothing was done.
      this.#token = null;
      outcome = await this.#authorized(body, until);
    }
    const answeredAt = this.#options.now();
    const unknown = (cause: ArbiterCause, detail: string): Answer<RegisterReply> => {
      return { kind: 'unknown', askedAt, answeredAt, cause, detail };
    };
    if (outcome.kind === 'failed') return unknown(outcome.cause, outcome.detail);
    if (outcome.status !== 200) return unknown(...refused(outcome.status, outcome.text));
    const reply = transactionReply(outcome.text, this.#options.prefix);
    return reply === null
      ? unknown('protocol', `the answer is not etcd's: "${outcome.text.slice(0, 80)}"`)
      : { kind: 'known', askedAt, answeredAt, value: reply };
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  async #authorized(body: string, until: number): Promise<HttpOutcome> {
    const { user } = this.#options;
    if (user !== null && this.#token === null) {
      const failed = await this.#authenticate(user, until);
      if (failed !== null) return failed;
    }
    return this.#post('/v3/kv/txn', body, until);
  }

  async #authenticate(user: NonNullable<EtcdOptions['user']>, until: number): Promise<Failed | null> {
    const password = user.password();
    const failed = (cause: ArbiterCause, detail: string): Failed => ({
      kind: 'failed',
      sent: false,
      cause,
      detail,
    });
    if (!password.ok) return failed('auth', password.error.message);
    const body = JSON.stringify({ name: user.name, password: password.value });
    const outcome = await this.#post('/v3/auth/authenticate', body, until);
    if (outcome.kind === 'failed') return { ...outcome, sent: false };
    const { token } = objectOf(outcome.text);
    if (outcome.status === 200 && typeof token === 'string') {
      this.#token = token;
      return null;
    }
    const [cause, detail] = refused(outcome.status, outcome.text);
    return failed(cause === 'refused' ? 'auth' : cause, detail);
  }

  /** At the first endpoint that takes it. Once something was sent no other one is tried. */
  async #post(path: string, body: string, until: number): Promise<HttpOutcome> {
    let last: HttpOutcome = {
      kind: 'failed',
      sent: false,
      cause: 'unreachable',
      detail: 'no endpoint is configured',
    };
    for (let i = 0; i < this.#endpoints.length; i += 1) {
      const index = (this.#first + i) % this.#endpoints.length;
      const limitMs = until - this.#options.now();
      if (limitMs <= 0) break;
      const connectMs = i === this.#endpoints.length - 1 ? limitMs : limitMs * CONNECT_PART;
      const token = this.#token === null ? {} : { authorization: this.#token };
      last = await this.#endpoints[index]!.post(
        path,
        body,
        { ...REQUIRE_LEADER, ...token },
        { limitMs, connectMs },
      );
      if (last.kind === 'answer' && last.status === 200) {
        this.#first = index;
        return last;
      }
      if (last.kind === 'answer' || last.sent) {
        // Another one next time: this one hangs, or has no leader.
        this.#first = (index + 1) % this.#endpoints.length;
        return last;
      }
    }
    return last;
  }

  #transaction({ expect, put }: RegisterRequest): string {
    const { prefix } = this.#options;
    const key = (name: string): string => base64(prefix + name);
    const compare = expect.flatMap(({ key: name, seen }) => comparisons(key(name), seen));
    const range = {
      request_range: { key: base64(prefix), range_end: base64(afterPrefix(prefix)), limit: ENTRIES_MAX },
    };
    const puts = put.map(({ key: name, text }) => ({ request_put: { key: key(name), value: base64(text) } }));
    return JSON.stringify({ compare, success: [...puts, range], failure: [range] });
  }
}

/** Of all keys below the prefix; null = not the answer to our transaction. */
export function transactionReply(text: string, prefix: string): RegisterReply | null {
  const answer = objectOf(text);
  const header = asObject(answer.header);
  const responses = Array.isArray(answer.responses) ? answer.responses : [];
  const range = asObject(asObject(responses.at(-1)).response_range);
  const identity = header.cluster_id;
  if (typeof identity !== 'string' || asObject(range.header).revision === undefined) return null;
  const entries = new Map<string, Seen>();
  for (const each of Array.isArray(range.kvs) ? range.kvs : []) {
    const { key, mod_revision: revision, value } = asObject(each);
    if (typeof key !== 'string' || typeof revision !== 'string') return null;
    const name = fromBase64(key);
    if (!name.startsWith(prefix)) return null;
    const text = typeof value === 'string' ? fromBase64(value) : '';
    entries.set(name.slice(prefix.length), { revision, text });
  }
  return { committed: answer.succeeded === true, register: identity, entries };
}

/** On revision and content: a revision can come again after a restore, a nonce in the content never does. */
function comparisons(key: string, seen: Seen | null): object[] {
  if (seen === null) return [{ key, target: 'CREATE', result: 'EQUAL', create_revision: '0' }];
  return [
    { key, target: 'MOD', result: 'EQUAL', mod_revision: seen.revision },
    { key, target: 'VALUE', result: 'EQUAL', value: base64(seen.text) },
  ];
}

type Refusal = readonly [cause: ArbiterCause, detail: string];

function refused(status: number, text: string): Refusal {
  const { code, message } = refusalOf(text);
  const detail = `HTTP ${status}: ${message || text.slice(0, 120)}`;
  if (/no leader|not leader|leader changed/i.test(message)) return ['leaderless', detail];
  if (/timed out|too many requests|deadline/i.test(message)) return ['timeout', detail];
  if (/authentication failed|invalid (user|auth)|password/i.test(message)) return ['auth', detail];
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED || status === 401 || status === 403)
    return ['auth', detail];
  if (message === '') return ['protocol', detail];
  return ['refused', detail];
}

function refusalOf(text: string): { readonly code: number; readonly message: string } {
  const { code, error, message } = objectOf(text);
  const said = typeof message === 'string' ? message : typeof error === 'string' ? error : '';
  return { code: typeof code === 'number' ? code : 0, message: said };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}

/** The first key after all that begin with the prefix: its last byte plus one. A prefix ends with `/`. */
function afterPrefix(prefix: string): string {
  return `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
}
