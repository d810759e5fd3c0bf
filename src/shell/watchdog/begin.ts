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
import { isAlive } from '../process-identity.ts';
import { StandIn } from '../stand-in.ts';
import { hasServiceManager, serviceManager } from '../systemd.ts';
import { realTime } from '../time.ts';
import { runWatchdog, watchdogLock } from './daemon.ts';
import { readPlan, type WatchdogPlan } from './plan.ts';

type Config = WatchdogPlan['config'];

/** Resolves when everything runs; the process ends by itself. */
export async function beginNode(sm: StartedProgram): Promise<void> {
  // Its end is told by the pipe's end.
  sm.stream.on('error', () => {});
  const first = await nextMessage<FirstFromSm>(sm.stream);
  if (first?.type !== 'config') return endWith(sm);
  const { config } = first;
  const log = createLogger({ program: 'sm-watchdog', node: config.node, log: config.log });
  if (standsIn(config, log)) return sm.end();
  await runWatchdog({ config, plan: () => planFrom(sm), adopted: null, sm, log });
}

/** When nobody else can be running for this node. Null = `sm` could not go on, and has said why. */
async function planFrom(sm: StartedProgram): Promise<WatchdogPlan | null> {
  const go: FirstFromWatchdog = { type: 'go' };
  say(sm.stream, go);
  const message = await nextMessage<FirstFromSm>(sm.stream);
  if (message?.type === 'plan') return readPlan(message.path);
  await endWith(sm);
  return null;
}

/** `sm` has said why it ended; this process ends for the same reason. */
async function endWith(sm: StartedProgram): Promise<void> {
  const code = await sm.ended;
  process.exit(code === null || code === 0 ? EXIT_UNAVAILABLE : code);
}

/** True when systemd has started us beside a node that runs. */
function standsIn(config: Config, log: Log): boolean {
  const holder = () => readHolder(watchdogLock(config));
  const present = holder();
  if (!hasServiceManager(process.env) || present === null || !isAlive(present)) return false;
  const standIn = new StandIn({
    holder,
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
