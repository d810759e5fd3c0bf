/**
 * The words of the field, exactly as they are stored in the database, printed by the tools and known to
 * operators of StarlingX. Every enumeration is an ordered, frozen array and a union type made from it.
 * Source: docs/reference/database.md, "Words".
 */

export const YES_NO = ['yes', 'no'] as const;
export type YesNo = (typeof YES_NO)[number];

export const ADMINISTRATIVE_STATES = ['unknown', 'locked', 'unlocked'] as const;
export type AdministrativeState = (typeof ADMINISTRATIVE_STATES)[number];

export const OPERATIONAL_STATES = ['unknown', 'enabled', 'disabled'] as const;
export type OperationalState = (typeof OPERATIONAL_STATES)[number];

/** The empty string means "none". */
export const AVAILABILITY_STATUSES = ['unknown', '', 'available', 'degraded', 'failed'] as const;
export type AvailabilityStatus = (typeof AVAILABILITY_STATUSES)[number];

export const READY_STATES = ['unknown', 'enabled', 'disabled'] as const;
export type ReadyState = (typeof READY_STATES)[number];

export const INTERFACE_STATES = ['unknown', 'enabled', 'disabled', 'not-in-use'] as const;
export type InterfaceState = (typeof INTERFACE_STATES)[number];

export const NETWORK_TYPES = ['unknown', 'ipv4', 'ipv6', 'ipv4-udp', 'ipv6-udp'] as const;
export type NetworkType = (typeof NETWORK_TYPES)[number];

export const PATH_TYPES = ['primary', 'secondary', 'status-only'] as const;
export type PathType = (typeof PATH_TYPES)[number];

export const AUTH_TYPES = ['none', 'hmac-sha512'] as const;
export type AuthType = (typeof AUTH_TYPES)[number];

/** `tor`: through a switch. `dc`: direct cable, where the peer's power-off also takes our carrier away. */
export const CONNECT_TYPES = ['tor', 'dc'] as const;
export type ConnectType = (typeof CONNECT_TYPES)[number];

export const INTERFACE_ROLES = [
  'management-interface',
  'oam-interface',
  'cluster-host-interface',
  'admin-interface',
] as const;
export type InterfaceRole = (typeof INTERFACE_ROLES)[number];

export const ORCHESTRATIONS = ['geographical', 'regional', 'hybrid'] as const;
export type Orchestration = (typeof ORCHESTRATIONS)[number];

export const DESIGNATIONS = ['unknown', 'leader', 'backup', 'other'] as const;
export type Designation = (typeof DESIGNATIONS)[number];

export const DOMAIN_STATES = ['initial', 'waiting', 'leader', 'backup', 'other'] as const;
export type DomainState = (typeof DOMAIN_STATES)[number];

export const SPLIT_BRAIN_RECOVERIES = ['disable-all-active', 'select-best-active'] as const;
export type SplitBrainRecovery = (typeof SPLIT_BRAIN_RECOVERIES)[number];

export const REDUNDANCY_MODELS = ['none', 'N', 'N + M', 'N to 1', 'N to N'] as const;
export type RedundancyModel = (typeof REDUNDANCY_MODELS)[number];

export const NEIGHBOR_STATES = ['down', 'exchange-start', 'exchange', 'full'] as const;
export type NeighborState = (typeof NEIGHBOR_STATES)[number];

/** Lesser first: dependency comparisons use this order. */
export const GROUP_STATES = [
  'not-applicable',
  'initial',
  'unknown',
  'disabled',
  'disabling',
  'standby',
  'go-active',
  'go-standby',
  'active',
  'shutdown',
] as const;
export type GroupState = (typeof GROUP_STATES)[number];

export const GROUP_DESIRED_STATES = ['initial', 'active', 'standby', 'disabled'] as const;
export type GroupDesiredState = (typeof GROUP_DESIRED_STATES)[number];

/** Worst last. The empty string means "none". */
export const STATUSES = ['', 'warn', 'degraded', 'failed'] as const;
export type Status = (typeof STATUSES)[number];

/** By rising precedence when the conditions of a group's members are merged. */
export const CONDITIONS = [
  '',
  'data-consistent',
  'data-syncing',
  'data-outdated',
  'data-standalone',
  'data-inconsistent',
  'FD-limit-reached',
  'recovery-failure',
  'action-failure',
  'fatal-failure',
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** Lesser first: dependency comparisons use this order. */
export const SERVICE_STATES = [
  'not-applicable',
  'initial',
  'unknown',
  'disabled',
  'enabling-throttle',
  'enabling',
  'disabling',
  'enabled-standby',
  'enabled-go-active',
  'enabled-go-standby',
  'enabled-active',
  'shutdown',
] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

export const SERVICE_DESIRED_STATES = ['initial', 'enabled-active', 'enabled-standby', 'disabled'] as const;
export type ServiceDesiredState = (typeof SERVICE_DESIRED_STATES)[number];

export const SEVERITIES = ['none', 'minor', 'major', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const SERVICE_ACTIONS = [
  'enable',
  'disable',
  'go-active',
  'go-standby',
  'audit-enabled',
  'audit-disabled',
] as const;
export type ServiceAction = (typeof SERVICE_ACTIONS)[number];

export const ACTION_RESULTS = ['success', 'failed', 'timeout', 'fatal'] as const;
export type ActionResult = (typeof ACTION_RESULTS)[number];

export const DEPENDENCY_TYPES = ['action', 'state'] as const;
export type DependencyType = (typeof DEPENDENCY_TYPES)[number];

export const PLUGIN_TYPES = ['lsb-script', 'ocf-script'] as const;
export type PluginType = (typeof PLUGIN_TYPES)[number];

/**
 * What a domain without an arbiter does about a silent peer. `takeover`: replace it after silence with our own links
 * up (docs/SAFETY.md, rule 14d). `stay`: only on proof of death or on the peer's own word.
 */
export const SILENCE_POLICIES = ['takeover', 'stay'] as const;
export type SilencePolicy = (typeof SILENCE_POLICIES)[number];

/** What is done with a node that was fenced: left without power, or started again. */
export const FENCE_THENS = ['off', 'on'] as const;
export type FenceThen = (typeof FENCE_THENS)[number];

/** Position in an ordered enumeration; comparing states means comparing ranks. */
export function rank<T extends string>(order: readonly T[], value: T): number {
  return order.indexOf(value);
}

/** The worse of two statuses. */
export function worseStatus(a: Status, b: Status): Status {
  return rank(STATUSES, a) >= rank(STATUSES, b) ? a : b;
}
