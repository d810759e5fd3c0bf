import { join } from 'node:path';

/** Held by the sm-watchdog that guards the node. */
export function lockPath(runDirectory: string): string {
  return join(runDirectory, 'sm-watchdog.lock');
}

/** Held by the `sm` of the node. */
export function managerLockPath(runDirectory: string): string {
  return join(runDirectory, 'sm.lock');
}
