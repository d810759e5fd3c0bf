/**
 * What goes into and comes out of the pure core of sm-watchdog: links, the peer's liveness, the permission deadline and
 * the kill list. Its callers are src/shell/watchdog and the simulator.
 *
 * Contract of the caller: one event at a time, `now` (CLOCK_MONOTONIC ms) never goes back; effects are carried out in
 * order and at once; after any stall the timer events come before the frames that waited in the sockets.
 */

import type { Wish } from '../arbiter/interface.ts';
import type { FromArbiter, ToArbiter } from '../arbiter/messages.ts';
import type { Regime } from '../arbiter/regime.ts';
import type { ShotWindow } from '../arbiter/shot-window.ts';
import type { DomainDefinition, InterfaceDefinition } from '../definitions/model.ts';
import type { GuardFact } from '../engine-interface.ts';
import type { InterfaceRole } from '../kernel/names.ts';
import type { TimerEffect, TimerEvent } from '../kernel/timers.ts';
import type { Frame, LifeId } from '../link/types.ts';
import type { AnnouncedTimes } from './times.ts';

export interface GuardOptions {
  readonly node: string;
  /** null = simplex: no peer, no heartbeats, permission does not run out. */
  readonly peer: string | null;
  readonly clusterId: string;
  readonly domain: DomainDefinition;
  /** What decides beside a silent peer: `regimeOf(definitions)`. Missing = by policy, no arbiter is asked. */
  readonly regime?: Regime;
  /** Fence devices that have the peer's power are configured. */
  readonly fences?: boolean;
  /** Provisioned interfaces, at most LIMITS.interfacesMax. */
  readonly interfaces: readonly Pick<InterfaceDefinition, 'role'>[];
  readonly processLife: LifeId;
  readonly kernelLife: LifeId;
  readonly productUuid: LifeId;
  /**
   * Started by a living `sm` that will hand its copy (`sm.copy`) over; otherwise the deadline counts as run out until
   * the node holds nothing any more (rule 10).
   */
  readonly copyExpected: boolean;
  /** What is known of a watchdog of this kernel life that died together with its `sm`; null = nothing. Asked when it is needed. */
  readonly inherited?: () => Remains | null;
  /** Deliberate faults, for the simulator's self-test only. */
  readonly breaks?: ReadonlySet<string>;
}

/** What is needed to kill a service without asking anybody (rule 12). Plain data; opaque to the core but for the name. */
export interface KillEntry {
  readonly service: string;
  readonly cgroup: string | null;
  readonly pidFile: string;
  readonly marker: string;
  /** Killing its processes does not undo what it holds: it must be verified as stopped, or the node fences itself. */
  readonly kernelState: boolean;
  /** Kernel ticks since boot at which the service was enabled; null = it was not. Older processes are never its own. */
  readonly enabledAt: number | null;
}

/** What the present permission rests on, for a successor that has heard nothing itself (docs/SAFETY.md, rule 3). */
export interface PermissionProof {
  /** Counted from the newest frame that the peer is known to have received: it holds whatever was lost since. */
  readonly deadline: number;
  /** L: the links on which the peer was last heard; empty = unknown. */
  readonly links: readonly InterfaceRole[];
  /** The record is this node's `sole`: permission does not run out by time. Missing = it is not. */
  readonly sole?: boolean;
  /**
   * The peer is heard and does not hear this node: it is about to announce that it takes over, and somebody here has to hear
   * that. While nobody does, only `deadline` above counts. Missing = it is not so.
   */
  readonly isDeaf?: boolean;
  /** P and S of both sides (rule 4). Missing = an older version said nothing of them. */
  readonly announced?: AnnouncedTimes;
}

/** Until when `sm` may let things run while sm-watchdog is away, or does not answer. */
export function deadlineUnheard(deadline: number, proof: PermissionProof): number {
  return proof.isDeaf === true ? Math.min(deadline, proof.deadline) : deadline;
}

/**
 * What would remain if both processes died now: kept outside of them, so that the next watchdog goes on with it as with the
 * copy of a living `sm` (docs/SAFETY.md, rule 10). Only where permission runs out by time.
 */
export interface Remains {
  readonly deadline: number;
  readonly proof: PermissionProof;
  /** Everything has to stop now, whatever the deadline says. */
  readonly lost: boolean;
  readonly entries: readonly KillEntry[];
}

export const NO_PROOF: PermissionProof = { deadline: Number.NEGATIVE_INFINITY, links: [] };

export type GuardEvent =
  /** An admitted frame: authentic, ours, not replayed. */
  | { readonly type: 'frame'; readonly role: InterfaceRole; readonly frame: Frame }
  /** An authentic frame with our own name and a foreign life (rule 8). */
  | {
      readonly type: 'duplicate';
      readonly processLife: LifeId;
      readonly kernelLife: LifeId;
      readonly productUuid: LifeId;
    }
  /** Carrier and address of our own end. */
  | { readonly type: 'link'; readonly role: InterfaceRole; readonly up: boolean; readonly reason: string }
  | TimerEvent
  /** `sm` is connected. If it has a copy, that came first, so that what is told now is already true. */
  | { readonly type: 'sm.connected' }
  /** `lost`: permission was lost and what ran under it is not yet verified as stopped. */
  | {
      readonly type: 'sm.copy';
      readonly lost?: boolean;
      readonly deadline: number;
      readonly proof: PermissionProof;
      readonly holding: boolean;
      readonly entries: readonly KillEntry[];
    }
  | { readonly type: 'sm.gone'; readonly reason: string }
  /** `sm` finished a turn; told at most every few milliseconds, and at least several times a second. */
  | {
      readonly type: 'sm.pulse';
      /** When it was, if that is earlier than it became known. */
      readonly at?: number;
    }
  /** The encoded report, already split into parts, and what goes behind it from version 2 on; missing = nothing. */
  | {
      readonly type: 'sm.report';
      readonly version: number;
      readonly parts: readonly Uint8Array[];
      readonly tail?: Uint8Array;
      readonly announceNumber: number;
      readonly leaving: boolean;
      /** Ticket of the grant (`guard.granted`) on which `sm` acts until it has exchanged with the peer; 0 or missing = none. */
      readonly grant?: number;
    }
  /** What the record should say, anew on every change. */
  | { readonly type: 'sm.wish'; readonly wish: Wish }
  /** `guard.limit` is in the copy of `sm`: its permission is finite there too. Said by who keeps the copy. */
  | { readonly type: 'sm.limited'; readonly ticket: number }
  /**
   * The silent peer is to be fenced, within the window if there is one. `kernelLife`: that which `sm` has heard of it since its own start; '' = it has not.
   * Nothing is done where the peer is heard, or neither process has heard it (rule 16), or one fencing runs already.
   */
  | {
      readonly type: 'sm.fence-peer';
      readonly window: ShotWindow | null;
      readonly kernelLife: LifeId;
      readonly tied: readonly string[];
    }
  /** An operator says that the peer is dead. Void if it is heard; serves one take-over (rule 14a). */
  | { readonly type: 'sm.confirm-dead'; readonly by: string }
  | { readonly type: 'sm.hold'; readonly holding: boolean }
  /**
   * Asked before a script of an exclusive group is spawned; answered by `listed`. `activating` = the run carries a token:
   * the service goes on the kill list first, and only where permission lives. Other runs (stops, audits) may skip the
   * question: they are always answered `ok` and list nothing.
   */
  | {
      readonly type: 'sm.list';
      readonly run: number;
      readonly entry: KillEntry;
      readonly activating: boolean;
    }
  /** This node has to end itself: a group of its has failed for good, and another node takes over. */
  | { readonly type: 'sm.fence'; readonly reason: string }
  /** The service is verified as not active: off the kill list. */
  | { readonly type: 'sm.verified'; readonly service: string }
  /** A new `sm-arbiter` is connected, before anything that it tells. */
  | { readonly type: 'arbiter.connected' }
  | { readonly type: 'arbiter.gone'; readonly reason: string }
  /** It says something. Only from the one that is connected. */
  | { readonly type: 'arbiter.told'; readonly message: FromArbiter }
  /** Result of a `kill` effect for the same services: of which of them something still lives. */
  | { readonly type: 'killed'; readonly services: readonly string[]; readonly survivors: readonly string[] };

export type GuardEffect =
  /** Sign and send this frame on this interface. */
  | { readonly type: 'send'; readonly role: InterfaceRole; readonly frame: Frame }
  | { readonly type: 'tell'; readonly fact: GuardFact }
  | { readonly type: 'listed'; readonly run: number; readonly ok: boolean; readonly reason: string }
  /** SIGSTOP/freeze, or thaw, these services. */
  | { readonly type: 'freeze'; readonly services: readonly string[]; readonly frozen: boolean }
  /**
   * Kill everything of these services but scripts that `sm` began after `lostAt`: they stop, for nothing else is begun
   * without permission. Answered by `killed`.
   */
  | {
      readonly type: 'kill';
      readonly services: readonly string[];
      readonly lostAt: number;
      readonly reason: string;
    }
  /** To `sm-arbiter`, where one is connected. In order. */
  | { readonly type: 'ask-arbiter'; readonly message: ToArbiter }
  /** The node could not be made to stop otherwise: the armed port ends it (rule 11). */
  | { readonly type: 'self-fence'; readonly reason: string }
  /** Start `sm`; `kill` first where it hangs. */
  | { readonly type: 'start-sm'; readonly kill: boolean; readonly reason: string }
  | TimerEffect;

/**
 * Keys of timers at which it counts whether our own links are up: heartbeats renew permission on those that are, silence may
 * be used, an announced take-over may act. The caller looks at the links right before.
 */
export const LINK_TIMERS: ReadonlySet<string> = new Set(['hello', 'judge', 'listing', 'announce']);

/** How often `sm` has to say that it lives. */
export const PULSE_INTERVAL_MS = 250;

export interface GuardLinkView {
  readonly role: InterfaceRole;
  readonly up: boolean;
  readonly upReason: string;
  readonly heard: boolean;
  readonly lastReceivedAt: number;
}

export interface GuardView {
  readonly links: readonly GuardLinkView[];
  readonly peerHeard: boolean;
  readonly silentSince: number | null;
  readonly deadline: number;
  readonly proof: PermissionProof;
  readonly lost: boolean;
  readonly holding: boolean;
  readonly entries: readonly string[];
  /** null = no arbiter is connected, or none is configured. */
  readonly arbiter: { readonly sole: boolean; readonly reason: string } | null;
}
