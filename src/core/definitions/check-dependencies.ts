/** Checks of the order of services: known names, no circles, a way back for every way there. Pure. */
import type { DependencyType, ServiceAction, ServiceState } from '../kernel/names.ts';
import type { CheckedRow, Draft } from './draft.ts';
import type { DependencyDefinition, ServiceDefinition } from './model.ts';
import type { Graph } from './order.ts';
import { findCycles, graphOf, reaches } from './order.ts';

export function checkDependencies(draft: Draft): void {
  const services = draft.names('SERVICES', 'NAME');
  const actions = new Set(
    draft.rows('SERVICE_ACTIONS').map((row) => `${row.text('SERVICE_NAME')}/${row.text('ACTION')}`),
  );
  const rows = draft.rows('SERVICE_DEPENDENCY').filter((row) => checkRow(draft, row, services, actions));
  checkCycles(draft, rows);
  checkMirrors(draft, rows);
}

function lose(
  draft: Draft,
  row: CheckedRow,
  code: Parameters<Draft['problems']['error']>[0],
  sentence: string,
): false {
  draft.problems.error(code, row.table, row.raw, sentence);
  // Without its row the service would run in the wrong order: it does not run.
  draft.spoil(row.table, row.raw);
  return false;
}

function checkRow(
  draft: Draft,
  row: CheckedRow,
  services: ReadonlySet<string>,
  actions: ReadonlySet<string>,
): boolean {
  const [service, dependent, action] = [row.text('SERVICE_NAME'), row.text('DEPENDENT'), row.text('ACTION')];
  for (const name of [service, dependent]) {
    if (!services.has(name)) return lose(draft, row, 'unknown-service', `SERVICES has no service ${name}`);
  }
  if (service === dependent) return lose(draft, row, 'self-dependency', 'a service can not wait for itself');
  if (row.text('DEPENDENCY_TYPE') !== 'action') return true;
  if (action === 'not-applicable') {
    return lose(draft, row, 'bad-dependency', 'ACTION must name an action where DEPENDENCY_TYPE is action');
  }
  if (!actions.has(`${service}/${action}`) && !draft.lostServices.has(service)) {
    draft.problems.warning(
      'bad-dependency',
      row.table,
      row.raw,
      `${service} has no ${action} action: the row has no effect`,
    );
  }
  return true;
}

function graphFor(rows: readonly CheckedRow[], wanted: (row: CheckedRow) => boolean): Graph {
  return graphOf(
    rows.filter(wanted).map((row) => ({ from: row.text('SERVICE_NAME'), to: row.text('DEPENDENT') })),
  );
}

/** To be active: enabled first, then promoted; both wait for others that are to be active. */
function isRise(row: CheckedRow): boolean {
  const action = row.text('ACTION');
  return (action === 'enable' || action === 'go-active') && row.text('DEPENDENT_STATE') === 'enabled-active';
}

function checkCycles(draft: Draft, rows: readonly CheckedRow[]): void {
  const actions = ['enable', 'disable', 'go-active', 'go-standby'] as const;
  const kinds: [string, (row: CheckedRow) => boolean][] = [
    ...actions.map((action): [string, (row: CheckedRow) => boolean] => [
      action,
      (row) => row.text('ACTION') === action,
    ]),
    ['enable and go-active', isRise],
  ];
  const told = new Set<CheckedRow>();
  for (const [kind, wanted] of kinds) {
    const edges = rows.filter(wanted);
    for (const cycle of findCycles(graphFor(edges, () => true))) {
      for (const name of cycle) draft.lostServices.add(name);
      const row = newestOn(cycle, edges);
      if (row === undefined || told.has(row)) continue;
      told.add(row);
      const circle = [...cycle, cycle[0]].join(' -> ');
      const sentence = `${kind} goes round in a circle, so none of these can go first: ${circle}`;
      lose(draft, row, 'dependency-cycle', sentence);
    }
  }
}

/** The last row of the table that is on the circle: most likely the one that closed it. */
function newestOn(cycle: readonly string[], rows: readonly CheckedRow[]): CheckedRow | undefined {
  const next = new Map(cycle.map((name, i) => [name, cycle[(i + 1) % cycle.length]]));
  return rows.findLast((row) => next.get(row.text('SERVICE_NAME')) === row.text('DEPENDENT'));
}

/**
 * Who is started after another is stopped before it, if not directly then by way of others. A missing mirror means that
 * the lower one is stopped under the upper one.
 */
function checkMirrors(draft: Draft, rows: readonly CheckedRow[]): void {
  const rise = graphFor(rows, isRise);
  const fall = graphFor(rows, (row) => row.text('ACTION') === 'disable');
  for (const row of rows) {
    const [service, dependent] = [row.text('SERVICE_NAME'), row.text('DEPENDENT')];
    if (row.text('ACTION') === 'enable' && !reaches(fall, dependent, service)) {
      draft.problems.warning(
        'missing-mirror',
        row.table,
        row.raw,
        `no mirror: disable of ${dependent} does not wait for ${service}, which can lose it while it runs`,
      );
    }
    if (row.text('ACTION') === 'disable' && !reaches(rise, dependent, service)) {
      draft.problems.warning(
        'missing-mirror',
        row.table,
        row.raw,
        `no mirror: enable of ${dependent} does not wait for ${service}, though it is stopped before it`,
      );
    }
  }
}

/** Takes out, one after the other, what could only wait for ever because something that it waits for is out. */
export function loseDependents(draft: Draft, provisioned: ReadonlySet<string>): void {
  const rows = draft
    .rows('SERVICE_DEPENDENCY')
    .filter((row) => isRise(row) && provisioned.has(row.text('DEPENDENT')));
  for (let changed = true; changed; ) {
    changed = false;
    for (const row of rows) {
      const [service, dependent] = [row.text('SERVICE_NAME'), row.text('DEPENDENT')];
      if (!draft.lostServices.has(dependent) || draft.lostServices.has(service) || !provisioned.has(service))
        continue;
      draft.problems.warning(
        'depends-on-quarantined',
        row.table,
        row.raw,
        `${service} waits for ${dependent}, which is out: it is out too`,
        true,
      );
      draft.lostServices.add(service);
      changed = true;
    }
  }
}

export function dependenciesOf(
  draft: Draft,
  services: ReadonlyMap<string, ServiceDefinition>,
): readonly DependencyDefinition[] {
  return draft
    .rows('SERVICE_DEPENDENCY')
    .filter((row) => services.has(row.text('SERVICE_NAME')) && services.has(row.text('DEPENDENT')))
    .map((row) => {
      const action = row.text('ACTION');
      return {
        type: row.word<DependencyType>('DEPENDENCY_TYPE'),
        service: row.text('SERVICE_NAME'),
        state: row.word<ServiceState>('STATE'),
        action: action === 'not-applicable' ? null : row.word<ServiceAction>('ACTION'),
        dependent: row.text('DEPENDENT'),
        dependentState: row.word<ServiceState>('DEPENDENT_STATE'),
      };
    });
}
