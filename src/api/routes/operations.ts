/** Orders to `sm`, and how far they are: "accepted" is not "done". */
import type { Static } from 'typebox';
import { codedError } from '../../core/kernel/errors.ts';
import { ControlError } from '../../shell/client.ts';
import type { Row } from '../../shell/store/live-reader.ts';
import { answerOf } from '../answers.ts';
import { Problem, problem } from '../problem.ts';
import { findItem, itemsOf, SERVICES } from '../records.ts';
import {
  Accepted,
  KeyParams,
  ListOf,
  NoQuery,
  OPERATION_ENDS,
  Operation,
  OperationRequest,
  ServiceActionRequest,
} from '../schemas.ts';
import { type ApiContext, type App, keyOf, send } from './context.ts';

/**
 * Orders it of `sm`. Throws `SM_API_REFUSED`, with what `refused` makes of the reason, or `SM_API_DAEMON`.
 * @param caller is believed by `sm` and stands in its history.
 */
export async function order(
  { daemon }: ApiContext,
  caller: string,
  command: object,
  refused: (detail: string) => object | null = () => null,
): Promise<Static<typeof Accepted>> {
  try {
    const actor = `api: ${caller}`.slice(0, 64);
    const { ok, message, operation } = await daemon.command(actor, command);
    if (!ok) throw new Problem(codedError('SM_API_REFUSED', { detail: message }), refused(message));
    return { message, operation };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    if (error.code === 'bad-parameters')
      throw problem('SM_API_INPUT', { place: 'body', detail: error.message });
    throw problem('SM_API_DAEMON', { detail: error.message });
  }
}

function operationOf(row: Row): Static<typeof Operation> {
  const step = String(row.STEP);
  return {
    id: String(row.OPERATION),
    kind: String(row.KIND),
    node: String(row.NODE_NAME),
    group: String(row.SERVICE_GROUP_NAME),
    step,
    ended: OPERATION_ENDS.some((end) => end === step),
    actor: String(row.ACTOR),
    why: String(row.WHY),
    reason: String(row.REASON),
    requested_at: new Date(Number(row.REQUESTED_AT)).toISOString(),
  };
}

export function addOperations(app: App, context: ApiContext): void {
  addProgress(app, context);
  addOrder(app, context);
  addServiceOrder(app, context);
}

function addProgress(app: App, { answers }: ApiContext): void {
  app.get(
    '/v1/operations',
    {
      schema: {
        summary: 'Operations that run or ran lately',
        querystring: NoQuery,
        response: { 200: ListOf('operations', Operation) },
      },
    },
    (request, reply) =>
      send(
        reply,
        answers.get(request.url, (rows) => ({ operations: rows.all('SM_OPERATIONS').map(operationOf) })),
      ),
  );
  app.get(
    '/v1/operations/:key',
    {
      schema: {
        summary: 'How far an operation is',
        params: KeyParams,
        querystring: NoQuery,
        response: { 200: Operation },
      },
    },
    (request, reply) =>
      send(
        reply,
        answers.get(request.url, (rows) => {
          const found = rows.all('SM_OPERATIONS').find(({ OPERATION }) => OPERATION === request.params.key);
          if (found !== undefined) return operationOf(found);
          throw problem('SM_API_NOT_FOUND', { what: 'operation', name: JSON.stringify(request.params.key) });
        }),
      ),
  );
}

function addOrder(app: App, context: ApiContext): void {
  app.post(
    '/v1/operations',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Order an operation',
        querystring: NoQuery,
        body: OperationRequest,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      const { body, caller, record } = request;
      record.action = `${body.kind} ${body.node ?? ''} ${body.group ?? ''}`.trimEnd();
      const accepted = await context.once.do(caller.name, keyOf(request), body, () =>
        order(context, caller.name, body),
      );
      record.operation = accepted.operation;
      record.result = accepted.message;
      if (accepted.operation !== '') reply.header('location', `/v1/operations/${accepted.operation}`);
      return reply.code(202).send(accepted);
    },
  );
}

function addServiceOrder(app: App, context: ApiContext): void {
  const { answers, once } = context;
  app.post(
    '/v1/services/:key/actions',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Restart a service, or leave it alone for a while',
        params: KeyParams,
        querystring: NoQuery,
        body: ServiceActionRequest,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      const { body, caller, record, headers } = request;
      const item = answers.read((rows) => findItem(SERVICES, itemsOf(SERVICES, rows), request.params.key));
      record.action = `${body.kind} ${item.name}`;
      const etag = answerOf(item).etag;
      const match = headers['if-match'];
      if (match !== undefined && match !== '*' && match !== etag) throw problem('SM_API_CHANGED');
      const accepted = await once.do(caller.name, keyOf(request), [item.name, body], () =>
        order(context, caller.name, { ...body, service: item.name }),
      );
      record.result = accepted.message;
      return reply.code(202).send(accepted);
    },
  );
  app.patch(
    '/v1/services/:key',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Definitions are changed with SQL: this says so',
        params: KeyParams,
        querystring: NoQuery,
      },
    },
    () => {
      throw problem('SM_API_READ_ONLY');
    },
  );
}
