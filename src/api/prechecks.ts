/**
 * May a node be switched over, or locked? The answers that mtce and sysinv ask for before they act, from what this node
 * knows of both; the first reason wins. `sm` decides again, by itself, when the action is ordered.
 * Source: docs/reference/api.md, "Node actions".
 */
import type { Row, Rows } from '../shell/store/live-reader.ts';

export interface Picture {
  /** NODES with LOCK_REASON. */
  readonly nodes: readonly Row[];
  readonly assignments: readonly Row[];
  /** SERVICE_DOMAIN_MEMBERS, provisioned. */
  readonly members: readonly Row[];
  /** SERVICE_GROUP_MEMBERS, provisioned. */
  readonly services: readonly Row[];
}

const provisioned = (row: Row): boolean => row.PROVISIONED === 'yes';

export function pictureOf(rows: Rows): Picture {
  const assignments = [...rows.all('SERVICE_DOMAIN_ASSIGNMENTS')].sort((a, b) =>
    String(a.SERVICE_GROUP_NAME) < String(b.SERVICE_GROUP_NAME) ? -1 : 1,
  );
  return {
    nodes: rows.query(
      'SELECT n.*, f.LOCK_REASON FROM NODES n LEFT JOIN SM_NODE_FACTS f ON f.NODE_NAME = n.NAME ORDER BY n.ID',
    ),
    assignments,
    members: rows.all('SERVICE_DOMAIN_MEMBERS').filter(provisioned),
    services: rows.all('SERVICE_GROUP_MEMBERS').filter(provisioned),
  };
}

/** Active on every node: a switch-over does not touch it. */
function runsEverywhere({ members, nodes }: Picture, group: unknown): boolean {
  const member = members.find((row) => row.SERVICE_GROUP_NAME === group);
  return member?.REDUNDANCY_MODEL === 'N' && Number(member.N_ACTIVE) >= Math.max(2, nodes.length);
}

/** Words for a degraded group whose data is not the same on both sides. */
const DATA_CONDITIONS: Readonly<Record<string, string>> = {
  'data-syncing': 'it is syncing data',
  'data-inconsistent': 'its data is inconsistent',
  'data-outdated': 'its data is outdated',
  'data-consistent': 'its data is consistent, but not connected',
  'data-standalone': 'its data stands alone',
};

/** Why the groups of `hostname` can not go to another node now; null = they can. */
export function swactObstacle(picture: Picture, hostname: string): string | null {
  const { nodes, assignments } = picture;
  const others = assignments.filter((row) => row.NODE_NAME !== hostname);
  if (others.length === 0) return 'no peer is available';
  for (const row of others) {
    const node = nodes.find(({ NAME }) => NAME === row.NODE_NAME);
    const peer = String(row.NODE_NAME);
    const notReady = (why: string) => `${peer} is not ready to take service: ${why}`;
    if (node === undefined) return notReady('nothing is known of it');
    if (node.ADMINISTRATIVE_STATE === 'locked') return notReady('it is locked');
    if (node.OPERATIONAL_STATE === 'disabled') return notReady('it is disabled');
    if (runsEverywhere(picture, row.SERVICE_GROUP_NAME)) continue;
    const obstacle = groupObstacle(picture, row, hostname);
    if (obstacle !== null)
      return `${row.SERVICE_GROUP_NAME} on ${peer} is not ready to take service: ${obstacle}`;
  }
  return null;
}

function groupObstacle({ assignments }: Picture, row: Row, hostname: string): string | null {
  const origin = assignments.find(
    (each) => each.NODE_NAME === hostname && each.SERVICE_GROUP_NAME === row.SERVICE_GROUP_NAME,
  );
  const settled = row.STATE === 'active' || row.STATE === 'standby';
  if (!settled && origin !== undefined && origin.STATE !== row.STATE)
    return 'it is neither active nor standby';
  if (row.DESIRED_STATE !== row.STATE) return `it is on its way from ${row.STATE} to ${row.DESIRED_STATE}`;
  if (row.STATUS === 'failed') return 'it has failed';
  if (row.STATUS !== 'degraded') return null;
  return DATA_CONDITIONS[String(row.CONDITION)] ?? `it is degraded ${row.CONDITION ?? ''}`.trimEnd();
}

const healthy = (row: Row): boolean =>
  row.STATE === 'active' && row.DESIRED_STATE === 'active' && row.STATUS !== 'failed';

/**
 * Critical services that only `hostname` provides now, of groups that run on several nodes at once: locking it would end
 * them. Groups that move are not asked about: locking moves them.
 */
export function soleServices({ assignments, members, services }: Picture, hostname: string): string[] {
  const sole = members
    .filter((row) => row.REDUNDANCY_MODEL === 'N' && Number(row.N_ACTIVE) > 1)
    .map((row) => row.SERVICE_GROUP_NAME)
    .filter((group) => {
      const providers = assignments.filter((row) => row.SERVICE_GROUP_NAME === group && healthy(row));
      return providers.length > 0 && providers.every((row) => row.NODE_NAME === hostname);
    });
  return services
    .filter((row) => sole.includes(row.NAME ?? null) && row.SERVICE_FAILURE_IMPACT === 'critical')
    .map((row) => String(row.SERVICE_NAME));
}

const ACTING = new Set(['active', 'go-active', 'go-standby', 'disabling', 'unknown']);

/** What GET /v1/servicenode tells of a node's groups: mtce waits by it for the end of a switch-over. */
export function activity(picture: Picture, hostname: string): { active: boolean; swactable: boolean } {
  const acting = picture.assignments.filter(
    (row) =>
      row.NODE_NAME === hostname && (ACTING.has(String(row.STATE)) || ACTING.has(String(row.DESIRED_STATE))),
  );
  const moves = (row: Row): boolean =>
    picture.members.some(
      (member) => member.SERVICE_GROUP_NAME === row.SERVICE_GROUP_NAME && member.REDUNDANCY_MODEL === 'N + M',
    );
  return { active: acting.length > 0, swactable: acting.some(moves) };
}
