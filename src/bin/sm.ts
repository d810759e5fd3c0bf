#!/usr/bin/env node
/**
 * The daemon. `sm` starts `sm --engine`, the process that decides, and becomes sm-watchdog. Each restarts the other. What
 * only one of them needs is imported by that one alone: loading is most of a start.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Config } from '../shell/config.ts';
import { CONFIG_PATH } from '../shell/config-path.ts';
import { EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE } from '../shell/exit-codes.ts';
import { CHANNEL_FD, say } from '../shell/pair/channel.ts';
import type { FirstFromSm } from '../shell/pair/messages.ts';
import { startProgram } from '../shell/pair/programs.ts';
import { VERSION } from '../shell/version.ts';

const HELP = `Usage: sm [--config FILE] [--foreground | --check]

Runs the service-group manager of this node.

  --config FILE  configuration (default ${CONFIG_PATH})
  --foreground   stay attached to the terminal or the service manager
  --check        check configuration, database and definitions, change nothing, and exit
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
        begin: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return fail(EXIT_USAGE, `${error instanceof Error ? error.message : String(error)}; see sm --help`);
  }
}

async function load(path: string): Promise<Config> {
  const { loadConfig } = await import('../shell/config.ts');
  const loaded = loadConfig(path);
  return loaded.ok ? loaded.value : fail(EXIT_CONFIG, `${loaded.error.code}: ${loaded.error.message}`);
}

async function loggerOf({ node, log }: Config) {
  const { createLogger } = await import('../shell/log.ts');
  return createLogger({ program: 'sm', node, log });
}

function engineArguments(configPath: string): string[] {
  return ['--engine', '--config', configPath];
}

/** The process that decides. `begins`: it was started together with its watchdog, which waits for what it finds out. */
async function runSm(configPath: string, begins: boolean): Promise<void> {
  const config = await load(configPath);
  const stream = new Socket({ fd: CHANNEL_FD });
  // The watchdog finds out whether the node runs already, while we load.
  if (begins) say(stream, { type: 'config', config } satisfies FirstFromSm);
  const { beginSm } = await import('../shell/begin.ts');
  const common = { config, configPath, stream, begins, log: await loggerOf(config) };
  const prepared = await beginSm({ ...common, smArguments: engineArguments(configPath) });
  if (prepared === null) return;
  const { runEngine } = await import('../shell/daemon.ts');
  await runEngine({ ...common, prepared });
}

/**
 * `sm` is started before this process loads anything, and this process never loads what only `sm` needs. Where both died, what
 * they left is looked at before the rest is loaded.
 */
async function becomeWatchdog(configPath: string): Promise<void> {
  const sm = startProgram('sm', [...engineArguments(configPath), '--begin']);
  const { takeUp } = await import('../shell/watchdog/unguarded.ts');
  const unguarded = takeUp(configPath);
  const { beginNode } = await import('../shell/watchdog/begin.ts');
  await beginNode({ sm, configPath, unguarded });
}

async function check(config: Config): Promise<void> {
  const { examine } = await import('../shell/prepare.ts');
  const examined = examine(config);
  if (!examined.ok) fail(EXIT_CONFIG, `${examined.code}: ${examined.message}`);
  const { groups, services, digest } = examined.definitions;
  console.log(`${config.node}: ${groups.size} groups, ${services.size} services, definitions ${digest}`);
}

async function answers(config: Config): Promise<boolean> {
  const { connect } = await import('../shell/client.ts');
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
if (options.engine) await runSm(options.config, options.begin);
else if (options.check) await check(await load(options.config));
else if (options.foreground) await becomeWatchdog(options.config);
else await startInBackground(await load(options.config), options.config);
