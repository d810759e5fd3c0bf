/**
 * What `sm-watchdog` and `sm-arbiter` say to each other. All times are CLOCK_MONOTONIC ms: where the guard's own clock is
 * ahead of it (a suspended machine), whoever carries the messages converts `askedAt`, `quietSince`, `lastReceiptAt`, `at`.
 *
 * One `sm-arbiter` lives with one connection to one `sm-watchdog`: it ends when that closes, and what an earlier one told
 * counts no more. In order, nothing lost, as a pipe does it.
 */
import type { InterfaceRole } from '../kernel/names.ts';
import type { LifeId } from '../link/types.ts';
import type { FenceResult } from './fence.ts';
import type { HostsVote } from './hosts-vote.ts';
import type { ArbiterFact, DeathProof, PeerWord, Readiness, Wish } from './interface.ts';
import type { ShotWindow } from './shot-window.ts';

export type ToArbiter =
  | { readonly type: 'wish'; readonly wish: Wish }
  | { readonly type: 'peer'; readonly word: PeerWord; readonly productUuid: string }
  /** A frame of this kernel life arrived; told once for each life, and again after a silence. */
  | { readonly type: 'life'; readonly kernelLife: LifeId }
  /** By an operator. */
  | { readonly type: 'proof'; readonly proof: DeathProof }
  | { readonly type: 'limited'; readonly ticket: number }
  /**
   * This node withholds its renewal: `sm` is away for too long, or it leaves. The record becomes `leased` if it is our `sole`,
   * then nothing is stamped any more, so that the peer can be let in by time.
   */
  | { readonly type: 'rest'; readonly resting: boolean }
  /** `window`: in it alone the peer is shot, null = at once. `tied`: devices that an earlier audit has tied to the peer, of which this `sm-arbiter` may know nothing. */
  | {
      readonly type: 'fence';
      readonly kernelLife: LifeId;
      readonly window: ShotWindow | null;
      readonly tied: readonly string[];
    }
  /** The peer is replaced on the proof of its death: what is to be done with it afterwards may be done. */
  | { readonly type: 'replaced' }
  /** Say again what holds. */
  | { readonly type: 'retell' };

export type FromArbiter =
  | { readonly type: 'fact'; readonly fact: ArbiterFact }
  | { readonly type: 'fenced'; readonly result: FenceResult; readonly proof: DeathProof | null }
  | { readonly type: 'readiness'; readonly readiness: Readiness }
  | {
      readonly type: 'gateway';
      readonly role: InterfaceRole;
      readonly answers: boolean;
      readonly reason: string;
    }
  /** One round of the managed hosts' vote; for the manager of these hosts to say. */
  | { readonly type: 'hosts'; readonly vote: HostsVote };
