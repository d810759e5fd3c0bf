#!/usr/bin/env node
/** Started by `sm` alone, to take the place of a watchdog that died or hangs: `sm-watchdog --plan FILE --adopt`. */
import { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { createLogger } from '../shell/log.ts';
import { CHANNEL_FD } from '../shell/pair/channel.ts';
import { runWatchdog } from '../shell/watchdog/daemon.ts';
import { readPlan } from '../shell/watchdog/plan.ts';

const { values } = parseArgs({
  options: { plan: { type: 'string' }, adopt: { type: 'boolean' } },
  strict: false,
});
if (typeof values.plan !== 'string' || values.adopt !== true) {
  console.error('sm-watchdog is started by sm: run sm');
  process.exit(64);
}
const plan = readPlan(values.plan);
const log = createLogger({ program: 'sm-watchdog', node: plan.config.node, log: plan.config.log });
await runWatchdog({ config: plan.config, plan: () => plan, adopted: new Socket({ fd: CHANNEL_FD }), log });
