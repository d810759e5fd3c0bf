/**
 * What the kernel says about processes, read synchronously from /proc: it is memory, it never waits for a disk, so
 * that sm-watchdog may use it when everything else hangs. Field numbers are those of proc(5).
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/** A process beyond doubt: a pid alone can be reused, a pid with its start time can not. */
export interface Pid {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat, as text: larger than a safe integer in principle. */
  readonly startTime: string;
}

export interface ProcessStat extends Pid {
  readonly parent: number;
  readonly session: number;
  /** Neither a zombie nor dead: something that can still act. */
  readonly alive: boolean;
}

const buffer = Buffer.alloc(256 * 1024);

/** One file of /proc, at most 256 KiB of it; null when there is none, or none for us. Several times faster than readFileSync. */
function readProc(path: string): string | null {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
}

/** Parses one line of /proc/PID/stat. The command's name stands in parentheses and may hold any character. */
export function parseStat(line: string): ProcessStat | null {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const pid = Number.parseInt(line, 10);
  const [state, parent, , session] = fields;
  const startTime = fields[19];
  if (!(pid > 0) || state === undefined || startTime === undefined) return null;
  return {
    pid,
    startTime,
    parent: Number(parent),
    session: Number(session),
    alive: state !== 'Z' && state !== 'X',
  };
}

/** The same of the first `length` bytes, for whoever asks hundreds of times a second and for nothing else. */
export function isAliveStat(bytes: Buffer, length: number): boolean {
  const state = bytes[bytes.lastIndexOf(PARENTHESIS, length - 1) + 2];
  return length > 0 && state !== ZOMBIE && state !== DEAD;
}

const [PARENTHESIS, ZOMBIE, DEAD] = [...')ZX'].map((letter) => letter.charCodeAt(0)) as [
  number,
  number,
  number,
];

/** Null when there is no such process. */
export function readStat(pid: number): ProcessStat | null {
  const line = readProc(`/proc/${pid}/stat`);
  return line === null ? null : parseStat(line);
}

export function isAlive(process: Pid): boolean {
  const stat = readStat(process.pid);
  return stat?.alive === true && stat.startTime === process.startTime;
}

/** Everything that is alive in our pid namespace, by pid. */
export function readProcesses(): Map<number, ProcessStat> {
  const processes = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!(pid > 0)) continue;
    const stat = readStat(pid);
    if (stat?.alive) processes.set(pid, stat);
  }
  return processes;
}

/**
 * The environment that the process was started with, as `KEY=value` lines; empty where it is not ours to read. A
 * process may have overwritten or cleared it.
 */
export function readEnvironment(pid: number): string[] {
  return readProc(`/proc/${pid}/environ`)?.split('\0') ?? [];
}

/** Real, effective and saved user id; null when there is no such process. /proc/PID itself belongs to root after a setuid. */
export function readUsers(pid: number): readonly number[] | null {
  const line = /^Uid:\t(\d+)\t(\d+)\t(\d+)/m.exec(readProc(`/proc/${pid}/status`) ?? '');
  return line === null ? null : line.slice(1).map(Number);
}

/** Paths of the control groups that hold the process, one a hierarchy, below the root of our cgroup namespace. */
export function readControlGroups(pid: number): string[] {
  const lines = readProc(`/proc/${pid}/cgroup`)?.split('\n') ?? [];
  return lines.map((line) => line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1)).filter(Boolean);
}

/**
 * Now, as the kernel counts it for start times: ticks since boot, rounded down, so that whatever is started from now on
 * has this one or a later one. A container may be shown an uptime of its own, which is too small: our own age is known
 * beside it.
 */
export function ticksNow(): number {
  const [seconds = '0', hundredths = '0'] = (readProc('/proc/uptime') ?? '').split(/[. ]/, 2);
  const byUptime = Number(seconds) * TICKS_PER_SECOND + Number(hundredths);
  const byAge = Number(ownStart()) + Math.floor(performance.now() / TICK_MS);
  return Math.max(byUptime || 0, byAge || 0);
}

let start: string | undefined;
function ownStart(): string {
  start ??= readStat(process.pid)?.startTime ?? '0';
  return start;
}

/** So many ticks ago began what began `ms` ago, rounded towards the present. */
export function ticksOf(ms: number): number {
  return Math.floor(ms / TICK_MS);
}

/** USER_HZ, 100 on every architecture that node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;
const TICK_MS = 1000 / TICKS_PER_SECOND;

/** Direct children of the process's main thread; cheap, but empty on a kernel without CONFIG_PROC_CHILDREN. */
export function readChildren(pid: number): number[] {
  const text = readProc(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text.split(' ').filter(Boolean).map(Number);
}

/**
 * Sends a signal to exactly this process; false when it is gone already (or not ours). Between the check and the
 * signal the pid could in theory be reused; pidfd would close that gap but is not reachable from node.
 */
export function signalProcess(target: Pid, signal: NodeJS.Signals): boolean {
  if (target.pid <= 1 || target.pid === process.pid || !isAlive(target)) return false;
  try {
    return process.kill(target.pid, signal);
  } catch {
    return false;
  }
}
