/**
 * May this node end itself because a group of its has failed for good (FATAL_ERROR_REBOOT)? Only where it helps and where
 * it can not go round in a circle: another node takes the group over, and neither a boot nor such an end was shortly before.
 */
import type { Boot } from '../engine-interface.ts';
import { hasFailed } from '../plan/plan.ts';
import { type ClusterContext, groupOn } from './context.ts';

/** After a boot, of whatever cause, no node ends itself for this long. */
export const REBOOT_PAUSE_MS = 900_000;
/** It ends itself no more often within a day; after that somebody has to look at it. */
export const REBOOTS_PER_DAY_MAX = 3;
const DAY_MS = 86_400_000;

export interface Obstacle {
  readonly reason: string;
  /** Wall-clock ms at which it goes by itself; null = only an outside change ends it. */
  readonly until: number | null;
}

/** What stands against it; null = nothing. `wallMs`: now. */
export function rebootObstacle(
  context: ClusterContext,
  group: string,
  boots: readonly Boot[],
  wallMs: number,
): Obstacle | null {
  const nowhere = withoutHeir(context, group);
  if (nowhere !== '') return { reason: nowhere, until: null };
  // A wall clock that was set back makes a boot lie in the future: the pause begins anew when that is reached.
  const latest = Math.max(...boots.map((boot) => boot.wallMs), Number.NEGATIVE_INFINITY);
  if (wallMs - latest < REBOOT_PAUSE_MS) {
    const reason = `not again within ${REBOOT_PAUSE_MS / 60_000} minutes of a boot`;
    return { reason, until: latest + REBOOT_PAUSE_MS };
  }
  const own = boots.filter(({ cause, wallMs: at }) => cause === 'reboot' && wallMs - at < DAY_MS);
  const first = own.at(-REBOOTS_PER_DAY_MAX);
  if (first === undefined) return null;
  return { reason: `it did so ${REBOOTS_PER_DAY_MAX} times within a day`, until: first.wallMs + DAY_MS };
}

/** Why nobody would take the group over; '' = the peer would. */
function withoutHeir(context: ClusterContext, group: string): string {
  const { peer, nodes } = context;
  if (peer === null) return 'there is no other node';
  if (peer.absence !== '') return `nobody could take over: ${peer.absence}`;
  const row = nodes.find(peer.name);
  if (peer.managerDownMs > 0) return `nobody could take over: sm on ${peer.name} is away`;
  if (row?.administrative === 'locked') return `nobody could take over: ${peer.name} is locked`;
  if (row?.ready !== 'enabled') return `nobody could take over: ${peer.name} is not ready`;
  if (hasFailed(groupOn(context, peer.name, group))) return `${group} has failed on ${peer.name} too`;
  return '';
}
