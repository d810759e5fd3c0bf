/**
 * The end of a node that could not be made to stop otherwise (docs/SAFETY.md, rule 11): first by what was armed for it, and
 * where that is nothing, or does not work, by the end of all its processes: the kill list, `sm`, and sm-watchdog itself.
 */
import { isLabNode } from '../lab-node.ts';
import type { Log } from '../ports.ts';
import type { ArmedFence } from './armed-fence.ts';

export interface SelfFence {
  /** Does not return where it works, but for a watchdog device: that one needs its time, in which nothing may be done. */
  readonly fire: (reason: string) => void;
  /** Permission is being kept as it should: about once a second. */
  readonly alive: () => void;
  /** The node has ended in order. */
  readonly close: () => void;
}

/** `killRecorded`: kills everything on the kill list and `sm`. `end`: ends this process. */
export function selfFence(
  { strike, device }: ArmedFence,
  killRecorded: () => void,
  end: () => void,
  log: Log,
): SelfFence {
  return {
    fire: (reason) => {
      device?.abandon();
      // Nothing comes before it: the log is a file, and a disk may hang.
      strike?.();
      killRecorded();
      const words = 'self-fence: all processes of this node were killed';
      if (device === null) {
        log.fatal({ reason }, words);
        return end();
      }
      log.fatal({ reason }, `${words}, and the watchdog device resets the machine`);
    },
    alive: () => device?.pet(),
    close: () => device?.close(),
  };
}

/**
 * What ends a node of the lab: its first process does that at SIGTERM, and with it goes what outlives killed processes,
 * addresses and mounts. Anywhere else it does nothing: a process 1 that is not the lab's is never touched.
 */
export function endOfNamespace(environment: NodeJS.ProcessEnv): () => void {
  if (!isLabNode(environment)) return () => {};
  return () => {
    process.kill(1, 'SIGTERM');
  };
}
