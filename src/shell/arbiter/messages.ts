/** The plan that `sm-arbiter` starts with; what it and `sm-watchdog` say to each other goes as one JSON object a line. */
import type { ArbiterDefinitions } from '../../core/definitions/arbiter-model.ts';
import type { DomainDefinition } from '../../core/definitions/model.ts';
import type { LifeId } from '../../core/link/types.ts';

export type { FromArbiter, ToArbiter } from '../../core/arbiter/messages.ts';

export interface ArbiterPlan {
  readonly node: string;
  readonly peer: string;
  /** Place of this node among the two: its sector of a disk. */
  readonly ordinal: 0 | 1;
  readonly domain: Pick<DomainDefinition, 'name' | 'deadIntervalMs' | 'stopBoundMs'>;
  readonly arbiters: ArbiterDefinitions;
  readonly secretsDirectory: string;
  readonly agentsDirectory: string;
  readonly kernelLife: LifeId;
  /** Register that the record was seen in before; '' = never. */
  readonly knownRegister: string;
}
