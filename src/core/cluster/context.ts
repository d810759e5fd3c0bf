/** What the parts of the cluster share: this node's facts and the ways to say something. */
import type { DefinitionSet } from '../definitions/model.ts';
import type { EngineEffect } from '../engine-interface.ts';
import type { Timers } from '../kernel/timers.ts';
import type { GroupReport } from '../link/types.ts';
import type { GroupView, HistoryEffect, LocalEvent } from '../service/interface.ts';
import type { NodeRecords } from './node-records.ts';
import type { Numbers } from './numbers.ts';
import type { Operations } from './operations.ts';
import type { PeerState } from './peer-state.ts';

/** The part of the local engine that the cluster drives. */
export interface LocalPort {
  step(event: LocalEvent, now: number): void;
  group(name: string): GroupView;
  groups(): readonly GroupView[];
}

export interface ClusterContext {
  readonly me: string;
  readonly definitions: DefinitionSet;
  readonly local: LocalPort;
  /** null = a domain of one node. */
  readonly peer: PeerState | null;
  readonly timers: Timers;
  readonly numbers: Numbers;
  readonly operations: Operations;
  readonly nodes: NodeRecords;
  readonly emit: (effect: EngineEffect) => void;
  readonly history: (entry: Omit<HistoryEffect, 'type' | 'actor'> & { readonly actor?: string }) => void;
  /** Monotonic time of a wall-clock time of this node, by the two clocks at the start; `wall` the other way round. */
  readonly monotonic: (wallMs: number) => number;
  readonly wall: (now: number) => number;
}

/** What is known of a group on a node; undefined where the peer has not exchanged. */
export function groupOn(
  { me, local, peer }: ClusterContext,
  node: string,
  group: string,
): GroupView | GroupReport | undefined {
  return node === me ? local.group(group) : peer?.group(group);
}
