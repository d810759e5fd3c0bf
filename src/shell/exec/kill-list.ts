/**
 * The kill list, of sm-watchdog and of the copy that `sm` has, with its control files opened beforehand and its processes
 * seen at leisure: what is needed at the deadline is there, without disk, exec or anybody's help (docs/SAFETY.md, rule 10).
 */
import { closeSync, openSync } from 'node:fs';
import type { KillEntry } from '../../core/guard/interface.ts';
import {
  freezeEntries,
  KillHandle,
  type KillResult,
  killEntriesSync,
  type Spared,
  thawEntries,
} from './kill-entry.ts';

/**
 * Where a control group holds the service, its pid file is read in one of so many rounds: with hundreds of services that is
 * most of what an idle node does.
 */
const REFRESH_ROUNDS = 5;
/** A look opens one file after the other; killing a group below a service's needs two or three at once. */
const SPARE_DESCRIPTORS = 4;

export class KillList {
  readonly #handles = new Map<string, KillHandle>();
  /** Given back for a kill, which has to open files to see what is left, when there may be no other descriptor. */
  #spares: number[] = [];
  #round = 0;

  add(entry: KillEntry): void {
    const known = this.#handles.get(entry.service);
    if (known !== undefined && sameEntry(known.entry, entry)) return;
    const handle = new KillHandle(entry);
    handle.open();
    for (const pid of known?.seen ?? []) handle.remember(pid);
    known?.close();
    this.#handles.set(entry.service, handle);
    this.#openSpares();
  }

  remove(service: string): void {
    this.#handles.get(service)?.close();
    this.#handles.delete(service);
  }

  clear(): void {
    for (const handle of this.#handles.values()) handle.close();
    this.#handles.clear();
    this.#closeSpares();
  }

  entries(): KillEntry[] {
    return [...this.#handles.values()].map(({ entry }) => entry);
  }

  /** Looks at pid files, now and then, while nothing presses: at all those without which a process could be missed. */
  async refresh(): Promise<void> {
    this.#round = (this.#round + 1) % REFRESH_ROUNDS;
    const due = [...this.#handles.values()].filter(
      ({ group }, index) => group === null || index % REFRESH_ROUNDS === this.#round,
    );
    for (const handle of due) await handle.refresh();
  }

  setFrozen(services: readonly string[], frozen: boolean): void {
    const handles = this.#select(services);
    this.#withSpares(() => (frozen ? freezeEntries(handles) : thawEntries(handles)));
  }

  /**
   * Blocks until everything is dead, at most `boundMs`. Returns the services of which something still lives, or may: of one
   * that is not on the list nothing is known, nor of any where it could not be looked.
   */
  kill(services: readonly string[], boundMs: number, spared: Spared | null = null): string[] {
    const handles = this.#select(services);
    let results: KillResult[] = [];
    try {
      results = this.#withSpares(() => killEntriesSync(handles, boundMs, spared));
    } catch {
      // Whoever asks for the kill asks again, and in the end for the self-fence.
    }
    const gone = new Set(results.filter(({ left }) => left.length === 0).map(({ service }) => service));
    return services.filter((service) => !gone.has(service));
  }

  #withSpares<T>(work: () => T): T {
    this.#closeSpares();
    try {
      return work();
    } finally {
      this.#openSpares();
    }
  }

  #openSpares(): void {
    try {
      while (this.#spares.length < SPARE_DESCRIPTORS) this.#spares.push(openSync('/dev/null', 'r'));
    } catch {
      // As many as there are.
    }
  }

  #closeSpares(): void {
    for (const descriptor of this.#spares) closeSync(descriptor);
    this.#spares = [];
  }

  #select(services: readonly string[]): KillHandle[] {
    return services.flatMap((service) => this.#handles.get(service) ?? []);
  }
}

function sameEntry(a: KillEntry, b: KillEntry): boolean {
  return (
    a.cgroup === b.cgroup &&
    a.pidFile === b.pidFile &&
    a.marker === b.marker &&
    a.kernelState === b.kernelState &&
    a.enabledAt === b.enabledAt
  );
}
