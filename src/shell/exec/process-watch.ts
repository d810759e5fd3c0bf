/**
 * Notices the death of the processes that services' pid files name, on a stock kernel and within 100 ms: every 85 ms
 * one read of each process's /proc/PID/stat, held open. The open file belongs to the process, not to its number, so a
 * reused pid can not be mistaken for it; a zombie says so in it; and a read costs 3 µs, where opening it anew costs ten
 * times that. (pidfd would be told by the kernel, but is not reachable from node.)
 *
 * What comes before the first sight is patient: the pid file may appear late, be empty for a moment, or be left over
 * from an earlier life of the daemon.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { NamedProcess } from './pid-belief.ts';
import { type PidFileContent, readPidFile } from './pid-file.ts';
import { isAliveStat } from './procfs.ts';

/** What is left of the 100 ms is for a timer that comes late. */
export const POLL_MS = 85;

export interface ProcessWatchOptions {
  /** Called once per watch; the watch is over then. */
  readonly onDied: (service: string, pid: number) => void;
  /** Null = what the pid file names is the service's; else why not: it is not watched then, and looked at again. */
  readonly doubt?: (service: string, named: NamedProcess) => string | null;
  readonly log?: (level: 'info' | 'warn', message: string, facts?: object) => void;
  readonly pollMs?: number;
  /** Called in each wake-up for a look: what else is about to be looked at can be, in the same one. May call `look`. */
  readonly awake?: () => void;
  /** Between two looks at a pid file that is of no use yet. */
  readonly retryMs?: number;
  /** How long a pid file may name a process that is not there before that counts as a death. */
  readonly staleMs?: number;
  /** Replaces reading the pid file and opening the process, in unit tests. */
  readonly system?: ProcessSystem;
}

export interface ProcessSystem {
  readPidFile(path: string): Promise<PidFileContent>;
  /** A look at one process; null when there is none alive with that pid. */
  open(pid: number): ProcessProbe | null;
}

export interface ProcessProbe {
  alive(): boolean;
  close(): void;
}

interface Watch {
  readonly service: string;
  readonly pidFile: string;
  pid: number;
  probe: ProcessProbe | null;
  /** First sight of a pid that is not alive: monotonic ms. */
  staleSince: number | null;
  /** The last complaint about the pid file, so that it is logged once. */
  complaint: string;
}

export class ProcessWatch {
  readonly #watches = new Map<string, Watch>();
  readonly #onDied: (service: string, pid: number) => void;
  readonly #doubt: NonNullable<ProcessWatchOptions['doubt']>;
  readonly #log: NonNullable<ProcessWatchOptions['log']>;
  readonly #pollMs: number;
  readonly #retryMs: number;
  readonly #staleMs: number;
  readonly #system: ProcessSystem;
  readonly #awake: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ProcessWatchOptions) {
    this.#onDied = options.onDied;
    this.#doubt = options.doubt ?? (() => null);
    this.#log = options.log ?? (() => {});
    this.#pollMs = options.pollMs ?? POLL_MS;
    this.#retryMs = options.retryMs ?? 250;
    this.#staleMs = options.staleMs ?? 2000;
    this.#awake = options.awake ?? (() => {});
    this.#system = options.system ?? { readPidFile, open: openProcess };
  }

  /** Replaces an earlier watch of the service; the same pid file again starts afresh. */
  watch(service: string, pidFile: string): void {
    this.unwatch(service);
    const watch: Watch = { service, pidFile, pid: 0, probe: null, staleSince: null, complaint: '' };
    this.#watches.set(service, watch);
    void this.#seek(watch);
    if (this.#timer === null) this.#lookLater();
  }

  unwatch(service: string): void {
    this.#watches.get(service)?.probe?.close();
    this.#watches.delete(service);
    if (this.#watches.size === 0) this.stop();
  }

  /** Pid under watch, or null while none was seen yet. */
  pid(service: string): number | null {
    const watch = this.#watches.get(service);
    return watch?.probe ? watch.pid : null;
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.probe?.close();
    this.#watches.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #seek(watch: Watch): Promise<void> {
    const content = await this.#system.readPidFile(watch.pidFile);
    if (this.#watches.get(watch.service) !== watch) return;
    if (content.kind === 'pid') {
      if (!this.#look(watch, content) && this.#isOverdue(watch, content.pid)) return this.#died(watch);
    } else if (content.kind === 'unusable') this.#complain(watch, content.reason);
    if (watch.probe === null) setTimeout(() => void this.#seekAgain(watch), this.#retryMs).unref();
  }

  /**
   * False = there is no such process. It is held open before it is judged, so that what was judged is what is watched. A
   * stranger says nothing of the service, neither that it lives nor that it died: that is left to its audit.
   */
  #look(watch: Watch, named: NamedProcess): boolean {
    const { pid } = named;
    const probe = this.#system.open(pid);
    if (probe === null) return false;
    const reason = this.#doubt(watch.service, named);
    if (reason === null) {
      watch.probe = probe;
      watch.pid = pid;
      return true;
    }
    probe.close();
    watch.staleSince = null;
    this.#complain(watch, `names process ${pid}, which ${reason}`);
    return true;
  }

  #complain(watch: Watch, reason: string): void {
    if (reason === watch.complaint) return;
    watch.complaint = reason;
    this.#log('warn', `pid file ${watch.pidFile} ${reason}; looking again`, { service: watch.service });
  }

  #seekAgain(watch: Watch): Promise<void> | void {
    if (this.#watches.get(watch.service) === watch) return this.#seek(watch);
  }

  /** The file names a process that is not there: a daemon that is about to write its own pid gets the time to. */
  #isOverdue(watch: Watch, pid: number): boolean {
    const now = performance.now();
    if (watch.pid !== pid || watch.staleSince === null) watch.staleSince = now;
    watch.pid = pid;
    return now - watch.staleSince >= this.#staleMs;
  }

  /** Looks now, in a wake-up for something else; the next look by itself is as far off as after any other. */
  look(): void {
    if (this.#timer === null) return;
    this.#lookLater();
    for (const watch of [...this.#watches.values()]) {
      if (watch.probe !== null && !watch.probe.alive()) this.#died(watch);
    }
  }

  #lookLater(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#awake();
      // Unless it was looked meanwhile.
      if (this.#timer === timer) this.look();
    }, this.#pollMs);
    this.#timer = timer;
  }

  #died(watch: Watch): void {
    this.unwatch(watch.service);
    this.#onDied(watch.service, watch.pid);
  }
}

const buffer = Buffer.alloc(1024);

/** Holds /proc/PID/stat open: reading it fails with ESRCH once the process has been reaped. */
function openProcess(pid: number): ProcessProbe | null {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/stat`, 'r');
  } catch {
    return null;
  }
  const alive = (): boolean => {
    try {
      return isAliveStat(buffer, readSync(fd, buffer, 0, buffer.length, 0));
    } catch {
      return false;
    }
  };
  const close = (): void => closeSync(fd);
  if (alive()) return { alive, close };
  close();
  return null;
}
