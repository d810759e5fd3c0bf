/**
 * Everything that shapes one simulated world, as plain data: what `swarm.ts` draws from a seed, what a scenario file sets
 * by hand, and what is printed first, so that a run can be repeated exactly.
 */
import type { SilencePolicy } from '../core/kernel/names.ts';

export const FAULT_KINDS = [
  'power-off',
  'power-off-both',
  'kill-sm',
  'stall-sm',
  'kill-watchdog',
  'stall-watchdog',
  'kill-both',
  'crash-in-turn',
  'cut-one-way',
  'cut-both-ways',
  'cut-all-one-way',
  'carrier-down',
  'carrier-down-all',
  'loss-burst',
  'process-death',
  'script-hangs',
  'script-fails',
  'script-lies',
  'script-slow',
  'commit-fails',
  'commit-slow',
  'swact',
  'swact-force',
  'lock',
  'unlock',
  'cut-all',
  'stall-node',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/**
 * Worlds of `default` keep to the assumptions of the claim. The others break one on purpose and are reported apart:
 * `cut`: a full two-way cut of two live nodes under policy `takeover`; `resume`: both processes of a node stopped and
 * continued, as on a paused virtual machine.
 */
export const WORLD_CLASSES = ['default', 'cut', 'resume'] as const;
export type WorldClass = (typeof WORLD_CLASSES)[number];

/** Rules that can be broken on purpose, to see that a checker notices (`sm-sim selftest`). */
export const BREAKS = [
  'announce-wait',
  'links-all',
  'stop-before-start',
  'kernel-life',
  'kill-by-pgid',
  'commit-before-kill',
  'perform-check',
  'intent-log',
  'orphan-scripts',
] as const;
export type Break = (typeof BREAKS)[number];

export interface ServiceShape {
  readonly name: string;
  /** Has go-active and go-standby: runs as standby on the other node. */
  readonly promotable: boolean;
  /** Holds something that survives a kill of its processes. */
  readonly kernelState: boolean;
  /** A service of the same world that has to be active first; '' = none. */
  readonly after: string;
}

export interface GroupShape {
  readonly name: string;
  readonly model: 'N' | 'N + M';
  readonly aggregate: string;
  readonly services: readonly ServiceShape[];
}

export interface DomainShape {
  readonly policy: SilencePolicy;
  readonly helloIntervalMs: number;
  readonly deadIntervalMs: number;
  readonly stopBoundMs: number;
  readonly stopGraceMs: number;
  readonly killVerifyMs: number;
  readonly linkDownDetectMs: number;
  readonly mainStallMsMax: number;
  readonly waitIntervalMs: number;
  readonly failureDebounceMs: number;
}

export interface NetworkShape {
  readonly loss: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  readonly duplication: number;
  /** Probability that a second copy of a frame arrives up to 5 s later. */
  readonly lateDuplication: number;
}

export interface DiskShape {
  readonly commitMsMin: number;
  readonly commitMsMax: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly worldClass: WorldClass;
  readonly nodes: readonly string[];
  /** Number of links, 1 to 3, in the order of INTERFACE_ROLES. */
  readonly links: number;
  readonly domain: DomainShape;
  readonly groups: readonly GroupShape[];
  readonly network: NetworkShape;
  readonly disk: DiskShape;
  /** Rate of each node's clock against true time. */
  readonly clockRates: readonly number[];
  /** Mean time between two faults of a kind, ms; a kind that is not there does not occur. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly breaks: readonly Break[];
}
