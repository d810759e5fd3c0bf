/** The arbiters of a domain, checked: what `sm-arbiter` is driven by. Source: docs/reference/database.md. */
import type { FenceThen, InterfaceRole } from '../kernel/names.ts';

export interface EtcdDefinition {
  readonly endpoints: readonly string[];
  readonly userName: string;
  /** References to secrets: a file below secretsDirectory, or `env:NAME`. '' = none. */
  readonly passwordSecret: string;
  readonly caFile: string;
  readonly certificateFile: string;
  readonly certificateKeySecret: string;
  readonly stampIntervalMs: number;
  readonly requestLimitMs: number;
}

export interface SharedDiskDefinition {
  readonly device: string;
  readonly stampIntervalMs: number;
  readonly requestLimitMs: number;
}

export interface FenceDeviceDefinition {
  readonly name: string;
  /** The node whose power it has. */
  readonly node: string;
  readonly level: number;
  /** A fence agent's file name, e.g. `fence_ipmilan`. */
  readonly agent: string;
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Parameter -> reference to its secret. */
  readonly secrets: readonly (readonly [name: string, reference: string])[];
  readonly statusLimitMs: number;
  readonly offLimitMs: number;
  readonly verifyLimitMs: number;
}

export interface FencingDefinition {
  readonly delayMs: number;
  /** What is done with the node once it is proven off. */
  readonly afterwards: FenceThen;
  readonly verifyGapMs: number;
  readonly auditIntervalMs: number;
  readonly devices: readonly FenceDeviceDefinition[];
}

export interface GatewayDefinition {
  readonly role: InterfaceRole;
  readonly address: string;
  readonly pingIntervalMs: number;
  readonly pingLimitMs: number;
}

export interface ArbiterDefinitions {
  /** At most one of the two keeps the record. */
  readonly etcd: EtcdDefinition | null;
  readonly disk: SharedDiskDefinition | null;
  /** Without devices it is not configured. */
  readonly fencing: FencingDefinition;
  readonly gateways: readonly GatewayDefinition[];
}
