/**
 * The first part of a start of `sm`: everything up to the plan that sm-watchdog waits for where the node begins. It is apart
 * from the rest, which is loaded meanwhile.
 */
import type { Duplex } from 'node:stream';
import { ControlError, connect } from './client.ts';
import type { Config } from './config.ts';
import { EXIT_CONFIG, EXIT_UNAVAILABLE } from './exit-codes.ts';
import { acquireLock, type LockResult, readHolder } from './lock.ts';
import { nextMessage, say } from './pair/channel.ts';
import type { FirstFromSm, FirstFromWatchdog } from './pair/messages.ts';
import type { Log } from './ports.ts';
import { type Preparation, prepare } from './prepare.ts';
import { isRunning, killProcess, type ProcessIdentity } from './process-identity.ts';
import { realTime } from './time.ts';
import { managerLockPath } from './watchdog/lock-path.ts';
import { planOf, type WatchdogPlan, writePlan } from './watchdog/plan.ts';

/** An earlier `sm` that was killed may take a moment to be gone. */
const LOCK_LIMIT_MS = 5000;
/** An `sm` that lives answers within a few turns. */
const ANSWER_LIMIT_MS = 2000;

export interface Beginning {
  readonly config: Config;
  /** The pipe to the watchdog that started us. */
  readonly stream: Duplex;
  /** The node begins: the watchdog was started with us and knows nothing yet (pair/messages.ts). */
  readonly begins: boolean;
  /** Arguments with which a watchdog starts `sm`. */
  readonly smArguments: readonly string[];
  readonly log: Log;
}

export interface Prepared extends Omit<Extract<Preparation, { ok: true }>, 'ok'> {
  readonly plan: WatchdogPlan;
  readonly planFile: string;
}

/** Null = `sm` can not run: it is said why, and the process ends. */
export async function beginSm(beginning: Beginning): Promise<Prepared | null> {
  const { config, log, begins, stream } = beginning;
  if (begins) await permissionToBegin(stream);
  const lock = await managerLock(config, log);
  if (!lock.ok) return giveUp(log, EXIT_UNAVAILABLE, lock.reason);
  const prepared = prepare(config, log, begins);
  if (!prepared.ok) return giveUp(log, EXIT_CONFIG, `${prepared.code}: ${prepared.message}`);
  const plan = planOf(
    config,
    prepared.definitions,
    beginning.smArguments,
    prepared.store.restored().register ?? '',
  );
  // For every watchdog that is started from now on. One that was started from another is replaced.
  const planFile = writePlan(plan);
  if (begins) say(stream, { type: 'plan', path: planFile } satisfies FirstFromSm);
  return { ...prepared, plan, planFile };
}

/**
 * The watchdog that started us is the only one of this node: an `sm` that holds the lock has none that could end it, and starts
 * another if it can. One that hangs would keep the node from ever beginning again.
 */
export async function managerLock(
  { runDirectory, controlSocket }: Pick<Config, 'runDirectory' | 'controlSocket'>,
  log: Log,
  limitMs = LOCK_LIMIT_MS,
  answerLimitMs = ANSWER_LIMIT_MS,
): Promise<LockResult> {
  const path = managerLockPath(runDirectory);
  const lock = await acquireLock(path, limitMs, realTime);
  const holder = lock.ok ? null : readHolder(path);
  if (holder === null || !(await hangs(holder, controlSocket, answerLimitMs))) return lock;
  log.error({ pid: holder.pid }, 'an earlier sm hangs, and no sm-watchdog looks after it: it is killed');
  killProcess(holder);
  return acquireLock(path, limitMs, realTime);
}

/** It was stopped, or a question is left without an answer. That there is nobody to ask says nothing: it may still be starting. */
async function hangs(holder: ProcessIdentity, controlSocket: string, limitMs: number): Promise<boolean> {
  if (!isRunning(holder)) return true;
  try {
    const client = await connect(controlSocket);
    await client.request('ping', {}, limitMs).finally(() => client.close());
    return false;
  } catch (error) {
    return error instanceof ControlError && error.code === 'timeout';
  }
}

/** Returns when nobody else runs this node; ends with the watchdog when it finds that somebody does. */
async function permissionToBegin(stream: Duplex): Promise<void> {
  const answer = await nextMessage<FirstFromWatchdog>(stream);
  if (answer === null) process.exit(EXIT_UNAVAILABLE);
}

export function giveUp(log: Log, code: number, message: string): null {
  log.fatal({ code }, message);
  process.exitCode = code;
  // The pipe would keep the process alive.
  setImmediate(() => process.exit(code));
  return null;
}
