/**
 * The first thing that a starting node does, before it loads what is heavy: where both processes of the same kernel life have
 * died, nobody guards what they left. It may run on until the deadline that was left with it, and is killed then; what is held
 * in the kernel has until the end of S to be verified as stopped, by an sm-watchdog that is there by then, or the node ends
 * itself (docs/SAFETY.md, rules 10 and 13).
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { RUN_DIRECTORY } from '../config-path.ts';
import { KillHandle, killEntriesSync } from '../exec/kill-entry.ts';
import { readHolder } from '../lock.ts';
import { kernelLife } from '../node-facts.ts';
import type { Log } from '../ports.ts';
import { isAlive, isRunning } from '../process-identity.ts';
import { realTime } from '../time.ts';
import { type ArmedFence, armFence, thisMachine, UNARMED } from './armed-fence.ts';
import { openUptime, RESOLUTION_MS } from './guard-clock.ts';
import { lockPath, managerLockPath } from './lock-path.ts';
import { type Found, readRemains } from './remains.ts';
import { endOfNamespace } from './self-fence.ts';

/** What is watched until a guard is there. */
export interface Unguarded {
  readonly found: Found;
  /** Resolves when the time of what was left is over: whoever can not guard it may end then, and not before. */
  readonly over: Promise<void>;
  /** Somebody who guards it has come. */
  readonly release: () => void;
}

/**
 * What remains of a life of this kernel, its deadline as of now; null = nothing. `config`: absolute path that the node has to
 * have been started with.
 */
export function findRemains(runDirectory: string, config: string): Found | null {
  const found = readRemains(runDirectory);
  if (found === null || found.owner.config !== config) return null;
  if (kernelLife(found.owner.kernelLifeFile) !== found.owner.kernelLife) return null;
  const sleptMs = suspendedSince(found.aheadMs);
  const { proof } = found;
  return {
    ...found,
    deadline: found.deadline - sleptMs,
    proof: { ...proof, deadline: proof.deadline - sleptMs },
  };
}

/** CLOCK_MONOTONIC stands while the machine sleeps, and the peer's does not. */
function suspendedSince(aheadMs: number | null): number {
  const uptime = openUptime()();
  if (aheadMs === null || uptime === null) return 0;
  const gap = uptime - realTime.now() - aheadMs;
  return gap > RESOLUTION_MS ? gap : 0;
}

/**
 * Looks where the configuration seems to say; null = there is nothing to watch, or somebody guards it. The run directory is
 * known for certain only when the configuration was read whole, which takes longer than there may be time.
 */
export function takeUp(configPath: string, runDirectory = seemingRunDirectory(configPath)): Unguarded | null {
  const holderOf = (path: string) => {
    const holder = readHolder(path);
    return holder !== null && holder.pid !== process.pid && isAlive(holder) ? holder : null;
  };
  const isGuarded = () => holderOf(lockPath(runDirectory)) !== null;
  const found = findRemains(runDirectory, resolve(configPath));
  const manager = holderOf(managerLockPath(runDirectory));
  // An `sm` that lives starts another watchdog, and hands its copy over. One that was stopped does not.
  if (found === null || isGuarded() || (manager !== null && isRunning(manager))) return null;
  return watchOver(found, isGuarded);
}

function watchOver(found: Found, isGuarded: () => boolean): Unguarded {
  const { entries, lost, deadline, owner, proof } = found;
  // The peer may not know of a longer S that the owner was started with.
  const { stopGraceMs, killVerifyMs } = proof.announced?.own ?? owner;
  const from = lost ? Math.min(deadline, realTime.now()) : deadline;
  if (from === Number.POSITIVE_INFINITY) return { found, over: Promise.resolve(), release: () => {} };
  const handles = entries.map((entry) => new KillHandle(entry));
  const fence = armEnd(owner);
  const doubted = new Set(entries.filter(({ kernelState }) => kernelState).map(({ service }) => service));
  const kill = () => {
    if (isGuarded()) return;
    const results = killEntriesSync(handles, killVerifyMs);
    for (const { service, left } of results) if (left.length > 0) doubted.add(service);
    const killed = results.filter((result) => result.killed > 0).map(({ service }) => service);
    if (killed.length > 0)
      say(`both processes had died, and permission ran out: killed ${killed.join(', ')}`);
  };
  let isOver = (): void => {};
  const over = new Promise<void>((resolve) => {
    isOver = resolve;
  });
  const end = () => {
    isOver();
    if (isGuarded() || doubted.size === 0) return;
    say(`self-fence: both processes had died, and nobody has stopped ${[...doubted].join(', ')} in time`);
    fence.strike();
  };
  const after = (at: number, work: () => void) => realTime.after(Math.max(0, at - realTime.now()), work);
  const waits = [after(from, kill), after(from + stopGraceMs + killVerifyMs, end)];
  const release = () => {
    for (const cancel of waits) cancel();
    for (const handle of handles) handle.close();
    fence.disarm();
  };
  return { found, over, release };
}

/** Ends the machine by what its owner had armed; where that is nothing, whoever stops in order comes first. */
function armEnd({ selfFence }: Found['owner']): Pick<ArmedFence, 'disarm'> & { readonly strike: () => void } {
  let fence = UNARMED;
  let isOver = false;
  void armFence({ selfFence, watchdogDevice: null }, thisMachine(), false, SILENT).then((armed) => {
    if (!armed.ok) return;
    if (isOver) armed.value.disarm();
    else fence = armed.value;
  }, notArmed);
  return {
    strike: () => {
      fence.strike?.();
      endOfNamespace(process.env)();
    },
    disarm: () => {
      isOver = true;
      fence.disarm();
    },
  };
}

/** What stands in the file may be of another version. */
function notArmed(error: unknown): void {
  say(`the self-fence is not armed: ${error instanceof Error ? error.message : String(error)}`);
}

/** The log is not there yet. */
const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, fatal: () => {} };

function say(words: string): void {
  process.stderr.write(`sm-watchdog: ${words}\n`);
}

/**
 * A look at the text alone. What is written in an unusual way is not found: then what remains is taken up when the
 * configuration was read whole.
 */
export function seemingRunDirectory(configPath: string): string {
  let text: string;
  try {
    text = readFileSync(configPath, 'utf8');
  } catch {
    return RUN_DIRECTORY;
  }
  const value = /^runDirectory:[ \t]*(?:"([^"\\\n]*)"|'([^'\n]*)'|([^\s"'#]\S*))[ \t]*(?:#.*)?$/m.exec(text);
  return value?.[1] ?? value?.[2] ?? value?.[3] ?? RUN_DIRECTORY;
}
