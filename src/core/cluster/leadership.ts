/**
 * Who leads (docs/SAFETY.md, rules 5-7): decided by each side from both sides' words, so that both come to the same end.
 */
import { assert } from '../kernel/assert.ts';

export interface LeadershipClaim {
  readonly node: string;
  readonly leads: boolean;
  readonly number: number;
  /** Has exchanged with a settled peer, or has led, in this kernel life. */
  readonly settled: boolean;
}

export type LeadershipVerdict =
  /** Go on leading; `number` is higher where the peer knows of a higher one than ours. */
  | { readonly kind: 'lead'; readonly number: number }
  | { readonly kind: 'follow'; readonly number: number }
  /** The peer will lead, or is about to say so. */
  | { readonly kind: 'wait' };

/** Leadership order = (number, node): never equal. */
export function outranks(a: LeadershipClaim, b: LeadershipClaim): boolean {
  assert(a.node !== b.node, 'leadership is compared between two nodes');
  return a.number !== b.number ? a.number > b.number : a.node > b.node;
}

/**
 * Two leaders: the higher (number, node) stays. One leader: it stays, and takes a number above the highest seen. None:
 * the settled one, then the higher (number, node), leads.
 */
export function judgeLeadership(mine: LeadershipClaim, theirs: LeadershipClaim): LeadershipVerdict {
  if (mine.leads && theirs.leads) {
    return outranks(mine, theirs)
      ? { kind: 'lead', number: mine.number }
      : { kind: 'follow', number: theirs.number };
  }
  if (mine.leads) {
    return { kind: 'lead', number: theirs.number > mine.number ? theirs.number + 1 : mine.number };
  }
  if (theirs.leads) {
    // An older number voids orders; the leader is told the higher one by our report and takes a number above it.
    return theirs.number >= mine.number ? { kind: 'follow', number: theirs.number } : { kind: 'wait' };
  }
  const chosen = mine.settled !== theirs.settled ? mine.settled : outranks(mine, theirs);
  return chosen ? { kind: 'lead', number: Math.max(mine.number, theirs.number) + 1 } : { kind: 'wait' };
}
