#!/usr/bin/env node
/**
 * The process that asks arbiters. `sm-watchdog` starts it with a pipe as descriptor 3 (`sm-arbiter --plan FILE`); by hand
 * `sm-arbiter --check` asks each arbiter once whether it could be used if it were needed now.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { checkArbiters } from '../shell/arbiter/check.ts';
import { startDisk } from '../shell/arbiter/disk.ts';
import type { ArbiterPlan, FromArbiter, ToArbiter } from '../shell/arbiter/messages.ts';
import { ArbiterService } from '../shell/arbiter/service.ts';
import { CONFIG_PATH, loadConfig } from '../shell/config.ts';
import { EXIT_CONFIG, EXIT_USAGE } from '../shell/exit-codes.ts';
import { CHANNEL_FD, Channel } from '../shell/pair/channel.ts';
import { realTime } from '../shell/time.ts';

const HELP = `Usage: sm-arbiter --check [--config FILE] [--json]

Asks every arbiter of the definitions whether it could be used if it were needed now: the register or disk of the record,
each fence device of the other node, each gateway.

Exit codes: 0 all are ready; 1 one is not; 64 wrong arguments; 78 configuration or definitions can not be used.`;

function serve(plan: ArbiterPlan): void {
  process.title = 'sm-arbiter';
  const service: ArbiterService = new ArbiterService({
    plan,
    tell: (message) => channel.send(message),
    environment: process.env,
    startDisk,
    time: realTime,
  });
  const channel: Channel<ToArbiter, FromArbiter> = new Channel(new Socket({ fd: CHANNEL_FD }), {
    message: (message) => service.receive(message),
    closed: () => process.exit(0),
  });
  service.start();
}

async function check(configPath: string, json: boolean): Promise<number> {
  const config = loadConfig(configPath);
  const checked = config.ok ? await checkArbiters(config.value, process.env, realTime) : config;
  if (!checked.ok) {
    console.error(`sm-arbiter: ${checked.error.code}: ${checked.error.message}`);
    return EXIT_CONFIG;
  }
  const all = checked.value;
  if (json) console.log(JSON.stringify(all));
  else
    for (const each of all)
      console.log(
        `${each.arbiter}: ${each.ready ? `ready, ${Math.round(each.tookMs)} ms` : `${each.cause}: ${each.reason}`}`,
      );
  if (all.length === 0 && !json) console.log('no arbiter is configured');
  return all.every(({ ready }) => ready) ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    plan: { type: 'string' },
    check: { type: 'boolean', default: false },
    config: { type: 'string', default: CONFIG_PATH },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
  strict: false,
});
if (values.help === true) console.log(HELP);
else if (values.check === true) process.exitCode = await check(String(values.config), values.json === true);
else if (typeof values.plan === 'string') serve(JSON.parse(readFileSync(values.plan, 'utf8')) as ArbiterPlan);
else {
  console.error('sm-arbiter is started by sm; to ask the arbiters by hand: sm-arbiter --check');
  process.exitCode = EXIT_USAGE;
}
