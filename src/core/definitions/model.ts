/**
 * The loaded, validated definition set: what the engine is driven by. Built from raw rows by `build.ts`; immutable.
 * Only provisioned parts are in it. Source: docs/reference/database.md.
 */
import type {
  ActionResult,
  AuthType,
  Condition,
  ConnectType,
  DependencyType,
  InterfaceRole,
  NetworkType,
  PathType,
  PluginType,
  RedundancyModel,
  ServiceAction,
  ServiceState,
  Severity,
  SilencePolicy,
  SplitBrainRecovery,
  Status,
} from '../kernel/names.ts';
import type { ArbiterDefinitions } from './arbiter-model.ts';

export interface DomainDefinition {
  readonly name: string;
  readonly priority: number;
  readonly helloIntervalMs: number;
  /** Silence before the peer counts as dead (d). At least 3 hellos. */
  readonly deadIntervalMs: number;
  /** How long a lone starter waits for a peer. */
  readonly waitIntervalMs: number;
  readonly exchangeIntervalMs: number;
  readonly splitBrainRecovery: SplitBrainRecovery;
  /** From SM_DOMAIN_SAFETY: what is done about a silent peer where no arbiter is configured. */
  readonly silencePolicy: SilencePolicy;
  /** S: the time within which a node that lost permission has stopped, announced to the peer. */
  readonly stopBoundMs: number;
  /** The part of S that stop scripts get before everything is killed. */
  readonly stopGraceMs: number;
  /** Part of S: kill and verify; what is left of S is the self-fence. */
  readonly killVerifyMs: number;
  /** Longest time in which a lost carrier is noticed (link_down_detect). */
  readonly linkDownDetectMs: number;
  /** `sm` silent for longer than this: sm-watchdog falls silent and gives up permission. */
  readonly mainStallMsMax: number;
}

export interface InterfaceDefinition {
  readonly role: InterfaceRole;
  readonly pathType: PathType;
  readonly authType: AuthType;
  /** Name of a key file, never the key. */
  readonly authKey: string;
  /** A second key that is accepted but not used for sending (rotation); '' = none. */
  readonly authKeyPrevious: string;
  readonly networkType: NetworkType;
  readonly multicast: string;
  readonly address: string;
  readonly port: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly connectType: ConnectType;
  /** Weight in the survivor rules: oam 1, cluster-host 2, management 4, admin 0. */
  readonly weight: number;
}

export interface GroupDefinition {
  readonly name: string;
  readonly redundancyModel: RedundancyModel;
  readonly nActive: number;
  readonly mStandby: number;
  /** Groups of one non-empty aggregate are kept on the same node. */
  readonly aggregate: string;
  /** Name of a group that has to be active on the same node first; '' = none. */
  readonly activeOnlyIfActive: string;
  /** True where fewer nodes may be active than a domain can have, which is two: activity then needs a token. */
  readonly exclusive: boolean;
  readonly autoRecover: boolean;
  readonly core: boolean;
  readonly failureDebounceMs: number;
  readonly fatalErrorReboot: boolean;
  /** In table order. */
  readonly members: readonly MemberDefinition[];
}

export interface MemberDefinition {
  readonly service: string;
  readonly failureImpact: Severity;
}

export interface ActionDefinition {
  readonly action: ServiceAction;
  readonly pluginType: PluginType;
  readonly pluginClass: string;
  readonly pluginName: string;
  readonly pluginCommand: string;
  readonly pluginParameters: string;
  /** Runs in all, the first included; 0 and 1 both mean one run. */
  readonly maxFailureRetries: number;
  readonly maxTimeoutRetries: number;
  readonly maxTotalRetries: number;
  readonly timeoutMs: number;
  /** Audit period; 0 = not periodic. */
  readonly intervalMs: number;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly group: string;
  readonly instanceName: string;
  readonly instanceParameters: string;
  readonly maxFailures: number;
  readonly failCountdown: number;
  readonly failCountdownIntervalMs: number;
  readonly maxActionFailures: number;
  readonly maxTransitionFailures: number;
  /** '' = no process monitoring. */
  readonly pidFile: string;
  /** From SM_SERVICE_FACTS: holds mounts, addresses or the like, which survive a kill of its processes. */
  readonly kernelState: boolean;
  readonly actions: ReadonlyMap<ServiceAction, ActionDefinition>;
  /** Absent = it has none. */
  readonly heartbeat?: HeartbeatDefinition;
}

/** From SERVICE_HEARTBEAT. All of it is on this node. */
export interface HeartbeatDefinition {
  readonly address: '127.0.0.1' | '::1';
  /** On which `sm` listens, and from which it asks. */
  readonly port: number;
  readonly servicePort: number;
  readonly message: string;
  readonly intervalMs: number;
  /** Crossed when more intervals in a row went by without an answer; 0 = off. */
  readonly missedWarn: number;
  readonly missedDegrade: number;
  readonly missedFail: number;
}

export interface DependencyDefinition {
  readonly type: DependencyType;
  readonly service: string;
  /** For type `state`; else `not-applicable`. */
  readonly state: ServiceState;
  /** For type `action`; else null. */
  readonly action: ServiceAction | null;
  /** The service that `service` depends on. */
  readonly dependent: string;
  readonly dependentState: ServiceState;
}

/** `unknown` in the table = null here = "keep what you have". */
export interface ActionResultRule {
  readonly pluginType: PluginType;
  readonly pluginName: string;
  readonly pluginCommand: string;
  /** A decimal number, `plugin-failure`, `plugin-timeout` or `other`. */
  readonly exitCode: string;
  readonly result: ActionResult;
  readonly state: ServiceState | null;
  readonly status: Status | null;
  readonly condition: Condition | null;
}

export interface DefinitionSet {
  /**
   * Hex digest over the canonical text of all shared definition rows; equal sets, equal digests. Each node's own facts
   * (addresses, ports, pid files, instances) are not in it. Source: digest.ts.
   */
  readonly digest: string;
  readonly domain: DomainDefinition;
  /** The member nodes: one (simplex) or two, in SM_DOMAIN_NODES order. */
  readonly nodes: readonly string[];
  readonly interfaces: readonly InterfaceDefinition[];
  /** In table order. */
  readonly groups: ReadonlyMap<string, GroupDefinition>;
  readonly services: ReadonlyMap<string, ServiceDefinition>;
  /** Rows whose two services are both provisioned. */
  readonly dependencies: readonly DependencyDefinition[];
  readonly results: readonly ActionResultRule[];
  /** Absent = none is configured. */
  readonly arbiters?: ArbiterDefinitions;
  /** How many enable scripts may run at once. */
  readonly enablingThrottle: number;
  /** How long a worse link score has to last before the leader moves groups (survivor rules). */
  readonly failPendingMs: number;
}
