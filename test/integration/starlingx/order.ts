/** What the journal of a pair proves: every dependency row was kept, and nothing exclusive was active on two nodes. */
import type { DefinitionSet, DependencyDefinition } from '../../../src/core/definitions/model.ts';
import type { ServiceAction } from '../../../src/core/kernel/names.ts';
import type { Step } from './site.ts';

/** `changing`: a script that may end it, or make it, runs. */
type State = 'down' | 'standby' | 'active' | 'changing';

export interface Verdict {
  /** Rows that at least one script was run against. */
  readonly checked: ReadonlySet<DependencyDefinition>;
  readonly violations: readonly string[];
  /** What is not down at the end. */
  readonly left: readonly { readonly node: string; readonly service: string; readonly state: State }[];
}

/** Goes through the steps in order, with what the scripts themselves have made of each service so far. */
export function judge(set: DefinitionSet, steps: readonly Step[]): Verdict {
  const states = new Map<string, State>();
  const running = new Set<string>();
  const checked = new Set<DependencyDefinition>();
  const violations: string[] = [];
  const at = (node: string, service: string) => states.get(`${node} ${service}`) ?? 'down';
  const nodes = [...new Set(steps.map(({ node }) => node))];

  for (const step of steps) {
    const { node, service, command, phase } = step;
    const key = `${node} ${service}`;
    if (command === 'power-off') {
      for (const other of set.services.keys()) {
        states.delete(`${node} ${other}`);
        running.delete(`${node} ${other}`);
      }
      continue;
    }
    const action = actionOf(set, service, command);
    if (action === null) continue;
    if (phase === 'end') {
      running.delete(key);
      states.set(key, step.number === 0 ? outcome(set, service, action) : 'down');
      continue;
    }
    if (running.has(key)) violations.push(`${key}: ${command} while another script of it runs`);
    running.add(key);
    const activates = action === activatingAction(set, service);
    for (const row of set.dependencies) {
      if (row.service !== service || row.action !== action) continue;
      // What only makes a standby waits for nobody where standby is wanted, and the journal does not tell what is wanted.
      if (action === 'enable' && !activates) continue;
      checked.add(row);
      const other = at(node, row.dependent);
      const met =
        row.dependentState === 'enabled-active'
          ? other === 'active'
          : other === 'down' || standsBy(row, other);
      if (!met)
        violations.push(`${key} ${action}: ${row.dependent} has to be ${row.dependentState}, it is ${other}`);
    }
    if (activates && isExclusive(set, service)) {
      for (const elsewhere of nodes) {
        if (elsewhere !== node && at(elsewhere, service) !== 'down' && at(elsewhere, service) !== 'standby') {
          violations.push(`${key}: activated while ${elsewhere} has it ${at(elsewhere, service)}`);
        }
      }
    }
    states.set(key, activates || at(node, service) === 'active' ? 'changing' : at(node, service));
  }
  const left = nodes.flatMap((node) =>
    [...set.services.keys()].map((service) => ({ node, service, state: at(node, service) })),
  );
  return { checked, violations, left: left.filter(({ state }) => state !== 'down') };
}

/** Before a stop, one that stands by counts as stopped: it uses nothing. */
function standsBy(row: DependencyDefinition, state: State): boolean {
  return row.action === 'disable' && state === 'standby';
}

function actionOf(set: DefinitionSet, service: string, command: string): ServiceAction | null {
  const actions = set.services.get(service)?.actions ?? new Map();
  for (const action of ['enable', 'disable', 'go-active', 'go-standby'] as const) {
    if (actions.get(action)?.pluginCommand === command) return action;
  }
  return null;
}

function activatingAction(set: DefinitionSet, service: string): ServiceAction {
  return set.services.get(service)?.actions.has('go-active') ? 'go-active' : 'enable';
}

function isExclusive(set: DefinitionSet, service: string): boolean {
  return set.groups.get(set.services.get(service)?.group ?? '')?.exclusive === true;
}

function outcome(set: DefinitionSet, service: string, action: ServiceAction): State {
  if (action === 'disable') return 'down';
  return action === activatingAction(set, service) ? 'active' : 'standby';
}
