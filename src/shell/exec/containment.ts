/**
 * Keeps hold of everything that a service's scripts start: a control group per service with one below it per script,
 * where the system lets us; a marker in the environment and a record of processes seen, everywhere.
 *
 * A script enters its control group by itself, in scripts/sm-launch, before it becomes the script: node can neither
 * clone into a group nor run code between fork and exec, moving the child after the fork would lose what it has forked
 * by then, and moving `sm` itself for the moment of the fork would put `sm` where sm-watchdog kills.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RunEffect } from '../../core/service/interface.ts';
import {
  childGroups,
  isEmptyGroup,
  makeBase,
  makeGroup,
  removeGroup,
  removeGroupSlowly,
  removeOldGroups,
} from './cgroup.ts';
import { EnableRecords } from './enable-records.ts';
import {
  KILL_BOUND_MS,
  type KillEntry,
  KillHandle,
  type KillResult,
  killEntries,
  ProcessTable,
  type Spared,
} from './kill-entry.ts';
import { doubt, type NamedProcess } from './pid-belief.ts';
import { type Pid, readChildren, readStat } from './procfs.ts';
import { type LeftRecord, RunRecords } from './run-records.ts';

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, facts?: object) => void;

const OLD_GROUPS_MS = 600_000;
/** After the end of a script; a switch-over is over by then. */
const TIDY_DELAY_MS = 2000;

export interface ContainmentOptions {
  readonly node: string;
  /** Run-time directory, on a memory file system: /var/run/sm. Two nodes on one machine need two. */
  readonly run: string;
  /** `off`: marker only, also where control groups would work. */
  readonly cgroups?: 'auto' | 'off';
  readonly log?: Log;
}

/** A script that was running when an earlier `sm` ended. */
export interface Orphan {
  readonly service: string;
  readonly run: number;
  readonly pids: readonly Pid[];
}

/** What of a run is needed to keep hold of what it starts. */
export type ContainedRun = Pick<RunEffect, 'service' | 'run' | 'action' | 'pidFile' | 'kernelState'>;

const NO_DEFINITION = { pidFile: '', kernelState: false } as const;

export class Containment {
  /** Directory of this node's control groups; null = marker only. */
  readonly base: string | null;
  readonly #node: string;
  readonly #instance: string;
  readonly #life = randomBytes(4).toString('hex');
  readonly #records: RunRecords;
  readonly #log: Log;
  readonly #services = new Map<string, KillHandle>();
  readonly #runs = new Map<number, KillHandle>();
  readonly #enabled: EnableRecords;
  /** Control groups of services below which scripts have left some. */
  readonly #untidy = new Set<string>();
  /** Services whose control groups hold what a script may have started: their pid files are read when nothing hurries. */
  readonly #unread = new Set<string>();
  /**
   * By service, an empty group that a script has left: the next one enters it. Making one takes the kernel a millisecond,
   * and as long again to remove it.
   */
  readonly #spares = new Map<string, string>();
  #tidying: NodeJS.Timeout | null = null;

  constructor(options: ContainmentOptions) {
    this.#node = options.node;
    this.#log = options.log ?? (() => {});
    this.#records = new RunRecords(join(options.run, 'running'), this.#life);
    this.#instance = instanceOf(options.run);
    this.#enabled = new EnableRecords(options.run, this.#instance);
    this.base = options.cgroups === 'off' ? null : makeBase(groupsOf(options.node, this.#instance));
    if (this.base !== null) removeOldGroups(dirname(this.base), OLD_GROUPS_MS);
    else {
      this.#log(
        'info',
        'no control groups here: what services start is found by marker, pid file and descent',
      );
    }
  }

  /** What the environment of every script of the service carries; a whole line of it is the service's marker. */
  environment(service: string, run: number): Record<string, string> {
    return { SM_SERVICE: this.#serviceMark(service), SM_RUN: this.#runMark(run) };
  }

  /** The service's entry for sm-watchdog's kill list; its control group exists when this returns. */
  entry(service: string, pidFile: string, kernelState: boolean): KillEntry {
    return this.#open(service, { pidFile, kernelState }).entry;
  }

  /** The entry under which this run is going to act: from an enable on, what a pid file names has to be younger. */
  entryOf(contained: ContainedRun): KillEntry {
    const { service, run, action } = contained;
    if (action === 'enable' || (action === 'go-active' && this.#enabled.get(service) === null))
      this.#enabled.enabling(contained, run);
    return this.entry(service, contained.pidFile, contained.kernelState);
  }

  /** Null = the process that the service's pid file names is the service's, as far as can be told; else why not. */
  doubt(service: string, named: NamedProcess): string | null {
    return doubt(this.#open(service).entry, named, true);
  }

  /**
   * Before a script is spawned: makes its control group and records it as running. Returns the file through which the
   * script enters the group, or null where there are no groups.
   */
  enter(contained: ContainedRun): string | null {
    const entry = this.entryOf(contained);
    const { service, run } = contained;
    const mark = this.#runMark(run);
    const own = entry.cgroup === null ? null : this.#runGroup(entry.cgroup, mark);
    this.#runs.set(run, new KillHandle({ ...entry, cgroup: own, pidFile: '', marker: `SM_RUN=${mark}` }));
    try {
      this.#records.begin({ service, run, mark, group: own === null ? '' : basename(own) });
    } catch (error) {
      // Costs only that a crash right now leaves an orphan which the next `sm` does not recognise as one.
      this.#log('warn', 'can not record a running script in the run-time directory', {
        error: String(error),
      });
    }
    return own === null ? null : join(own, 'cgroup.procs');
  }

  /** A group below the service's in which nothing runs. */
  #runGroup(cgroup: string, mark: string): string | null {
    const spare = this.#spares.get(cgroup);
    this.#spares.delete(cgroup);
    return spare !== undefined && isEmptyGroup(spare) ? spare : makeGroup(join(cgroup, mark));
  }

  /** After the spawn. */
  started(run: number, pid: number): void {
    const stat = readStat(pid);
    const handle = this.#runs.get(run);
    if (stat === null || handle === undefined) return;
    handle.remember(stat);
    this.#services.get(handle.entry.service)?.remember(stat);
  }

  /**
   * Looks at what the running script has started, while it runs. Needed only without control groups, where a child is
   * out of sight once it has left its parent and cleared its environment. A few microseconds a process.
   */
  sample(run: number): void {
    const handle = this.#runs.get(run);
    if (handle === undefined || handle.group !== null) return;
    const service = this.#services.get(handle.entry.service);
    for (const { pid } of [...handle.seen]) {
      for (const child of readChildren(pid)) {
        const stat = readStat(child);
        if (stat === null) continue;
        handle.remember(stat);
        service?.remember(stat);
      }
    }
  }

  /** The script's handle while it runs: narrower than its service's, for time-out and abort. */
  running(run: number): KillHandle | null {
    return this.#runs.get(run) ?? null;
  }

  /**
   * After the script's end. What it left running stays under the service's entry. `began`: it may have started what its pid
   * file names, which is read: where a control group holds that, when nothing hurries, for a kill reads it anew; other scripts
   * are no reason to read it there. `disabled`: it has stopped it.
   */
  async ended(run: number, began = true, disabled = false): Promise<void> {
    const handle = this.#runs.get(run);
    if (handle === undefined) return;
    this.#runs.delete(run);
    this.#records.end(this.#runMark(run));
    handle.close();
    const { service, cgroup } = handle.entry;
    if (cgroup !== null) this.#leave(dirname(cgroup), cgroup);
    if (cgroup === null) await this.#services.get(service)?.refresh();
    else if (began) this.#readLater(service);
    if (disabled) this.#enabled.disabled(service);
  }

  /** What a script has left is empty at once, or when the last process that it started ends. */
  #leave(service: string, cgroup: string): void {
    if (!this.#spares.has(service) && isEmptyGroup(cgroup)) this.#spares.set(service, cgroup);
    else this.#tidyLater(service);
  }

  /** Everything alive that the service ever started. */
  list(service: string): Pid[] {
    const handle = this.#open(service);
    handle.rememberPidFileSync();
    return handle.find(new ProcessTable()).map(({ pid, startTime }) => ({ pid, startTime }));
  }

  /** Kills everything that the service ever started and verifies that nothing is left, within the bound. */
  async kill(service: string, boundMs = KILL_BOUND_MS, spared: Spared | null = null): Promise<KillResult> {
    const [result] = await killEntries([this.#open(service)], boundMs, spared);
    return result!;
  }

  /** Scripts that an earlier `sm` of this node left behind. Daemons that earlier scripts left running are none. */
  orphans(): Orphan[] {
    const orphans: Orphan[] = [];
    const table = new ProcessTable();
    for (const { record, handle } of this.#left()) {
      const pids = handle.find(table).map(({ pid, startTime }) => ({ pid, startTime }));
      handle.close();
      if (pids.length > 0) orphans.push({ service: record.service, run: record.run, pids });
      else this.#records.forget(record);
    }
    return orphans;
  }

  /** Kills them, and only them: services go on. */
  async killOrphans(boundMs = KILL_BOUND_MS): Promise<KillResult[]> {
    const left = this.#left();
    const results = await killEntries(
      left.map(({ handle }) => handle),
      boundMs,
    );
    for (const [index, { record, handle }] of left.entries()) {
      handle.close();
      if (results[index]!.left.length === 0) this.#records.forget(record);
    }
    return results.filter((result) => result.killed > 0);
  }

  /** Gives up the handles and removes empty control groups. Kills nothing. */
  close(): void {
    if (this.#tidying !== null) clearTimeout(this.#tidying);
    for (const handle of [...this.#services.values(), ...this.#runs.values()]) handle.close();
    this.#services.clear();
    this.#runs.clear();
    this.#records.close();
    if (this.base !== null) removeGroup(this.base);
  }

  /** A caller that only lists or kills knows no definition: the last one holds, also that of an earlier `sm`. */
  #open(service: string, definition?: Pick<KillEntry, 'pidFile' | 'kernelState'>): KillHandle {
    const known = this.#services.get(service);
    const record = this.#enabled.get(service);
    const enabledAt = record?.at ?? null;
    const { pidFile, kernelState } = definition ?? known?.entry ?? record ?? NO_DEFINITION;
    if (
      known?.entry.enabledAt === enabledAt &&
      known.entry.pidFile === pidFile &&
      known.entry.kernelState === kernelState
    )
      return known;
    const cgroup = this.base === null ? null : (known?.entry.cgroup ?? makeGroup(join(this.base, service)));
    const marker = `SM_SERVICE=${this.#serviceMark(service)}`;
    const handle = new KillHandle({ service, cgroup, pidFile, marker, kernelState, enabledAt });
    for (const pid of known?.seen ?? []) handle.remember(pid);
    known?.close();
    this.#services.set(service, handle);
    return handle;
  }

  #readLater(service: string): void {
    this.#unread.add(service);
    this.#tidySoon();
  }

  /** When nothing hurries: removing a control group takes the kernel as long as making several. */
  #tidyLater(cgroup: string): void {
    this.#untidy.add(cgroup);
    this.#tidySoon();
  }

  #tidySoon(): void {
    this.#tidying ??= setTimeout(() => void this.#tidy(), TIDY_DELAY_MS).unref();
  }

  /** Removes what scripts have left empty; the kernel refuses groups in which something runs. */
  async #tidy(): Promise<void> {
    const cgroups = [...this.#untidy];
    this.#untidy.clear();
    const unread = [...this.#unread];
    this.#unread.clear();
    // Not waited for: a pid file may lie on a disk that hangs.
    for (const service of unread) void this.#services.get(service)?.refresh();
    for (const cgroup of cgroups) {
      for (const path of await childGroups(cgroup)) {
        // A group that was just made is empty too, until its script enters it.
        const inUse = [...this.#runs.values()].some(({ entry }) => entry.cgroup === path);
        if (inUse || path === this.#spares.get(cgroup)) continue;
        if (!this.#spares.has(cgroup) && isEmptyGroup(path)) this.#spares.set(cgroup, path);
        else await removeGroupSlowly(path);
      }
    }
    this.#tidying = null;
    if (this.#untidy.size + this.#unread.size > 0) this.#tidySoon();
  }

  /** Records of scripts that are not ours, with handles of what may be left of them. */
  #left(): { record: LeftRecord; handle: KillHandle }[] {
    return this.#records.left().map((record) => {
      const { service, mark, group } = record;
      const cgroup = this.base === null || group === '' ? null : join(this.base, service, group);
      const marker = `SM_RUN=${mark}`;
      const handle = new KillHandle({ ...NO_DEFINITION, service, cgroup, marker, enabledAt: null });
      return { record, handle };
    });
  }

  #serviceMark(service: string): string {
    return `${this.#node}/${service}/${this.#instance}`;
  }

  /** Unique over restarts of `sm`, which counts its runs from the start again. */
  #runMark(run: number): string {
    return `${this.#life}-${run}`;
  }
}

/**
 * Tells two nodes of one name on one machine apart (demo, lab, tests), and is the same after a restart of `sm`: made of
 * the run-time directory and the pid namespace.
 */
function instanceOf(run: string, pidNamespace = readlinkSync('/proc/self/ns/pid')): string {
  const seed = `${realpathSync(run)} ${pidNamespace}`;
  return createHash('sha256').update(seed).digest('hex').slice(0, 8);
}

/** Below a hierarchy's mount. */
function groupsOf(node: string, instance: string): string {
  return `sm/${node}-${instance}`;
}

/**
 * Removes the empty control groups that a node leaves behind when it ends without a last word; for the lab, whose nodes
 * lose their power while the kernel goes on. `pidNamespace`: as /proc/PID/ns/pid of the node's processes named it.
 */
export function removeNodeGroups(node: string, run: string, pidNamespace: string): void {
  const base = makeBase(groupsOf(node, instanceOf(run, pidNamespace)));
  if (base !== null) removeGroup(base);
}
