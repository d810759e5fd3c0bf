/** Small definition sets for tests of the local engine, with the result rules that StarlingX ships. */
import type {
  ActionDefinition,
  ActionResultRule,
  DefinitionSet,
  DependencyDefinition,
  GroupDefinition,
  ServiceDefinition,
} from '../../src/core/definitions/model.ts';
import type { PluginType, ServiceAction, ServiceState, Severity } from '../../src/core/kernel/names.ts';

const LSB_COMMANDS: Record<string, string> = {
  enable: 'start',
  disable: 'stop',
  'audit-enabled': 'status',
  'audit-disabled': 'status',
};
const OCF_COMMANDS: Record<string, string> = {
  enable: 'start',
  disable: 'stop',
  'go-active': 'promote',
  'go-standby': 'demote',
  'audit-enabled': 'monitor',
  'audit-disabled': 'monitor',
};

/** enable/go-*: two runs, disable: one run, audits: two and one, as shipped. */
const RUNS: Record<ServiceAction, number> = {
  enable: 2,
  disable: 1,
  'go-active': 2,
  'go-standby': 2,
  'audit-enabled': 2,
  'audit-disabled': 0,
};

export interface ServiceSketch {
  readonly type?: PluginType;
  readonly promotable?: boolean;
  readonly impact?: Severity;
  readonly pidFile?: string;
  readonly kernelState?: boolean;
  readonly auditMs?: number;
  readonly runs?: number;
  readonly without?: readonly ServiceAction[];
  readonly overrides?: Partial<ServiceDefinition>;
  readonly instanceParameters?: string;
}

export interface GroupSketch {
  readonly services: Readonly<Record<string, ServiceSketch>>;
  readonly exclusive?: boolean;
  readonly overrides?: Partial<GroupDefinition>;
}

export interface SetSketch {
  readonly groups: Readonly<Record<string, GroupSketch>>;
  readonly dependencies?: readonly DependencyDefinition[];
  readonly throttle?: number;
  readonly nodes?: readonly string[];
}

export function actionDefinition(
  action: ServiceAction,
  type: PluginType,
  name: string,
  sketch: ServiceSketch = {},
): ActionDefinition {
  const commands = type === 'lsb-script' ? LSB_COMMANDS : OCF_COMMANDS;
  const audit = action.startsWith('audit');
  const runs = sketch.runs !== undefined && !audit ? sketch.runs : RUNS[action];
  return {
    action,
    pluginType: type,
    pluginClass: type === 'lsb-script' ? '' : 'heartbeat',
    pluginName: name,
    pluginCommand: commands[action] ?? action,
    pluginParameters: '',
    maxFailureRetries: runs,
    maxTimeoutRetries: runs,
    maxTotalRetries: runs,
    timeoutMs: 10_000,
    intervalMs: audit ? (sketch.auditMs ?? 10_000) : 0,
  };
}

export function serviceDefinition(
  name: string,
  group: string,
  sketch: ServiceSketch = {},
): ServiceDefinition {
  const type = sketch.type ?? (sketch.promotable ? 'ocf-script' : 'lsb-script');
  const actions = new Map<ServiceAction, ActionDefinition>();
  const names: ServiceAction[] = ['enable', 'disable', 'audit-enabled', 'audit-disabled'];
  if (sketch.promotable) names.push('go-active', 'go-standby');
  for (const action of names) {
    if (!sketch.without?.includes(action)) actions.set(action, actionDefinition(action, type, name, sketch));
  }
  return {
    name,
    group,
    instanceName: name,
    instanceParameters: sketch.instanceParameters ?? '',
    maxFailures: 2,
    failCountdown: 1,
    failCountdownIntervalMs: 90_000,
    maxActionFailures: 4,
    maxTransitionFailures: 16,
    pidFile: sketch.pidFile ?? '',
    kernelState: sketch.kernelState ?? false,
    actions,
    ...sketch.overrides,
  };
}

export function definitionSet(sketch: SetSketch): DefinitionSet {
  const groups = new Map<string, GroupDefinition>();
  const services = new Map<string, ServiceDefinition>();
  for (const [name, group] of Object.entries(sketch.groups)) {
    const exclusive = group.exclusive ?? false;
    groups.set(name, {
      name,
      redundancyModel: exclusive ? 'N + M' : 'N',
      nActive: exclusive ? 1 : 2,
      mStandby: exclusive ? 1 : 0,
      aggregate: '',
      activeOnlyIfActive: '',
      exclusive,
      autoRecover: false,
      core: false,
      failureDebounceMs: 300_000,
      fatalErrorReboot: false,
      members: Object.entries(group.services).map(([service, one]) => ({
        service,
        failureImpact: one.impact ?? 'critical',
      })),
      ...group.overrides,
    });
    for (const [service, one] of Object.entries(group.services)) {
      services.set(service, serviceDefinition(service, name, one));
    }
  }
  return {
    digest: 'test',
    domain: {
      name: 'controller',
      priority: 1,
      helloIntervalMs: 200,
      deadIntervalMs: 800,
      waitIntervalMs: 5000,
      exchangeIntervalMs: 2000,
      splitBrainRecovery: 'select-best-active',
      silencePolicy: 'takeover',
      stopBoundMs: 300,
      stopGraceMs: 100,
      killVerifyMs: 100,
      linkDownDetectMs: 100,
      mainStallMsMax: 2000,
    },
    nodes: sketch.nodes ?? ['controller-0', 'controller-1'],
    interfaces: [],
    groups,
    services,
    dependencies: sketch.dependencies ?? [],
    results: SHIPPED_RESULTS,
    enablingThrottle: sketch.throttle ?? 1000,
    failPendingMs: 2000,
  };
}

/** `service` may do `action` only once `dependent` is in `state`. */
export function needs(
  service: string,
  action: ServiceAction,
  dependent: string,
  state: ServiceState,
): DependencyDefinition {
  return { type: 'action', service, state: 'not-applicable', action, dependent, dependentState: state };
}

/** `service` needs `other`: started after it, stopped before it. */
export function pair(service: string, other: string): DependencyDefinition[] {
  return [needs(service, 'enable', other, 'enabled-active'), needs(other, 'disable', service, 'disabled')];
}

function rule(
  pluginType: PluginType,
  pluginName: string,
  pluginCommand: string,
  exitCodes: string,
  said: Pick<ActionResultRule, 'result'> & Partial<ActionResultRule>,
): ActionResultRule[] {
  return exitCodes.split(' ').map((exitCode) => ({
    pluginType,
    pluginName,
    pluginCommand,
    exitCode,
    state: null,
    status: null,
    condition: null,
    ...said,
  }));
}

const DATA = ['inconsistent', 'outdated', 'consistent', 'syncing', 'standalone'] as const;
const none = { status: '', condition: '' } as const;

export const SHIPPED_RESULTS: readonly ActionResultRule[] = [
  ...rule('lsb-script', 'default', 'status', '0', { result: 'success', state: 'enabled-active' }),
  ...rule('lsb-script', 'default', 'status', '1 2 3', { result: 'success', state: 'disabled' }),
  ...rule('lsb-script', 'default', 'status', '4 plugin-failure other', { result: 'failed' }),
  ...rule('lsb-script', 'default', 'default', '0', { result: 'success' }),
  ...rule('lsb-script', 'default', 'default', '1 2 3 4 5 6 plugin-failure plugin-timeout other', {
    result: 'failed',
  }),
  ...rule('lsb-script', 'default', 'default', '7', { result: 'failed', state: 'disabled' }),
  ...rule('ocf-script', 'default', 'default', '0', { result: 'success', ...none }),
  ...rule('ocf-script', 'default', 'default', '1 2 3 4 5 6 plugin-failure plugin-timeout other', {
    result: 'failed',
  }),
  ...rule('ocf-script', 'default', 'default', '7', { result: 'success', state: 'disabled', ...none }),
  ...rule('ocf-script', 'default', 'default', '8', { result: 'success', state: 'enabled-active', ...none }),
  ...rule('ocf-script', 'default', 'default', '9', { result: 'failed', state: 'enabled-active' }),
  ...DATA.flatMap((word, index) => [
    ...rule('ocf-script', 'default', 'default', String(32 + index), {
      result: 'success',
      status: 'degraded',
      condition: `data-${word}`,
    }),
    ...rule('ocf-script', 'default', 'default', String(37 + index), {
      result: 'success',
      state: 'enabled-active',
      status: 'degraded',
      condition: `data-${word}`,
    }),
  ]),
  ...rule('ocf-script', 'default', 'stop', '5', { result: 'success', state: 'disabled' }),
  ...rule('ocf-script', 'default', 'demote', '5', { result: 'success', state: 'disabled' }),
  ...rule('ocf-script', 'Filesystem', 'stop', '1 plugin-timeout', { result: 'success', state: 'disabled' }),
  ...rule('lsb-script', 'openldap', 'status', '0 160', {
    result: 'success',
    state: 'enabled-active',
    ...none,
  }),
  ...rule('lsb-script', 'openldap', 'status', '161', {
    result: 'success',
    state: 'enabled-active',
    status: 'degraded',
    condition: 'FD-limit-reached',
  }),
];
