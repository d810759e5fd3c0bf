/**
 * From raw rows to the definition set that drives the engine, with everything that is wrong on the way. Pure.
 *
 * One bad row never stops the rest: what it describes is taken out (quarantined), and so is what could only wait for it.
 * An error of the domain itself (name, nodes, timing) is fatal: there is no set.
 */

import type { ActionResult, Condition, PluginType, ServiceState, Status } from '../kernel/names.ts';
import type { ArbiterDefinitions } from './arbiter-model.ts';
import { checkArbiters } from './check-arbiters.ts';
import { checkDependencies, dependenciesOf, loseDependents } from './check-dependencies.ts';
import { checkDomain, checkInterfaces, checkNodes, warnOfPolicy } from './check-domain.ts';
import { checkGroups, groupsOf, placeServices } from './check-groups.ts';
import { checkServices, type ScriptQuestion, servicesOf } from './check-services.ts';
import { digestOf } from './digest.ts';
import { Draft } from './draft.ts';
import type { ActionResultRule, DefinitionSet } from './model.ts';
import type { Problem } from './problems.ts';
import type { RawRows } from './rows.ts';
import { checkSettings } from './settings.ts';

export type BuildOptions = ScriptQuestion;

/** All rows, provisioned or not. */
export interface DefinitionCounts {
  readonly groups: number;
  readonly members: number;
  readonly services: number;
  readonly actions: number;
  readonly results: number;
  readonly dependencies: number;
}

export interface BuildResult {
  /** null where an error is fatal. */
  readonly set: DefinitionSet | null;
  readonly problems: readonly Problem[];
  readonly counts: DefinitionCounts;
}

export function buildDefinitions(rows: RawRows, options: BuildOptions = {}): BuildResult {
  const draft = new Draft(rows);
  const set = assemble(draft, digestOf(rows), options);
  return { set: draft.fatal ? null : set, problems: draft.problems.all, counts: countRows(draft) };
}

function assemble(draft: Draft, digest: string, options: BuildOptions): DefinitionSet | null {
  const domain = checkDomain(draft);
  const domainName = domain?.name ?? '';
  const nodes = checkNodes(draft, domainName);
  const interfaces = checkInterfaces(draft, domainName);
  const arbiters = domain === null ? null : checkArbiters(draft, domain, nodes, interfaces);
  if (domain !== null) warnOfPolicy(draft, domain, !answersForSilence(arbiters));
  checkGroups(draft, domainName, nodes.length);
  checkServices(draft, options);
  checkDependencies(draft);
  const settings = checkSettings(draft);

  loseMembersOfLostGroups(draft);
  // Twice: a script that can not be called is known only when its service is put together.
  const provisioned = provisionedServices(draft);
  servicesOf(draft, placeServices(draft));
  loseDependents(draft, provisioned);
  const services = servicesOf(draft, placeServices(draft));
  if (domain === null) return null;
  return {
    digest,
    domain,
    nodes,
    interfaces,
    groups: groupsOf(draft, domain.name, new Set(services.keys())),
    services,
    dependencies: dependenciesOf(draft, services),
    results: resultsOf(draft),
    ...(arbiters === null ? {} : { arbiters }),
    ...settings,
  };
}

/** Gateways say nothing of the peer. */
function answersForSilence(arbiters: ArbiterDefinitions | null): boolean {
  return (
    arbiters !== null && (arbiters.etcd ?? arbiters.disk ?? arbiters.fencing.devices[0] ?? null) !== null
  );
}

function loseMembersOfLostGroups(draft: Draft): void {
  for (const row of draft.rows('SERVICE_GROUP_MEMBERS')) {
    if (draft.lostGroups.has(row.text('NAME'))) draft.lostServices.add(row.text('SERVICE_NAME'));
  }
}

/** Names of services that are provisioned, lost ones included: waiting for those would never end. */
function provisionedServices(draft: Draft): ReadonlySet<string> {
  const names = draft
    .rows('SERVICE_GROUP_MEMBERS')
    .filter((row) => row.provisioned)
    .map((row) => row.text('SERVICE_NAME'));
  return new Set(names);
}

function resultsOf(draft: Draft): readonly ActionResultRule[] {
  const known = (text: string): string | null => (text === 'unknown' ? null : text);
  return draft.rows('SERVICE_ACTION_RESULTS').map((row) => ({
    pluginType: row.word<PluginType>('PLUGIN_TYPE'),
    pluginName: row.text('PLUGIN_NAME'),
    pluginCommand: row.text('PLUGIN_COMMAND'),
    exitCode: row.text('PLUGIN_EXIT_CODE'),
    result: row.word<ActionResult>('ACTION_RESULT'),
    state: known(row.text('SERVICE_STATE')) as ServiceState | null,
    status: known(row.text('SERVICE_STATUS')) as Status | null,
    condition: known(row.text('SERVICE_CONDITION')) as Condition | null,
  }));
}

function countRows(draft: Draft): DefinitionCounts {
  return {
    groups: draft.count('SERVICE_GROUPS'),
    members: draft.count('SERVICE_GROUP_MEMBERS'),
    services: draft.count('SERVICES'),
    actions: draft.count('SERVICE_ACTIONS'),
    results: draft.count('SERVICE_ACTION_RESULTS'),
    dependencies: draft.count('SERVICE_DEPENDENCY'),
  };
}
