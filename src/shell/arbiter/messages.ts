/** What goes through the pipe between `sm-watchdog` and `sm-arbiter`, one JSON object a line. */

import type { FromArbiter, ToArbiter } from '../../core/arbiter/messages.ts';
import type { ArbiterDefinitions } from '../../core/definitions/arbiter-model.ts';
import type { DomainDefinition } from '../../core/definitions/model.ts';
import type { InterfaceRole } from '../../core/kernel/names.ts';
import type { LifeId } from '../../core/link/types.ts';

export type { FromArbiter, ToArbiter };

/** The pipe carries more than the words of the two: its first message, and signs of life. */
export type PipeToArbiter =
  | ToArbiter
  | { readonly type: 'plan'; readonly plan: ArbiterPlan }
  | { readonly type: 'ping' };
/** `ready`: to the plan, before anything else. */
export type PipeFromArbiter = FromArbiter | { readonly type: 'ready' } | { readonly type: 'pong' };

export interface ArbiterPlan {
  readonly node: string;
  readonly peer: string;
  /** Place of this node among the two: its sector of a disk. */
  readonly ordinal: 0 | 1;
  readonly domain: Pick<DomainDefinition, 'name' | 'deadIntervalMs' | 'stopBoundMs'>;
  readonly arbiters: ArbiterDefinitions;
  /** Own address by link: a gateway is asked through the interface that has it. */
  readonly addresses: Readonly<Partial<Record<InterfaceRole, string>>>;
  readonly secretsDirectory: string;
  readonly agentsDirectory: string;
  /** Held by whoever writes to the shared disk for this node. */
  readonly diskLock: string;
  readonly kernelLife: LifeId;
  /** Register that the record was seen in before; '' = never. */
  readonly knownRegister: string;
}
