#!/usr/bin/env node
import { execute } from '../cli/command.ts';
import { processContext } from '../cli/context.ts';
import { SM_DUMP } from '../cli/dump.ts';

process.exitCode = await execute(SM_DUMP, process.argv.slice(2), processContext());
