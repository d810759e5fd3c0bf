/**
 * The plan: a picture of both nodes in, a placement of every group with its reasons out. Pure and total; it has no memory
 * and no wishes but the definitions. Only the leader plans; what it takes to get there (stop before start, numbers,
 * grants) is the cluster's business, not the plan's.
 */
import type { DefinitionSet, GroupDefinition } from '../definitions/model.ts';
import type { AdministrativeState, Condition, GroupState, Status } from '../kernel/names.ts';

export interface GroupPicture {
  readonly state: GroupState;
  readonly status: Status;
  readonly condition: Condition;
}

export interface NodePicture {
  readonly name: string;
  /** Why the node can not be given anything now ('' = it can): not heard, not exchanged, manager away. */
  readonly absent: string;
  readonly administrative: AdministrativeState;
  readonly ready: boolean;
  readonly notReadyReason: string;
  /** 0 = all links well; minus the weights of the links that are down (survivor rules), already debounced. */
  readonly linkScore: number;
  readonly groups: ReadonlyMap<string, GroupPicture>;
}

export interface Picture {
  /** In definition order: the first node is preferred where nothing else decides. */
  readonly nodes: readonly NodePicture[];
  /** Who holds each exclusive group; '' or missing = nobody. */
  readonly holders: ReadonlyMap<string, string>;
  /** Nodes that an operator's swact moves groups away from. */
  readonly avoided: ReadonlySet<string>;
}

export type Want = 'active' | 'standby' | 'disabled';

export interface Placement {
  readonly group: string;
  readonly node: string;
  readonly want: Want;
  readonly reasons: readonly string[];
}

/** A failed member that its own node has stopped trying: the group is better off elsewhere. */
const PARKED: ReadonlySet<Condition> = new Set(['recovery-failure', 'action-failure', 'fatal-failure']);

interface Candidate {
  readonly node: NodePicture;
  readonly barred: string;
  readonly avoided: boolean;
  readonly failed: string;
  readonly held: number;
  readonly position: number;
}

export function plan(definitions: DefinitionSet, picture: Picture): Placement[] {
  return units(definitions).flatMap((unit) => placeUnit(unit, picture));
}

/** Groups that stay together: those of one aggregate; every other group is a unit of its own. */
function units(definitions: DefinitionSet): GroupDefinition[][] {
  const aggregates = new Map<string, GroupDefinition[]>();
  for (const group of definitions.groups.values()) {
    const key =
      group.aggregate !== '' && group.exclusive ? `aggregate ${group.aggregate}` : `group ${group.name}`;
    const unit = aggregates.get(key);
    if (unit === undefined) aggregates.set(key, [group]);
    else unit.push(group);
  }
  return [...aggregates.values()];
}

function placeUnit(unit: readonly GroupDefinition[], picture: Picture): Placement[] {
  const candidates = picture.nodes.map((node, position) => candidate(unit, node, position, picture));
  const able = candidates.filter((c) => c.barred === '').sort(compare);
  return unit.flatMap((group) => {
    const stuck = stuckWith(group, candidates, picture);
    const actives = stuck === null ? able.slice(0, group.nActive) : [stuck];
    const standbys = able.filter((c) => !actives.includes(c)).slice(0, group.mStandby);
    return candidates.map((c) => ({
      group: group.name,
      node: c.node.name,
      ...verdict(c, actives, standbys, able, stuck),
    }));
  });
}

/**
 * An exclusive group whose holder can not be reached stays where it is: only proof, the peer's word or a policy takes it
 * away, never the plan (docs/SAFETY.md, rule 14).
 */
function stuckWith(
  group: GroupDefinition,
  candidates: readonly Candidate[],
  picture: Picture,
): Candidate | null {
  if (!group.exclusive) return null;
  const holder = picture.holders.get(group.name) ?? '';
  return candidates.find((c) => c.node.name === holder && c.node.absent !== '') ?? null;
}

function candidate(
  unit: readonly GroupDefinition[],
  node: NodePicture,
  position: number,
  picture: Picture,
): Candidate {
  return {
    node,
    barred: barred(node),
    avoided: picture.avoided.has(node.name),
    failed: failedGroup(unit, node),
    held: unit.filter((group) => picture.holders.get(group.name) === node.name).length,
    position,
  };
}

function barred(node: NodePicture): string {
  if (node.absent !== '') return node.absent;
  if (node.administrative === 'locked') return `${node.name} is locked`;
  if (!node.ready) return `${node.name} is not ready: ${node.notReadyReason}`;
  return '';
}

function failedGroup(unit: readonly GroupDefinition[], node: NodePicture): string {
  for (const { name } of unit) {
    const group = node.groups.get(name);
    if (group?.status === 'failed' && PARKED.has(group.condition))
      return `${name} failed on ${node.name} (${group.condition})`;
  }
  return '';
}

type Key = (c: Candidate) => number;
const PREFERENCES: readonly {
  readonly key: Key;
  readonly reason: (winner: Candidate, loser: Candidate) => string;
}[] = [
  { key: (c) => (c.avoided ? 0 : 1), reason: (_, loser) => `swact away from ${loser.node.name}` },
  { key: (c) => (c.failed === '' ? 1 : 0), reason: (_, loser) => loser.failed },
  {
    key: (c) => c.node.linkScore,
    reason: (_, loser) => `links of ${loser.node.name} are worse (score ${loser.node.linkScore})`,
  },
  { key: (c) => c.held, reason: (winner) => `it runs on ${winner.node.name} and nothing speaks against it` },
  { key: (c) => -c.position, reason: (winner) => `${winner.node.name} is the first node of the domain` },
];

/** Best first. */
function compare(a: Candidate, b: Candidate): number {
  for (const { key } of PREFERENCES) {
    const difference = key(b) - key(a);
    if (difference !== 0) return difference;
  }
  return 0;
}

function decisive(winner: Candidate, loser: Candidate): string {
  return PREFERENCES.find(({ key }) => key(winner) !== key(loser))?.reason(winner, loser) ?? '';
}

function verdict(
  c: Candidate,
  actives: readonly Candidate[],
  standbys: readonly Candidate[],
  able: readonly Candidate[],
  stuck: Candidate | null,
): { want: Want; reasons: string[] } {
  if (stuck !== null) {
    const why = `${stuck.node.name} holds it and can not be asked: ${stuck.node.absent}`;
    return c === stuck
      ? { want: 'active', reasons: [why] }
      : { want: c.barred === '' ? 'standby' : 'disabled', reasons: [why] };
  }
  if (c.barred !== '') return { want: 'disabled', reasons: [c.barred] };
  const rival = able.find((other) => other !== c);
  if (actives.includes(c)) {
    const loser = able.find((other) => !actives.includes(other));
    if (loser !== undefined) return { want: 'active', reasons: [decisive(c, loser)] };
    return {
      want: 'active',
      reasons: [rival === undefined ? `${c.node.name} is the only able node` : 'active on every able node'],
    };
  }
  const winner = actives[0];
  const reasons = winner === undefined ? ['no node is able to run it'] : [decisive(winner, c)];
  return { want: standbys.includes(c) ? 'standby' : 'disabled', reasons };
}
