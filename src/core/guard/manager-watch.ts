/**
 * Whether `sm` lives: it connects and pulses, and is started again when it ended or is stuck. One that is away for longer than
 * mainStallMsMax leaves its node without a word (docs/SAFETY.md, rule 10).
 */
import type { Timers } from '../kernel/timers.ts';
import { type GuardEffect, PULSE_INTERVAL_MS } from './interface.ts';

/** A starting `sm` may take this long to its first word. */
const START_LIMIT_MS = 10_000;
const RESTART_BACKOFF_MS = [0, 100, 200, 400, 800, 1600] as const;
/** A restart is forgotten after so much of good life, so that the next one is immediate again. */
const RESTART_MEMORY_MS = 60_000;

export interface ManagerWatchOptions {
  readonly timers: Timers;
  readonly emit: (effect: GuardEffect) => void;
  readonly mainStallMsMax: number;
  /** Nobody may replace by time a node whose `sm` is away: it is not made mute. */
  readonly neverMute: boolean;
}

export class ManagerWatch {
  readonly #options: ManagerWatchOptions;
  #connected = false;
  #lastPulseAt = 0;
  /** Since when `sm` is away; null = it lives. */
  #goneAt: number | null = 0;
  #restarts = 0;
  #mute = false;
  #forgivenAt = 0;

  constructor(options: ManagerWatchOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Away for longer than mainStallMsMax: this node is silent and has given permission up. */
  get mute(): boolean {
    return this.#mute;
  }

  awaitFrom(now: number): void {
    this.#goneAt = now;
    this.#lastPulseAt = now;
  }

  awayMs(now: number): number {
    return this.#goneAt === null ? 0 : Math.round(now - this.#goneAt);
  }

  start(kill: boolean, reason: string, now: number): void {
    this.#restarts += 1;
    this.#connected = false;
    this.#lastPulseAt = now;
    this.#options.emit({ type: 'start-sm', kill, reason });
  }

  onConnected(now: number): void {
    this.#connected = true;
    this.#lastPulseAt = now;
    this.#options.timers.clear('restart');
  }

  onGone(now: number): void {
    this.#connected = false;
    this.#goneAt ??= now;
  }

  /** At once, or after a pause that grows with the restarts. */
  startAgain(reason: string, now: number): void {
    const last = RESTART_BACKOFF_MS.length - 1;
    const backoffMs = RESTART_BACKOFF_MS[Math.min(this.#restarts - 1, last)] ?? 0;
    if (backoffMs === 0) this.start(false, reason, now);
    else this.#options.timers.set('restart', now + backoffMs);
  }

  /** True = it is back: the first pulse comes after the first turn, so `sm` has read its store and made a report. */
  onPulse(at: number): boolean {
    this.#lastPulseAt = at;
    if (this.#goneAt === null) return false;
    this.#goneAt = null;
    this.#mute = false;
    return true;
  }

  /** Looked at with every hello. True = it has been away for too long, as of now. */
  look(now: number): boolean {
    const { timers, mainStallMsMax, neverMute } = this.#options;
    const quietMs = now - this.#lastPulseAt;
    if (this.#connected && this.#goneAt === null && quietMs > 2 * PULSE_INTERVAL_MS)
      this.#goneAt = this.#lastPulseAt;
    if (this.#goneAt === null) {
      if (this.#restarts > 1 && quietMs < PULSE_INTERVAL_MS) this.#forgive(now);
      return false;
    }
    // A start takes its time on a busy machine; that it failed would be told (sm.gone).
    const limitMs = this.#connected ? mainStallMsMax / 2 : Math.max(mainStallMsMax, START_LIMIT_MS);
    if (quietMs > limitMs && (this.#connected || !timers.armed.has('restart')))
      this.start(true, `no sign of life for ${Math.round(quietMs)} ms`, now);
    if (now - this.#goneAt <= mainStallMsMax || this.#mute || neverMute) return false;
    this.#mute = true;
    return true;
  }

  #forgive(now: number): void {
    if (now - this.#forgivenAt < RESTART_MEMORY_MS) return;
    this.#forgivenAt = now;
    this.#restarts = 1;
  }
}
