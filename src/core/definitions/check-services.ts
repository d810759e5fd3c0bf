/** Checks of services: their actions, scripts, parameters and instances. Pure. */
import type { PluginType, ServiceAction } from '../kernel/names.ts';
import { invocation, parseParameters } from '../service/invocation.ts';
import { heartbeatsOf } from './check-heartbeats.ts';
import type { CheckedRow, Draft } from './draft.ts';
import type { ActionDefinition, ServiceDefinition } from './model.ts';
import { tableOf } from './rows.ts';

export interface ScriptQuestion {
  /**
   * Why the script can not be run on this node, as a sentence; null = it can. Absent: nobody asks. Where scripts lie is
   * the caller's to know.
   */
  readonly scriptProblem?: (type: PluginType, pluginClass: string, name: string) => string | null;
  /** For which services a missing script is an error: never, provisioned ones, or all. Else it is a warning. */
  readonly scriptsNeeded?: 'none' | 'provisioned' | 'all';
}

export function checkServices(draft: Draft, question: ScriptQuestion): void {
  const services = draft.names('SERVICES', 'NAME');
  for (const name of ['SERVICE_ACTIONS', 'SERVICE_INSTANCES', 'SM_SERVICE_FACTS']) {
    for (const row of draft.rows(name)) {
      if (services.has(row.text('SERVICE_NAME'))) continue;
      lose(draft, row, 'unknown-service', `SERVICES has no service ${row.text('SERVICE_NAME')}`);
    }
  }
  for (const row of draft.rows('SERVICE_INSTANCES')) checkParameters(draft, row, 'INSTANCE_PARAMETERS');
  const actions = actionRows(draft);
  for (const row of draft.rows('SERVICE_ACTIONS')) checkAction(draft, row);
  for (const row of draft.rows('SERVICES')) {
    const own = actions.get(row.text('NAME')) ?? new Map<ServiceAction, CheckedRow>();
    checkActionsOf(draft, row, own);
    checkInstance(draft, row);
    checkScripts(draft, row, own, question);
  }
  checkResultRules(draft);
}

function lose(
  draft: Draft,
  row: CheckedRow,
  code: Parameters<Draft['problems']['error']>[0],
  sentence: string,
): void {
  draft.problems.error(code, row.table, row.raw, sentence);
  draft.spoil(row.table, row.raw);
}

type ActionRows = ReadonlyMap<ServiceAction, CheckedRow>;

function actionRows(draft: Draft): ReadonlyMap<string, ActionRows> {
  const all = new Map<string, Map<ServiceAction, CheckedRow>>();
  for (const row of draft.rows('SERVICE_ACTIONS')) {
    const service = row.text('SERVICE_NAME');
    const own = all.get(service) ?? new Map<ServiceAction, CheckedRow>();
    own.set(row.word<ServiceAction>('ACTION'), row);
    all.set(service, own);
  }
  return all;
}

function checkParameters(draft: Draft, row: CheckedRow, column: string): void {
  const parsed = parseParameters(row.text(column));
  if (!parsed.ok) lose(draft, row, 'bad-parameters', `${column}: ${parsed.error}`);
}

function checkAction(draft: Draft, row: CheckedRow): void {
  checkParameters(draft, row, 'PLUGIN_PARAMETERS');
  const pluginClass = row.text('PLUGIN_CLASS');
  if (row.text('PLUGIN_TYPE') === 'ocf-script') {
    if (pluginClass === '') {
      lose(
        draft,
        row,
        'bad-class',
        'PLUGIN_CLASS is empty: an ocf-script needs its provider, e.g. heartbeat',
      );
    }
  } else if (pluginClass !== '') {
    draft.problems.warning('bad-class', row.table, row.raw, 'PLUGIN_CLASS has no meaning for an lsb-script');
  }
}

function checkActionsOf(draft: Draft, row: CheckedRow, own: ActionRows): void {
  // A service with a bad action row is out already; what seems to be missing may be in that row.
  if (draft.lostServices.has(row.text('NAME'))) return;
  const table = tableOf('SERVICE_ACTIONS');
  const service = row.text('NAME');
  const missing = (['enable', 'disable'] as const).filter((action) => !own.has(action));
  for (const action of missing) {
    draft.problems.error(
      'missing-action',
      table,
      `${service}/${action}`,
      `the service has no ${action} action: it can not be run`,
    );
    draft.lostServices.add(service);
  }
  const audits = (['audit-enabled', 'audit-disabled'] as const).filter((action) => own.has(action));
  if (audits.length === 0) {
    draft.problems.error(
      'missing-audit',
      table,
      `${service}/audit-enabled`,
      'the service has no audit at all: nobody could tell whether it runs',
    );
    draft.lostServices.add(service);
  } else if (!own.has('audit-enabled')) {
    draft.problems.warning(
      'missing-audit',
      table,
      `${service}/audit-enabled`,
      'no audit while it is enabled: its end is noticed only by the death of its process',
    );
  } else if (!own.has('audit-disabled')) {
    draft.problems.warning(
      'missing-audit',
      table,
      `${service}/audit-disabled`,
      'no audit while it is disabled: its start by others is not noticed',
    );
  }
  if (own.has('go-active') !== own.has('go-standby')) {
    const absent = own.has('go-active') ? 'go-standby' : 'go-active';
    draft.problems.error(
      'half-promotable',
      table,
      `${service}/${absent}`,
      'a service has both go-active and go-standby, or neither',
    );
    draft.lostServices.add(service);
  }
}

function checkInstance(draft: Draft, row: CheckedRow): void {
  if (!row.provisioned || draft.names('SERVICE_INSTANCES', 'SERVICE_NAME').has(row.text('NAME'))) return;
  draft.problems.warning(
    'no-instance',
    tableOf('SERVICE_INSTANCES'),
    row.text('NAME'),
    'the service has no row here: its instance is named like itself, without parameters',
  );
}

function checkScripts(draft: Draft, row: CheckedRow, own: ActionRows, question: ScriptQuestion): void {
  const ask = question.scriptProblem;
  if (ask === undefined) return;
  const needed = question.scriptsNeeded ?? 'none';
  const fails = needed === 'all' || (needed === 'provisioned' && row.provisioned);
  const asked = new Set<string>();
  for (const action of own.values()) {
    const type = action.word<PluginType>('PLUGIN_TYPE');
    const [pluginClass, name] = [action.text('PLUGIN_CLASS'), action.text('PLUGIN_NAME')];
    const label = [type, pluginClass, name].filter((part) => part !== '').join(' ');
    if (asked.has(label)) continue;
    asked.add(label);
    const sentence = ask(type, pluginClass, name);
    if (sentence === null) continue;
    // The service stays in the set: its own machine says that it failed, and why, until the script is there.
    if (fails) draft.problems.error('missing-script', action.table, action.raw, sentence, false);
    else draft.problems.warning('missing-script', action.table, action.raw, sentence);
  }
}

function checkResultRules(draft: Draft): void {
  const table = tableOf('SERVICE_ACTION_RESULTS');
  const types = new Set(draft.rows('SERVICE_ACTIONS').map((row) => row.text('PLUGIN_TYPE')));
  for (const type of types) {
    const found = draft
      .rows('SERVICE_ACTION_RESULTS')
      .some((row) => row.key === `${type}/default/default/other`);
    if (found) continue;
    draft.problems.warning(
      'no-result-rule',
      table,
      `${type}/default/default/other`,
      'no rule for exit codes that no other rule names: they count as failed',
    );
  }
}

/** The provisioned services that can run, in table order. A service whose script can not be called is lost here. */
export function servicesOf(
  draft: Draft,
  place: ReadonlyMap<string, string>,
): ReadonlyMap<string, ServiceDefinition> {
  const actions = actionRows(draft);
  const heartbeats = heartbeatsOf(draft);
  const services = new Map<string, ServiceDefinition>();
  for (const row of draft.rows('SERVICES')) {
    const name = row.text('NAME');
    const group = place.get(name);
    if (!row.provisioned || group === undefined || draft.lostServices.has(name)) continue;
    const own = [...(actions.get(name) ?? [])].map(([action, each]) => [action, actionOf(each)] as const);
    const heartbeat = heartbeats.get(name);
    const bare = serviceOf(draft, row, group, new Map(own));
    const service = heartbeat === undefined ? bare : { ...bare, heartbeat };
    if (canBeCalled(draft, service)) services.set(name, service);
    else draft.lostServices.add(name);
  }
  return services;
}

function canBeCalled(draft: Draft, service: ServiceDefinition): boolean {
  for (const action of service.actions.values()) {
    const call = invocation(service, action);
    if (call.ok) continue;
    draft.problems.error(
      'bad-parameters',
      tableOf('SERVICE_ACTIONS'),
      `${service.name}/${action.action}`,
      call.error,
    );
    return false;
  }
  return true;
}

function serviceOf(
  draft: Draft,
  row: CheckedRow,
  group: string,
  actions: ReadonlyMap<ServiceAction, ActionDefinition>,
): ServiceDefinition {
  const name = row.text('NAME');
  const instance = draft.rows('SERVICE_INSTANCES').find((each) => each.text('SERVICE_NAME') === name);
  const facts = draft.rows('SM_SERVICE_FACTS').find((each) => each.text('SERVICE_NAME') === name);
  return {
    name,
    group,
    instanceName: instance?.text('INSTANCE_NAME') ?? name,
    instanceParameters: instance?.text('INSTANCE_PARAMETERS') ?? '',
    maxFailures: row.number('MAX_FAILURES'),
    failCountdown: row.number('FAIL_COUNTDOWN'),
    failCountdownIntervalMs: row.number('FAIL_COUNTDOWN_INTERVAL'),
    maxActionFailures: row.number('MAX_ACTION_FAILURES'),
    maxTransitionFailures: row.number('MAX_TRANSITION_FAILURES'),
    pidFile: row.text('PID_FILE'),
    kernelState: facts?.is('KERNEL_STATE') ?? false,
    actions,
  };
}

function actionOf(row: CheckedRow): ActionDefinition {
  const action = row.word<ServiceAction>('ACTION');
  const periodic = action === 'audit-enabled' || action === 'audit-disabled';
  return {
    action,
    pluginType: row.word<PluginType>('PLUGIN_TYPE'),
    pluginClass: row.text('PLUGIN_CLASS'),
    pluginName: row.text('PLUGIN_NAME'),
    pluginCommand: row.text('PLUGIN_COMMAND'),
    pluginParameters: row.text('PLUGIN_PARAMETERS'),
    maxFailureRetries: row.number('MAX_FAILURE_RETRIES'),
    maxTimeoutRetries: row.number('MAX_TIMEOUT_RETRIES'),
    maxTotalRetries: row.number('MAX_TOTAL_RETRIES'),
    timeoutMs: row.number('TIMEOUT_IN_SECS') * 1000,
    // Some of StarlingX's enable and disable rows have an interval too; it never had an effect.
    intervalMs: periodic ? row.number('INTERVAL_IN_SECS') * 1000 : 0,
  };
}
