/**
 * All that the watchdog has to know, in one file: it never opens the database, so that a damaged or slow one can not
 * hinder it.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canFence, type Regime, regimeOf } from '../../core/arbiter/regime.ts';
import type { DefinitionSet, DomainDefinition, InterfaceDefinition } from '../../core/definitions/model.ts';
import type { ArbiterPlan } from '../arbiter/messages.ts';
import { arbiterPlan } from '../arbiter/plan.ts';
import type { Config } from '../config.ts';
import { INSTALLATION } from '../pair/installation.ts';

export interface WatchdogPlan {
  readonly config: Config;
  readonly domain: DomainDefinition;
  readonly peer: string | null;
  readonly interfaces: readonly InterfaceDefinition[];
  /** Services of exclusive groups. */
  readonly exclusive: readonly {
    readonly service: string;
    readonly pidFile: string;
    readonly kernelState: boolean;
  }[];
  readonly regime: Regime;
  /** A fence device has the power of the peer. */
  readonly fences: boolean;
  /** null = there is none to ask. */
  readonly arbiter: ArbiterPlan | null;
  /** Arguments with which `sm` is started. */
  readonly smArguments: readonly string[];
}

export function planOf(
  config: Config,
  definitions: DefinitionSet,
  smArguments: readonly string[],
  knownRegister: string,
): WatchdogPlan {
  const exclusive = [...definitions.services.values()].flatMap(({ name, group, pidFile, kernelState }) =>
    definitions.groups.get(group)?.exclusive === true ? [{ service: name, pidFile, kernelState }] : [],
  );
  const peer = definitions.nodes.find((name) => name !== config.node) ?? null;
  return {
    config,
    domain: definitions.domain,
    peer,
    interfaces: definitions.interfaces,
    exclusive,
    regime: regimeOf(definitions),
    fences: peer !== null && canFence(definitions, peer),
    arbiter: arbiterPlan(config, definitions, knownRegister),
    smArguments,
  };
}

/** What a watchdog that is started now under this plan is founded on: one with another basis has to be replaced. */
export function basisOf(plan: WatchdogPlan): string {
  // What it learns of the register by itself is no reason.
  const { arbiter } = plan;
  const lasting = { ...plan, arbiter: arbiter === null ? null : { ...arbiter, knownRegister: '' } };
  const digest = createHash('sha256').update(JSON.stringify(lasting)).digest('hex').slice(0, 16);
  return `${INSTALLATION}, plan ${digest}`;
}

export function planPath(run: string): string {
  return join(run, 'watchdog.json');
}

/** Whole or not at all: a watchdog may be started from it at any moment. */
export function writePlan(plan: WatchdogPlan): string {
  const path = planPath(plan.config.runDirectory);
  writeFileSync(`${path}.new`, JSON.stringify(plan), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}

export function readPlan(path: string): WatchdogPlan {
  return JSON.parse(readFileSync(path, 'utf8')) as WatchdogPlan;
}
