/**
 * An operator's word that the silent node is dead, given from afar. Wrong, it lets both nodes act: for admins only, and the
 * name stands twice, in the address and in the body. Source: docs/SAFETY.md, rule 14a.
 */
import { problem } from '../problem.ts';
import { findItem, itemsOf, NODES } from '../records.ts';
import { Accepted, KeyParams, NodeActionRequest, NoQuery } from '../schemas.ts';
import { type ApiContext, type App, keyOf } from './context.ts';
import { order } from './operations.ts';

export function addNodeActions(app: App, context: ApiContext): void {
  app.post(
    '/v1/nodes/:key/actions',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Say that the silent node is dead, so that this one may act in its place',
        params: KeyParams,
        querystring: NoQuery,
        body: NodeActionRequest,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      const { body, caller, record, params } = request;
      const { name: node } = context.answers.read((rows) =>
        findItem(NODES, itemsOf(NODES, rows), params.key),
      );
      const { kind, again, why } = body;
      record.action = `${kind} ${node}`;
      // Also where it was asked for by its number: that says nothing to a person.
      if (params.key !== node || again !== node)
        throw problem('SM_API_INPUT', {
          place: 'body.again',
          detail: `it must be the name of the node, as in the path: both ${JSON.stringify(node)}`,
        });
      const command = { kind, node, again, why };
      const accepted = await context.once.do(caller.name, keyOf(request), command, () =>
        order(context, caller.name, command),
      );
      record.result = accepted.message;
      return reply.code(202).send(accepted);
    },
  );
}
