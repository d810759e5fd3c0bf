/**
 * The vote of the managed hosts: how many of them answered this node on one network. It is a witness of this node's own end,
 * like a gateway, and of nothing else: that no host hears the peer does not prove that the peer is dead, so no vote ever lets
 * anybody in (docs/SAFETY.md, rule 14d). Pure.
 */
import type { InterfaceRole } from '../kernel/names.ts';

export interface HostsVote {
  /** The network on which they were asked. */
  readonly role: InterfaceRole;
  /** Hosts that answered in this round, of all that are managed. */
  readonly heard: number;
  readonly of: number;
}

/** Reached: more than half of them answered. Null = there is nobody to ask, which says nothing. */
export function reachesHosts({ heard, of }: HostsVote): boolean | null {
  return of <= 0 ? null : 2 * heard > of;
}
