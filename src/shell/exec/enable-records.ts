/**
 * When each service was enabled last, in the kernel's own ticks, kept in the run-time directory: so that a restarted `sm`,
 * and a watchdog that was handed nothing, can still tell what its scripts started from what was there before them.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ticksNow } from './procfs.ts';

export interface EnableRecord {
  /** Ticks since boot, as start times in /proc/PID/stat are. */
  readonly at: number;
  readonly pidFile: string;
  readonly kernelState: boolean;
}

type Definition = Omit<EnableRecord, 'at'> & { readonly service: string };

export class EnableRecords {
  readonly #directory: string;
  /** Ticks are those of one kernel life, and the directory may lie on a disk that survives it. */
  readonly #kernel: string;
  readonly #records = new Map<string, EnableRecord | null>();
  /** The run that enabled the service last: it is announced to sm-watchdog first and carried out afterwards. */
  readonly #runs = new Map<string, number>();

  /** `instance` tells nodes of one machine apart, and with them their pid namespaces. */
  constructor(run: string, instance: string) {
    this.#directory = join(run, 'enabled');
    this.#kernel = `${instance} ${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}`;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** Null = this node has not enabled it since the kernel started, or has stopped it since. */
  get(service: string): EnableRecord | null {
    let record = this.#records.get(service);
    if (record === undefined) {
      record = this.#read(service);
      this.#records.set(service, record);
    }
    return record;
  }

  /** Before the script runs. */
  enabling({ service, pidFile, kernelState }: Definition, run: number): void {
    if (this.#runs.get(service) === run) return;
    this.#runs.set(service, run);
    const record = { at: ticksNow(), pidFile, kernelState };
    this.#records.set(service, record);
    try {
      const text = JSON.stringify({ kernel: this.#kernel, ...record });
      writeFileSync(join(this.#directory, service), text, { mode: 0o600 });
    } catch {
      // Costs only that the next `sm` knows of no enabling; the full directory is told with the record of the run.
    }
  }

  /** It was stopped by its script: a pid file that is left says nothing any more. */
  disabled(service: string): void {
    if (this.get(service) === null) return;
    this.#records.set(service, null);
    this.#runs.delete(service);
    rmSync(join(this.#directory, service), { force: true });
  }

  #read(service: string): EnableRecord | null {
    try {
      const text = readFileSync(join(this.#directory, service), 'utf8');
      const { kernel, at, pidFile, kernelState } = JSON.parse(text) as EnableRecord & { kernel: string };
      return kernel === this.#kernel && Number.isSafeInteger(at) ? { at, pidFile, kernelState } : null;
    } catch {
      return null;
    }
  }
}
