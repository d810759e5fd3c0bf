#!/usr/bin/env node
import { execute } from '../cli/command.ts';
import { processContext } from '../cli/context.ts';
import { SM_QUERY } from '../cli/query.ts';

process.exitCode = await execute(SM_QUERY, process.argv.slice(2), processContext());
