/** `smctl key`: makes keys of the heartbeat links, changes them, and names the ones that are there. Never prints a key. */
import { type CodedError, ERRORS } from '../core/kernel/errors.ts';
import { previousOf } from '../shell/setup/pair.ts';
import { createKey, listKeys, placeKeys } from '../shell/watchdog/keyring.ts';

/** Where a command prints to; lines without their end. */
export interface KeyIo {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Exit code: 0 = made, else the one of the error. */
export function runKeyNew(directory: string, name: string, io: KeyIo): number {
  const result = createKey(directory, name);
  if (!result.ok) return failed(result.error, io);
  io.out(`${directory}/${name} made, key id ${result.value.id}`);
  io.out(
    `copy it to the other node (owner root, mode 0600); then, on both, smctl key accept ${name}, and after that smctl key use ${name}`,
  );
  return 0;
}

/** Exit code: 0 = all files are keys, 1 = some are refused. */
export function runKeyList(directory: string, io: KeyIo): number {
  const { keys, errors } = listKeys(directory);
  const width = Math.max(0, ...keys.map((key) => key.name.length));
  for (const key of keys) io.out(`${key.name.padEnd(width)}  ${key.id}`);
  for (const error of errors) io.err(`${error.code}: ${error.message}`);
  return errors.length === 0 ? 0 : 1;
}

/** Beside the key that signs, frames signed with this one are accepted too. In force within a second, without a restart. */
export function runKeyAccept(directory: string, name: string, signing: string, io: KeyIo): number {
  const placed = placeKeys(directory, [{ from: name, to: previousOf(signing) }]);
  if (!placed.ok) return failed(placed.error, io);
  io.out(`frames signed with ${name} are accepted`);
  return 0;
}

/** From now on this one signs; the one that did is accepted still. */
export function runKeyUse(directory: string, name: string, signing: string, io: KeyIo): number {
  const placed = placeKeys(directory, [
    { from: name, to: signing },
    { from: signing, to: previousOf(signing) },
  ]);
  if (!placed.ok) return failed(placed.error, io);
  io.out(`${name} signs; what signed before is still accepted, until smctl key accept ${signing}`);
  return 0;
}

function failed(error: CodedError, io: KeyIo): number {
  io.err(`${error.code}: ${error.message}`);
  return ERRORS[error.code].exitCode;
}
