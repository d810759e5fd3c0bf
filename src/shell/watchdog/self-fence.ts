/**
 * The end of a node that could not be made to stop otherwise (docs/SAFETY.md, rule 11). This port ends processes of the
 * node and nothing else: everything on the kill list, `sm`, and sm-watchdog itself. No reset, no sysrq, no watchdog device.
 */
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
