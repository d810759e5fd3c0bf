/**
 * What decides in a domain when the peer is silent. One word for the whole node: permission, take-over, restarts and alarms
 * ask for it, and never for the single tables (docs/SAFETY.md, rules 3 and 14).
 */
import type { DefinitionSet } from '../definitions/model.ts';

/**
 * `simplex`: there is no peer. `record`: etcd or a shared disk says who may act; permission runs out by time unless the record
 * is this node's `sole`. `fence`: only a proof of death lets the other one in; permission does not run out. `takeover`,
 * `stay`: no arbiter, by policy.
 */
export const REGIMES = ['simplex', 'record', 'fence', 'takeover', 'stay'] as const;
export type Regime = (typeof REGIMES)[number];

export function regimeOf({
  nodes,
  domain,
  arbiters,
}: Pick<DefinitionSet, 'nodes' | 'domain' | 'arbiters'>): Regime {
  if (nodes.length < 2) return 'simplex';
  if (arbiters !== undefined && (arbiters.etcd !== null || arbiters.disk !== null)) return 'record';
  if (arbiters !== undefined && arbiters.fencing.devices.length > 0) return 'fence';
  return domain.silencePolicy;
}

/** The peer may replace this node by time alone: so its permission has to run out by time (rule 3). */
export function isTimed(regime: Regime): boolean {
  return regime === 'record' || regime === 'takeover';
}

/** Whether a fence device has the power of this node. */
export function canFence({ arbiters }: Pick<DefinitionSet, 'arbiters'>, node: string): boolean {
  return arbiters?.fencing.devices.some((device) => device.node === node) === true;
}
