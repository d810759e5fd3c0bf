/** What every route has: the ports of the process, and who asks. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerDefault,
} from 'fastify';
import type { AccessPorts, Caller } from '../access.ts';
import type { Answer, Answers } from '../answers.ts';
import type { AuditRecord } from '../audit.ts';
import type { Daemon } from '../daemon.ts';
import type { Once } from '../once.ts';
import type { Stream } from '../stream.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface ApiContext {
  readonly node: string;
  /** Path of the database. */
  readonly database: string;
  readonly answers: Answers;
  readonly daemon: Daemon;
  readonly access: AccessPorts;
  readonly audit: (record: AuditRecord) => void;
  readonly once: Once;
  readonly stream: Stream;
  readonly wallMs: () => number;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    /** For the audit: what the body asks for, the result in words, and the operation's id. */
    record: { action: string; result: string; operation: string };
  }
}

/** The Idempotency-Key. */
export function keyOf({ headers }: FastifyRequest): string | undefined {
  const { 'idempotency-key': key } = headers;
  return typeof key === 'string' ? key : undefined;
}

/** Sends a body that was made before; 304 to who has it already. */
export function send(reply: FastifyReply, { body, etag }: Answer): void {
  reply.header('etag', etag);
  const asked = reply.request.headers['if-none-match'];
  if (
    asked !== undefined &&
    (asked === '*' || asked.split(/\s*,\s*/).some((tag) => tag.replace(/^W\//, '') === etag))
  )
    reply.code(304).send();
  else reply.type('application/json; charset=utf-8').send(body);
}
