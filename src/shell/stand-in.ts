/**
 * systemd starts `sm` again when the main process died, but by then the node's own repair has put another sm-watchdog in
 * its place, and services run on. This process stands in for that one: systemd has a child again whose end it sees, and whose
 * SIGTERM is handed on.
 */
import type { Log, Time } from './ports.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import type { ServiceManager } from './systemd.ts';

const LOOK_INTERVAL_MS = 1000;
/** Longest time in which a watchdog may be replaced; after it there is none any more. */
const ABSENCE_LIMIT_MS = 15_000;
/** `sm` replaces a watchdog that hangs in less than a second: after this time `sm` hangs too. */
const HANG_LIMIT_MS = 5000;

export interface StandInOptions {
  /** Who holds the lock of sm-watchdog, dead or alive; null = nobody ever did. */
  readonly holder: () => ProcessIdentity | null;
  /** How often it has waited for something (process-identity.ts); null = it is gone. */
  readonly waits: (watchdog: ProcessIdentity) => number | null;
  readonly kill: (watchdog: ProcessIdentity) => void;
  readonly signal: (pid: number) => void;
  readonly exit: (code: number) => void;
  readonly manager: ServiceManager;
  readonly time: Time;
  readonly log: Log;
}

export class StandIn {
  readonly #options: StandInOptions;
  #seenAt: number;
  /** The watchdog that was seen, how often it had waited, and when that was seen to change. */
  #seen: { readonly watchdog: ProcessIdentity; readonly waits: number | null; readonly at: number } | null =
    null;
  #stopping = false;
  #told: ProcessIdentity | null = null;

  constructor(options: StandInOptions) {
    this.#options = options;
    this.#seenAt = options.time.now();
  }

  start(): void {
    const { log, manager } = this.#options;
    log.warn({ pid: this.#watchdog()?.pid }, 'the node runs already: standing in for its sm-watchdog');
    manager.ready();
    this.#look();
  }

  /** Hands the order on; ends when the node has stopped. */
  stop(reason: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#options.manager.stopping(reason);
    this.#tell();
  }

  #look(): void {
    const { time, manager, log, exit, kill } = this.#options;
    const watchdog = this.#watchdog();
    if (watchdog !== null) {
      this.#seenAt = time.now();
      const quietMs = this.#quietMs(watchdog);
      // Its own signs of life may go to nobody: systemd did not start it.
      if (quietMs === 0) manager.alive();
      if (quietMs > HANG_LIMIT_MS) {
        log.error(
          { pid: watchdog.pid, quietMs },
          'sm-watchdog hangs, and nobody has replaced it: it is killed',
        );
        kill(watchdog);
      } else if (this.#stopping) this.#tell();
    } else if (this.#stopping) return exit(0);
    else if (time.now() - this.#seenAt > ABSENCE_LIMIT_MS) {
      log.error({}, 'there is no sm-watchdog any more: ending, to be started anew');
      return exit(1);
    }
    time.after(LOOK_INTERVAL_MS, () => this.#look());
  }

  /** How long it has not waited for anything any more. */
  #quietMs(watchdog: ProcessIdentity): number {
    const now = this.#options.time.now();
    const waits = this.#options.waits(watchdog);
    const seen = this.#seen;
    const isSame = seen?.watchdog.pid === watchdog.pid && seen.watchdog.startTime === watchdog.startTime;
    if (seen === null || !isSame || seen.waits !== waits) this.#seen = { watchdog, waits, at: now };
    return now - (this.#seen?.at ?? now);
  }

  /** Once to each: a watchdog may be replaced while it stops. */
  #tell(): void {
    const watchdog = this.#watchdog();
    if (watchdog === null) return;
    if (watchdog.pid === this.#told?.pid && watchdog.startTime === this.#told.startTime) return;
    this.#told = watchdog;
    this.#options.signal(watchdog.pid);
  }

  #watchdog(): ProcessIdentity | null {
    const holder = this.#options.holder();
    return holder !== null && isAlive(holder) ? holder : null;
  }
}
