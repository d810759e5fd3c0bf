/**
 * What ends when permission is lost, whoever else is alive: grace for scripts, then kill and verify, then the self-fence, all
 * within S (docs/SAFETY.md, rules 12 and 13). It owns the kill list.
 */
import type { Timers } from '../kernel/timers.ts';
import type { GuardEffect, KillEntry } from './interface.ts';
import type { OwnTimes } from './times.ts';

const KILL_REPEAT_MS = 20;
/** Of the time that S leaves for the self-fence. */
const LAST_WORD_MS = 2;
/** After the stop bound, while sm has not yet verified everything. */
const LOOK_AGAIN_MS = 1000;

export interface Grace {
  /** For the scripts of an `sm` that lives; 0 = nobody runs any: killed at once. */
  readonly scriptsMs: number;
  /** Before the time of a kill counts. */
  readonly fenceMs: number;
}

export class ForcedStop {
  readonly #timers: Timers;
  readonly #emit: (effect: GuardEffect) => void;
  readonly #own: () => OwnTimes;
  readonly #entries = new Map<string, KillEntry>();
  /** Of what was listed when permission was lost, that of which the last look did not show that nothing is left. */
  readonly #doubted = new Set<string>();
  #lostAt: number | null = null;

  /** `own`: what the node lives by at that time. */
  constructor(timers: Timers, emit: (effect: GuardEffect) => void, own: () => OwnTimes) {
    this.#timers = timers;
    this.#emit = emit;
    this.#own = own;
  }

  /** Permission was lost while holding, and something of it is held yet. */
  get isDue(): boolean {
    return this.#lostAt !== null;
  }

  get services(): string[] {
    return [...this.#entries.keys()];
  }

  get entries(): KillEntry[] {
    return [...this.#entries.values()];
  }

  list(entry: KillEntry): void {
    this.#entries.set(entry.service, entry);
  }

  verified(service: string): void {
    this.#entries.delete(service);
    this.#doubted.delete(service);
  }

  begin(reason: string, grace: Grace, now: number): void {
    this.#lostAt = now;
    for (const service of this.#entries.keys()) this.#doubted.add(service);
    this.#timers.set('fence', now + grace.fenceMs + this.#own().killVerifyMs);
    if (grace.scriptsMs > 0) this.#timers.set('kill', now + grace.scriptsMs);
    else this.kill(reason);
  }

  kill(reason: string): void {
    const { services } = this;
    if (services.length === 0 || this.#lostAt === null) return;
    this.#emit({ type: 'kill', services, lostAt: this.#lostAt, reason });
  }

  /**
   * Nobody left at one look is no proof for the next: a process that slipped away, or one that something else than sm
   * starts again. So the list is kept, and looked at again until sm has verified that everything is stopped.
   */
  killed(services: readonly string[], survivors: readonly string[], now: number): void {
    if (this.#lostAt === null) return;
    for (const service of services) {
      const entry = this.#entries.get(service);
      if (entry === undefined) continue;
      if (survivors.includes(service) || entry.kernelState) this.#doubted.add(service);
      else this.#doubted.delete(service);
    }
    const { killVerifyMs } = this.#own();
    const fenceArmed = this.#timers.armed.has('fence');
    // What comes back later has the time of a kill, and no more.
    if (survivors.length > 0 && !fenceArmed) this.#timers.set('fence', now + killVerifyMs);
    const pauseMs = survivors.length > 0 ? KILL_REPEAT_MS : fenceArmed ? killVerifyMs / 2 : LOOK_AGAIN_MS;
    this.#timers.set('kill', now + pauseMs);
  }

  /** What `sm` has verified meanwhile waits in the pipe perhaps, behind a kill that was blocking: it is read first. */
  hearLastWord(now: number): void {
    if (this.#lostAt !== null && this.#doubted.size > 0) this.#timers.set('last-word', now + LAST_WORD_MS);
  }

  fence(): void {
    if (this.#lostAt === null || this.#doubted.size === 0) return;
    const services = [...this.#doubted].join(', ');
    this.#emit({ type: 'self-fence', reason: `not verified as stopped within the stop bound: ${services}` });
  }

  /** Nothing is held any more. */
  end(): void {
    this.#timers.clear('kill');
    this.#timers.clear('fence');
    this.#timers.clear('last-word');
    this.#entries.clear();
    this.#doubted.clear();
    this.#lostAt = null;
  }
}
