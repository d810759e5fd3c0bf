/**
 * What travels between the two nodes. Bytes are made and read by frame.ts (header) and report.ts (body) only.
 * Source: docs/reference/wire.md.
 *
 * The protocol is level-triggered: every node tells its whole state, again and again; there are no requests, answers or
 * retries. A heartbeat carries the header alone; when the report changed (and once a second anyway) its parts follow.
 */
import type {
  AdministrativeState,
  AvailabilityStatus,
  Condition,
  DomainState,
  GroupDesiredState,
  GroupState,
  InterfaceRole,
  OperationalState,
  ReadyState,
  Status,
} from '../kernel/names.ts';

/**
 * Versions of the frame and of the report in it that this program speaks. 2: a report may go on with fields that the
 * receiver does not know. Rules for a next one: docs/reference/wire.md, "Versions".
 */
export const PROTOCOL_VERSION = 2;
export const PROTOCOL_VERSION_MIN = 1;

/** 16 bytes as 32 hex digits. */
export type LifeId = string;

export interface FrameHeader {
  /** Of this frame. */
  readonly version: number;
  /** What its sender speaks. */
  readonly versionMin: number;
  readonly versionMax: number;
  /** Derived from the domain name: frames of other clusters are dropped early. 8 bytes, hex. */
  readonly clusterId: string;
  readonly sender: string;
  readonly receiver: string;
  readonly interfaceRole: InterfaceRole;
  /** First 4 bytes of the SHA-512 of the key, hex: which of two live keys signs. */
  readonly keyId: string;
  /** Random per start of the sender's sm-watchdog. */
  readonly processLife: LifeId;
  /** Kernel boot id. */
  readonly kernelLife: LifeId;
  readonly productUuid: LifeId;
  /** The peer's process life as last confirmed by us; 32 zeros = none heard. */
  readonly echoLife: LifeId;
  /** Highest sequence received from that life, on any link. */
  readonly echoSequence: number;
  /** Rises with every send moment; the copies on the three links carry the same number. */
  readonly sequence: number;
  /** P and S in force at the sender; they only ever grow while a permission lives (rule 4). */
  readonly permissionMs: number;
  readonly stopBoundMs: number;
  /** How long the sender's `sm` has been away; 0 = it lives. */
  readonly managerDownMs: number;
  /** Bit i: link i of the sender is up at its own end / bit i+4: fresh echoes arrive on it. Order of INTERFACE_ROLES. */
  readonly linkBits: number;
  /** Version of the sender's newest report; 0 = none yet. */
  readonly reportVersion: number;
  /** The sender announces that it takes over (rule 14d) with this number; 0 = no announcement. */
  readonly announceNumber: number;
  /** The sender stops, for good or while its store fails: its signed word that nothing of it is active (rule 14c). */
  readonly leaving: boolean;
}

/** `part`/`parts` describe the fragment of the report `header.reportVersion` in `body`; a heartbeat has parts 0. */
export interface Frame {
  readonly header: FrameHeader;
  readonly part: number;
  readonly parts: number;
  readonly body: Uint8Array;
}

/** Why a datagram was dropped; each is a counter. */
export const DROP_CAUSES = [
  'truncated',
  'oversized',
  'magic',
  'version',
  'malformed',
  'other-cluster',
  'unknown-key',
  'bad-signature',
  'unsigned',
  'own-reflected',
  'wrong-sender',
  'wrong-receiver',
  'wrong-interface',
  'wrong-source',
  'replayed',
] as const;
export type DropCause = (typeof DROP_CAUSES)[number];

/** One group in a report: what its sender runs, and, if the sender leads, what it wants. */
export interface GroupReport {
  readonly name: string;
  readonly state: GroupState;
  readonly desired: GroupDesiredState;
  readonly status: Status;
  readonly condition: Condition;
  readonly health: number;
  /** Activation number under which the sender runs the group, whatever its store says; 0 = it runs nothing of it. */
  readonly runs: number;
  /** Verified: nothing of the group is, or may be, active at the sender. */
  readonly inactive: boolean;
  /** Every activation number up to this one was given up for ever by the sender (`stopped(g, k)`). */
  readonly stopped: number;
  /** Highest activation number that the sender has ever seen for the group. */
  readonly activationMax: number;
  /** Leader only: who holds the group ('' = nobody) and under which number. */
  readonly holder: string;
  readonly holderActivation: number;
  /** Leader only: what the receiver shall do with it; `initial` = no order. */
  readonly order: GroupDesiredState;
  readonly reason: string;
}

export const OPERATION_KINDS = ['swact', 'swact-force', 'lock', 'unlock', 'recover'] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export const OPERATION_STEPS = [
  'requested',
  'accepted',
  'stopping',
  'stopped',
  'activating',
  'done',
  'failed-back',
  'timed-out',
  'refused',
] as const;
export type OperationStep = (typeof OPERATION_STEPS)[number];

/** A persisted operation (rule 19); resumed or failed back by whoever leads next. */
export interface Operation {
  /** Unique: `<node>-<life prefix>-<counter>`. */
  readonly id: string;
  readonly kind: OperationKind;
  /** Node that loses its groups (swact, lock), or is unlocked or recovered. */
  readonly node: string;
  /** Group for a recover; '' = all. */
  readonly group: string;
  readonly step: OperationStep;
  readonly actor: string;
  readonly why: string;
  /** The reason of a refusal, a fail-back or a time-out. */
  readonly reason: string;
  /** Wall-clock ms of the request (in a copy, of its first sight there), and the longest time to its end; of a lock: how long it lasts, 0 = until an unlock. */
  readonly requestedAt: number;
  readonly limitMs: number;
}

export interface NodeReport {
  readonly name: string;
  readonly administrative: AdministrativeState;
  readonly operational: OperationalState;
  readonly availability: AvailabilityStatus;
  readonly ready: ReadyState;
  /** Version of the administrative state: the greater one is the newer one. */
  readonly administrativeVersion: number;
  /** Wall-clock ms, by the clock of who set it last, at which a lock with `--for` ends; 0 = never. */
  readonly lockedUntil: number;
  readonly lockReason: string;
}

export interface Report {
  readonly definitionDigest: string;
  /** `other`: it ends (`saysItEnds`). */
  readonly domainState: DomainState;
  readonly leader: string;
  /** Leadership number. */
  readonly number: number;
  /** Exchanged with a peer, or has led, since this kernel life began (rule 7). */
  readonly settled: boolean;
  /** Both nodes' records as the sender knows them. */
  readonly nodes: readonly NodeReport[];
  readonly groups: readonly GroupReport[];
  readonly operations: readonly Operation[];
  /** The reported version of the peer's report that this one was made with. */
  readonly basedOn: number;
  /** How long the shots of the sender at the receiver take at most from their begin; missing = not told (version 1). */
  readonly shotsMs?: number;
}

/**
 * With the word that it leaves: it ends, and its `sm` begins nothing any more, whatever comes. Whose store fails leaves only
 * until the store works again.
 */
export function saysItEnds({ domainState }: Pick<Report, 'domainState'>): boolean {
  return domainState === 'other';
}
