/**
 * How a node begins: this process becomes sm-watchdog, and has started `sm` before it loaded anything. `sm` reads the
 * configuration, the database and the definitions, so that none of what that takes is ever in this process.
 */
import { EXIT_UNAVAILABLE } from '../exit-codes.ts';
import { readHolder } from '../lock.ts';
import { createLogger } from '../log.ts';
import { nextMessage, say } from '../pair/channel.ts';
import type { FirstFromSm, FirstFromWatchdog } from '../pair/messages.ts';
import type { StartedProgram } from '../pair/programs.ts';
import type { Log } from '../ports.ts';
import { isAlive, killProcess, waitsOf } from '../process-identity.ts';
import { StandIn } from '../stand-in.ts';
import { hasServiceManager, serviceManager } from '../systemd.ts';
import { realTime } from '../time.ts';
import { runWatchdog } from './daemon.ts';
import { lockPath } from './lock-path.ts';
import { planPath, readPlan, type WatchdogPlan } from './plan.ts';
import { takeUp, type Unguarded } from './unguarded.ts';

type Config = WatchdogPlan['config'];

/** What was started, and found, before this module was loaded. */
export interface Begun {
  readonly sm: StartedProgram;
  readonly configPath: string;
  readonly unguarded: Unguarded | null;
}

/** Resolves when everything runs; the process ends by itself. */
export async function beginNode({ sm, configPath, unguarded }: Begun): Promise<void> {
  // Its end is told by the pipe's end.
  sm.stream.on('error', () => {});
  const known = unguarded === null ? null : planOnHand(unguarded);
  if (known !== null) {
    const { config } = known;
    const log = createLogger({ program: 'sm-watchdog', node: config.node, log: config.log });
    return runWatchdog({ config, plan: () => goAhead(sm, known), adopted: null, sm, unguarded, log });
  }
  const first = await nextMessage<FirstFromSm>(sm.stream);
  if (first?.type !== 'config') return endWith(sm, unguarded);
  const { config } = first;
  const log = createLogger({ program: 'sm-watchdog', node: config.node, log: config.log });
  if (standsIn(config, log)) return sm.end();
  const watched = unguarded ?? takeUp(configPath, config.runDirectory);
  const plan = () => planFrom(sm, watched);
  await runWatchdog({ config, plan, adopted: null, sm, unguarded: watched, log });
}

/**
 * There is no time to wait for what `sm` finds out: until then the plan of the life before holds, as it would if only `sm` had
 * died. Should this one read something else, it replaces this watchdog.
 */
function planOnHand({ found }: Unguarded): WatchdogPlan | null {
  try {
    return readPlan(planPath(found.runDirectory));
  } catch {
    return null;
  }
}

function goAhead(sm: StartedProgram, plan: WatchdogPlan): WatchdogPlan {
  const go: FirstFromWatchdog = { type: 'go' };
  say(sm.stream, go);
  return plan;
}

/** When nobody else can be running for this node. Null = `sm` could not go on, and has said why. */
async function planFrom(sm: StartedProgram, unguarded: Unguarded | null): Promise<WatchdogPlan | null> {
  const go: FirstFromWatchdog = { type: 'go' };
  say(sm.stream, go);
  const message = await nextMessage<FirstFromSm>(sm.stream);
  if (message?.type === 'plan') return readPlan(message.path);
  await endWith(sm, unguarded);
  return null;
}

/** `sm` has said why it ended; this process ends for the same reason, when nothing is left that it has to end before. */
async function endWith(sm: StartedProgram, unguarded: Unguarded | null): Promise<void> {
  const code = await sm.ended;
  await unguarded?.over;
  process.exit(code === null || code === 0 ? EXIT_UNAVAILABLE : code);
}

/** True when systemd has started us beside a node that runs. */
function standsIn(config: Config, log: Log): boolean {
  const holder = () => readHolder(lockPath(config.runDirectory));
  const present = holder();
  if (!hasServiceManager(process.env) || present === null || !isAlive(present)) return false;
  const standIn = new StandIn({
    holder,
    waits: waitsOf,
    kill: killProcess,
    signal: (pid) => void process.kill(pid, 'SIGTERM'),
    exit: (code) => process.exit(code),
    manager: serviceManager({ environment: process.env, pid: process.pid, time: realTime, log }),
    time: realTime,
    log,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => standIn.stop(signal));
  standIn.start();
  return true;
}
