/** The definition set of a simulated world, made from its shape; the same result rules as the shipped definitions. */
import type {
  ActionDefinition,
  ActionResultRule,
  DefinitionSet,
  DependencyDefinition,
  GroupDefinition,
  InterfaceDefinition,
  ServiceDefinition,
} from '../core/definitions/model.ts';
import { LIMITS } from '../core/kernel/limits.ts';
import { INTERFACE_ROLES, type ServiceAction } from '../core/kernel/names.ts';
import type { DomainShape, GroupShape, ServiceShape, SimOptions } from './options.ts';

/**
 * A real set whose scripts are simulated: what they are called with and what their exit codes mean is the simulator's, all
 * else as it is, arbiters too: the world has one register, one disk, and power for each node.
 */
export function simulatedSet(set: DefinitionSet): DefinitionSet {
  const simulated = (service: ServiceDefinition): ServiceDefinition => {
    const actions = [...service.actions].map(([action, { timeoutMs, intervalMs }]) => {
      const made = actionDefinition(action);
      return [action, { ...made, timeoutMs, intervalMs }] as const;
    });
    return { ...service, instanceParameters: '', actions: new Map(actions) };
  };
  return {
    ...set,
    interfaces: INTERFACE_ROLES.slice(0, set.interfaces.length).map(interfaceDefinition),
    services: new Map([...set.services].map(([name, service]) => [name, simulated(service)])),
    results: RESULTS,
  };
}

const LINK_WEIGHTS = [4, 1, 2, 0] as const;
const COMMANDS: Readonly<Record<ServiceAction, string>> = {
  enable: 'start',
  disable: 'stop',
  'go-active': 'promote',
  'go-standby': 'demote',
  'audit-enabled': 'monitor',
  'audit-disabled': 'monitor',
};

/** The set that the node with this index has loaded. `other`: that of the other node, after an update. */
export function definitionsOf(options: SimOptions, index: number, other = false): DefinitionSet {
  const { groups, nodes } = options;
  if (options.definitions !== undefined) return options.definitions;
  const differs = (index === 1) !== other && Object.keys(options.secondDomain).length > 0;
  const domain = differs ? { ...options.domain, ...options.secondDomain } : options.domain;
  const services = groups.flatMap((group) =>
    group.services.map((service): [string, ServiceDefinition] => [
      service.name,
      serviceDefinition(group, service),
    ]),
  );
  return {
    digest: (differs ? '6' : '5').repeat(64),
    domain: {
      name: 'controller',
      priority: 230,
      exchangeIntervalMs: 2000,
      splitBrainRecovery: 'select-best-active',
      ...domainTimes(domain),
    },
    nodes,
    ...arbitersOf(options),
    interfaces: nodes.length > 1 ? INTERFACE_ROLES.slice(0, options.links).map(interfaceDefinition) : [],
    groups: new Map(groups.map((group) => [group.name, groupDefinition(group, options)])),
    services: new Map(services),
    dependencies: groups.flatMap((group) => group.services.flatMap(dependencyRows)),
    results: RESULTS,
    enablingThrottle: 1000,
    failPendingMs: 2000,
  };
}

/** A stamp and two answers that do not come have to fit into P. */
const STAMPS = 4;

function arbitersOf({
  arbiter: { record, fence, gateways },
  links,
  nodes,
  domain,
}: SimOptions): Pick<DefinitionSet, 'arbiters'> {
  if (nodes.length < 2 || (record === 'none' && !fence && !gateways)) return {};
  const intervalMs = domain.deadIntervalMs / STAMPS;
  const times = { stampIntervalMs: intervalMs, requestLimitMs: intervalMs };
  const etcd = {
    endpoints: ['https://192.0.2.9:2379'],
    userName: '',
    passwordSecret: '',
    caFile: '',
    certificateFile: '',
    certificateKeySecret: '',
    ...times,
  };
  const devices = nodes.map((node) => ({
    name: `bmc-${node}`,
    node,
    level: 1,
    agent: 'fence_simulated',
    parameters: [],
    secrets: [],
    statusLimitMs: 1000,
    offLimitMs: 3000,
    verifyLimitMs: 3000,
  }));
  return {
    arbiters: {
      etcd: record === 'etcd' ? etcd : null,
      disk: record === 'disk' ? { device: '/dev/shared', ...times } : null,
      fencing: {
        delayMs: 0,
        afterwards: 'off',
        verifyGapMs: 200,
        auditIntervalMs: 60_000,
        devices: fence ? devices : [],
      },
      gateways: INTERFACE_ROLES.slice(0, gateways ? links : 0).map((role) => ({
        role,
        address: '192.0.2.1',
        pingIntervalMs: 100,
        pingLimitMs: 50,
      })),
    },
  };
}

function domainTimes(domain: DomainShape) {
  const { policy, failureDebounceMs: _, ...times } = domain;
  return { ...times, silencePolicy: policy };
}

function interfaceDefinition(role: InterfaceDefinition['role'], index: number): InterfaceDefinition {
  return {
    role,
    pathType: 'secondary',
    authType: 'none',
    authKey: '',
    authKeyPrevious: '',
    networkType: 'ipv4-udp',
    multicast: '',
    address: `192.0.2.${index * 8 + 1}`,
    port: 2222,
    peerAddress: `192.0.2.${index * 8 + 2}`,
    peerPort: 2222,
    connectType: 'tor',
    weight: LINK_WEIGHTS[index] ?? 0,
  };
}

function groupDefinition(group: GroupShape, { domain }: SimOptions): GroupDefinition {
  const { name, model, nActive, mStandby, aggregate, beside, core, autoRecover, reboots, services } = group;
  return {
    name,
    redundancyModel: model,
    nActive,
    mStandby,
    aggregate,
    activeOnlyIfActive: beside,
    exclusive: nActive < LIMITS.nodesMax,
    autoRecover,
    core,
    failureDebounceMs: domain.failureDebounceMs,
    fatalErrorReboot: reboots,
    members: services.map(({ name: service, impact }) => ({ service, failureImpact: impact })),
  };
}

function serviceDefinition(group: GroupShape, shape: ServiceShape): ServiceDefinition {
  const actions: ServiceAction[] = ['enable', 'disable', 'audit-enabled', 'audit-disabled'];
  if (shape.promotable) actions.push('go-active', 'go-standby');
  return {
    name: shape.name,
    group: group.name,
    instanceName: shape.name,
    instanceParameters: '',
    maxFailures: 2,
    failCountdown: 1,
    failCountdownIntervalMs: 20_000,
    maxActionFailures: 4,
    // Where the node is to end itself for it, it has to come to that within a run.
    maxTransitionFailures: group.reboots ? 3 : 16,
    pidFile: shape.kernelState ? '' : `/run/${shape.name}.pid`,
    kernelState: shape.kernelState,
    actions: new Map(actions.map((action) => [action, actionDefinition(action)])),
  };
}

function actionDefinition(action: ServiceAction): ActionDefinition {
  const audit = action.startsWith('audit');
  const runs = action === 'disable' || action === 'audit-disabled' ? 1 : 2;
  return {
    action,
    pluginType: 'ocf-script',
    pluginClass: 'sm',
    pluginName: 'simulated',
    pluginCommand: COMMANDS[action],
    pluginParameters: '',
    maxFailureRetries: runs,
    maxTimeoutRetries: runs,
    maxTotalRetries: runs,
    timeoutMs: audit ? 4000 : 6000,
    intervalMs: audit ? 5000 : 0,
  };
}

function dependencyRows({ name, promotable, after }: ServiceShape): DependencyDefinition[] {
  if (after === '') return [];
  return [
    {
      type: 'action',
      service: name,
      state: 'not-applicable',
      action: promotable ? 'go-active' : 'enable',
      dependent: after,
      dependentState: 'enabled-active',
    },
    {
      type: 'action',
      service: after,
      state: 'not-applicable',
      action: 'disable',
      dependent: name,
      dependentState: 'disabled',
    },
  ];
}

const FAILED_CODES = ['1', '2', '3', '4', '5', '6', 'plugin-failure', 'plugin-timeout', 'other'] as const;

const RESULTS: readonly ActionResultRule[] = [
  rule('0', 'success', null),
  rule('7', 'success', 'disabled'),
  rule('8', 'success', 'enabled-active'),
  rule('9', 'failed', 'enabled-active'),
  ...FAILED_CODES.map((code) => rule(code, 'failed', null)),
];

function rule(
  exitCode: string,
  result: ActionResultRule['result'],
  state: ActionResultRule['state'],
): ActionResultRule {
  const known = result === 'success';
  return {
    pluginType: 'ocf-script',
    pluginName: 'default',
    pluginCommand: 'default',
    exitCode,
    result,
    state,
    status: known ? '' : null,
    condition: known ? '' : null,
  };
}
