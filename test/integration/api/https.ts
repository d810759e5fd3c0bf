/** A client of a REST server behind TLS: one request, or the stream for as long as a test looks at it. */
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

export type Json = Record<string, unknown>;

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Json;
}

export interface Server {
  readonly port: number;
  /** Path of the authority's certificate. */
  readonly ca: string;
}

interface Asked {
  readonly method?: string;
  readonly token?: string;
  readonly body?: object;
}

function open({ port, ca }: Server, path: string, { method = 'GET', token, body }: Asked) {
  const options: RequestOptions = {
    host: '127.0.0.1',
    port,
    path,
    method,
    ca: readFileSync(ca),
    agent: false,
    headers: {
      ...(token === undefined ? {} : { 'x-auth-token': token }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
  };
  return new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(options, resolve);
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? '' : JSON.stringify(body));
  });
}

/** A machine that runs tests may have too much to do for a moment: then it is asked again, as the answer says. */
export async function ask(server: Server, path: string, asked: Asked = {}): Promise<Answered> {
  for (let attempts = 1; ; attempts += 1) {
    const response = await open(server, path, asked);
    let text = '';
    for await (const piece of response.setEncoding('utf8')) text += piece as string;
    const body = JSON.parse(text) as Json;
    if (body.code !== 'SM_API_BUSY' || attempts === BUSY_ATTEMPTS)
      return { status: response.statusCode ?? 0, headers: response.headers, body };
    await sleep(BUSY_MS);
  }
}

const BUSY_MS = 500;
const BUSY_ATTEMPTS = 20;

/** The changes that the stream has told of so far. */
export async function follow(server: Server): Promise<{ changes: () => Json[]; close: () => void }> {
  const response = await open(server, '/v1/stream', {});
  let text = '';
  response.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  response.on('error', () => {});
  const changes = () =>
    [...text.matchAll(/^event: change\ndata: (.*)\n$/gm)].map(([, data]) => JSON.parse(data ?? '') as Json);
  return { changes, close: () => response.destroy() };
}
