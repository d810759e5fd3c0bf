/**
 * Control groups: the one way to find everything that a service ever started, whatever it did to its session, its
 * parent or its environment. Version 2 kills a whole tree in one write (`cgroup.kill`, Linux 5.14); older ones are
 * frozen first, so that nothing can fork while the list of processes is being killed. No controller is used, so
 * nothing is accounted or limited and any directory may hold processes. Source: Documentation/admin-guide/cgroup-v2.
 */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProcessStat, readStat, signalProcess } from './procfs.ts';

/** Where the hierarchies are mounted: version 2 alone, version 2 beside 1, version 1. */
const MOUNTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/freezer'] as const;
/** Longest wait for a version 1 group to report FROZEN; a process in uninterruptible sleep may never. */
const FREEZE_MS_MAX = 20;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Waits without giving other events a turn: only for killing, where nothing else may come first. */
export function pauseSync(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

/** Makes `directory` below the first hierarchy that we may write to and that can kill; null when there is none. */
export function makeBase(directory: string, mounts: readonly string[] = MOUNTS): string | null {
  for (const mount of mounts) {
    // Without this file the mount point is a plain directory (version 1 has a tmpfs there), not a hierarchy.
    if (!existsSync(join(mount, 'cgroup.procs'))) continue;
    const base = join(mount, directory);
    try {
      mkdirSync(base, { recursive: true });
    } catch {
      continue;
    }
    if (['cgroup.kill', 'cgroup.freeze', 'freezer.state'].some((file) => existsSync(join(base, file))))
      return base;
    removeGroup(base);
  }
  return null;
}

/** Makes a group; null when the system refuses: then its processes are found by their marker. */
export function makeGroup(path: string): string | null {
  try {
    mkdirSync(path, { recursive: true });
    return path;
  } catch {
    return null;
  }
}

/** Removes a group and those below it as far as they are empty of processes; the kernel refuses the others. */
export function removeGroup(path: string): void {
  for (const child of children(path)) removeGroup(child);
  try {
    rmdirSync(path);
  } catch {
    // Still in use, or gone already.
  }
}

/** The same without ever holding up the event loop. */
export async function removeGroupSlowly(path: string): Promise<void> {
  for (const child of await childGroups(path)) await removeGroupSlowly(child);
  await rmdir(path).catch(() => {});
}

/** Paths of the groups right below one; none where there is no such group. */
export async function childGroups(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}

/**
 * Removes what is empty below `path` and older than `ageMs`: groups of nodes that lost their power in a lab or a demo,
 * which nobody else tidies up. The age spares one that is just about to be entered.
 */
export function removeOldGroups(path: string, ageMs: number): void {
  for (const child of children(path)) {
    try {
      if (Date.now() - statSync(child).ctimeMs > ageMs) removeGroup(child);
    } catch {
      // Gone meanwhile.
    }
  }
}

function children(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
}

/**
 * True where nothing runs in the group or below it, and nothing has made groups below it. Not there, or not to be looked at =
 * not empty.
 */
export function isEmptyGroup(path: string): boolean {
  try {
    // The directory itself, and each one in it, is a link more than one.
    return statSync(path).nlink === 2 && readFileSync(join(path, 'cgroup.procs'), 'latin1') === '';
  } catch {
    return false;
  }
}

/** Opened beforehand or at first use; opened again when the group was removed and made anew meanwhile. */
class ControlFile {
  readonly #path: string;
  #fd: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** False = there is no such file. */
  open(): boolean {
    return this.#fd !== null || this.#open();
  }

  write(text: string): boolean {
    return this.#tryWrite(text) || (this.#open() && this.#tryWrite(text));
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    // The number may be another file's from now on.
    this.#fd = null;
  }

  #open(): boolean {
    this.close();
    try {
      this.#fd = openSync(this.#path, constants.O_WRONLY);
      return true;
    } catch {
      return false;
    }
  }

  #tryWrite(text: string): boolean {
    if (this.#fd === null) return false;
    try {
      writeSync(this.#fd, text, 0);
      return true;
    } catch {
      return false;
    }
  }
}

/** One group. A group that does not exist is an empty one. */
export class ControlGroup {
  readonly path: string;
  readonly #kill: ControlFile;
  #freezer: { readonly version: 1 | 2; readonly file: ControlFile } | null = null;

  constructor(path: string) {
    this.path = path;
    this.#kill = new ControlFile(join(path, 'cgroup.kill'));
  }

  /** Opens the control files now, for a time when that might not be possible. */
  open(): void {
    this.#kill.open();
    this.#freeze.file.open();
  }

  get #freeze() {
    if (this.#freezer === null) {
      const state = new ControlFile(join(this.path, 'freezer.state'));
      this.#freezer = state.open()
        ? { version: 1, file: state }
        : { version: 2, file: new ControlFile(join(this.path, 'cgroup.freeze')) };
    }
    return this.#freezer;
  }

  /** Processes of the group and of all groups below it, as our pid namespace numbers them. */
  pids(): number[] {
    return [this.path, ...descendants(this.path)].flatMap(pidsIn);
  }

  /** Those of them that are alive: version 1 lists zombies too. */
  members(): ProcessStat[] {
    return living(this.pids());
  }

  /**
   * SIGKILL to all but those that may stay, and returns whom it met. Each group below is killed by itself: a script enters
   * one that is empty or its own, so that one which is just entering is never in a group that is killed as a whole.
   */
  killBut(mayStay: (stat: ProcessStat) => boolean): ProcessStat[] {
    return [this.path, ...descendants(this.path)].flatMap((path) => {
      const members = living(pidsIn(path));
      const found = members.filter((stat) => !mayStay(stat));
      if (found.length === members.length && found.length > 0 && path !== this.path) killWhole(path);
      else for (const stat of found) signalProcess(stat, 'SIGKILL');
      return found;
    });
  }

  /** SIGKILL to every process of the group, including those being forked at this moment. */
  kill(): void {
    if (this.#kill.write('1')) return;
    // Nothing, or zombies, for which a freeze would wait in vain.
    if (this.members().length === 0) return;
    this.freeze();
    for (const pid of this.pids()) {
      try {
        if (pid !== process.pid) process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    // In version 1 a frozen process dies only when it is thawed.
    this.thaw();
  }

  /** Stops every process of the group where it stands. */
  freeze(): void {
    const { version, file } = this.#freeze;
    if (!file.write(version === 2 ? '1' : 'FROZEN')) return;
    for (let waited = 0; !this.#isFrozen() && waited < FREEZE_MS_MAX; waited++) pauseSync(1);
  }

  thaw(): void {
    const { version, file } = this.#freeze;
    file.write(version === 2 ? '0' : 'THAWED');
  }

  close(): void {
    this.#kill.close();
    this.#freezer?.file.close();
  }

  #isFrozen(): boolean {
    try {
      return this.#freeze.version === 2
        ? readFileSync(join(this.path, 'cgroup.events'), 'latin1').includes('frozen 1')
        : readFileSync(join(this.path, 'freezer.state'), 'latin1').startsWith('FROZEN');
    } catch {
      return true;
    }
  }
}

function descendants(path: string): string[] {
  return children(path).flatMap((child) => [child, ...descendants(child)]);
}

/** Of this group alone. */
function pidsIn(path: string): number[] {
  try {
    return readFileSync(join(path, 'cgroup.procs'), 'latin1')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 1);
  } catch {
    return [];
  }
}

function living(pids: readonly number[]): ProcessStat[] {
  return pids.map(readStat).filter((stat) => stat?.alive === true) as ProcessStat[];
}

function killWhole(path: string): void {
  const group = new ControlGroup(path);
  group.kill();
  group.close();
}
