/** A node of the lab: its machine is a set of namespaces of the one kernel that all nodes of the lab share. */
import { readFileSync } from 'node:fs';

/** The lab says so, and the first process is the lab's: what a variable says alone is not believed. */
export function isLabNode(environment: NodeJS.ProcessEnv): boolean {
  if (environment.SM_NODE_NAMESPACE === undefined) return false;
  try {
    const program = readFileSync('/proc/1/cmdline', 'latin1').split('\0', 2)[1];
    return program?.endsWith('/scripts/lab/node-init') ?? false;
  } catch {
    return false;
  }
}
