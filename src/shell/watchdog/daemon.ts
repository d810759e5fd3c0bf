/** The process `sm-watchdog`, put together from its parts. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { isTimed } from '../../core/arbiter/regime.ts';
import type { LifeId } from '../../core/link/types.ts';
import type { ArbiterPlan } from '../arbiter/messages.ts';
import type { Config } from '../config.ts';
import { CONFIG_PATH } from '../config-path.ts';
import { Containment } from '../exec/containment.ts';
import { KillHandle, killEntriesSync } from '../exec/kill-entry.ts';
import { KillList } from '../exec/kill-list.ts';
import { EXIT_CONFIG, EXIT_UNAVAILABLE } from '../exit-codes.ts';
import { isLabNode } from '../lab-node.ts';
import { acquireLock } from '../lock.ts';
import { kernelLife, newProcessLife, productUuid } from '../node-facts.ts';
import { type FromWatchdog, RENEWAL_NUMBERS } from '../pair/messages.ts';
import { makePage } from '../pair/page.ts';
import { type Started, startProgram } from '../pair/programs.ts';
import type { Log } from '../ports.ts';
import { serviceManager } from '../systemd.ts';
import { realTime } from '../time.ts';
import { ArbiterLink } from './arbiter-link.ts';
import { type ArmedFence, armFence, thisMachine, UNARMED } from './armed-fence.ts';
import { KeyRing } from './keyring.ts';
import { lockPath } from './lock-path.ts';
import { basisOf, type WatchdogPlan } from './plan.ts';
import { type ArbiterHandlers, WatchdogProcess } from './process.ts';
import { type Found, RemainsFile } from './remains.ts';
import { endOfNamespace, selfFence } from './self-fence.ts';
import { clusterIdOf } from './sign.ts';
import { findRemains, type Unguarded } from './unguarded.ts';
import { Wire, type WireHandlers } from './wire.ts';

/** A watchdog that was killed may take a moment to be gone. */
const LOCK_LIMIT_MS = 2000;
/** At a start without a copy, everything of an earlier life is killed first. */
const LEFT_OVER_KILL_MS = 2000;

export interface WatchdogStart {
  readonly config: Config;
  /** Asked for when nobody else can be running for this node. Null = there is none, and this process ends. */
  readonly plan: () => Promise<WatchdogPlan | null> | WatchdogPlan;
  /** The pipe to the `sm` that started us, which hands its copy over; null = we start `sm`. */
  readonly adopted: Duplex | null;
  /** The `sm` that was started with us and waits for our first word; null = there is none yet. */
  readonly sm?: Started;
  /** Both processes of an earlier life of this kernel died; null = nothing remains of one. */
  readonly unguarded?: Unguarded | null;
  readonly log: Log;
}

/** Resolves when everything runs; the process ends by itself. */
export async function runWatchdog(start: WatchdogStart): Promise<void> {
  const { config, adopted, log, unguarded = null } = start;
  process.title = 'sm-watchdog';
  if (adopted !== null) await firstWord(adopted);
  mkdirSync(config.runDirectory, { recursive: true, mode: 0o700 });
  const lockLimitMs = adopted === null ? 0 : LOCK_LIMIT_MS;
  const lock = await acquireLock(lockPath(config.runDirectory), lockLimitMs, realTime);
  if (!lock.ok) return giveUp(log, EXIT_UNAVAILABLE, lock.reason);
  const plan = await start.plan();
  if (plan === null) return;
  const refuse = async (reason: string) => {
    await unguarded?.over;
    giveUp(log, EXIT_CONFIG, reason);
  };
  const life = kernelLife(config.kernelLifeFile);
  if (life === null) return refuse(`${config.kernelLifeFile} can not be read`);
  const uuid = productUuid(config.productUuidFile, config.node);
  if (uuid === null) return refuse(`${config.productUuidFile} can not be read`);
  // A node that begins may refuse to; where something runs already, it is guarded on.
  const begins = adopted === null && unguarded === null;
  const armed = await armFence(config, thisMachine(), begins, log);
  if (!armed.ok) {
    const { code, message } = armed.error;
    if (begins) return refuse(`${code}: ${message}`);
    log.error({ code }, message);
  }
  if (config.realtime === 'yes') requestRealtime(log);
  const ids = { kernelLife: life, productUuid: uuid };
  const fence = armed.ok ? armed.value : UNARMED;
  const remains = remainsOf(plan, life, log);
  const inherited = adopted === null ? inheritedFrom(unguarded, plan, fence, log) : findOwn(plan);
  if (adopted === null && inherited() === null) killLeftOver(plan, log);
  const exit = (code: number) => {
    if (code === 0) lock.release();
    process.exit(code);
  };
  const ends = { adopted, sm: start.sm ?? null, exit, armed: fence, remains, inherited };
  const watchdog = makeWatchdog(plan, ids, ends, log);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => watchdog.stop(signal));
  // The terminal that started us may go; we stay.
  process.on('SIGHUP', () => {});
  watchdog.start();
  unguarded?.release();
}

/** Absolute path of the configuration that the plan was made from. */
function configOf({ smArguments }: WatchdogPlan): string {
  return resolve(smArguments[smArguments.indexOf('--config') + 1] ?? CONFIG_PATH);
}

function remainsOf(plan: WatchdogPlan, life: LifeId, log: Log): RemainsFile {
  const { config, domain } = plan;
  const { kernelLifeFile, selfFence } = config;
  const { stopGraceMs, killVerifyMs } = domain;
  const owner = {
    config: configOf(plan),
    kernelLifeFile,
    kernelLife: life,
    selfFence,
    stopGraceMs,
    killVerifyMs,
  };
  return new RemainsFile(config.runDirectory, owner, log);
}

/**
 * What a node goes on from after both processes died. Where nothing can end what services hold in the kernel, and their time is
 * over, it is stopped by its scripts as soon as possible, as after any start.
 */
function inheritedFrom(
  unguarded: Unguarded | null,
  { peer, regime }: WatchdogPlan,
  { strike, device }: ArmedFence,
  log: Log,
): () => Found | null {
  if (unguarded === null || peer === null || !isTimed(regime)) return () => null;
  const { found } = unguarded;
  const { deadline, lost } = found;
  const leftMs = Math.round(deadline - realTime.now());
  const endsMachine = strike !== null || device !== null || isLabNode(process.env);
  const isOver = lost || leftMs <= 0;
  const words = isOver ? 'permission has run out meanwhile' : 'what they guarded goes on';
  log.warn({ leftMs, lost }, `sm and sm-watchdog had died at once: ${words}`);
  return () => (isOver && !endsMachine ? null : found);
}

/** For one whose `sm` dies before it has handed its copy over. */
function findOwn(plan: WatchdogPlan): () => Found | null {
  return () => findRemains(plan.config.runDirectory, configOf(plan));
}

/** A spare waits here, and says that it is ready, until `sm` needs it; it ends with `sm`. */
async function firstWord(stream: Duplex): Promise<void> {
  const ready: FromWatchdog = { type: 'ready' };
  const alone = () => process.exit(0);
  stream.on('error', alone);
  stream.write(`${JSON.stringify(ready)}\n`);
  await once(stream, 'readable');
  // At the end of the stream it is readable too, with nothing in it.
  if (stream.readableLength === 0) alone();
  // From here on the end of sm is judged by whoever reads.
  stream.off('error', alone);
}

function makeWatchdog(
  plan: WatchdogPlan,
  ids: { readonly kernelLife: LifeId; readonly productUuid: LifeId },
  ends: {
    readonly adopted: Duplex | null;
    readonly sm: Started | null;
    readonly exit: (code: number) => void;
    readonly armed: ArmedFence;
    readonly remains: RemainsFile;
    readonly inherited: () => Found | null;
  },
  log: Log,
): WatchdogProcess {
  const { config, domain, peer, interfaces, regime, fences, arbiter } = plan;
  const { adopted, exit } = ends;
  let begun = ends.sm;
  /** The one that was started with us, once. */
  const startSm = (): Started => {
    const first = begun;
    begun = null;
    return first?.alive() === true ? first : startProgram('sm', plan.smArguments);
  };
  const processLife = newProcessLife();
  const endNamespace = endOfNamespace(process.env);
  const endNode = () => {
    endNamespace();
    process.exit(1);
  };
  return new WatchdogProcess({
    guard: {
      node: config.node,
      peer,
      clusterId: clusterIdOf(domain.name),
      domain,
      interfaces,
      regime,
      fences,
      processLife,
      ...ids,
      copyExpected: adopted !== null,
    },
    wire: peer === null ? null : (handlers) => wireOf(plan, peer, processLife, handlers, log),
    arbiter: arbiter === null ? null : (handlers) => arbiterOf(arbiter, handlers, log),
    killList: new KillList(),
    selfFence: (killRecorded) => selfFence(ends.armed, killRecorded, endNode, log),
    startSm,
    adopted,
    remains: ends.remains,
    inherited: ends.inherited,
    page: makePage(join(config.runDirectory, 'sm-watchdog.page'), RENEWAL_NUMBERS),
    basis: basisOf(plan),
    serviceManager: serviceManager({ environment: process.env, pid: process.pid, time: realTime, log }),
    exit,
    time: realTime,
    log,
  });
}

function wireOf(
  { config, domain, interfaces }: WatchdogPlan,
  peer: string,
  processLife: LifeId,
  handlers: WireHandlers,
  log: Log,
): Wire {
  return new Wire(
    {
      domain: domain.name,
      node: config.node,
      peer,
      interfaces,
      processLife,
      keys: new KeyRing(config.keysDirectory),
      linkDownDetectMs: domain.linkDownDetectMs,
      now: realTime.now,
      log: {
        info: (fields, message) => log.info(fields, message),
        warn: (fields, message) => log.warn(fields, message),
      },
    },
    handlers,
  );
}

function arbiterOf(plan: ArbiterPlan, handlers: ArbiterHandlers, log: Log): ArbiterLink {
  const start = () => startProgram('sm-arbiter', ['--serve']);
  return new ArbiterLink({ ...handlers, plan, start, time: realTime, log });
}

/** Without a copy nothing of an earlier life may go on (docs/SAFETY.md, rule 10). */
function killLeftOver({ config, exclusive }: WatchdogPlan, log: Log): void {
  const containment = new Containment({
    node: config.node,
    run: config.runDirectory,
    cgroups: config.containment === 'marker' ? 'off' : 'auto',
    log: (level, message, facts = {}) => log[level](facts, message),
  });
  const handles = exclusive.map(({ service, pidFile, kernelState }) => {
    return new KillHandle(containment.entry(service, pidFile, kernelState));
  });
  for (const { service, killed, left } of killEntriesSync(handles, LEFT_OVER_KILL_MS)) {
    if (killed > 0) log.warn({ service, killed, left }, 'left over from an earlier life: killed');
  }
  for (const handle of handles) handle.close();
  containment.close();
}

/** Children do not inherit it: scripts and services run as they always do. Refusal is no fault. */
function requestRealtime(log: Log): void {
  const args = ['--all-tasks', '--reset-on-fork', '--rr', '--pid', '1', String(process.pid)];
  execFile('chrt', args, { timeout: 1000 }, (error) => {
    if (error !== null) log.info({}, 'no real-time priority for sm-watchdog: the system does not permit it');
  });
}

function giveUp(log: Log, code: number, message: string): void {
  log.fatal({ code }, message);
  process.exitCode = code;
  setImmediate(() => process.exit(code));
}
