#!/usr/bin/env node
import { execute } from '../cli/command.ts';
import { processContext } from '../cli/context.ts';
import { SMCTL } from '../cli/smctl.ts';

process.exitCode = await execute(SMCTL, process.argv.slice(2), processContext());
