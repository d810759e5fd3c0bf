/** What `sm-watchdog` and `sm-arbiter` say to each other, one JSON object a line, and the plan that the latter starts with. */
import type { FenceResult } from '../../core/arbiter/fence.ts';
import type { ArbiterFact, DeathProof, PeerWord, Readiness, Wish } from '../../core/arbiter/interface.ts';
import type { ArbiterDefinitions } from '../../core/definitions/arbiter-model.ts';
import type { DomainDefinition } from '../../core/definitions/model.ts';
import type { InterfaceRole } from '../../core/kernel/names.ts';
import type { LifeId } from '../../core/link/types.ts';

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

export type ToArbiter =
  | { readonly type: 'wish'; readonly wish: Wish }
  | { readonly type: 'peer'; readonly word: PeerWord; readonly productUuid: string }
  | { readonly type: 'life'; readonly kernelLife: LifeId }
  /** By an operator. */
  | { readonly type: 'proof'; readonly proof: DeathProof }
  | { readonly type: 'limited'; readonly ticket: number }
  | { readonly type: 'fence'; readonly kernelLife: LifeId; readonly delayMs: number }
  /** `sm-watchdog` was restarted: say again what holds. */
  | { readonly type: 'retell' };

export type FromArbiter =
  | { readonly type: 'fact'; readonly fact: ArbiterFact }
  | { readonly type: 'fenced'; readonly result: FenceResult; readonly proof: DeathProof | null }
  | { readonly type: 'readiness'; readonly readiness: Readiness }
  | {
      readonly type: 'gateway';
      readonly role: InterfaceRole;
      readonly answers: boolean;
      readonly reason: string;
    };
