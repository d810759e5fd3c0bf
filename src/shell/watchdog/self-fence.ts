/**
 * The end of a node that could not be made to stop otherwise (docs/SAFETY.md, rule 11). This port ends processes of the
 * node and nothing else: everything on the kill list, `sm`, and sm-watchdog itself. No reset, no sysrq, no watchdog device.
 */
import { readFileSync } from 'node:fs';
import type { Log } from '../ports.ts';

export interface SelfFence {
  /** Does not return where it works. */
  readonly fire: (reason: string) => void;
}

/** `killRecorded`: kills everything on the kill list and `sm`. `end`: ends this process. */
export function processesSelfFence(killRecorded: () => void, end: () => void, log: Log): SelfFence {
  return {
    fire: (reason) => {
      killRecorded();
      log.fatal({ reason }, 'self-fence: all processes of this node were killed');
      end();
    },
  };
}

/**
 * What ends a node of the lab: its first process does that at SIGTERM, and with it goes what outlives killed processes,
 * addresses and mounts. Anywhere else it does nothing: a process 1 that is not the lab's is never touched.
 */
export function endOfNamespace(environment: NodeJS.ProcessEnv): () => void {
  if (environment.SM_NODE_NAMESPACE === undefined || !firstProcessIsOfLab()) return () => {};
  return () => {
    process.kill(1, 'SIGTERM');
  };
}

function firstProcessIsOfLab(): boolean {
  try {
    return (
      readFileSync('/proc/1/cmdline', 'latin1').split('\0', 2)[1]?.endsWith('/scripts/lab/node-init') ?? false
    );
  } catch {
    return false;
  }
}
