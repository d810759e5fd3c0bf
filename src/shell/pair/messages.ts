/** What `sm` and `sm-watchdog` say to each other. */
import type { GuardFact } from '../../core/engine-interface.ts';
import type { GuardEvent, GuardView, KillEntry, PermissionProof } from '../../core/guard/interface.ts';
import type { PeerLives } from '../../core/link/replay.ts';
import type { LifeId } from '../../core/link/types.ts';
import type { Config } from '../config.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import type { Wire } from '../watchdog/wire.ts';

/** What one process must know to go on with the other's work. */
export interface Copy {
  readonly deadline: number;
  /** Missing from an older version, as is `lives`. */
  readonly proof?: PermissionProof;
  /** Permission was lost, and what ran under it is not yet verified as stopped. */
  readonly lost: boolean;
  readonly holding: boolean;
  readonly entries: readonly KillEntry[];
  readonly lives?: KnownLives;
}

/** Whose frames a new watchdog shall not take for news: they may have been recorded (docs/SAFETY.md, rule 14d). */
export interface KnownLives {
  /** Of sm-watchdog on this node, the latest last. */
  readonly own: readonly LifeId[];
  readonly peer: PeerLives;
}

export const NO_LIVES: KnownLives = { own: [], peer: { ended: [], current: null } };

export interface WatchdogStatus {
  readonly guard: GuardView;
  readonly processLife: string;
  readonly pid: number;
  /** Installation and plan that it was started from. */
  readonly basis: string;
  /** Why a link is not heard although datagrams arrive, by role. */
  readonly silence: Readonly<Record<string, string>>;
  readonly counters: ReturnType<Wire['counters']> | null;
  readonly smStarts: number;
  /** 0 = there is no arbiter to ask. */
  readonly arbiterStarts: number;
  readonly stepMsMax: number;
}

type SmEvent = Extract<GuardEvent, { type: `sm.${string}` }>;
/** Events that are handed over as they are. */
export type PlainSmEvent = Exclude<SmEvent, { type: 'sm.connected' | 'sm.copy' | 'sm.gone' | 'sm.report' }>;

/**
 * At the start of a node, before the two have channels: `sm`, which is started first, reads configuration and database while
 * sm-watchdog loads, and waits where it must not go on alone.
 */
export type FirstFromSm =
  /** Waits for `go`. */
  | { readonly type: 'config'; readonly config: Config }
  /** The definitions are checked, and what the watchdog has to know of them is in this file. Waits for `life`. */
  | { readonly type: 'plan'; readonly path: string };

/** This node is run by nobody else: the database may be opened. */
export type FirstFromWatchdog = { readonly type: 'go' };

/** The other one's page is open here: from now on what stands on it need not be said. */
export type PageIsRead = { readonly type: 'page' };

/** What stands on the page of sm-watchdog: its deadline, that of its proof, and when it was written. CLOCK_MONOTONIC, ms. */
export const RENEWAL_NUMBERS = 3;
/** On that of `sm`: when it was written. */
export const PULSE_NUMBERS = 1;

export type FromSm =
  /** From one that was started with a watchdog that waits for none of it: it goes on from what remains of a life before. */
  | FirstFromSm
  /** First of all. `copy`: to a watchdog that this `sm` started. */
  | {
      readonly type: 'life';
      readonly process: ProcessIdentity;
      readonly copy: Copy | null;
      /** Path of the page on which it can write its pulse; missing = it has none. */
      readonly page?: string;
    }
  | PageIsRead
  | { readonly type: 'event'; readonly event: PlainSmEvent }
  | {
      readonly type: 'report';
      readonly version: number;
      /** base64 */
      readonly parts: readonly string[];
      readonly tail: string;
      readonly announceNumber: number;
      readonly leaving: boolean;
      readonly grant: number;
    }
  | { readonly type: 'ping'; readonly number: number }
  | { readonly type: 'status'; readonly number: number }
  /** The orderly stop is complete: do not start `sm` again, and end too. */
  | { readonly type: 'bye' };

export type FromWatchdog =
  /** From a spare, before anybody has spoken to it: it has loaded everything and waits. */
  | { readonly type: 'ready' }
  /**
   * First of all, with what a new `sm` must know to be able to restart the watchdog. Between two versions of `sm` this
   * message stays as it is: by it a new one takes over from an old one.
   */
  | {
      readonly type: 'life';
      readonly process: ProcessIdentity;
      readonly basis: string;
      readonly copy: Copy;
      /** Path of the page on which it can write its renewals; missing = it has none. */
      readonly page?: string;
    }
  | PageIsRead
  /** `proof`: with every permission. */
  | { readonly type: 'fact'; readonly fact: GuardFact; readonly proof?: PermissionProof }
  /** To an `sm` that had none: what has remained, and is guarded from now on. Before `guard.hello`. */
  | { readonly type: 'copy'; readonly copy: Copy }
  /** Belongs into the copy from now on. */
  | { readonly type: 'lives'; readonly lives: KnownLives }
  | { readonly type: 'listed'; readonly run: number; readonly ok: boolean; readonly reason: string }
  | { readonly type: 'pong'; readonly number: number }
  | { readonly type: 'status'; readonly number: number; readonly status: WatchdogStatus }
  /** The watchdog was asked to end in order. */
  | { readonly type: 'stop'; readonly reason: string };
