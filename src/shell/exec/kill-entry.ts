/**
 * Finding and killing everything that a service, or one of its scripts, ever started (docs/SAFETY.md, rule 12). An
 * entry is plain data: `sm` hands it to sm-watchdog before it spawns anything, and sm-watchdog can carry it out alone.
 *
 * A process belongs to an entry when it is in the entry's control group; or was started with the entry's marker in its
 * environment; or is named by the pid file and believed to be the service's (pid-belief.ts); or was seen before as one
 * of it; or has one of those as ancestor or as leader of its session. Only the first of these can not be escaped. Without control groups a process that at once
 * clears its environment, leaves its parent and its session, and writes no pid file, is found only if it was seen in
 * between. PR_SET_CHILD_SUBREAPER, which would hand it to us, is not reachable from node.
 */
import { ControlGroup, pauseSync } from './cgroup.ts';
import { doubt } from './pid-belief.ts';
import { type PidFileContent, pidFileStamp, readPidFile, readPidFileSync } from './pid-file.ts';
import {
  type Pid,
  type ProcessStat,
  readEnvironment,
  readProcesses,
  readStat,
  signalProcess,
} from './procfs.ts';

export interface KillEntry {
  readonly service: string;
  /** Directory of the service's control group, existing already; null where there are none. */
  readonly cgroup: string | null;
  /** Empty when the service has none. */
  readonly pidFile: string;
  /** One whole line of the environment, `SM_SERVICE=...` or `SM_RUN=...`. */
  readonly marker: string;
  /** The service holds mounts, DRBD, iSCSI or exports: an empty process list proves nothing (rule 12). */
  readonly kernelState: boolean;
  /** Kernel ticks since boot at which the service was enabled; null = it was not. What a pid file names has to be younger. */
  readonly enabledAt: number | null;
}

export interface KillResult {
  readonly service: string;
  /** Different processes that were found and killed. */
  readonly killed: number;
  /** What was still alive at the bound: in uninterruptible sleep, or not ours to kill. Empty = verified gone. */
  readonly left: readonly Pid[];
  readonly durationMs: number;
}

/** All processes at one moment and, read at most once for each, the lines of their environments that are ours. */
export class ProcessTable {
  readonly processes: ReadonlyMap<number, ProcessStat> = readProcesses();
  readonly #environments = new Map<number, readonly string[]>();
  /** Processes that must never be found: ourselves and our ancestors. */
  readonly #protected = new Set<number>();

  constructor() {
    for (let pid = process.pid; pid > 1; pid = this.processes.get(pid)?.parent ?? 0) this.#protected.add(pid);
  }

  environment(process: ProcessStat): readonly string[] {
    let lines = this.#environments.get(process.pid);
    if (lines === undefined) {
      // Children of pid 2 are threads of the kernel.
      lines =
        process.parent === 2 ? [] : readEnvironment(process.pid).filter((line) => line.startsWith('SM_'));
      this.#environments.set(process.pid, lines);
    }
    return lines;
  }

  mayFind(pid: number): boolean {
    return pid > 1 && !this.#protected.has(pid);
  }
}

/** An entry with the processes seen so far. */
export class KillHandle {
  readonly entry: KillEntry;
  readonly group: ControlGroup | null;
  readonly #seen = new Map<number, Pid>();
  /** As it was read last, and the stamp that it had. */
  #pidFile: PidFileContent = { kind: 'missing' };
  #stamp: string | null = null;

  constructor(entry: KillEntry) {
    this.entry = entry;
    this.group = entry.cgroup === null ? null : new ControlGroup(entry.cgroup);
  }

  /** Makes ready for a moment when no file can be opened. */
  open(): void {
    this.group?.open();
  }

  /** Remembers a process, and with it everything below it and in the session that it leads. */
  remember(pid: Pid): void {
    this.#seen.set(pid.pid, pid);
  }

  get seen(): Iterable<Pid> {
    return this.#seen.values();
  }

  /** Reads the pid file at leisure, so that a kill needs no disk. Call it now and then while the service runs. */
  async refresh(): Promise<void> {
    const { pidFile } = this.entry;
    const stamp = pidFile === '' ? null : await pidFileStamp(pidFile);
    if (stamp === null || stamp !== this.#stamp) this.#pidFile = await readPidFile(pidFile);
    this.#stamp = stamp;
    this.#believe(this.#pidFile);
  }

  /** Everything alive that belongs to the entry. Forgets what is gone for good. */
  find(table: ProcessTable): ProcessStat[] {
    const { processes } = table;
    const found = new Map<number, ProcessStat>();
    const add = (stat: ProcessStat | undefined): void => {
      if (stat !== undefined && table.mayFind(stat.pid)) found.set(stat.pid, stat);
    };
    for (const pid of this.group?.pids() ?? []) add(processes.get(pid));
    const sessions = this.#liveSessions(processes);
    for (const stat of processes.values()) {
      if (sessions.has(stat.session) || table.environment(stat).includes(this.entry.marker)) add(stat);
      if (this.#seen.get(stat.pid)?.startTime === stat.startTime) add(stat);
    }
    // Children come to light in any order: repeat until nothing new is found.
    for (let before = -1; before !== found.size; ) {
      before = found.size;
      for (const stat of processes.values()) if (found.has(stat.parent) || found.has(stat.session)) add(stat);
    }
    return [...found.values()];
  }

  /** Looks through all of /proc only when the control group, where there is one, is empty. */
  isGone(): boolean {
    return (this.group?.members().length ?? 0) === 0 && this.find(new ProcessTable()).length === 0;
  }

  /** SIGKILL to everything found; returns it. An empty list is the proof that nothing is left. */
  strike(table: ProcessTable, spared: Spared | null): ProcessStat[] {
    const found = this.find(table).filter((stat) => !isSpared(stat, this.entry, spared));
    for (const stat of found) signalProcess(stat, 'SIGKILL');
    return found;
  }

  signal(signal: NodeJS.Signals): void {
    for (const stat of this.find(new ProcessTable())) signalProcess(stat, signal);
  }

  /** As a last resort, where there is no control group and the pid file was not read at leisure. */
  rememberPidFileSync(): void {
    if (this.group === null) this.#believe(readPidFileSync(this.entry.pidFile));
  }

  #believe(content: PidFileContent): void {
    const stat = content.kind === 'pid' ? readStat(content.pid) : null;
    if (content.kind !== 'pid' || !stat?.alive || this.#seen.get(stat.pid)?.startTime === stat.startTime)
      return;
    if (doubt(this.entry, content) === null) this.remember(stat);
  }

  close(): void {
    this.group?.close();
  }

  /** Sessions led by a process that was seen, unless its pid is another process's now. */
  #liveSessions(processes: ReadonlyMap<number, ProcessStat>): Set<number> {
    const used = new Set<number>();
    for (const stat of processes.values()) used.add(stat.session);
    const sessions = new Set<number>();
    for (const { pid, startTime } of this.#seen.values()) {
      const now = processes.get(pid);
      if ((now === undefined || now.startTime === startTime) && used.has(pid)) sessions.add(pid);
      else if (now?.startTime !== startTime) this.#seen.delete(pid);
    }
    return sessions;
  }
}

/** Bound of a kill: SIGKILL takes effect within milliseconds or, in uninterruptible sleep, perhaps never. */
export const KILL_BOUND_MS = 2000;
const PAUSE_MS = 3;

/**
 * Scripts that a kill leaves alone, for they take activity away and are no part of it: begun by `sm` since then, without
 * a token, and whatever runs below them. What they leave behind when they end is nobody's any more, and killed.
 */
export interface Spared {
  readonly sm: number;
  /** Kernel ticks since boot. */
  readonly since: number;
}

function isSpared(stat: ProcessStat, { marker }: KillEntry, spared: Spared | null): boolean {
  if (spared === null || Number(stat.startTime) < spared.since) return false;
  const script = scriptAbove(stat, spared.sm);
  // What one that is older has forked since is nobody's child once that is killed.
  if (script === null || Number(script.startTime) < spared.since) return false;
  const environment = readEnvironment(script.pid).filter(Boolean);
  // Empty: it is just being executed. Whoever relies on this look looks again.
  if (environment.length === 0) return true;
  return environment.includes(marker) && !environment.some((line) => line.startsWith('SM_ACTIVATION='));
}

/** The process itself or the one above it that `sm` has started: the others come and go, and change what they are. */
function scriptAbove(process: ProcessStat, sm: number): ProcessStat | null {
  let script: ProcessStat | null = process;
  while (script !== null && script.parent !== sm) script = script.parent > 1 ? readStat(script.parent) : null;
  return script;
}

/** The rounds of a kill, shared by the waiting and the blocking form: each call strikes once. */
class Kill {
  readonly #handles: readonly KillHandle[];
  readonly #spared: Spared | null;
  readonly #killed = new Map<KillHandle, Set<number>>();
  readonly #left = new Map<KillHandle, readonly ProcessStat[]>();
  readonly #start = performance.now();

  constructor(handles: readonly KillHandle[], spared: Spared | null) {
    this.#handles = handles;
    this.#spared = spared;
    for (const handle of handles) this.#killed.set(handle, new Set());
  }

  /**
   * True when nothing is left of any. Control groups go first, all of them: that takes microseconds, while reading all
   * of /proc for what escaped them takes milliseconds and waits until they are empty.
   */
  round(): boolean {
    let left = 0;
    for (const handle of this.#handles) {
      const found = this.#killGroup(handle);
      for (const stat of found) this.#killed.get(handle)!.add(stat.pid);
      // Whatever was frozen before: in version 1 it dies only now, and a stop script runs in a group below this one.
      handle.group?.thaw();
      this.#left.set(handle, found);
      left += found.length;
    }
    if (left > 0) return false;
    const table = new ProcessTable();
    for (const handle of this.#handles) {
      const found = handle.strike(table, this.#spared);
      for (const stat of found) this.#killed.get(handle)!.add(stat.pid);
      this.#left.set(handle, found);
      left += found.length;
    }
    return left === 0;
  }

  #killGroup({ group, entry }: KillHandle): readonly ProcessStat[] {
    if (group === null) return [];
    if (this.#spared !== null) return group.killBut((stat) => isSpared(stat, entry, this.#spared));
    const members = group.members();
    // Also where none is seen: a list has to be opened, and what kills was opened beforehand.
    group.kill();
    return members;
  }

  isOver(boundMs: number): boolean {
    return performance.now() - this.#start >= boundMs;
  }

  results(): KillResult[] {
    return this.#handles.map((handle) => ({
      service: handle.entry.service,
      killed: this.#killed.get(handle)!.size,
      left: (this.#left.get(handle) ?? []).map(({ pid, startTime }) => ({ pid, startTime })),
      durationMs: performance.now() - this.#start,
    }));
  }
}

/** Kills and waits until everything is gone or the bound is reached. For `sm`, whose loop goes on meanwhile. */
export async function killEntries(
  handles: readonly KillHandle[],
  boundMs = KILL_BOUND_MS,
  spared: Spared | null = null,
): Promise<KillResult[]> {
  for (const handle of handles) await handle.refresh();
  const kill = new Kill(handles, spared);
  while (!kill.round() && !kill.isOver(boundMs)) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return kill.results();
}

/**
 * The same, blocking and alone: no disk, no exec, no other process. Throws where /proc can not be read: then nothing is
 * verified. For sm-watchdog at its deadline. Pid files, which
 * may lie on a disk, come last, and only for entries without a control group.
 */
export function killEntriesSync(
  handles: readonly KillHandle[],
  boundMs = KILL_BOUND_MS,
  spared: Spared | null = null,
): KillResult[] {
  const kill = new Kill(handles, spared);
  let pidFilesRead = false;
  for (;;) {
    const gone = kill.round();
    if (gone && pidFilesRead) break;
    if (gone) {
      for (const handle of handles) handle.rememberPidFileSync();
      pidFilesRead = true;
      continue;
    }
    if (kill.isOver(boundMs)) break;
    pauseSync(PAUSE_MS);
  }
  return kill.results();
}

/** Stops everything where it stands, without ending it: sm-watchdog's first act after a gap (rule 10). */
export function freezeEntries(handles: readonly KillHandle[]): void {
  setFrozen(handles, 'SIGSTOP');
}

export function thawEntries(handles: readonly KillHandle[]): void {
  setFrozen(handles, 'SIGCONT');
}

function setFrozen(handles: readonly KillHandle[], signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const { group } of handles) signal === 'SIGSTOP' ? group?.freeze() : group?.thaw();
  const bare = handles.filter((handle) => handle.group === null);
  if (bare.length === 0) return;
  const table = new ProcessTable();
  for (const handle of bare) for (const stat of handle.find(table)) signalProcess(stat, signal);
}
