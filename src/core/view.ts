/**
 * What a reader may know of the engine at one moment: plain data, made by `Engine.view`, shown by the tools. The text
 * projections (explain) are pure functions over it.
 */
import type { ArbiterCause, Readiness } from './arbiter/interface.ts';
import type { RecordMode } from './arbiter/record.ts';
import type { Regime } from './arbiter/regime.ts';
import type { AssignmentRow, GroupNumbers, NodeRow } from './engine-interface.ts';
import type { DomainState, InterfaceRole } from './kernel/names.ts';
import type { Operation } from './link/types.ts';
import type { GroupView, ServiceView, Wait } from './service/interface.ts';

export interface LinkView {
  readonly role: InterfaceRole;
  readonly up: boolean;
  readonly heard: boolean;
  readonly reason: string;
}

export interface PeerView {
  readonly name: string;
  readonly heard: boolean;
  /** Last receipt before a silence, monotonic ms. */
  readonly silentSince: number | null;
  readonly managerDownMs: number;
  readonly leaving: boolean;
  readonly exchanged: boolean;
  /** It said of itself, when it was heard last, that it is locked, without an end. */
  readonly lockedForGood: boolean;
}

/** The router behind an own link. */
export interface GatewayView {
  readonly role: InterfaceRole;
  readonly answers: boolean;
  /** Why not; '' = it answers. */
  readonly reason: string;
}

/** What decides beside a silent peer, and whether it could. */
export interface ArbiterView {
  readonly regime: Regime;
  /** `sm-arbiter` is there, and its record's keeper answers (`cause` null) or why it does not. */
  readonly connected: boolean;
  readonly cause: ArbiterCause | null;
  readonly reason: string;
  /** The record is this node's `sole`. */
  readonly sole: boolean;
  /** Why only a proof of the peer's death would let this node in; '' = time does. */
  readonly wantsProof: string;
  readonly recordLeader: string;
  readonly recordNumber: number;
  readonly recordMode: RecordMode | null;
  /** Fence devices of the peer, as they were audited last. */
  readonly devices: readonly Readiness[];
  /** As they were heard of last; one that was not asked yet is not there. */
  readonly gateways: readonly GatewayView[];
  /** How the last fencing ended; '' = there was none. */
  readonly lastFence: string;
}

/** `until`: wall-clock ms at which it is managed again by itself; 0 = by an operator only. */
export interface LeftAlone {
  readonly service: string;
  readonly reason: string;
  readonly until: number;
}

/** Why a group is where it is: from the plan, nearest reason first. */
export interface PlacementView {
  readonly group: string;
  readonly node: string;
  readonly wanted: string;
  readonly reasons: readonly string[];
}

export interface EngineView {
  readonly now: number;
  readonly node: string;
  readonly definitionDigest: string;
  readonly domain: {
    readonly name: string;
    readonly state: DomainState;
    readonly leader: string;
    readonly number: number;
    readonly settled: boolean;
    readonly policy: string;
  };
  readonly permission: { readonly deadline: number; readonly lost: boolean; readonly reason: string };
  readonly peer: PeerView | null;
  readonly links: readonly LinkView[];
  /** Missing from older versions. */
  readonly arbiter?: ArbiterView;
  readonly nodes: readonly NodeRow[];
  readonly assignments: readonly AssignmentRow[];
  readonly numbers: readonly GroupNumbers[];
  readonly groups: readonly GroupView[];
  readonly services: readonly ServiceView[];
  readonly placements: readonly PlacementView[];
  readonly operations: readonly Operation[];
  /** Services that are left alone by order. */
  readonly alone: readonly LeftAlone[];
  readonly waits: readonly Wait[];
  readonly alarms: readonly {
    readonly id: string;
    readonly entity: string;
    readonly severity: string;
    readonly reason: string;
    readonly repair: string;
    readonly since: number;
  }[];
}
