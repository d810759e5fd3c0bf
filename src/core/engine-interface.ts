/**
 * What goes into and comes out of the engine of `sm`: the local engine's and the cluster's events and effects together,
 * and the facts that it is started with. The loop (src/shell/loop.ts) and the simulator (src/sim) are its only callers.
 */
import type { FenceResult } from './arbiter/fence.ts';
import type { ArbiterCause, Readiness, RecordedGroup, TakeGround, Wish } from './arbiter/interface.ts';
import type { RecordMode } from './arbiter/record.ts';
import type { ShotWindow } from './arbiter/shot-window.ts';
import type { DefinitionSet } from './definitions/model.ts';
import type {
  AdministrativeState,
  AvailabilityStatus,
  Condition,
  Designation,
  DomainState,
  GroupDesiredState,
  GroupState,
  InterfaceRole,
  InterfaceState,
  NeighborState,
  OperationalState,
  ReadyState,
  ServiceAction,
  ServiceDesiredState,
  Status,
} from './kernel/names.ts';
import type { LifeId, Operation, OperationKind, Report } from './link/types.ts';
import type { HistoryEffect, LocalEffect, LocalEvent } from './service/interface.ts';

/** Services on sm-watchdog's kill list at that moment. Missing = an older one does not say. */
type Listed = readonly string[];

/** Facts that sm-watchdog tells `sm`. All times are CLOCK_MONOTONIC ms, the same clock in both processes. */
export type GuardFact =
  /** After every (re)connection, first of all. */
  | {
      readonly type: 'guard.hello';
      /** Started without a copy: whatever ran before was killed, no older permission holds (rule 10). */
      readonly fresh: boolean;
      /** It guards exclusive activity: what is held may be resumed (rule 7). */
      readonly holding: boolean;
      readonly processLife: LifeId;
      readonly kernelLife: LifeId;
      readonly deadline: number;
      readonly lost: boolean;
    }
  | {
      readonly type: 'guard.link';
      readonly role: InterfaceRole;
      readonly up: boolean;
      readonly heard: boolean;
      readonly reason: string;
    }
  /**
   * The peer is heard and echoes our life. `newKernelLife`: its earlier kernel life is proven dead (rule 7).
   */
  | {
      readonly type: 'guard.peer';
      readonly heard: true;
      readonly processLife: LifeId;
      readonly kernelLife: LifeId;
      readonly newKernelLife: boolean;
      readonly stopBoundMs: number;
    }
  /**
   * Silence for d. `since` = last receipt. `mayTake`: every link of L was up at our own end during the whole silence; told
   * again with `heard: false` when that changes.
   */
  | {
      readonly type: 'guard.peer';
      readonly heard: false;
      readonly since: number;
      readonly mayTake: boolean;
      readonly reason: string;
      readonly stopBoundMs: number;
    }
  /** Any authentic frame that breaks a silence before the peer is confirmed again. What is not listed has not begun. */
  | { readonly type: 'guard.silence-broken'; readonly listed?: Listed }
  /** A complete report of the peer, the newest one (taken only from the highest sequence, rule 2). */
  | {
      readonly type: 'guard.report';
      readonly report: Report;
      readonly version: number;
      readonly managerDownMs: number;
      readonly linkBits: number;
      readonly leaving: boolean;
    }
  | {
      readonly type: 'guard.peer-links';
      /** Of the newest report that the peer has begun to send: told with `guard.report` once it is here whole. */
      readonly reportVersion: number;
      readonly linkBits: number;
      readonly managerDownMs: number;
      readonly leaving: boolean;
    }
  /** The peer announces a take-over: it is deaf to us. Obeyed whatever its number (rule 14d). 0 = it ended. */
  | { readonly type: 'guard.announcement'; readonly number: number }
  /** Permission runs to this time now (Infinity: does not run out). */
  | {
      readonly type: 'guard.permission';
      readonly deadline: number;
      /** Until then nobody can have replaced this node: the record is known to be its own. Missing = nothing is known. */
      readonly recorded?: number;
      /**
       * It was not gone since it was told last, however long ago that is: renewals in between were not told
       * (`Engine.isMereRenewal`). Missing = every one was told.
       */
      readonly unbroken?: boolean;
      /** It is lost still; told for what it rests on, which the copy has to have. Missing = it is not. */
      readonly lost?: true;
    }
  /** Permission is lost: exclusive groups are being stopped; nothing is granted until `guard.permission` comes again. */
  | { readonly type: 'guard.lost'; readonly reason: string }
  /** Authentic frames with our own name and a foreign life (rule 8); '' = none were heard for a while. */
  | { readonly type: 'guard.duplicate'; readonly processLife: LifeId }
  /**
   * Permission is finite from now on (rule 3). Whoever keeps the copy takes the deadline as from `guard.permission`, and then
   * answers `sm.limited` with the same ticket.
   */
  | { readonly type: 'guard.limit'; readonly ticket: number; readonly deadline: number }
  /**
   * The silent peer may be replaced: its record ran out, or its death is proven. `ticket` names this grant in `sm.report`;
   * `number` is the one to lead under, 0 = any above all seen. Void with `guard.silence-broken`, and with `heard: true`.
   */
  | {
      readonly type: 'guard.granted';
      readonly ticket: number;
      readonly number: number;
      readonly ground: TakeGround;
      readonly reason: string;
    }
  /** The record goes to the peer, or is lost: what it let this node do is over, used or not. What is not listed has not begun. */
  | { readonly type: 'guard.withdrawn'; readonly listed?: Listed }
  /** What the arbiter's record says; `register` = identity of where it is kept, to be remembered. */
  | {
      readonly type: 'guard.record';
      readonly number: number;
      readonly leader: string;
      readonly mode: RecordMode;
      readonly groups: readonly RecordedGroup[];
      readonly register: string;
    }
  /** State of the record's keeper: cause null = it answers. `connected` false = there is no `sm-arbiter` at the moment. */
  | {
      readonly type: 'guard.arbiter';
      readonly connected: boolean;
      readonly cause: ArbiterCause | null;
      readonly reason: string;
      /** The record is this node's `sole`. */
      readonly sole: boolean;
      /** Time lets nobody in here: only a proof of the peer's death does. '' = it does. */
      readonly wantsProof: string;
    }
  /** The audit of one fence device (rule 16). */
  | { readonly type: 'guard.readiness'; readonly readiness: Readiness }
  | {
      readonly type: 'guard.gateway';
      readonly role: InterfaceRole;
      readonly answers: boolean;
      readonly reason: string;
    }
  /** A fencing that `guard.fence-peer` asked for is over; where it proves the death, `guard.granted` follows. */
  | { readonly type: 'guard.fenced'; readonly result: FenceResult }
  /** What was asked for by `guard.fence-peer` or `guard.confirm-dead` was not done. */
  | { readonly type: 'guard.refused'; readonly what: 'fence-peer' | 'confirm-dead'; readonly reason: string };

export type OperatorCommand =
  | {
      readonly kind: OperationKind;
      readonly node: string;
      readonly group: string;
      readonly why: string;
      readonly forMs: number;
    }
  /** The silent peer is dead: an operator has looked, or has switched it off (rule 14a). */
  | { readonly kind: 'confirm-dead'; readonly node: string; readonly why: string }
  | {
      readonly kind: 'restart' | 'restart-safe' | 'manage' | 'unmanage' | 'audit';
      readonly service: string;
      readonly why: string;
      readonly forMs: number;
    };

export type EngineEvent =
  | LocalEvent
  | GuardFact
  | {
      readonly type: 'command';
      readonly request: number;
      readonly actor: string;
      readonly wallMs: number;
      readonly command: OperatorCommand;
    }
  /** A commit failed, or works again (nothing activating goes out in between). */
  | { readonly type: 'store.failed'; readonly reason: string }
  | { readonly type: 'store.ok' }
  /** Facts about this node from outside: go-enabled, unhealthy flag and the like. */
  | { readonly type: 'node.ready'; readonly ready: boolean; readonly reason: string }
  /** Orderly stop of the node's services and of `sm` ("leaving"). */
  | { readonly type: 'shutdown'; readonly actor: string; readonly reason: string }
  /** `sm` alone ends, to be started anew by sm-watchdog: services run on. */
  | { readonly type: 'restart'; readonly actor: string; readonly reason: string };

export interface AssignmentRow {
  readonly node: string;
  readonly group: string;
  readonly desired: GroupDesiredState;
  readonly state: GroupState;
  readonly status: Status;
  readonly condition: Condition;
}

export interface NodeRow {
  readonly name: string;
  readonly administrative: AdministrativeState;
  readonly operational: OperationalState;
  readonly availability: AvailabilityStatus;
  readonly ready: ReadyState;
  readonly administrativeVersion: number;
  readonly lockedUntil: number;
  readonly lockReason: string;
}

/** A start of the kernel, or the decision of this node to end itself. */
export interface Boot {
  readonly kernelLife: LifeId;
  readonly wallMs: number;
  readonly cause: 'boot' | 'reboot';
  /** Of a reboot. */
  readonly reason: string;
}

/** The numbers of rule 5, persisted before anything is said or done with them. */
export interface GroupNumbers {
  readonly group: string;
  /** Number under which this node may run the group; 0 = none. */
  readonly held: number;
  /** Given up for ever by this node up to here. */
  readonly stopped: number;
  /** Highest number ever seen. */
  readonly max: number;
  /** The leader's record: holder ('' = nobody) and its number. */
  readonly holder: string;
  readonly holderActivation: number;
}

export type PersistEffect =
  | Extract<LocalEffect, { type: `persist.${string}` }>
  | { readonly type: 'persist.node'; readonly node: NodeRow }
  | {
      readonly type: 'persist.interface';
      readonly role: InterfaceRole;
      readonly state: InterfaceState;
      readonly reason: string;
    }
  | {
      readonly type: 'persist.domain';
      readonly state: DomainState;
      readonly designation: Designation;
      readonly leader: string;
      readonly number: number;
      readonly settled: boolean;
      readonly led: boolean;
    }
  | {
      readonly type: 'persist.neighbor';
      readonly name: string;
      readonly state: NeighborState;
      readonly designation: Designation;
      readonly kernelLife: LifeId;
    }
  | { readonly type: 'persist.assignment'; readonly assignment: AssignmentRow }
  | { readonly type: 'persist.numbers'; readonly numbers: GroupNumbers }
  | { readonly type: 'persist.operation'; readonly operation: Operation }
  | { readonly type: 'persist.boot'; readonly boot: Boot }
  /** Identity of the register in which the record was seen: an empty or another one later is a lost one. */
  | { readonly type: 'persist.register'; readonly register: string }
  /** How long the slowest verified fencing took with each device (shot-window.ts). */
  | { readonly type: 'persist.off-times'; readonly text: string }
  /** The word that this node leaves stands no more: the mark of it goes when the turn that has what came of it is stored. */
  | { readonly type: 'persist.word' }
  | {
      readonly type: 'persist.alarm';
      readonly id: string;
      readonly entity: string;
      readonly severity: 'minor' | 'major' | 'critical';
      readonly raised: boolean;
      readonly reason: string;
      readonly repair: string;
    };

export type EngineEffect =
  | LocalEffect
  | PersistEffect
  | HistoryEffect
  /** The newest report: sm-watchdog sends it until the next one. Goes out after the commit of its turn. */
  | {
      readonly type: 'guard.send';
      readonly report: Report;
      readonly version: number;
      readonly announceNumber: number;
      readonly leaving: boolean;
      /** Ticket of the grant on which this node acts; 0 = none. */
      readonly grant: number;
    }
  /** What the arbiter's record should say. Goes out after the commit of its turn, stored or not: it is no permission. The newest one replaces all before. */
  | { readonly type: 'guard.wish'; readonly wish: Wish }
  /**
   * The silent peer is to be fenced; it is shot within the window alone, null = at once. `tied`: fence devices whose readings
   * may prove its death (rule 16).
   */
  | {
      readonly type: 'guard.fence-peer';
      readonly window: ShotWindow | null;
      readonly kernelLife: LifeId;
      readonly tied: readonly string[];
    }
  /** An operator's word that the peer is dead; after the commit, which has the event with it. */
  | { readonly type: 'guard.confirm-dead'; readonly by: string }
  /** This node holds (or no longer holds) exclusive activity: sm-watchdog keeps the deadline only while it does. */
  | { readonly type: 'guard.hold'; readonly holding: boolean }
  /** The self-fence port has to end this node now: it has left in order, or the time for that is over. */
  | { readonly type: 'guard.fence'; readonly reason: string }
  /** The service is verified as not active (stopped, demoted or audited so): off the kill list. */
  | { readonly type: 'guard.verified'; readonly service: string }
  | {
      readonly type: 'reply';
      readonly request: number;
      readonly ok: boolean;
      readonly code: string;
      readonly message: string;
      readonly operation: string;
    }
  /** The orderly stop is complete. */
  | { readonly type: 'exit'; readonly reason: string }
  /** Nothing is to be said or stopped: end, without taking leave of sm-watchdog. Void where the turn is not stored. */
  | { readonly type: 'restart'; readonly reason: string };

/** What a starting engine finds in its store. */
export interface Restored {
  readonly number: number;
  readonly settled: boolean;
  /** It was the leader, and has neither followed anybody since nor given its word that it leaves. */
  readonly led: boolean;
  /** It was made as the second node of a pair, and has not been settled yet: it takes nothing over. */
  readonly joins?: boolean;
  /** Kernel life that wrote the store: another one now makes every exclusive desired state void (rule 7). */
  readonly kernelLife: LifeId;
  readonly nodes: readonly NodeRow[];
  readonly numbers: readonly GroupNumbers[];
  readonly operations: readonly Operation[];
  readonly groups: readonly { readonly group: string; readonly desired: GroupDesiredState }[];
  readonly services: readonly {
    readonly service: string;
    readonly desired: ServiceDesiredState;
    readonly managed: boolean;
    /** Wall-clock ms; 0 or missing = no end. */
    readonly managedUntil?: number;
    /** Why it is left alone. */
    readonly managedReason?: string;
  }[];
  /** Actions that started and have no end: the service's state is unknown, audit first. */
  readonly intents: readonly {
    readonly run: number;
    readonly service: string;
    readonly action: ServiceAction;
  }[];
  readonly peerKernelLife: LifeId;
  /** Register that the record was seen in; '' or missing = none. */
  readonly register?: string;
  /** Of the last `persist.off-times`; '' or missing = no fencing was verified yet. */
  readonly offTimes?: string;
  /**
   * Kernel life in which the word went out that this node leaves, of which the store may know nothing, and which stands; '' or
   * missing = none. From a mark beside the store, which is made before the word goes out and ends with `persist.word`.
   */
  readonly wordLife?: LifeId;
  /** Oldest first; the newest ones only. */
  readonly boots: readonly Boot[];
}

export interface EngineOptions {
  readonly node: string;
  readonly definitions: DefinitionSet;
  readonly kernelLife: LifeId;
  /** This node can be paused or set back from below; missing = it can not. */
  readonly virtualMachine?: boolean;
  readonly restored: Restored;
  /** What is in the way of this node at the start, until `node.ready` says otherwise; '' or missing = nothing. */
  readonly notReady?: string;
  /** Wall-clock ms at the moment of `start`: locks and operations end by the wall clock. */
  readonly startedWallMs: number;
  /** Groups that wait for the notification hooks, and for how long at most, ms. */
  readonly barriers?: ReadonlyMap<string, number>;
  /** Deliberate faults, for the simulator's self-test only: each has a checker that must catch it. */
  readonly breaks?: ReadonlySet<string>;
}
