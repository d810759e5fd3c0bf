/**
 * What goes into and comes out of the local engine: services, groups, actions and dependencies of one node.
 * The cluster part above it says which groups are wanted how; the local engine drives scripts until it is so.
 */
import type { Token } from '../cluster/token.ts';
import type {
  Condition,
  GroupDesiredState,
  GroupState,
  ServiceAction,
  ServiceDesiredState,
  ServiceState,
  Status,
} from '../kernel/names.ts';
import type { TimerEffect, TimerEvent } from '../kernel/timers.ts';
import type { HeartbeatLevel } from './heartbeat.ts';

/** How a script ended. The runner reports only when nothing of the script's tree is left (or can not be killed). */
export type RunOutcome =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  /** Exceeded timeoutMs and was killed. */
  | { readonly kind: 'timeout' }
  /** Never started: script missing, not executable, token run out, commit failed, too many... */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      /** The cause passes by itself and says nothing of the script (a failing store): tried again, not counted. */
      readonly transient?: boolean;
    }
  /**
   * A stop whose script can not be run, or has failed: instead, everything that the service had started was killed.
   * `stopped`: nothing of it is left, and it holds nothing that outlives its processes.
   */
  | { readonly kind: 'killed'; readonly stopped: boolean; readonly reason: string }
  /** Was killed because the engine asked for it (`kill`). */
  | { readonly kind: 'aborted' };

/** `actor` is who asked for it, for the history; `engine` if not given. */
export type LocalEvent =
  /** The group is wanted so. Active needs a token; a newer token replaces the older one (longer deadline). */
  | {
      readonly type: 'group.want';
      readonly group: string;
      readonly desired: 'active';
      readonly token: Token;
      readonly reason: string;
      readonly actor?: string;
    }
  | {
      readonly type: 'group.want';
      readonly group: string;
      readonly desired: 'standby' | 'disabled';
      readonly reason: string;
      readonly actor?: string;
    }
  /** Permission is gone: everything active of the group ends now, whatever its scripts say (rule 13). */
  | {
      readonly type: 'group.revoke';
      readonly group: string;
      readonly reason: string;
      readonly actor?: string;
    }
  /** Failures are forgotten, so that what is parked is tried again. `forgive`: the group forgets them too, at once. */
  | {
      readonly type: 'group.recover';
      readonly group: string;
      readonly clearFatal: boolean;
      readonly forgive: boolean;
    }
  /** The hooks have been told of this change of the group. `problem`: what went wrong with them; '' = nothing. */
  | {
      readonly type: 'group.notified';
      readonly group: string;
      readonly state: GroupState;
      readonly problem: string;
    }
  | {
      readonly type: 'run.done';
      readonly run: number;
      readonly outcome: RunOutcome;
      readonly outputTail: string;
      readonly durationMs: number;
    }
  /** A watched process is gone. */
  | { readonly type: 'process.died'; readonly service: string; readonly pid: number }
  | {
      readonly type: 'service.restart';
      readonly service: string;
      readonly safe: boolean;
      readonly reason: string;
      readonly actor?: string;
    }
  | {
      readonly type: 'service.manage';
      readonly service: string;
      readonly managed: boolean;
      /** As in persist.managed. */
      readonly until?: number;
      readonly reason: string;
      readonly actor?: string;
    }
  | { readonly type: 'service.recover'; readonly service: string }
  /** How well it answers has changed; told only while it is listened to. */
  | {
      readonly type: 'service.heartbeat';
      readonly service: string;
      readonly level: HeartbeatLevel;
      readonly missed: number;
    }
  | { readonly type: 'service.audit'; readonly service: string }
  | TimerEvent;

/** One script to run. `token` is there exactly when the action activates an exclusive group. */
export interface RunEffect {
  readonly type: 'run';
  readonly run: number;
  readonly service: string;
  readonly action: ServiceAction;
  readonly pluginType: 'lsb-script' | 'ocf-script';
  readonly pluginClass: string;
  readonly pluginName: string;
  readonly command: string;
  /** Complete: OCF_RESKEY_..., OCF_RESKEY_CRM_meta_..., made by invocation.ts. Directories and PATH are the runner's. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly token: Token | null;
  /** The service's processes are activity of an exclusive group: sm-watchdog must have it on its kill list first. */
  readonly exclusive: boolean;
  readonly pidFile: string;
  readonly kernelState: boolean;
  /** Of a stop whose script has failed: not the script, but everything that the service had started is to be ended. */
  readonly killsInstead?: true;
}

export interface HistoryEffect {
  readonly type: 'history';
  readonly entity: 'service' | 'group' | 'node' | 'interface' | 'domain' | 'operation' | 'alarm' | 'daemon';
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** The event that caused it, e.g. `enable-success`, `process-failure`. */
  readonly cause: string;
  /** `engine`, `peer`, or the operator who asked. */
  readonly actor: string;
  /** Chain of reasons, nearest first, joined with ' <- '. */
  readonly reason: string;
}

export type LocalEffect =
  | RunEffect
  /** Kill a running script with everything it started; answered by run.done `aborted`. */
  | { readonly type: 'kill'; readonly run: number; readonly reason: string }
  /** Kill everything the service ever started (processes that its scripts left running). */
  | { readonly type: 'kill.service'; readonly service: string; readonly reason: string }
  /** Watch the pid in this file (appears late, may be stale); `process.died` when it goes. null = stop watching. */
  | { readonly type: 'watch'; readonly service: string; readonly pidFile: string | null }
  /** Ask for its heartbeat, and judge the answers (`service.heartbeat`), or no longer. */
  | { readonly type: 'heartbeat'; readonly service: string; readonly on: boolean }
  | {
      readonly type: 'persist.service';
      readonly service: string;
      readonly desired: ServiceDesiredState;
      readonly state: ServiceState;
      readonly status: Status;
      readonly condition: Condition;
    }
  | {
      readonly type: 'persist.group';
      readonly group: string;
      readonly desired: GroupDesiredState;
      readonly state: GroupState;
      readonly status: Status;
      readonly condition: Condition;
    }
  | {
      readonly type: 'persist.managed';
      readonly service: string;
      readonly managed: boolean;
      readonly reason: string;
      /** Wall-clock ms at which it is managed again by itself; 0 = only by an operator. */
      readonly until: number;
    }
  /** Intent log: written before the run; `ended` after. A start without an end means "unknown: audit first". */
  | {
      readonly type: 'persist.intent';
      readonly run: number;
      readonly service: string;
      readonly action: ServiceAction;
      readonly ended: boolean;
    }
  | HistoryEffect
  | TimerEffect;

/** What the cluster part reads of a group after each step. */
export interface GroupView {
  readonly name: string;
  readonly desired: GroupDesiredState;
  readonly state: GroupState;
  readonly status: Status;
  readonly condition: Condition;
  /** Larger = healthier: complement of failed<<32 | degraded<<16 | warn, 48 bits, as a safe integer. */
  readonly health: number;
  readonly reason: string;
  /** No service of the group is, or may be, active: nothing active runs, no activating script runs. */
  readonly inactive: boolean;
  /** Activation number under which it is, or may be, active; 0 = none. */
  readonly activation: number;
  /** Gravest condition for which a member is not tried any more by itself; '' = none. Of now: nothing is held. */
  readonly parked: Condition;
  /** It shall not be active, and may be: the scripts of a member failed to stop or demote it too often. '' = not so. */
  readonly stuck: string;
}

/** A wait that an operator can see: what, since when, until when at most, and for what reason. */
export interface Wait {
  readonly entity: 'service' | 'group' | 'node' | 'domain' | 'operation';
  readonly name: string;
  readonly reason: string;
  readonly since: number;
  /** Monotonic ms, or null where only an outside change can end it. */
  readonly until: number | null;
}

export interface ServiceView {
  readonly name: string;
  readonly group: string;
  readonly desired: ServiceDesiredState;
  readonly state: ServiceState;
  readonly status: Status;
  readonly condition: Condition;
  readonly failCount: number;
  readonly managed: boolean;
  readonly running: ServiceAction | null;
  /** Why it is as it is; the tail of the last failed script's output is part of it. */
  readonly reason: string;
  readonly wait: Wait | null;
}
