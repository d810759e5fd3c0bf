/**
 * Permission: the one grant function (docs/SAFETY.md, rule 1). Every activity of an exclusive group begins with a token
 * that `grant` made; nothing else makes tokens, and nothing activating can be constructed without one.
 */
import { assert } from '../kernel/assert.ts';
import type { Token } from './token.ts';

/** What the node knows, at this moment, about its right to act. */
export interface Verdict {
  readonly now: number;
  /** Monotonic ms at which permission runs out by our own clock; Infinity where it does not run out by time (rule 3). */
  readonly deadline: number;
  /** Permission was lost and what ran under it is not yet verified as stopped. */
  readonly lost: boolean;
  /** sm-watchdog is connected: without it nobody would enforce the stop (rule 10). */
  readonly guarded: boolean;
  /** A deaf peer announces that it takes over: nothing is granted while that is heard (rule 14d). */
  readonly announcementHeard: boolean;
  /** Somebody else uses our name (rule 8). */
  readonly duplicate: boolean;
  /** A commit failed: what is not stored must not be acted upon. */
  readonly storeFailed: boolean;
}

/** What the token is asked for. `held` is the persisted number under which this node may run the group (rule 5). */
export interface Claim {
  readonly group: string;
  readonly exclusive: boolean;
  readonly held: number;
  readonly stopped: number;
}

export type Grant =
  | { readonly ok: true; readonly token: Token }
  | { readonly ok: false; readonly reason: string };

type Ground = { readonly refuses: (verdict: Verdict) => boolean; readonly reason: string };

/** In the order in which an operator should read them. */
const REFUSALS: readonly Ground[] = [
  { refuses: (v) => !v.guarded, reason: 'sm-watchdog is not connected, so nobody would enforce a stop' },
  { refuses: (v) => v.duplicate, reason: 'another machine uses the name of this node' },
  {
    refuses: (v) => v.announcementHeard,
    reason: 'the peer does not hear this node and announces that it takes over',
  },
  {
    refuses: (v) => v.storeFailed,
    reason: 'the database does not accept commits, so the activation can not be recorded',
  },
  {
    refuses: (v) => v.lost,
    reason: 'permission was lost and what ran under it is not yet verified as stopped',
  },
  {
    refuses: (v) => v.now >= v.deadline,
    reason: 'permission has run out: no link to where the peer was last heard is up',
  },
];

/** Why nothing may be activated at this moment, or null. */
export function refusal(verdict: Verdict): string | null {
  return REFUSALS.find((ground) => ground.refuses(verdict))?.reason ?? null;
}

/**
 * The one grant function. A group that is not exclusive needs nobody's permission: its token has number 0 and no
 * deadline. An exclusive one needs a held number that was never given up, and a verdict without a refusal.
 */
export function grant(claim: Claim, verdict: Verdict): Grant {
  if (!claim.exclusive) {
    return { ok: true, token: { group: claim.group, activation: 0, deadline: Infinity } as Token };
  }
  if (claim.held === 0) return { ok: false, reason: `nobody gave ${claim.group} to this node` };
  assert(claim.held > claim.stopped, () => `${claim.group}: activation ${claim.held} was given up before`);
  const reason = refusal(verdict);
  if (reason !== null) return { ok: false, reason };
  return {
    ok: true,
    token: { group: claim.group, activation: claim.held, deadline: verdict.deadline } as Token,
  };
}
