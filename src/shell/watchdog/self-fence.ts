/**
 * The end of a node that could not be made to stop otherwise (docs/SAFETY.md, rule 11). These ports end processes of
 * this node and nothing else: no reset, no sysrq, no watchdog device.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { Log } from '../ports.ts';

export const SELF_FENCE_KINDS = ['processes', 'namespace'] as const;
export type SelfFenceKind = (typeof SELF_FENCE_KINDS)[number];

/** The initial pid namespace has this inode in every kernel (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';
/** Who makes a namespace for one node says so in the environment of its first process. */
const NAMESPACE_MARKER = 'SM_NODE_NAMESPACE=';

export interface SelfFence {
  readonly kind: SelfFenceKind;
  /** Does not return where it works. */
  readonly fire: (reason: string) => void;
}

/**
 * Is our pid namespace one that was made for this node alone? Only then may everything in it be killed. In doubt: no.
 */
export function isNamespaceOfNode(node: string): boolean {
  try {
    const own = readlinkSync('/proc/self/ns/pid');
    if (own === INITIAL_PID_NAMESPACE || own !== readlinkSync('/proc/1/ns/pid')) return false;
    const environment = readFileSync('/proc/1/environ', 'utf8').split('\0');
    return environment.includes(`${NAMESPACE_MARKER}${node}`);
  } catch {
    return false;
  }
}

/** `killRecorded`: kills everything on the kill list and `sm`. `end`: ends this process. */
export function makeSelfFence(
  kind: SelfFenceKind,
  node: string,
  killRecorded: () => void,
  end: () => void,
  log: Log,
): SelfFence {
  const wholeNamespace = kind === 'namespace' && isNamespaceOfNode(node);
  if (kind === 'namespace' && !wholeNamespace) {
    log.warn(
      { node },
      'this pid namespace was not made for this node: the self-fence ends our processes only',
    );
  }
  return {
    kind: wholeNamespace ? 'namespace' : 'processes',
    fire: (reason) => {
      killRecorded();
      if (wholeNamespace) killNamespace();
      log.fatal({ reason }, 'self-fence');
      end();
    },
  };
}

/** Everything but ourselves and the first process, which no signal from inside can kill; then that is asked to end. */
function killNamespace(): void {
  for (const [pid, signal] of [
    [-1, 'SIGKILL'],
    [1, 'SIGTERM'],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      // Nothing left to signal.
    }
  }
}
