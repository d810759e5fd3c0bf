/** The command tree of smctl. */
import { checkSet } from './check.ts';
import type { CommandSpec, Given, Outcome } from './command.ts';
import { EVENTS } from './events.ts';
import { EXPLAIN } from './explain.ts';
import { type KeyIo, runKeyList, runKeyNew } from './key.ts';
import { OPERATE } from './operate.ts';
import { STATUS } from './status.ts';

const CHECK: CommandSpec = {
  name: 'check',
  summary: 'Check a definition set before it is used: counts, then errors, then warnings',
  details: [
    'A script that is not on this node is a warning; an error in the own database, and with --strict.',
  ],
  arguments: [
    { syntax: '[set]', text: "folder of numbered .sql files, or a database; left out: this node's own" },
  ],
  options: [{ flags: '--strict', text: 'a missing script is an error' }],
  run: (context, given) =>
    checkSet(given.arguments[0] ?? given.settings.database, {
      strict: given.options.strict === true,
      ownDatabase: given.settings.database,
      scriptProblem: (type, pluginClass, name) =>
        context.scriptProblem(given.settings, type, pluginClass, name),
    }),
};

const KEY: CommandSpec = {
  name: 'key',
  summary: 'Keys that sign the heartbeats',
  commands: [
    {
      name: 'new',
      summary: 'Make a key file of 32 random bytes',
      arguments: [{ syntax: '<name>', text: 'name of the key, as AUTH_KEY of an interface names it' }],
      run: (_context, given) =>
        keyOutcome(given, (io) => runKeyNew(given.settings.keysDirectory, given.arguments[0] ?? '', io)),
    },
    {
      name: 'list',
      summary: 'Name the keys of this node with their ids; never the keys themselves',
      run: (_context, given) => keyOutcome(given, (io) => runKeyList(given.settings.keysDirectory, io)),
    },
  ],
};

function keyOutcome(given: Given, work: (io: KeyIo) => number): Outcome {
  const lines: string[] = [];
  const problems: string[] = [];
  const exit = work({ out: (line) => void lines.push(line), err: (line) => void problems.push(line) });
  return {
    exit,
    lines,
    problems,
    json: { ok: exit === 0, directory: given.settings.keysDirectory, lines, problems },
  };
}

export const SMCTL: CommandSpec = {
  name: 'smctl',
  summary: 'Ask and command the service manager of this node',
  details: ['Commands that change something wait for their end and tell what came of it.'],
  commands: [STATUS, EXPLAIN, EVENTS, ...OPERATE, CHECK, KEY],
};
