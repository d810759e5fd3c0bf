/** The only place where orders to run a script are made. */
import type { Token } from '../cluster/token.ts';
import { assert } from '../kernel/assert.ts';
import type { ServiceAction } from '../kernel/names.ts';
import type { RunEffect } from './interface.ts';
import type { ServiceRecord } from './record.ts';

export interface Order {
  readonly run: number;
  readonly service: ServiceRecord;
  readonly action: ServiceAction;
  readonly environment: Readonly<Record<string, string>>;
  /** As in RunEffect. */
  readonly killsInstead?: boolean;
}

/** What permits an activating script: a token where the group is exclusive, nothing where it is not. */
export type Permission = { readonly exclusive: true; readonly token: Token } | { readonly exclusive: false };

/** The one constructor of activating orders. */
export function activatingRun(order: Order, permission: Permission): RunEffect {
  const { group } = order.service;
  assert(
    group.definition.exclusive === permission.exclusive,
    () => `${group.name}: permission of the wrong kind`,
  );
  if (!permission.exclusive) return runEffect(order, null);
  assert(
    permission.token.group === group.name,
    () => `${group.name}: token of group ${permission.token.group}`,
  );
  return runEffect(order, permission.token);
}

/** Orders that activate nothing: audits, stops, and enabling into standby. */
export function plainRun(order: Order): RunEffect {
  const { service, action } = order;
  assert(action !== service.activatingAction, () => `${service.name}: ${action} needs permission`);
  return runEffect(order, null);
}

function runEffect(order: Order, token: Token | null): RunEffect {
  const { service, action, run, environment, killsInstead } = order;
  const definition = service.definition.actions.get(action);
  assert(definition !== undefined, () => `${service.name}: no action ${action}`);
  return {
    type: 'run',
    run,
    service: service.name,
    action,
    pluginType: definition.pluginType,
    pluginClass: definition.pluginClass,
    pluginName: definition.pluginName,
    command: definition.pluginCommand,
    environment,
    timeoutMs: definition.timeoutMs,
    token,
    exclusive: service.group.definition.exclusive,
    pidFile: service.definition.pidFile,
    kernelState: service.definition.kernelState,
    ...(killsInstead === true ? { killsInstead } : {}),
  };
}
