/** StarlingX's names of tools that are one program here: it does what the name says by which it was called. */
import type { CommandSpec } from './command.ts';
import { SM_CONFIGURE, SM_DEPROVISION, SM_PROVISION } from './provisioning.ts';
import { SM_MANAGE, SM_NOTIFY, SM_RESTART, SM_RESTART_SAFE, SM_UNMANAGE } from './service-tools.ts';

export const TOOLS: readonly CommandSpec[] = [
  SM_MANAGE,
  SM_UNMANAGE,
  SM_RESTART,
  SM_RESTART_SAFE,
  SM_CONFIGURE,
  SM_PROVISION,
  SM_DEPROVISION,
  SM_NOTIFY,
];

/** null = it has no such name. `path`: of the program, as it was called. */
export function toolOf(path: string): CommandSpec | null {
  const name = path.replace(/^.*\//, '').replace(/\.[jt]s$/, '');
  return TOOLS.find((tool) => tool.name === name) ?? null;
}
