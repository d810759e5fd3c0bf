/** What the local engine keeps of each service and group. One owner per service: state, script, timers, ticket. */
import type { Token } from '../cluster/token.ts';
import type { DependencyDefinition, GroupDefinition, ServiceDefinition } from '../definitions/model.ts';
import {
  CONDITIONS,
  type Condition,
  type GroupDesiredState,
  type GroupState,
  rank,
  type ServiceAction,
  type ServiceDesiredState,
  type ServiceState,
  type Severity,
  type Status,
  worseStatus,
} from '../kernel/names.ts';
import { CACHES } from '../kernel/state.ts';
import type { Hold } from './hold.ts';
import type { GroupView, ServiceView, Wait } from './interface.ts';

/** One started script, until everything of it is gone. */
export interface Run {
  readonly id: number;
  readonly service: ServiceRecord;
  readonly action: ServiceAction;
  /** The token it was started with, if it activates an exclusive group. */
  readonly token: Token | null;
  /** Its kill was asked for: its end is awaited, its result means nothing any more. */
  aborting: boolean;
}

/** What one source says of a service. Sources are kept apart: a good word of one never hides a bad word of another. */
export interface StatusSource {
  status: Status;
  condition: Condition;
}

/**
 * How a service is to be stopped.
 * `first`: what has to have happened before it may be enabled again: nothing, one try of the stop script, its success,
 * or proof (permission was revoked: the stop script succeeded or an audit said so).
 */
export interface Stop {
  readonly skipDependents: boolean;
  first: 'nothing' | 'try' | 'success' | 'proof';
}

export interface Link {
  readonly row: DependencyDefinition;
  readonly other: ServiceRecord;
}

/** Dependency rows of a service, both ways, resolved to records. */
export interface Links {
  /** By action: what has to be so before this service may do it. */
  readonly actions: Map<ServiceAction, Link[]>;
  /** By state: what has to be so while this service is in it. */
  readonly states: Map<ServiceState, Link[]>;
  /** Rows of others that want this service stopped before they stop or go standby. */
  readonly forcing: Link[];
  /** All services that share a row with this one: whom a change of this one can affect. */
  readonly neighbors: ServiceRecord[];
}

export type WaitKind =
  | 'run'
  | 'retry'
  | 'dependency'
  | 'permission'
  | 'notification'
  | 'ticket'
  | 'place'
  | 'recover';

export class ServiceRecord {
  static readonly [CACHES] = ['view'];
  readonly definition: ServiceDefinition;
  readonly name: string;
  readonly group: GroupRecord;
  readonly impact: Severity;
  /** Has a go-active action: enabled means standby, promoted means active. */
  readonly promotable: boolean;
  /** Has a standby mode: go-active and go-standby. Without, it is stopped where its group is standby. */
  readonly standbyCapable: boolean;
  readonly activatingAction: ServiceAction;
  readonly timerKeys: ReadonlyMap<ServiceTimer, string>;
  readonly links: Links = { actions: new Map(), states: new Map(), forcing: [], neighbors: [] };

  desired: ServiceDesiredState = 'initial';
  desiredReason = '';
  actor = 'engine';
  state: ServiceState = 'initial';
  readonly script: StatusSource = { status: '', condition: '' };
  readonly transition: StatusSource = { status: '', condition: '' };
  readonly heartbeat: StatusSource = { status: '', condition: '' };
  waiting: Status = '';
  /** Why it is as it is, and the event that made it so. */
  reason = '';
  cause = '';
  /** Why it was stopped the last time, until it is at rest again: the root of what follows. */
  because = '';
  /** Text of the last failed script, until something succeeds. */
  failure = '';
  /** What was counted as a failure last. */
  disturbance = '';

  managed = true;
  /** It is, or may be, active: only an audit or a successful stop says otherwise. */
  maybeActive = true;
  /** Its audit can be run: false when the script of the last one was missing. */
  askable = true;
  watching = false;
  /** Its heartbeat is asked for. */
  listening = false;
  /** A process death that waits for the end of the running script. */
  death: string | null = null;
  stop: Stop | null = null;
  /** A restart was asked for and its stop is not done yet. */
  restart: 'plain' | 'safe' | null = null;
  restartReason = '';
  /** Its dependents are held down until it is back (restart) or has failed for good. */
  holding = false;
  auditDue = false;
  /** What the last audit found. */
  found: ServiceState = 'unknown';

  run: Run | null = null;
  /** Runs of the present action without a report. */
  attempts = 0;
  /** Failures of this visit of the state, and since the last standing state. */
  actionFailures = 0;
  transitionFailures = 0;
  /** Failures over time. */
  failCount = 0;
  /** Failed starts in a row, and failed other scripts in a row: they set the back-off. */
  startFailures = 0;
  otherFailures = 0;
  startAfter = 0;
  otherAfter = 0;

  wait: Wait | null = null;
  waitKind: WaitKind | null = null;
  /** The wait was set anew while the engine looked at the service this time. */
  waitRenewed = false;
  /** Actions of an earlier life without a known end; over once an audit has told what is so. */
  intents: readonly { readonly run: number; readonly action: ServiceAction }[] = [];

  queued = false;
  /** Flushed to the store at the end of the step. */
  unsaved = false;
  saved: {
    readonly desired: ServiceDesiredState;
    readonly state: ServiceState;
    readonly status: Status;
    readonly condition: Condition;
  } = { desired: 'initial', state: 'initial', status: '', condition: '' };
  shown = 'initial';
  view: ServiceView | null = null;

  constructor(definition: ServiceDefinition, group: GroupRecord, impact: Severity) {
    this.definition = definition;
    this.name = definition.name;
    this.group = group;
    this.impact = impact;
    this.promotable = definition.actions.has('go-active');
    this.standbyCapable = this.promotable && definition.actions.has('go-standby');
    this.activatingAction = this.promotable ? 'go-active' : 'enable';
    this.timerKeys = new Map(SERVICE_TIMERS.map((kind) => [kind, `service/${definition.name}/${kind}`]));
  }

  get status(): Status {
    const judged = worseStatus(this.script.status, this.transition.status);
    return worseStatus(worseStatus(judged, this.heartbeat.status), this.waiting);
  }

  get condition(): Condition {
    const { script, transition } = this;
    return rank(CONDITIONS, script.condition) > rank(CONDITIONS, transition.condition)
      ? script.condition
      : transition.condition;
  }

  get fatal(): boolean {
    return this.transition.condition === 'fatal-failure';
  }

  /** Permission was revoked and its end is not proven yet. */
  get revoked(): boolean {
    return this.stop?.first === 'proof';
  }

  /** A stopped service without a standby mode counts as standby where standby is wanted. */
  get reportedState(): ServiceState {
    return this.desired === 'enabled-standby' &&
      this.state === 'disabled' &&
      this.status === '' &&
      !this.standbyCapable
      ? 'enabled-standby'
      : this.state;
  }
}

export const SERVICE_TIMERS = ['limit', 'retry', 'audit', 'countdown', 'wait'] as const;
export type ServiceTimer = (typeof SERVICE_TIMERS)[number];

/** A failure that the group remembers. `until`: Infinity while it lasts. */
export interface HeldFailure {
  readonly until: number;
  readonly condition: Condition;
}

export class GroupRecord {
  readonly definition: GroupDefinition;
  readonly name: string;
  readonly members: ServiceRecord[] = [];
  readonly timerKey: string;
  readonly holdKey: string;
  /** How long it waits for its hooks at most; 0 = it does not. */
  barrierMs = 0;
  hold: Hold | null = null;

  desired: GroupDesiredState;
  /** Somebody has said in this life how it is wanted; until then a group that needs permission is only audited. */
  wanted = false;
  desiredReason = '';
  actor = 'engine';
  token: Token | null = null;
  activation = 0;
  state: GroupState = 'initial';
  status: Status = '';
  condition: Condition = '';
  health: number;
  /** As in GroupView. */
  parked: Condition = '';
  reason = '';
  /** The event that brought it into its state. */
  cause = '';
  /** Members that are, or may be, active. */
  maybeActive = 0;
  /** By member: its last failure, as long as that is held against it. */
  readonly held: (HeldFailure | undefined)[] = [];
  /** Failures of members, none longer than LIMITS.failureForgottenMs after the one before, and the time of the last. */
  failures = 0;
  failedAt = Number.NEGATIVE_INFINITY;

  queued = false;
  /** Monotonic ms since when it is in its state. */
  since = 0;
  savedText = 'initial initial  ';
  shown = 'initial';
  view: GroupView | null = null;

  constructor(definition: GroupDefinition, desired: GroupDesiredState, health: number) {
    this.definition = definition;
    this.name = definition.name;
    this.timerKey = `group/${definition.name}/debounce`;
    this.holdKey = `group/${definition.name}/hold`;
    this.desired = desired;
    this.health = health;
  }
}
