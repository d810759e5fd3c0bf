/**
 * Dependencies between the services of this node. Groups play no role: what counts is the other service's state here.
 * A row on a service that is not in the definition set is met.
 */
import type { DependencyDefinition } from '../definitions/model.ts';
import { rank, SERVICE_STATES, type ServiceAction, type ServiceState } from '../kernel/names.ts';
import type { Link, ServiceRecord } from './record.ts';

/** An unmet dependency. `late`: the other one is wanted so on this node, so it should come; else it may never. */
export interface Unmet {
  readonly reason: string;
  readonly late: boolean;
}

/** Resolves the rows into the records, both ways. */
export function linkDependencies(
  rows: readonly DependencyDefinition[],
  services: ReadonlyMap<string, ServiceRecord>,
): void {
  const neighbors = new Map<ServiceRecord, Set<ServiceRecord>>();
  for (const row of rows) {
    const service = services.get(row.service);
    const other = services.get(row.dependent);
    if (service === undefined || other === undefined || service === other) continue;
    if (row.type === 'state') add(service.links.states, row.state, { row, other });
    else if (row.action !== null) add(service.links.actions, row.action, { row, other });
    if (forces(row)) other.links.forcing.push({ row, other: service });
    for (const [a, b] of [
      [service, other],
      [other, service],
    ] as const) {
      const known = neighbors.get(a) ?? new Set<ServiceRecord>();
      neighbors.set(a, known.add(b));
    }
  }
  for (const [service, others] of neighbors) service.links.neighbors.push(...others);
}

function add<Key>(map: Map<Key, Link[]>, key: Key, link: Link): void {
  const links = map.get(key);
  if (links === undefined) map.set(key, [link]);
  else links.push(link);
}

function forces(row: DependencyDefinition): boolean {
  return (
    row.type === 'action' &&
    (row.action === 'disable' || row.action === 'go-standby') &&
    row.dependentState === 'disabled'
  );
}

/** Why the service can not do this action now, or null if nothing is in the way. */
export function unmetFor(service: ServiceRecord, action: ServiceAction): Unmet | null {
  const links = service.links.actions.get(action);
  if (links !== undefined) {
    for (const link of links) {
      if (!isMet(service, action, link)) return unmet(link);
    }
  }
  // What a state needs is asked for before it is entered, else it would be left again at once.
  if (action === service.activatingAction) return unmetWhile(service, 'enabled-active');
  if (action === 'enable') return unmetWhile(service, 'enabled-standby');
  return null;
}

/** Why the service can not stay in this state, or null. */
export function unmetWhile(service: ServiceRecord, state: ServiceState): Unmet | null {
  const links = service.links.states.get(state);
  if (links !== undefined) {
    for (const link of links) {
      if (!reached(link.other.state, link.row.dependentState)) return unmet(link);
    }
  }
  return null;
}

function isMet(service: ServiceRecord, action: ServiceAction, link: Link): boolean {
  const { other, row } = link;
  switch (action) {
    case 'enable':
      // Where only standby is wanted of both, the other one is not needed active.
      if (service.desired === 'enabled-standby' && other.desired === 'enabled-standby') return true;
      return reached(other.state, row.dependentState);
    case 'go-active':
      return reached(other.state, row.dependentState);
    case 'disable':
      // One that is meant to be active and that nobody will stop does not block.
      if (other.desired === 'enabled-active' && other.fatal) return true;
      return other.state === 'enabled-standby' || lowered(other.state, row.dependentState);
    case 'go-standby':
      return lowered(other.state, row.dependentState);
    default:
      return true;
  }
}

/** In that state or past it; for `disabled` and below: down to it. */
function reached(state: ServiceState, required: ServiceState): boolean {
  if (rank(SERVICE_STATES, required) <= rank(SERVICE_STATES, 'disabled')) return lowered(state, required);
  return state !== 'shutdown' && rank(SERVICE_STATES, state) >= rank(SERVICE_STATES, required);
}

/** Down to that state. What is not known yet is not down; who waits to be enabled runs nothing. */
function lowered(state: ServiceState, required: ServiceState): boolean {
  if (state === 'initial' || state === 'unknown') return false;
  if (state === 'enabling-throttle') return true;
  return rank(SERVICE_STATES, state) <= rank(SERVICE_STATES, required);
}

function unmet(link: Link): Unmet {
  const { other, row } = link;
  return {
    reason: `waits for ${other.name} to be ${row.dependentState} on this node: it is ${other.reportedState} here`,
    late: wantedThere(other, row.dependentState),
  };
}

function wantedThere(other: ServiceRecord, required: ServiceState): boolean {
  if (required === 'enabled-active') return other.desired === 'enabled-active';
  return other.desired !== 'initial';
}

/** Name of a service for whose sake this one has to be down now, or null. */
export function forcedDownBy(service: ServiceRecord): string | null {
  for (const { other, row } of service.links.forcing) {
    if (row.action === 'go-standby') {
      if (other.state === 'enabled-go-standby') return other.name;
    } else if (other.holding || (other.state === 'disabling' && other.stop?.skipDependents !== true)) {
      return other.name;
    }
  }
  return null;
}
