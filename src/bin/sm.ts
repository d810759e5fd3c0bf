#!/usr/bin/env node
/**
 * The daemon. `sm` checks the configuration and the database, becomes sm-watchdog, and that starts `sm --engine`, the
 * process that decides. Each restarts the other.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect } from '../shell/client.ts';
import { CONFIG_PATH, type Config, loadConfig } from '../shell/config.ts';
import { runEngine } from '../shell/daemon.ts';
import { EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE } from '../shell/exit-codes.ts';
import { readHolder } from '../shell/lock.ts';
import { createLogger, type Logger } from '../shell/log.ts';
import { CHANNEL_FD } from '../shell/pair/channel.ts';
import { prepare } from '../shell/prepare.ts';
import { isAlive } from '../shell/process-identity.ts';
import { StandIn } from '../shell/stand-in.ts';
import { hasServiceManager, serviceManager } from '../shell/systemd.ts';
import { realTime } from '../shell/time.ts';
import { VERSION } from '../shell/version.ts';
import {
  planOf,
  planPath,
  runWatchdog,
  type WatchdogPlan,
  watchdogLock,
  writePlan,
} from '../shell/watchdog/daemon.ts';

const HELP = `Usage: sm [--config FILE] [--foreground | --check]

Runs the service-group manager of this node.

  --config FILE  configuration (default ${CONFIG_PATH})
  --foreground   stay attached to the terminal or the service manager
  --check        check configuration, database and definitions, change nothing that runs, and exit
  --version      print the version
  -h, --help     print this text

SIGTERM ends it in order: services are handed over to the other node or stopped.
Exit codes: 0 ended in order; 64 wrong arguments; 69 it runs already, or could not start; 70 internal fault;
78 configuration, database or definitions can not be used.`;

/** How long a start in the background may take until the node answers. */
const START_LIMIT_MS = 15_000;
const START_POLL_MS = 50;

function fail(code: number, message: string): never {
  console.error(`sm: ${message}`);
  process.exit(code);
}

function parse() {
  try {
    return parseArgs({
      options: {
        config: { type: 'string', default: CONFIG_PATH },
        foreground: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        engine: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return fail(EXIT_USAGE, `${error instanceof Error ? error.message : String(error)}; see sm --help`);
  }
}

/** The definitions as they are in the database, for the watchdog. A text = why there are none. */
function makePlan(config: Config, configPath: string, log: Logger): WatchdogPlan | string {
  const prepared = prepare(config, log, true);
  if (!prepared.ok) return `${prepared.code}: ${prepared.message}`;
  const plan = planOf(config, prepared.definitions, ['--engine', '--config', configPath]);
  prepared.store.close();
  writePlan(plan);
  return plan;
}

function check(config: Config, log: Logger): void {
  const prepared = prepare(config, log, false);
  if (!prepared.ok) fail(EXIT_CONFIG, `${prepared.code}: ${prepared.message}`);
  prepared.store.close();
  const { groups, services, digest } = prepared.definitions;
  console.log(`${config.node}: ${groups.size} groups, ${services.size} services, definitions ${digest}`);
}

/** True when systemd has started us beside a node that runs. */
function standsIn(config: Config, log: Logger): boolean {
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

async function answers(config: Config): Promise<boolean> {
  try {
    const client = await connect(config.controlSocket);
    await client.request('ping', {}, START_POLL_MS * 10);
    client.close();
    return true;
  } catch {
    return false;
  }
}

/** Ends when the node answers, or with the code of the child when that ends first. */
async function startInBackground(config: Config, configPath: string): Promise<void> {
  if (await answers(config)) fail(EXIT_UNAVAILABLE, `${config.node} runs already`);
  const args = [...process.execArgv, process.argv[1] ?? '', '--foreground', '--config', configPath];
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', (error) => fail(EXIT_UNAVAILABLE, error.message));
  child.on('exit', (code) => process.exit(code ?? EXIT_UNAVAILABLE));
  const end = performance.now() + START_LIMIT_MS;
  while (performance.now() < end) {
    if (await answers(config)) {
      console.log(`sm runs on ${config.node}, process ${child.pid}`);
      process.exit(0);
    }
    await sleep(START_POLL_MS);
  }
  fail(EXIT_UNAVAILABLE, `the node does not answer after ${START_LIMIT_MS} ms: see its log`);
}

const options = parse();
if (options.help || options.version) {
  console.log(options.help ? HELP : VERSION);
  process.exit(0);
}
const loaded = loadConfig(options.config);
if (!loaded.ok) fail(EXIT_CONFIG, `${loaded.error.code}: ${loaded.error.message}`);
const config = loaded.value;
const logger = (program: string) => createLogger({ program, node: config.node, log: config.log });

if (options.engine) {
  const stream = new Socket({ fd: CHANNEL_FD });
  const watchdogArguments = ['--plan', planPath(config.runDirectory)];
  await runEngine({ config, stream, watchdogArguments, log: logger('sm') });
} else if (options.check) {
  check(config, logger('sm'));
} else if (options.foreground) {
  const log = logger('sm-watchdog');
  if (!standsIn(config, log)) {
    await runWatchdog({ config, plan: () => makePlan(config, options.config, log), adopted: null, log });
  }
} else {
  await startInBackground(config, options.config);
}
