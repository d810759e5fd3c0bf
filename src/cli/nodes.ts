/**
 * `smctl node` and `smctl restart-daemon`: a second node for a node alone, the end of one that is gone, and a start of the
 * manager anew. Services run on in all of them.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { failure } from '../core/kernel/errors.ts';
import type { NodeChange, NodeLink } from '../core/membership.ts';
import { ControlError } from '../shell/client.ts';
import { writeBundle } from '../shell/setup/bundle.ts';
import { placesOf, provisionedLinks } from '../shell/setup/node.ts';
import { checkPair, KEY_NAME, type Pair, previousOf } from '../shell/setup/pair.ts';
import { provision } from '../shell/store/provision.ts';
import { loadRows } from '../shell/store/source.ts';
import { createKey, readKey } from '../shell/watchdog/keyring.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { ANSWER_MS, controlProblem, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { linksGiven, PORT_FALLBACK } from './setup.ts';

/** How long a start of the manager anew may take, ms. */
const RESTART_LIMIT_MS = 30_000;
const LOOK_MS = 100;
/** The answer waits for scripts that run, and for a check of what is installed. */
const REQUEST_MS = 40_000;

const WHY = { flags: '--why <text>', text: 'reason, for the history and for whoever asks later' };

const ADD: CommandSpec = {
  name: 'add',
  summary: 'Make a node that is alone the first one of a pair',
  details: [
    'Its services run on. As with smctl init, all that the new node needs, the key included, is put into one file: copy it',
    'there, run smctl join, and remove it on both nodes. The new node takes nothing over before the two have met.',
  ],
  examples: ['smctl node add controller-1 --interface management-interface=10.0.0.1,10.0.0.2'],
  arguments: [{ syntax: '<node>', text: 'name of the new node' }],
  options: [
    {
      flags: '--interface <link...>',
      text: 'a link: interface=ADDRESS,PEER-ADDRESS; once for each of them',
    },
    {
      flags: '--port <number>',
      text: 'UDP port of the links; the next one is taken too',
      fallback: PORT_FALLBACK,
    },
    WHY,
  ],
  run: add,
};

const REMOVE: CommandSpec = {
  name: 'remove',
  summary: 'Let this node go on alone: the other one is gone for good',
  details: [
    'Its services run on. Lock the other node, stop sm on it, and then remove it here: the lock keeps it from taking the',
    'groups should it be started again. A node that was lost and can not be locked any more is removed with --dead, which is',
    'your word that it is off and will never be started with its database.',
  ],
  examples: ['smctl node remove controller-1 --why "sold"'],
  arguments: [{ syntax: '<node>', text: 'name of the node that is gone' }],
  options: [{ flags: '--dead', text: 'it was lost without having been locked, and never comes back' }, WHY],
  run: remove,
};

const RESTART: CommandSpec = {
  name: 'restart-daemon',
  summary: 'Start sm anew, and sm-watchdog too after an upgrade; services run on',
  details: [
    'What is installed is checked first: a version that could not run on this configuration and database is refused, and',
    'what runs goes on. sm-watchdog is replaced if it was started from other programs or other definitions.',
  ],
  options: [WHY],
  run: restart,
};

export const NODES: readonly CommandSpec[] = [
  { name: 'node', summary: 'Make a pair of one node, and the other way round', commands: [ADD, REMOVE] },
  RESTART,
];

async function add(context: Context, given: Given): Promise<Outcome> {
  const { settings } = given;
  const peer = given.arguments[0] ?? '';
  const links = linksGiven(given);
  if ('code' in links) return failed(links);
  const pair: Pair = {
    nodes: [settings.node, peer],
    links,
    port: Number(text(given, 'port', PORT_FALLBACK)),
  };
  const checked = checkPair(pair);
  if (!checked.ok) return failed(checked.error);
  const { keysDirectory } = settings;
  const bundle = join(dirname(placesOf(keysDirectory, '').configuration), `join-${peer}.json`);
  if (existsSync(bundle)) return failed(failure('SM_SETUP_EXISTS', { path: bundle }).error);
  const madeKey = !existsSync(join(keysDirectory, KEY_NAME));
  const key = madeKey ? createKey(keysDirectory, KEY_NAME) : readKey(keysDirectory, KEY_NAME);
  if (!key.ok) return failed(key.error);
  const undo = () => {
    rmSync(bundle, { force: true });
    if (madeKey) rmSync(join(keysDirectory, KEY_NAME), { force: true });
  };
  const written = writeJoinFile(
    bundle,
    pair,
    settings.database,
    readFileSync(join(keysDirectory, KEY_NAME)),
    context,
  );
  if (written !== null) {
    undo();
    return written;
  }
  const change: NodeChange = { change: 'add', node: peer, port: pair.port, links: nodeLinks(pair) };
  const outcome = await order(context, given, 'nodes', change);
  // Refused, or not even asked: as before. Where it is unknown what came of it, the file is needed.
  if (outcome.exit === EXIT.refused || outcome.exit === EXIT.away) undo();
  if (outcome.exit !== EXIT.ok) return outcome;
  return {
    ...outcome,
    lines: [
      ...(outcome.lines ?? []),
      `copy ${bundle} to ${peer}, keeping its mode:`,
      `  scp -p ${bundle} ${peer}:${bundle}`,
      `then, on ${peer}:`,
      `  smctl join --bundle ${bundle}`,
      'remove the file on both nodes, for it holds the key, and start sm there',
    ],
    json: { ...outcome.json, bundle },
  };
}

/** The rows as they will be are made in a database of their own: they are checked, and the daemon's file is not touched. */
function writeJoinFile(
  bundle: string,
  pair: Pair,
  database: string,
  key: Buffer,
  context: Context,
): Outcome | null {
  const loaded = loadRows(database);
  if (!loaded.ok) return failed(loaded.error);
  const scratch = mkdtempSync(join(dirname(bundle), '.join-'));
  try {
    const node = {
      nodes: pair.nodes,
      links: provisionedLinks(pair, 0),
      port: pair.port,
      key: KEY_NAME,
      previousKey: previousOf(KEY_NAME),
      joins: false,
    };
    const made = provision(join(scratch, 'sm.db'), database, loaded.value.rows, node, context.wallMs());
    if (!made.ok) return failed(made.error);
    const written = writeBundle(bundle, { pair, key: key.toString('base64'), rows: made.value.rows });
    return written.ok ? null : failed(written.error);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function nodeLinks(pair: Pair): NodeLink[] {
  return provisionedLinks(pair, 0).map(({ role, address, peerAddress }) => ({ role, address, peerAddress }));
}

async function remove(context: Context, given: Given): Promise<Outcome> {
  const node = given.arguments[0] ?? '';
  const change: NodeChange = { change: 'remove', node, dead: given.options.dead === true };
  const outcome = await order(context, given, 'nodes', change);
  if (outcome.exit !== EXIT.ok) return outcome;
  const lines = [
    ...(outcome.lines ?? []),
    `never start sm on ${node} with its database again: purge it there`,
  ];
  return { ...outcome, lines };
}

function restart(context: Context, given: Given): Promise<Outcome> {
  return order(context, given, 'restart', {});
}

interface Reply {
  readonly ok: boolean;
  readonly code: string;
  readonly message: string;
}

/** The shell's part of a view. */
interface Running {
  readonly shell: {
    readonly pid: number;
    readonly basis: string;
    readonly watchdog: { readonly pid: number; readonly basis: string } | null;
  };
}

/** Asks for it, and waits until another `sm` and a watchdog of the same installation and plan answer. */
async function order(context: Context, given: Given, method: string, params: object): Promise<Outcome> {
  try {
    const { before, reply } = await withDaemon(context, given, async (daemon) => {
      const before = (await daemon.request('view', {}, ANSWER_MS)) as Running;
      const all = { ...params, actor: context.actor, why: text(given, 'why') };
      return { before, reply: (await daemon.request(method, all, REQUEST_MS)) as Reply };
    });
    if (!reply.ok) return problem(EXIT.refused, reply.code, reply.message);
    const limitAt = context.wallMs() + RESTART_LIMIT_MS;
    for (;;) {
      const now = await running(context, given);
      if (now !== null && isRenewed(now, before)) return told(now);
      if (context.stopped() || context.wallMs() >= limitAt)
        return problem(
          EXIT.timedOut,
          'timed-out',
          'sm does not answer anew yet: see its log and smctl status',
        );
      await context.pause(LOOK_MS);
    }
  } catch (error) {
    return controlProblem(error);
  }
}

async function running(context: Context, given: Given): Promise<Running | null> {
  try {
    return await withDaemon(context, given, async (daemon) => {
      return (await daemon.request('view', {}, ANSWER_MS)) as Running;
    });
  } catch (error) {
    if (error instanceof ControlError) return null;
    throw error;
  }
}

function isRenewed({ shell }: Running, before: Running): boolean {
  return shell.pid !== before.shell.pid && shell.watchdog !== null && shell.watchdog.basis === shell.basis;
}

function told({ shell }: Running): Outcome {
  const { pid, watchdog } = shell;
  const line = `sm runs anew, process ${pid}; sm-watchdog is process ${watchdog?.pid}`;
  return { exit: EXIT.ok, lines: [line], json: { ok: true, pid, watchdog: watchdog?.pid } };
}
