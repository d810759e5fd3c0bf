/** The command tree of smctl. */
import { KEY_NAME } from '../shell/setup/pair.ts';
import { ALARMS } from './alarms.ts';
import { checkSet } from './check.ts';
import { collectCommand } from './collect.ts';
import { type CommandSpec, type Given, type OptionSpec, type Outcome, text } from './command.ts';
import { COMPLETE } from './complete.ts';
import { CONFIRM_DEAD } from './confirm-dead.ts';
import { SM_DUMP } from './dump.ts';
import { EVENTS } from './events.ts';
import { EXPLAIN } from './explain.ts';
import { HISTORY } from './history.ts';
import { type KeyIo, runKeyAccept, runKeyList, runKeyNew, runKeyUse } from './key.ts';
import { NODES } from './nodes.ts';
import { OPERATE } from './operate.ts';
import { PKI } from './pki.ts';
import { SETUP } from './setup.ts';
import { STATUS } from './status.ts';
import { TOKEN } from './token.ts';

const CHECK: CommandSpec = {
  name: 'check',
  summary: 'Check a definition set before it is used: counts, then errors, then warnings',
  details: [
    'A script that is not on this node is a warning; an error in the own database, and with --strict.',
  ],
  arguments: [
    {
      syntax: '[set]',
      text: "folder of numbered .sql files, or a database; left out: this node's own",
      complete: 'path',
    },
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

const SIGNING: OptionSpec = {
  flags: '--for <name>',
  text: 'the key that the definitions name as AUTH_KEY',
  fallback: KEY_NAME,
};

const KEY: CommandSpec = {
  name: 'key',
  summary: 'Keys that sign the heartbeats',
  commands: [
    {
      name: 'new',
      summary: 'Make a key file of 64 random bytes',
      arguments: [{ syntax: '<name>', text: 'name of the key, as AUTH_KEY of an interface names it' }],
      run: (_context, given) =>
        keyOutcome(given, (io) => runKeyNew(given.settings.keysDirectory, given.arguments[0] ?? '', io)),
    },
    {
      name: 'list',
      summary: 'Name the keys of this node with their ids; never the keys themselves',
      run: (_context, given) => keyOutcome(given, (io) => runKeyList(given.settings.keysDirectory, io)),
    },
    {
      name: 'accept',
      summary: 'Also accept what is signed with this key, within a second and without a restart',
      details: [
        'First step of changing a key: on both nodes, before either signs with the new one. Needs AUTH_KEY_PREVIOUS of the',
        'interfaces to be the name of the signing key with -previous, as smctl init sets it. As the last step, accepting the',
        'signing key itself ends the acceptance of the one before.',
      ],
      arguments: [{ syntax: '<key>', text: 'name of a key file' }],
      options: [SIGNING],
      run: (_context, given) =>
        keyOutcome(given, (io) =>
          runKeyAccept(given.settings.keysDirectory, given.arguments[0] ?? '', signing(given), io),
        ),
    },
    {
      name: 'use',
      summary: 'Sign with this key from now on, and go on accepting the one before',
      details: ['Second step of changing a key: only after smctl key accept on both nodes.'],
      arguments: [{ syntax: '<key>', text: 'name of a key file' }],
      options: [SIGNING],
      run: (_context, given) =>
        keyOutcome(given, (io) =>
          runKeyUse(given.settings.keysDirectory, given.arguments[0] ?? '', signing(given), io),
        ),
    },
  ],
};

function signing(given: Given): string {
  return text(given, 'for', KEY_NAME);
}

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

/** What a helper would have asked first. */
const COLLECT = collectCommand((sinceMs) => {
  const ago = `${Math.ceil(sinceMs / 1000)}s`;
  const events = ['--since', ago, '--limit', '10000', '--json'];
  return {
    'sm/status.txt': { spec: STATUS, words: [] },
    'sm/status.json': { spec: STATUS, words: ['--json'] },
    'sm/dump.txt': { spec: SM_DUMP, words: ['--verbose', '--pid'] },
    'sm/alarms.txt': { spec: ALARMS, words: [] },
    'sm/history.txt': { spec: HISTORY, words: ['--last', ago, '--full'] },
    'sm/history.json': { spec: HISTORY, words: ['--last', ago, '--json'] },
    'sm/events.json': { spec: EVENTS, words: events },
    'sm/check.txt': { spec: CHECK, words: [] },
  };
}, EXPLAIN);

export const SMCTL: CommandSpec = {
  name: 'smctl',
  summary: 'Ask and command the service manager of this node',
  details: ['Commands that change something wait for their end and tell what came of it.'],
  commands: [
    STATUS,
    EXPLAIN,
    ALARMS,
    EVENTS,
    HISTORY,
    ...OPERATE,
    CONFIRM_DEAD,
    CHECK,
    COLLECT,
    KEY,
    TOKEN,
    PKI,
    ...SETUP,
    ...NODES,
    COMPLETE,
  ],
};
