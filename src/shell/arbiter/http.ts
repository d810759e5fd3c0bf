/**
 * One HTTP request with one limit, and a plain word on what is known when it fails: whether anything was sent at all.
 * Node's own client, a kept connection for each endpoint, no redirects.
 */
import http from 'node:http';
import https from 'node:https';
import type { ArbiterCause } from '../../core/arbiter/interface.ts';

export type HttpOutcome =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string }
  /** `sent`: it may have been carried out, or may be later. */
  | {
      readonly kind: 'failed';
      readonly sent: boolean;
      readonly cause: ArbiterCause;
      readonly detail: string;
    };

export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** No answer of ours is larger; a server that sends more is not what it should be. */
const ANSWER_BYTES_MAX = 1024 * 1024;
const CAUSES: Readonly<Record<string, ArbiterCause>> = {
  ECONNREFUSED: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ECONNRESET: 'unreachable',
  EPIPE: 'unreachable',
  ETIMEDOUT: 'timeout',
};

export class HttpEndpoint {
  readonly url: URL;
  readonly #agent: http.Agent | https.Agent;

  constructor(url: string, tls: TlsOptions = {}) {
    this.url = new URL(url);
    const kept = { keepAlive: true, maxSockets: 4, maxFreeSockets: 1 };
    this.#agent =
      this.url.protocol === 'https:' ? new https.Agent({ ...kept, ...tls }) : new http.Agent(kept);
  }

  /** Resolves once, within the limit. `connectMs`: how long it may take until something can be sent. */
  post(
    path: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    limits: { readonly limitMs: number; readonly connectMs: number },
  ): Promise<HttpOutcome> {
    return new Promise((resolve) => {
      const send = this.url.protocol === 'https:' ? https.request : http.request;
      const request = send(new URL(path, this.url), {
        method: 'POST',
        agent: this.#agent,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
      });
      let sent = false;
      const timers: NodeJS.Timeout[] = [];
      const end = (outcome: HttpOutcome): void => {
        for (const timer of timers) clearTimeout(timer);
        resolve(outcome);
        if (outcome.kind === 'failed') request.destroy();
      };
      const fail = (cause: ArbiterCause, detail: string): void =>
        end({ kind: 'failed', sent, cause, detail });
      const late = (): void => fail('timeout', `${this.url.host} did not answer within ${limits.limitMs} ms`);
      timers.push(setTimeout(late, limits.limitMs));
      timers.push(
        setTimeout(() => {
          if (!sent) fail('timeout', `${this.url.host} took no connection within ${limits.connectMs} ms`);
        }, limits.connectMs),
      );
      request.on('error', (error: NodeJS.ErrnoException) =>
        fail(causeOf(error), `${this.url.host}: ${error.message}`),
      );
      request.on('response', (response) => collect(response, end, fail));
      request.on('socket', (socket) => {
        // Held back until there is somebody to send it to: what fails before then was never sent.
        const ready = (): void => {
          sent = true;
          request.end(body);
        };
        if (!socket.connecting) ready();
        else socket.once(this.url.protocol === 'https:' ? 'secureConnect' : 'connect', ready);
      });
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function collect(
  response: http.IncomingMessage,
  end: (outcome: HttpOutcome) => void,
  fail: (cause: ArbiterCause, detail: string) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) fail('protocol', `an answer of more than ${ANSWER_BYTES_MAX} bytes`);
    else chunks.push(chunk);
  });
  response.on('aborted', () => fail('unreachable', 'the answer broke off'));
  response.on('end', () =>
    end({ kind: 'answer', status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
  );
}

function causeOf(error: NodeJS.ErrnoException): ArbiterCause {
  const code = error.code ?? '';
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) return 'auth';
  return CAUSES[code] ?? 'unreachable';
}
