/**
 * One `sm` and one `sm-watchdog` per run directory: each holds a lock on a file, by flock(2). The kernel lets go of it
 * when the process ends, however it ends. Node has no flock: the program of that name takes the lock on our open file,
 * to which it then belongs.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Time } from './ports.ts';
import { isAlive, killProcess, ownIdentity, type ProcessIdentity } from './process-identity.ts';

const RETRY_MS = 5;

export type LockResult =
  /** `release` also empties the file: one with a holder in it that nobody holds is that of a process that died. */
  { readonly ok: true; readonly release: () => void } | { readonly ok: false; readonly reason: string };

/** Waits at most `limitMs` for an earlier holder to be gone. */
export async function acquireLock(path: string, limitMs: number, time: Time): Promise<LockResult> {
  const end = time.now() + limitMs;
  for (;;) {
    const isLast = time.now() >= end;
    // Starting a program takes longer than an earlier holder, which was killed, needs to be gone.
    const holder = isLast ? null : readHolder(path);
    if (holder === null || !isAlive(holder)) {
      const result = tryLock(path);
      if (result.ok) return result;
      if (isLast) return { ok: false, reason: `${result.reason}: this node runs already` };
    }
    await new Promise<void>((resolve) => {
      time.after(RETRY_MS, resolve);
    });
  }
}

/**
 * Of a holder that is not to live any more: it is killed, and the lock is free for the next call, unless what it does in the
 * kernel is not over.
 */
export function takeLock(path: string): LockResult {
  const holder = readHolder(path);
  if (holder !== null) killProcess(holder);
  return tryLock(path);
}

function tryLock(path: string): LockResult {
  let fd: number;
  try {
    fd = openSync(path, 'a+', 0o600);
  } catch (error) {
    return { ok: false, reason: `${path} can not be opened: ${(error as Error).message}` };
  }
  const holder = readHolder(path);
  const flock = spawnSync('flock', ['--exclusive', '--nonblock', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  const taken = flock.error === undefined ? flock.status !== 0 : holder !== null && isAlive(holder);
  if (taken) {
    closeSync(fd);
    const who = holder === null ? 'another process' : `process ${holder.pid}`;
    return { ok: false, reason: `${path} is held by ${who}` };
  }
  ftruncateSync(fd, 0);
  writeSync(fd, JSON.stringify(ownIdentity()), 0);
  return {
    ok: true,
    release: () => {
      ftruncateSync(fd, 0);
      closeSync(fd);
    },
  };
}

/** Who wrote itself into the lock file last, dead or alive. */
export function readHolder(path: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return null;
  }
}
