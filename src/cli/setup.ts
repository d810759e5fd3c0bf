/** `smctl init` and `smctl join`: a pair from two fresh machines. */
import { dirname, join } from 'node:path';
import { problemText } from '../core/definitions/problems.ts';
import { type CodedError, failure } from '../core/kernel/errors.ts';
import { readBundle, writeBundle } from '../shell/setup/bundle.ts';
import { type MadeNode, makeNode, type NodePlaces, placesOf, setPath } from '../shell/setup/node.ts';
import { checkPair, type Pair, type PairLink, parseLink } from '../shell/setup/pair.ts';
import { loadRows } from '../shell/store/source.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { EXIT } from './exit-codes.ts';

export const PORT_FALLBACK = '2222';
const SET_FALLBACK = 'demo';

const INIT: CommandSpec = {
  name: 'init',
  summary: 'Set up the first node of a new pair: configuration, key and database',
  details: [
    'Nothing is overwritten. All that the other node needs, the key included, is put into one file, which only its',
    'owner can read: copy it there, run smctl join, and remove it on both nodes.',
  ],
  examples: [
    'smctl init --node controller-0 --peer controller-1 \\',
    '  --interface management-interface=10.0.0.1,10.0.0.2 --interface oam-interface=10.1.0.1,10.1.0.2',
  ],
  options: [
    { flags: '--node <name>', text: 'name of this node' },
    { flags: '--peer <name>', text: 'name of the other node' },
    {
      flags: '--interface <link...>',
      text: 'a link: interface=ADDRESS,PEER-ADDRESS; once for each of them',
    },
    {
      flags: '--definitions <set>',
      text: 'definition set of the pair: demo, starlingx, a folder or a database',
      fallback: SET_FALLBACK,
    },
    {
      flags: '--port <number>',
      text: 'UDP port of the links; the next one is taken too',
      fallback: PORT_FALLBACK,
    },
  ],
  run: init,
};

const JOIN: CommandSpec = {
  name: 'join',
  summary: 'Set up the second node of a pair from the file that smctl init made on the first',
  details: ['Names, addresses, key and definitions come from the file. Nothing is overwritten.'],
  examples: ['smctl join --bundle /etc/sm/join-controller-1.json'],
  options: [{ flags: '--bundle <file>', text: 'the file: of root or yours, mode 0600' }],
  run: joinPair,
};

export const SETUP: readonly CommandSpec[] = [INIT, JOIN];

function init(context: Context, given: Given): Outcome {
  const [node, peer] = [text(given, 'node'), text(given, 'peer')];
  if (node === '' || peer === '') {
    return problem(EXIT.usage, 'usage', 'Both nodes must have a name: --node NAME --peer NAME');
  }
  const places = placesFor(given);
  if (places === null) return usualPlacesOnly();
  const links = linksGiven(given);
  if ('code' in links) return failed(links);
  const pair: Pair = { nodes: [node, peer], links, port: Number(text(given, 'port', PORT_FALLBACK)) };
  const checked = checkPair(pair);
  if (!checked.ok) return failed(checked.error);
  const source = setPath(text(given, 'definitions', SET_FALLBACK));
  const loaded = loadRows(source);
  if (!loaded.ok) return failed(loaded.error);
  const [fault] = loaded.value.problems;
  if (fault !== undefined) {
    return failed(failure('SM_SET_FATAL', { path: source, detail: problemText(fault) }).error);
  }
  const { rows } = loaded.value;
  const made = makeNode({ pair, index: 0, rows, source, key: null, wallMs: context.wallMs() }, places);
  if (!made.ok) return failed(made.error);
  const bundle = join(dirname(places.configuration), `join-${peer}.json`);
  const key = made.value.key().toString('base64');
  const written = writeBundle(bundle, { pair, key, rows: made.value.rows });
  if (!written.ok) {
    made.value.undo();
    return failed(written.error);
  }
  return told(node, made.value, { bundle }, [
    `copy ${bundle} to ${peer}, keeping its mode:`,
    `  scp -p ${bundle} ${peer}:${bundle}`,
    `then, on ${peer}:`,
    `  smctl join --bundle ${bundle}`,
    'and remove the file on both nodes: it holds the key',
  ]);
}

function joinPair(context: Context, given: Given): Outcome {
  const path = text(given, 'bundle');
  if (path === '') {
    return problem(EXIT.usage, 'usage', 'Name the file that smctl init made: --bundle FILE');
  }
  const places = placesFor(given);
  if (places === null) return usualPlacesOnly();
  const read = readBundle(path);
  if (!read.ok) return failed(read.error);
  const { pair, rows } = read.value;
  const key = Buffer.from(read.value.key, 'base64');
  const made = makeNode({ pair, index: 1, rows, source: path, key, wallMs: context.wallMs() }, places);
  if (!made.ok) return failed(made.error);
  return told(pair.nodes[1], made.value, { bundle: path }, [
    `remove ${path} here and on ${pair.nodes[0]}: it holds the key`,
    'then start sm on both nodes',
  ]);
}

/** What was given as --interface. */
export function linksGiven(given: Given): readonly PairLink[] | CodedError {
  const links: PairLink[] = [];
  for (const word of (given.options.interface ?? []) as readonly string[]) {
    const link = parseLink(word);
    if (typeof link === 'string') return failure('SM_SETUP_PAIR', { detail: link }).error;
    links.push(link);
  }
  return links;
}

/** null = another configuration was asked for: init and join make the usual one. */
function placesFor(given: Given): NodePlaces | null {
  if (given.options.config !== undefined) return null;
  return placesOf(given.settings.keysDirectory, given.settings.database);
}

function usualPlacesOnly(): Outcome {
  return problem(EXIT.usage, 'usage', 'The configuration is made at its usual place: leave --config out');
}

function told(node: string, made: MadeNode, more: object, next: readonly string[]): Outcome {
  const { keyId, digest, warnings } = made;
  return {
    exit: EXIT.ok,
    lines: [`${node}: made ${made.made.join(', ')} (key id ${keyId}, definitions ${digest})`, ...next],
    problems: warnings,
    json: { ok: true, node, made: made.made, key_id: keyId, definitions: digest, warnings, ...more },
  };
}
