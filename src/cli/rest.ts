/**
 * The REST server of a node, asked from afar: one request each, typed from api/openapi.yaml, with a limit of time, and every
 * failure in a sentence that says what to do. Source: docs/reference/api.md.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS } from '../core/kernel/errors.ts';
import { EXIT } from './exit-codes.ts';
import { type Operations, ROUTES } from './rest-types.ts';

/** One request, from the first look at the name of the host to the end of the answer, ms. */
const ANSWER_MS_MAX = 10_000;
/** A stream on which nothing came for so long is dead: the server sends something every 15 s. */
const SILENCE_MS_MAX = 40_000;
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** A connection that broke before the answer is tried once more: orders carry a key, and are carried out once. */
const ATTEMPTS = 2;
/** A server that has too much to do says: try again in a second. */
const BUSY_MS = 1000;
const BUSY_ATTEMPTS = 5;

export interface RestOptions {
  readonly url: URL;
  /** '' = none. */
  readonly token: string;
  /** PEM each. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What the server said no to, or why it could not be asked. `exit`: of the tool. */
export class RestError extends Error {
  override name = 'RestError';
  readonly code: string;
  readonly exit: number;

  constructor(code: string, message: string, exit: number) {
    super(message);
    this.code = code;
    this.exit = exit;
  }
}

type Id = keyof Operations;
type Optional<Name extends string, T> = T extends undefined
  ? { readonly [key in Name]?: undefined }
  : Record<never, never> extends T
    ? { readonly [key in Name]?: T }
    : { readonly [key in Name]: T };
export type Asked<Of extends Id> = Optional<'params', Operations[Of]['params']> &
  Optional<'query', Operations[Of]['query']> &
  Optional<'body', Operations[Of]['body']>;

export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** The part that commands use. Everything rejects with a RestError. */
export interface Rest {
  call<Of extends Id>(id: Of, asked: Asked<Of>): Promise<Operations[Of]['answer']>;
  /** Events as they come, until the connection ends or `stop`. */
  follow(lastEventId: string, stop: AbortSignal): AsyncGenerator<StreamEvent>;
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class RestClient implements Rest {
  readonly #options: RestOptions;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  async call<Of extends Id>(id: Of, asked: Asked<Of>): Promise<Operations[Of]['answer']> {
    const { params = {}, query = {}, body } = asked as Asked<Id> & { body?: object };
    const [method, pattern] = ROUTES[id];
    const given = params as Readonly<Record<string, string>>;
    const path = pattern.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given[name] ?? ''));
    const search = new URLSearchParams(query as Record<string, string>).toString();
    const sent: Sent = {
      method,
      path: search === '' ? path : `${path}?${search}`,
      headers: {
        accept: 'application/json',
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }),
      },
      body: body === undefined ? '' : JSON.stringify(body),
    };
    for (let attempt = 1; ; attempt += 1) {
      const { status, text } = await this.#send(sent);
      const answer = parsed(text);
      if (status >= 200 && status < 300 && answer !== undefined) return answer as Operations[Of]['answer'];
      if (answer?.code !== 'SM_API_BUSY' || attempt === BUSY_ATTEMPTS)
        throw refusal(this.#options, status, answer);
      await sleep(BUSY_MS);
    }
  }

  async *follow(lastEventId: string, stop: AbortSignal): AsyncGenerator<StreamEvent> {
    const headers = { accept: 'text/event-stream', 'last-event-id': lastEventId };
    const sent: Sent = { method: 'GET', path: '/v1/stream', headers, body: '' };
    const response = await this.#open(
      sent,
      AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS_MAX)]),
    ).catch((error: unknown) => {
      if (stop.aborted) return null;
      throw unreachable(this.#options, error);
    });
    if (response === null) return;
    if (response.statusCode !== 200)
      throw refusal(this.#options, response.statusCode ?? 0, parsed(await textOf(response)));
    yield* this.#events(response, stop);
  }

  /** An end is an end, whatever the reason: whoever follows opens it again. */
  async *#events(response: IncomingMessage, stop: AbortSignal): AsyncGenerator<StreamEvent> {
    const end = () => void response.destroy();
    stop.addEventListener('abort', end);
    response.setTimeout(SILENCE_MS_MAX, end);
    let text = '';
    try {
      for await (const piece of response.setEncoding('utf8')) {
        const blocks = `${text}${piece as string}`.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) yield eventOf(block);
      }
    } catch {
      return;
    } finally {
      stop.removeEventListener('abort', end);
      response.destroy();
    }
  }

  async #send(sent: Sent): Promise<{ readonly status: number; readonly text: string }> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const limit = AbortSignal.timeout(ANSWER_MS_MAX);
        const response = await this.#open(sent, limit);
        return { status: response.statusCode ?? 0, text: await textOf(response) };
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException;
        if (error instanceof RestError || attempt === ATTEMPTS || !BROKEN.has(code))
          throw unreachable(this.#options, error);
      }
    }
  }

  async #open({ method, path, headers, body }: Sent, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, token, ca, cert, key } = this.#options;
    const secure = url.protocol === 'https:';
    const options: RequestOptions = {
      method,
      path: `${url.pathname.replace(/\/$/, '')}${path}`,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (secure ? 443 : 80) : url.port,
      headers: {
        ...headers,
        ...(token === '' ? {} : { 'x-auth-token': token }),
        ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }),
      },
      agent: false,
      signal,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
    // Most calls of the tools are about this node and never need them.
    const { request } = secure ? await import('node:https') : await import('node:http');
    return new Promise((resolve, reject) => {
      const outgoing = request(options, resolve);
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

/** Ends of a connection that a server may have made while it was restarted. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response.setEncoding('utf8')) {
    text += piece as string;
    if (text.length > ANSWER_BYTES_MAX) throw new Error(`its answer has more than ${ANSWER_BYTES_MAX} bytes`);
  }
  return text;
}

/** undefined = no JSON object. */
function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function eventOf(block: string): StreamEvent {
  const field = (name: string): string =>
    block
      .split('\n')
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2))
      .join('\n');
  return { id: field('id'), event: field('event'), data: field('data') };
}

/* What went wrong, in words */

/** For a status that has no coded error: exit code of the tool. */
const EXIT_OF_STATUS: Readonly<Record<number, number>> = {
  400: EXIT.usage,
  401: EXIT.refused,
  403: EXIT.refused,
  404: EXIT.failed,
  409: EXIT.refused,
  412: EXIT.refused,
  429: EXIT.refused,
  502: EXIT.away,
  503: EXIT.away,
  504: EXIT.away,
};

function refusal(
  options: RestOptions,
  status: number,
  answer: Readonly<Record<string, unknown>> | undefined,
) {
  const code = typeof answer?.code === 'string' ? answer.code : '';
  const inner = typeof answer?.error_message === 'string' ? parsed(answer.error_message) : undefined;
  const said = inner?.faultstring ?? inner?.error_details;
  const known = Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS] : undefined;
  const exit = known?.exitCode ?? EXIT_OF_STATUS[status] ?? EXIT.failed;
  if (typeof said !== 'string' || code === '')
    return new RestError(
      'no-sm-api',
      `${options.url.host} answered ${status}, and not as sm-api does: is this the right address?`,
      exit,
    );
  return new RestError(code, `${options.url.host}: ${said}${adviceOn(options, status)}`, exit);
}

/** What the server can not know of this tool. */
function adviceOn({ token, cert }: RestOptions, status: number): string {
  if (status !== 401) return '';
  if (token === '' && cert === undefined)
    return ' Here: --token-file or SM_TOKEN, or --cert and --key; none was given.';
  return ' Here: the one that was given does not hold; it may be revoked or over.';
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
]);

/** Sentences for what the network and TLS say, by their codes. */
function unreachable({ url, ca }: RestOptions, error: unknown): RestError {
  if (error instanceof RestError) return error;
  const { code = '', message, name } = error as NodeJS.ErrnoException;
  const say = (kind: string, words: string) => new RestError(kind, `${url.host}: ${words}`, EXIT.away);
  if (name === 'AbortError' || name === 'TimeoutError')
    return say('timeout', `it did not answer within ${ANSWER_MS_MAX / 1000} s`);
  if (UNTRUSTED.has(code))
    return say(
      'tls-untrusted',
      ca === undefined
        ? 'its certificate is of an authority that is not known here: give it with --ca'
        : 'its certificate is not of the authority in --ca',
    );
  if (code === 'CERT_HAS_EXPIRED')
    return say('tls-expired', 'its certificate is over: smctl pki renew, on the machine with the authority');
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return say('tls-name', `its certificate is for another name: ${message}`);
  if (code === 'EPROTO' || /SSL|wrong version number/.test(message))
    return say('tls', `no TLS connection comes about (${message}); is it http:// there?`);
  if (code === 'ECONNREFUSED') return say('not-running', 'nobody listens there: sm-api does not run');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return say('unknown-host', 'no address is known for it');
  if (code.startsWith('HPE_')) return say('no-sm-api', 'its answer is not HTTP; is it https:// there?');
  if (BROKEN.has(code))
    return say(
      'closed',
      `it closed the connection without an answer${url.protocol === 'http:' ? '; is it https:// there?' : ''}`,
    );
  return say('not-reached', message);
}
