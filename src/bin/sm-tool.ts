#!/usr/bin/env node
/** sm-manage, sm-restart, sm-provision...: one program with many names. By its own name it takes one as its first word. */
import { execute } from '../cli/command.ts';
import { processContext } from '../cli/context.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { TOOLS, toolOf } from '../cli/tools.ts';

const [, path = '', ...words] = process.argv;
const called = toolOf(path);
const named = called ?? toolOf(words[0] ?? '');
if (named === null) {
  console.error(`sm-tool: call it as one of ${TOOLS.map(({ name }) => name).join(', ')}`);
  process.exitCode = EXIT.usage;
} else process.exitCode = await execute(named, called === null ? words.slice(1) : words, processContext());
