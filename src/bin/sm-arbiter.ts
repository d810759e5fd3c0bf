#!/usr/bin/env node
/**
 * The process that asks arbiters. `sm-watchdog` starts it with a pipe as descriptor 3 (`sm-arbiter --serve`) and tells it first
 * what to ask; by hand `sm-arbiter --check` asks each arbiter once whether it could be used if it were needed now.
 */
import { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { checkArbiters } from '../shell/arbiter/check.ts';
import { serveArbiters } from '../shell/arbiter/serve.ts';
import { CONFIG_PATH, loadConfig } from '../shell/config.ts';
import { EXIT_CONFIG, EXIT_USAGE } from '../shell/exit-codes.ts';
import { CHANNEL_FD } from '../shell/pair/channel.ts';
import { realTime } from '../shell/time.ts';

const HELP = `Usage: sm-arbiter --check [--config FILE] [--json]

Asks every arbiter of the definitions whether it could be used if it were needed now: the register or disk of the record,
each fence device of the other node, each gateway.

Exit codes: 0 all are ready; 1 one is not; 64 wrong arguments; 78 configuration or definitions can not be used.`;

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
    serve: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    config: { type: 'string', default: CONFIG_PATH },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
  strict: false,
});
if (values.help === true) console.log(HELP);
else if (values.check === true) process.exitCode = await check(String(values.config), values.json === true);
else if (values.serve === true) await serveArbiters(new Socket({ fd: CHANNEL_FD }), process.env);
else {
  console.error('sm-arbiter is started by sm; to ask the arbiters by hand: sm-arbiter --check');
  process.exitCode = EXIT_USAGE;
}
