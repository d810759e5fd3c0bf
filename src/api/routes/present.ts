/** What `sm` says of itself at this moment: its status, what a service does, and why. */

import Type, { type Static } from 'typebox';
import { EXPLAINED, explain, isSettled } from '../../core/explain.ts';
import type { EngineView } from '../../core/view.ts';
import { ControlError } from '../../shell/client.ts';
import { StateReader } from '../../shell/store/reader.ts';
import { statusOf, storedStatus } from '../../shell/store/status.ts';
import { Problem, problem } from '../problem.ts';
import { Activity, Explanation, KeyParams, NoQuery, Status } from '../schemas.ts';
import type { ApiContext, App } from './context.ts';

export function addPresent(app: App, context: ApiContext): void {
  addExplanations(app, context);
  addStatus(app, context);
  addActivity(app, context);
}

const ExplainParams = Type.Object({
  kind: Type.Enum([...EXPLAINED], { description: 'what is explained' }),
  name: Type.String({ minLength: 1, maxLength: 64 }),
});

function addExplanations(app: App, context: ApiContext): void {
  app.get(
    '/v1/explain/:kind/:name',
    {
      schema: {
        summary: 'Why is it so, what does it wait for, what would end it',
        params: ExplainParams,
        querystring: NoQuery,
        response: { 200: Explanation },
      },
    },
    async (request) => {
      const { kind, name } = request.params;
      const sentences = explain(await viewOf(context), kind, name, context.wallMs());
      if (sentences.length === 0)
        throw problem('SM_API_NOT_FOUND', { what: kind, name: JSON.stringify(name) });
      return { kind, name, sentences };
    },
  );
}

/** Throws `SM_API_DAEMON`. */
async function viewOf({ daemon }: ApiContext): Promise<EngineView> {
  try {
    return await daemon.view();
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    throw problem('SM_API_DAEMON', { detail: error.message });
  }
}

function addStatus(app: App, context: ApiContext): void {
  app.get(
    '/v1/status',
    {
      schema: {
        summary: 'One screen about this node, its peer and the groups; while sm is away, what it said last',
        querystring: NoQuery,
        response: { 200: Status },
      },
    },
    async () => {
      try {
        return statusOf(await context.daemon.view(), context.wallMs()) as Static<typeof Status>;
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        const stored = StateReader.read(context.database, (reader) =>
          storedStatus(reader, context.node, error.message, context.wallMs()),
        );
        if (!stored.ok) throw new Problem(stored.error);
        return stored.value as Static<typeof Status>;
      }
    },
  );
}

function addActivity(app: App, context: ApiContext): void {
  app.get(
    '/v1/services/:key/activity',
    {
      schema: {
        summary: 'What a service does now on this node: by this an order is followed to its end',
        params: KeyParams,
        querystring: NoQuery,
        response: { 200: Activity },
      },
    },
    async (request) => {
      const { key } = request.params;
      const service = (await viewOf(context)).services.find(({ name }) => name === key);
      if (service === undefined)
        throw problem('SM_API_NOT_FOUND', { what: 'service', name: JSON.stringify(key) });
      const { name, desired, state, status, condition, reason, managed, running, wait } = service;
      return {
        name,
        desired_state: desired,
        state,
        status,
        condition,
        reason,
        managed,
        running: running ?? '',
        waits_for: wait?.reason ?? '',
        settled: isSettled(service),
      };
    },
  );
}
