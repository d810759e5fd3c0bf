/**
 * What systemd is told (sd_notify(3)): that the node runs, that it still lives, which process is the main one, and that it
 * stops. Node has no datagram sockets of the Unix kind, so each word is said by the program systemd-notify, beside the loop.
 * Without NOTIFY_SOCKET nobody listens, and nothing is done.
 */
import { execFile } from 'node:child_process';
import type { Log, Time } from './ports.ts';

/** A systemd that does not take a word within this time is not waited for. */
const SAY_LIMIT_MS = 3000;
/** Pings within one WatchdogSec=. */
const PINGS = 3;

export interface ServiceManager {
  /** The node answers, and this process is the main one. Said once. */
  ready(): void;
  /** A round of the loop is complete. Call it often: as many words are said as systemd asks for. */
  alive(): void;
  stopping(reason: string): void;
}

export type Say = (assignments: readonly string[], done: (error: Error | null) => void) => void;

export interface ServiceManagerOptions {
  /** NOTIFY_SOCKET and WATCHDOG_USEC are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly time: Pick<Time, 'now'>;
  readonly log: Log;
  readonly say?: Say;
}

const NOBODY: ServiceManager = { ready: () => {}, alive: () => {}, stopping: () => {} };

export function hasServiceManager(environment: ServiceManagerOptions['environment']): boolean {
  return (environment.NOTIFY_SOCKET ?? '') !== '';
}

export function serviceManager(options: ServiceManagerOptions): ServiceManager {
  return hasServiceManager(options.environment) ? new Systemd(options) : NOBODY;
}

class Systemd implements ServiceManager {
  readonly #options: ServiceManagerOptions;
  /** Infinity = systemd asks for no pings. */
  readonly #pingIntervalMs: number;
  #isReady = false;
  #pinging = false;
  #pingedAt = Number.NEGATIVE_INFINITY;
  #complained = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const limitMs = Number(options.environment.WATCHDOG_USEC ?? '') / 1000;
    this.#pingIntervalMs = limitMs > 0 ? limitMs / PINGS : Number.POSITIVE_INFINITY;
  }

  ready(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    // The main process may be another than before: sm replaces a watchdog that died.
    this.#say([`MAINPID=${this.#options.pid}`, 'READY=1', 'STATUS=running']);
  }

  alive(): void {
    const now = this.#options.time.now();
    if (this.#pinging || now - this.#pingedAt < this.#pingIntervalMs) return;
    if (this.#pingIntervalMs === Number.POSITIVE_INFINITY) return;
    this.#pinging = true;
    this.#pingedAt = now;
    this.#say(['WATCHDOG=1'], () => {
      this.#pinging = false;
    });
  }

  stopping(reason: string): void {
    this.#say(['STOPPING=1', `STATUS=stopping in order: ${reason.replaceAll('\n', ' ')}`]);
  }

  #say(assignments: readonly string[], done: () => void = () => {}): void {
    (this.#options.say ?? systemdNotify)(assignments, (error) => {
      if (error !== null && !this.#complained) {
        this.#complained = true;
        this.#options.log.warn({ error: error.message }, 'systemd can not be told how the node is');
      }
      done();
    });
  }
}

/**
 * Which process is the main one from now on, told by another one: that it takes over must not look like the end of the unit.
 * Resolves in any case.
 */
export async function tellMainProcess(
  environment: ServiceManagerOptions['environment'],
  pid: number,
  say: Say = systemdNotify,
): Promise<void> {
  if (!hasServiceManager(environment)) return;
  await new Promise<void>((resolve) => say([`MAINPID=${pid}`], () => resolve()));
}

const systemdNotify: Say = (assignments, done) => {
  execFile('systemd-notify', [...assignments], { timeout: SAY_LIMIT_MS }, (error) => done(error));
};
