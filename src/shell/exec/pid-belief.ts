/**
 * Whether a pid that a service's pid file names is believed. A pid file is hearsay: it may be left over from an earlier
 * life of the daemon or of the kernel, its number may be another process's by now, and whoever may write it can write
 * any number. What is believed is killed, with its session and everything below it.
 *
 * A process in the service's control group or with its marker in the environment is the service's beyond doubt. Any other
 * has to have been started after this node enabled the service: a daemon that cleared its environment on a machine
 * without control groups is known by nothing else. Where two services of such a machine name each other's bare daemons,
 * nobody can tell them apart.
 */
import type { KillEntry } from './kill-entry.ts';
import { type ProcessStat, readControlGroups, readEnvironment, readStat, readUsers } from './procfs.ts';

/** In the environment of the programs of a node that start each other; scripts do not inherit it. */
export const PROGRAM_MARK = 'SM_PROGRAM';

export interface NamedProcess {
  readonly pid: number;
  /** Who had a hand in the pid file. */
  readonly owners: readonly number[];
}

/**
 * Null = the process is the service's; else why it is not believed to be, to be read after "names process N, which ".
 * `adopt`: where this node never enabled the service, its age proves nothing and is not asked for; enough to be watched,
 * not to be killed.
 */
export function doubt(entry: KillEntry, named: NamedProcess, adopt = false): string | null {
  const { pid } = named;
  const stat = readStat(pid);
  if (stat === null || !stat.alive) return 'is not running';
  if (isAncestor(pid)) return 'started sm';
  const environment = readEnvironment(pid);
  if (environment.includes(entry.marker)) return null;
  const group = serviceGroup(readControlGroups(pid).join('\n'));
  if (group !== null) return group === serviceGroup(entry.cgroup ?? '') ? null : 'is of another service';
  if (environment.some((line) => line.startsWith('SM_SERVICE='))) return 'is of another service';
  if (environment.some((line) => line.startsWith(`${PROGRAM_MARK}=`))) return 'is a program of sm itself';
  return strangeness(stat, named) ?? ageProblem(entry, stat, adopt);
}

function strangeness({ pid, parent }: ProcessStat, { owners }: NamedProcess): string | null {
  if (pid === KERNEL_THREADS || parent === KERNEL_THREADS) return 'is a thread of the kernel';
  const users = readUsers(pid) ?? [];
  const us = process.geteuid!();
  // Who may write the file names processes of his own, and no others.
  if (owners.some((owner) => owner !== 0 && owner !== us && !users.includes(owner)))
    return 'belongs to another user than the file';
  return us === 0 || users.includes(us) ? null : 'is not ours to kill';
}

function ageProblem({ enabledAt }: KillEntry, { startTime }: ProcessStat, adopt: boolean): string | null {
  // An older version, of which this one took over, told none.
  if (typeof enabledAt !== 'number') return adopt ? null : 'was not started by this node';
  return Number(startTime) < enabledAt ? 'was started before the service was' : null;
}

/** kthreadd, and parent of all of them. */
const KERNEL_THREADS = 2;

function isAncestor(pid: number): boolean {
  for (let above = process.pid; above > 0; above = readStat(above)?.parent ?? 0)
    if (above === pid) return true;
  return false;
}

/** What names node and service in the path of a control group, as containment.ts makes them. */
function serviceGroup(path: string): string | null {
  return /(?:^|\/)(sm\/[^/\n]+-[0-9a-f]{8}\/[^/\n]+)/.exec(path)?.[1] ?? null;
}
