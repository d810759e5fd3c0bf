/**
 * Arbiters: what a node asks when it can not ask its peer. One language for all of them. Every answer says when it was
 * asked for, on the asker's own monotonic clock, and `unknown` is an answer: a time-out, an error, nobody there.
 * Source of the rules: docs/SAFETY.md, "Arbiters".
 */
import type { LifeId } from '../link/types.ts';
import type { RecordMode } from './record.ts';

/** Why an arbiter's answer is unknown, or why it can not be relied on. Each asks for another repair. */
export const ARBITER_CAUSES = [
  /** Nobody listens there, no route, name not known. */
  'unreachable',
  /** Name, password or certificate are wrong. */
  'auth',
  /** It listens and says no: not permitted, wrong plug, bad parameter, local file system. */
  'refused',
  /** No answer within the limit: the work may have been done, or be done later. */
  'timeout',
  /** Said done, and our own readings say otherwise; or answers what can not be. */
  'lying',
  /** Has no leader or quorum at the moment. */
  'leaderless',
  /** An answer that is not of its protocol, or content that is not ours. */
  'protocol',
] as const;
export type ArbiterCause = (typeof ARBITER_CAUSES)[number];

interface Dated {
  /** Our clock when the request went out: what the answer proves, it proves as of then. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

export type Answer<Value> =
  | (Dated & { readonly kind: 'known'; readonly value: Value })
  | (Dated & { readonly kind: 'unknown'; readonly cause: ArbiterCause; readonly detail: string });

// --- a register: etcd, or its model ----------------------------------------------------------------------------------

/** A key's content as it was seen. Compared on both: a revision may come again after a restore, a nonce never does. */
export interface Seen {
  readonly revision: string;
  readonly text: string;
}

/** `seen` null = the key must be absent. */
export interface Expectation {
  readonly key: string;
  readonly seen: Seen | null;
}

/** One transaction: if every expectation holds, everything is put; in any case all keys are read, after it. */
export interface RegisterRequest {
  readonly expect: readonly Expectation[];
  readonly put: readonly { readonly key: string; readonly text: string }[];
}

export interface RegisterReply {
  /** The expectations held and everything was put. */
  readonly committed: boolean;
  /** Identity of the register: another one after a restore from a backup. */
  readonly register: string;
  /** The keys `record` and `stamp/NODE` of both nodes; absent ones are not in it. */
  readonly entries: ReadonlyMap<string, Seen>;
}

export const RECORD_KEY = 'record';
export const stampKey = (node: string): string => `stamp/${node}`;

// --- a disk: one sector a node ---------------------------------------------------------------------------------------

/** Writes our own sector (if given), then reads the peer's: never in another order, never more than one at a time. */
export interface DiskRequest {
  readonly write: string | null;
}

export interface DiskReply {
  /** Text of the sectors; '' = never written. */
  readonly own: string;
  readonly peer: string;
}

// --- what a keeper says to whoever gives permission ------------------------------------------------------------------

export type ArbiterFact =
  /** Our renewal was recorded; it was asked for at this time, and permission ends P after it. */
  | { readonly type: 'arbiter.renewed'; readonly askedAt: number }
  /** The record is our `sole`: permission does not run out by time. */
  | { readonly type: 'arbiter.sole'; readonly number: number }
  /**
   * Permission has to be made finite now, P from here, in whoever keeps the deadline and in every copy of it; one that is
   * finite already stays as it is. Answered by `limited`; only then the peer is let in again.
   */
  | { readonly type: 'arbiter.limit'; readonly ticket: number }
  /** The record is somebody else's: whatever is held has to stop. */
  | { readonly type: 'arbiter.lost'; readonly reason: string }
  /**
   * The record is ours and the peer may be replaced. `quietSince`: no frame and no stamp of it was seen after this; a
   * later receipt, of which only the receiver of this fact may know yet, voids a grant by time or death.
   */
  | {
      readonly type: 'arbiter.granted';
      readonly number: number;
      readonly ground: TakeGround;
      readonly quietSince: number;
    }
  /**
   * What the record says, told before what follows from it. Its numbers are the highest that it shows: grants start above
   * them (rule 5).
   */
  | {
      readonly type: 'arbiter.numbers';
      readonly number: number;
      /** Who wrote it last as its leader; '' = nobody yet. */
      readonly leader: string;
      readonly mode: RecordMode;
      readonly groups: readonly RecordedGroup[];
      /** Identity of the register, to be remembered: an empty one later is then a lost one. '' = has none. */
      readonly register: string;
    }
  /**
   * Time lets nobody in: the peer is quiet, and the record is its `sole`, or can not be relied on. Only a proof of its death
   * does, or its own word. Told on every change.
   */
  | { readonly type: 'arbiter.wants-proof'; readonly wanted: boolean; readonly reason: string }
  /** Told on every change: `reason` says what is wrong and what would mend it; '' = ready. */
  | { readonly type: 'arbiter.state'; readonly cause: ArbiterCause | null; readonly reason: string };

/** What lets a survivor in: time, a proof of death, or the peer's own word (docs/SAFETY.md, rule 14). */
export const TAKE_GROUNDS = ['time', 'death', 'word'] as const;
export type TakeGround = (typeof TAKE_GROUNDS)[number];

export interface RecordedGroup {
  readonly group: string;
  /** '' = nobody. */
  readonly holder: string;
  readonly activation: number;
}

/** What the engine wants the record to say. Given anew on every change. */
export interface Wish {
  readonly leads: boolean;
  readonly number: number;
  readonly groups: readonly RecordedGroup[];
  /** What this node may run at this moment: what a renewal is for. */
  readonly holds: readonly { readonly group: string; readonly activation: number }[];
}

/** The peer as the heartbeats know it. */
export interface PeerWord {
  readonly heard: boolean;
  /** Heard both ways and its report is here. */
  readonly exchanged: boolean;
  readonly leaving: boolean;
  /** Our clock at the last receipt of a frame of it; -Infinity = none since the start. */
  readonly lastReceiptAt: number;
  /** The largest it announced. */
  readonly permissionMs: number;
  readonly stopBoundMs: number;
}

/** A proof that one kernel life of the peer has ended (rule 14a). */
export interface DeathProof {
  readonly kernelLife: LifeId;
  readonly by: string;
  /** Our clock as of which it holds: a sign of life after this voids it, however late either is told. */
  readonly at: number;
}

export type KeeperEvent<Reply> =
  | { readonly type: 'answer'; readonly request: number; readonly answer: Answer<Reply> }
  | { readonly type: 'wish'; readonly wish: Wish }
  | { readonly type: 'peer'; readonly word: PeerWord }
  | { readonly type: 'proof'; readonly proof: DeathProof }
  /** A frame of this kernel life arrived. */
  | { readonly type: 'life'; readonly kernelLife: LifeId }
  | { readonly type: 'limited'; readonly ticket: number }
  | { readonly type: 'rest'; readonly resting: boolean }
  | { readonly type: 'timer'; readonly key: string; readonly generation: number };

export type KeeperEffect<Request> =
  /** At most one is under way; the answer comes back within the limit, `unknown` if need be. */
  | { readonly type: 'ask'; readonly request: number; readonly body: Request; readonly limitMs: number }
  | { readonly type: 'fact'; readonly fact: ArbiterFact }
  | {
      readonly type: 'timer';
      readonly key: string;
      readonly generation: number;
      readonly at: number | null;
    };

export interface KeeperOptions {
  readonly node: string;
  readonly peer: string;
  /** P and S of this node. */
  readonly permissionMs: number;
  readonly stopBoundMs: number;
  readonly kernelLife: LifeId;
  /** Never used before: begins every nonce of this keeper. */
  readonly instance: string;
  /** How often our stamp is renewed. */
  readonly intervalMs: number;
  /** The longest that one request may take. */
  readonly limitMs: number;
  /** Deliberate faults, for the simulator's self-test only. */
  readonly breaks?: ReadonlySet<string>;
}

/**
 * What one audit says of whose power a fence device has. `tied`: the peer's, it read on while the peer was heard, and told
 * the peer's id if it tells one. `foreign`: another machine's. `open`: nothing; the peer was not heard, or the device not.
 */
export type DeviceTie = 'tied' | 'foreign' | 'open';

/** Whether an arbiter could be used if it were needed now, found out before it is. */
export interface Readiness {
  readonly arbiter: string;
  readonly ready: boolean;
  readonly cause: ArbiterCause | null;
  /** What is wrong and what to do; '' where it is ready. */
  readonly reason: string;
  readonly checkedAt: number;
  readonly tookMs: number;
  /** Of a fence device only. */
  readonly tie?: DeviceTie;
}
