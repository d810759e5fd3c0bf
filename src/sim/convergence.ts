/**
 * Liveness: what has to be true of the world when all faults are over. Judged by the truth of both nodes; the views are
 * only asked whether the two agree and nothing is pending.
 */
import type { GroupDefinition } from '../core/definitions/model.ts';
import type { GroupState } from '../core/kernel/names.ts';
import type { OperationStep } from '../core/link/types.ts';
import { acts } from './executor.ts';
import type { SimNode } from './node.ts';
import type { World } from './world.ts';

const PENDING: ReadonlySet<OperationStep> = new Set<OperationStep>([
  'requested',
  'accepted',
  'stopping',
  'stopped',
  'activating',
]);

/** A hung script may leave everything as it should be, until it is over. */
const STANDING: ReadonlySet<GroupState> = new Set<GroupState>(['active', 'standby', 'disabled']);

/** Why the world has not converged yet; null = it has. */
export function notConverged(world: World): string | null {
  for (const node of world.nodes) {
    if (!node.powered) return `${node.name} is off`;
    if (!node.manager.alive || node.manager.engine === null) return `${node.name}: sm is not there`;
    if (!node.watchdog.alive) return `${node.name}: sm-watchdog is not there`;
  }
  for (const group of world.definitions.groups.values()) {
    const reason = groupNotConverged(world, group);
    if (reason !== null) return reason;
  }
  return viewsDiffer(world);
}

function groupNotConverged(world: World, group: GroupDefinition): string | null {
  const active = world.nodes.filter((node) => groupActive(node, group));
  const wanted = nodesWanted(world, group);
  if (active.length !== wanted) {
    const names = active.map(({ name }) => name).join(' ') || 'no node';
    return `${group.name} is active on ${names}, wanted on ${wanted}: ${missing(world, group)}`;
  }
  for (const node of world.nodes) {
    if (active.includes(node)) continue;
    for (const { service } of group.members) {
      const { shape, role } = node.executor.service(service);
      const due = shape.promotable && group.mStandby > 0 ? 'standby' : 'none';
      if (role !== due) return `${service} is ${role} on ${node.name}`;
    }
  }
  return null;
}

/** On how many nodes it is to be active; never on more than the group beside which alone it may be. */
function nodesWanted(world: World, { nActive, activeOnlyIfActive }: GroupDefinition): number {
  const beside = world.definitions.groups.get(activeOnlyIfActive);
  const most = beside === undefined ? world.nodes.length : nodesWanted(world, beside);
  return Math.min(nActive, most);
}

function groupActive(node: SimNode, group: GroupDefinition): boolean {
  return group.members.every(({ service }) => acts(node.executor.service(service)));
}

/** What is missing, with the first reason that its engine gives. */
function missing(world: World, group: GroupDefinition): string {
  return world.nodes
    .map((node) => {
      const idle = group.members.filter(({ service }) => !acts(node.executor.service(service)));
      const view = node.manager.engine?.view(node.clock.read(world.now));
      const reason = view?.services.find(({ name }) => name === idle[0]?.service)?.reason ?? '';
      return `${node.name} lacks ${idle.map(({ service }) => service).join(' ')} (${reason})`;
    })
    .join('; ');
}

function viewsDiffer(world: World): string | null {
  const views = world.nodes.map((node) => node.manager.engine?.view(node.clock.read(world.now)));
  const [a, b] = views;
  for (const view of views) {
    if (view === undefined) return 'no view';
    const pending = view.operations.find(({ step }) => PENDING.has(step));
    if (pending !== undefined) return `${view.node}: ${pending.kind} of ${pending.node} is ${pending.step}`;
    const moving = view.groups.find(({ state }) => !STANDING.has(state));
    if (moving !== undefined) return `${view.node}: ${moving.name} is ${moving.state}: ${moving.reason}`;
    if (view.permission.lost) return `${view.node}: permission is lost: ${view.permission.reason}`;
  }
  if (a === undefined || b === undefined) return null;
  if (a.domain.leader !== b.domain.leader || a.domain.number !== b.domain.number) {
    return `leaders differ: ${a.domain.leader} ${a.domain.number}, ${b.domain.leader} ${b.domain.number}`;
  }
  return null;
}
