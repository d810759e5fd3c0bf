/**
 * The plan: a picture of both nodes in, a placement of every group with its reasons out. Pure and total; it has no memory
 * and no wishes but the definitions. Only the leader plans; what it takes to get there (stop before start, numbers,
 * grants) is the cluster's business, not the plan's.
 */
import type { DefinitionSet, GroupDefinition } from '../definitions/model.ts';
import type { AdministrativeState, Condition, GroupState, Status } from '../kernel/names.ts';
import { type Unit, unitsOf } from './units.ts';

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

/** The group has failed there, or had not long ago, and what its own node could do about it has not helped. */
export function hasFailed(group: Pick<GroupPicture, 'status' | 'condition'> | undefined): boolean {
  return group?.status === 'failed' && PARKED.has(group.condition);
}

interface Candidate {
  readonly node: NodePicture;
  readonly barred: string;
  /** Why none of the unit may be active there, standby though it may be; '' = it may. */
  readonly unsupported: string;
  readonly avoided: boolean;
  readonly failed: string;
  /** A group without which none of the unit may be active has failed there. */
  readonly lacks: string;
  readonly held: number;
  readonly position: number;
}

/** Nodes on which each group is wanted active. */
type Actives = Map<string, readonly string[]>;

/** Placements of every group on every node; groups that must not be active without another one come after that one. */
export function plan(
  definitions: DefinitionSet,
  picture: Picture,
  units: readonly Unit[] = unitsOf(definitions.groups),
): Placement[] {
  const actives: Actives = new Map();
  return units.flatMap((unit) => placeUnit(unit, picture, actives));
}

function placeUnit(unit: Unit, picture: Picture, wanted: Actives): Placement[] {
  const candidates = picture.nodes.map((node, position) => candidate(unit, node, position, picture, wanted));
  const able = candidates.filter((c) => c.barred === '').sort(compare);
  return unit.flatMap((group) => {
    const stuck = stuckWith(group, candidates, picture);
    const supported = able.filter((c) => c.unsupported === '');
    const actives = stuck === null ? supported.slice(0, group.nActive) : [stuck];
    const standbys = able.filter((c) => !actives.includes(c)).slice(0, group.mStandby);
    wanted.set(
      group.name,
      actives.map((c) => c.node.name),
    );
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
  unit: Unit,
  node: NodePicture,
  position: number,
  picture: Picture,
  wanted: Actives,
): Candidate {
  // Those of the unit itself go where the unit goes; one that is not placed yet needs this unit in a circle.
  const needed = unit
    .map((group) => group.activeOnlyIfActive)
    .filter((name) => wanted.has(name) && unit.every((group) => group.name !== name));
  return {
    node,
    barred: barred(unit, node),
    unsupported: unsupported(needed, node, wanted),
    avoided: picture.avoided.has(node.name),
    failed: failedGroup(
      unit.map((group) => group.name),
      node,
    ),
    lacks: failedGroup(needed, node),
    held: unit.filter((group) => picture.holders.get(group.name) === node.name).length,
    position,
  };
}

function barred(unit: Unit, node: NodePicture): string {
  if (node.absent !== '') return node.absent;
  if (node.administrative === 'locked') return `${node.name} is locked`;
  // A node is ready only while its core groups are active: they can not wait for that.
  if (!node.ready && !unit.every((group) => group.core))
    return `${node.name} is not ready: ${node.notReadyReason}`;
  return '';
}

function unsupported(needed: readonly string[], node: NodePicture, wanted: Actives): string {
  const missing = needed.find((name) => wanted.get(name)?.includes(node.name) === false);
  return missing === undefined ? '' : `${missing}, which it needs, is not wanted active on ${node.name}`;
}

function failedGroup(names: readonly string[], node: NodePicture): string {
  const name = names.find((each) => hasFailed(node.groups.get(each)));
  return name === undefined ? '' : `${name} failed on ${node.name} (${node.groups.get(name)?.condition})`;
}

type Key = (c: Candidate) => number;
const PREFERENCES: readonly {
  readonly key: Key;
  readonly reason: (winner: Candidate, loser: Candidate) => string;
}[] = [
  { key: (c) => (c.avoided ? 0 : 1), reason: (_, loser) => `swact away from ${loser.node.name}` },
  { key: (c) => (c.failed === '' ? 1 : 0), reason: (_, loser) => loser.failed },
  { key: (c) => (c.lacks === '' ? 1 : 0), reason: (_, loser) => loser.lacks },
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
    if (loser !== undefined) return { want: 'active', reasons: [loser.unsupported || decisive(c, loser)] };
    return {
      want: 'active',
      reasons: [rival === undefined ? `${c.node.name} is the only able node` : 'active on every able node'],
    };
  }
  const winner = actives[0];
  const lost = winner === undefined ? 'no node is able to run it' : decisive(winner, c);
  const reasons = [c.unsupported === '' ? lost : c.unsupported];
  return { want: standbys.includes(c) ? 'standby' : 'disabled', reasons };
}
