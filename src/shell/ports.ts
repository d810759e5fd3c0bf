/**
 * What the loop and its performer need of the world, as small interfaces: composition roots plug the real parts in, tests
 * plug in fakes.
 */
import type { ShotWindow } from '../core/arbiter/shot-window.ts';
import type { EngineEffect, EngineEvent, GuardFact, PersistEffect } from '../core/engine-interface.ts';
import type { KillEntry } from '../core/guard/interface.ts';
import type { HistoryEffect, RunEffect } from '../core/service/interface.ts';
import type { EngineView } from '../core/view.ts';

/** The part of a pino logger that is used here. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  fatal(fields: object, message: string): void;
}

/** Time as the shell sees it. */
export interface Time {
  /** CLOCK_MONOTONIC in ms: the same clock in every process of the node. */
  now(): number;
  /** Runs `work` after the I/O that waits now. */
  defer(work: () => void): void;
  /** Runs `work` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, work: () => void): () => void;
}

/** `Engine` of the core. */
export interface EnginePort {
  start(now: number): void;
  /** `more`: another event of the same turn follows at once. */
  step(event: EngineEvent, now: number, more: boolean): void;
  isMereRenewal(fact: GuardFact, now: number): boolean;
  view(now: number): EngineView;
}

export type SavedEffect = PersistEffect | HistoryEffect;

export type CommitResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface StorePort {
  /** All or nothing, durable when it returns ok. Never throws. */
  commit(effects: readonly SavedEffect[]): CommitResult;
}

/** The mark that this node has said that it leaves, where the store may not know it. */
export interface WordPort {
  /** Called before each such word. False if the mark could not be made. */
  keep(): boolean;
}

/** Everything that touches scripts and processes. Every run ends with exactly one `run.done`. */
export interface PerformerPort {
  run(effect: RunEffect): void;
  /** Answers the run as never started. */
  refuse(effect: RunEffect, reason: string): void;
  kill(run: number, reason: string): void;
  killService(service: string, reason: string): void;
  watch(service: string, pidFile: string | null): void;
  /** Asks a service for its heartbeat, or no longer. */
  heartbeat(service: string, on: boolean): void;
}

type Effect<T extends EngineEffect['type']> = Extract<EngineEffect, { type: T }>;

/** What the engine tells sm-watchdog. */
export interface GuardPort {
  send(effect: Effect<'guard.send'>): void;
  hold(holding: boolean): void;
  verified(service: string): void;
  /** Ends this node by the self-fence port. */
  fence(reason: string): void;
  wish(wish: Effect<'guard.wish'>['wish']): void;
  fencePeer(window: ShotWindow | null, kernelLife: string, tied: readonly string[]): void;
  confirmDead(by: string): void;
  /** A turn is complete: `sm` lives. */
  pulse(): void;
  /** Takes in, and posts, what sm-watchdog has renewed without a word. */
  look(): void;
  /** It looks by itself at least once in PULSE_INTERVAL_MS, and calls `Loop.idle` then. */
  readonly looksBySelf: boolean;
  /** Lets go what waits for more to go with it; by itself that goes when the turn is over. */
  flush(): void;
}

/** The kill list of sm-watchdog, as the performer uses it. Lists are answered through the client's `onListed`. */
export interface KillListPort {
  list(run: number, entry: KillEntry, activating: boolean): void;
}

export interface RunResult {
  readonly outcome: Extract<EngineEvent, { type: 'run.done' }>['outcome'];
  readonly outputTail: string;
  readonly durationMs: number;
}

/** The script runner (exec/), reduced to what the performer asks of it. */
export interface RunnerPort {
  /** Calls `done` exactly once, when nothing of the script's tree is left or it can not be killed. */
  start(effect: RunEffect, done: (result: RunResult) => void): void;
  /** Kills a running script with its tree; its `done` then says `aborted`. */
  abort(run: number, reason: string): void;
  /** Kills everything that the service ever started. */
  killService(service: string, reason: string): void;
  watch(service: string, pidFile: string | null): void;
  killEntry(effect: RunEffect): KillEntry;
}
