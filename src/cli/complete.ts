/** `smctl __complete`: names of this node for the completion of shells. Never a message: it runs at each press of TAB. */
import { StateReader } from '../shell/store/reader.ts';
import { listKeys } from '../shell/watchdog/keyring.ts';
import type { CommandSpec, Given, Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';

/** What can be asked for, by the name that arguments of commands have. */
export const COMPLETED = ['node', 'group', 'service', 'key'] as const;
export type Completed = (typeof COMPLETED)[number];

export const COMPLETE: CommandSpec = {
  name: '__complete',
  summary: 'Print names of this node, one a line',
  hidden: true,
  arguments: [{ syntax: '<kind>', text: COMPLETED.join(', ') }],
  run: complete,
};

function complete(_context: unknown, given: Given): Outcome {
  const names = namesOf(given.arguments[0] ?? '', given.settings);
  return { exit: EXIT.ok, lines: names, json: { names } };
}

function namesOf(kind: string, { database, keysDirectory }: Given['settings']): readonly string[] {
  if (kind === 'key') return listKeys(keysDirectory).keys.map(({ name }) => name);
  const read = StateReader.read(database, (reader) => {
    const rows =
      kind === 'node'
        ? reader.nodes()
        : kind === 'group'
          ? reader.groups()
          : kind === 'service'
            ? reader.services()
            : [];
    return rows.map(({ name }) => name);
  });
  return read.ok ? read.value : [];
}
