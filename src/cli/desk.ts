/** Where orders are given and followed: at `sm` of this node, or at the REST server of another one. */
import { isSettled } from '../core/explain.ts';
import { type Context, type Given, type Outcome, problem } from './command.ts';
import { ANSWER_MS, controlProblem, isAway, readView, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { type Rest, RestError } from './rest.ts';
import type { OperationRequest, ServiceActionRequest } from './rest-types.ts';

/** What came of an order at once. */
export interface Reply {
  readonly ok: boolean;
  readonly code: string;
  readonly message: string;
  readonly operation: string;
}

export interface OperationState {
  readonly id: string;
  readonly kind: string;
  readonly node: string;
  readonly group: string;
  readonly step: string;
  readonly reason: string;
}

export interface ServiceState {
  readonly state: string;
  readonly status: string;
  readonly condition: string;
  readonly reason: string;
  /** No script runs, and nothing is waited for. */
  readonly idle: boolean;
  /** And it is where it is wanted. */
  readonly settled: boolean;
}

export interface Desk {
  /** How often to look, ms. */
  readonly lookMs: number;
  /** Name of the node that is asked. */
  node(): Promise<string>;
  order(command: object): Promise<Reply>;
  /** null = not known there (any more). */
  operation(id: string): Promise<OperationState | null>;
  service(name: string): Promise<ServiceState | null>;
  /** It can not be asked at the moment, as opposed to: it said no. */
  isAway(error: unknown): boolean;
  /** What a failure means to the user. Throws what is a fault of ours. */
  problem(error: unknown): Outcome;
}

export function ownDesk(context: Context, given: Given): Desk {
  const view = () => withDaemon(context, given, readView);
  return {
    lookMs: 50,
    node: async () => (await view()).node,
    order: (command) =>
      withDaemon(context, given, async (daemon) => {
        const params = { actor: context.actor, command };
        return (await daemon.request('command', params, ANSWER_MS)) as Reply;
      }),
    operation: async (wanted) => (await view()).operations.find(({ id }) => id === wanted) ?? null,
    service: async (wanted) => {
      const found = (await view()).services.find(({ name }) => name === wanted);
      if (found === undefined) return null;
      const idle = found.running === null && found.wait === null;
      return { ...found, idle, settled: isSettled(found) };
    },
    isAway,
    problem: controlProblem,
  };
}

export function remoteDesk(rest: Rest): Desk {
  return {
    lookMs: 250,
    node: async () => (await rest.call('getStatus', {})).node,
    order: async (command) => {
      const { service, ...body } = command as { readonly service?: string };
      const accepted =
        service === undefined
          ? await rest.call('orderOperation', { body: body as OperationRequest })
          : await rest.call('orderService', { params: { key: service }, body: body as ServiceActionRequest });
      return { ok: true, code: '', ...accepted };
    },
    operation: (key) => known(rest.call('getOperation', { params: { key } })),
    service: async (key) => {
      const found = await known(rest.call('getServiceActivity', { params: { key } }));
      return found === null ? null : { ...found, idle: found.running === '' && found.waits_for === '' };
    },
    isAway: (error) => error instanceof RestError && error.exit === EXIT.away,
    problem: (error) => {
      if (!(error instanceof RestError)) throw error;
      return problem(error.exit, error.code, error.message);
    },
  };
}

/** null = there is none of that name. */
async function known<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RestError && error.code === 'SM_API_NOT_FOUND') return null;
    throw error;
  }
}
