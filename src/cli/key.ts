/** `smctl key new|list`: makes keys of the heartbeat links and names the ones that are there. Never prints a key. */
import { ERRORS } from '../core/kernel/errors.ts';
import { createKey, listKeys } from '../shell/watchdog/keyring.ts';

/** Where a command prints to; lines without their end. */
export interface KeyIo {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Exit code: 0 = made, else the one of the error. */
export function runKeyNew(directory: string, name: string, io: KeyIo): number {
  const result = createKey(directory, name);
  if (!result.ok) {
    io.err(`${result.error.code}: ${result.error.message}`);
    return ERRORS[result.error.code].exitCode;
  }
  io.out(`${directory}/${name} made, key id ${result.value.id}`);
  io.out(
    `copy it to the other node (owner root, mode 0600), then name '${name}' as AUTH_KEY of the interface`,
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
