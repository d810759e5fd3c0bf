/** A process by pid and start time: the pid alone may be another process's tomorrow. */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc(5)). */
  readonly startTime: string;
}

function readStat(pid: number): { startTime: string; state: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in field 2 may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
  } catch {
    return null;
  }
}

export function identify(pid: number): ProcessIdentity | null {
  const stat = readStat(pid);
  return stat === null ? null : { pid, startTime: stat.startTime };
}

export function ownIdentity(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, startTime: '' };
}

/** A zombie is dead. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== null && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Alive, and not stopped by a signal or a debugger: it may do something by itself. */
export function isRunning(identity: ProcessIdentity): boolean {
  const state = isAlive(identity) ? readStat(identity.pid)?.state : undefined;
  return state !== undefined && !['T', 't', 'Z', 'X'].includes(state);
}

/**
 * How often the process has waited for something: what serves others waits again and again, and what hangs does not. Null = it
 * is gone. Source: voluntary_ctxt_switches of proc(5).
 */
export function waitsOf({ pid }: ProcessIdentity): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? 0);
  } catch {
    return null;
  }
}

/** SIGKILL to exactly this process; nothing if it is gone. */
export function killProcess(identity: ProcessIdentity): void {
  if (identity.pid <= 1 || !isAlive(identity)) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch {
    // Gone in between.
  }
}
