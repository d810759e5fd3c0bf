/**
 * What the end of a script means: the rules of SERVICE_ACTION_RESULTS, looked up from the most special to the most
 * general. Source: docs/reference/database.md, table SERVICE_ACTION_RESULTS.
 */
import type { ActionDefinition, ActionResultRule } from '../definitions/model.ts';
import type { ActionResult, Condition, ServiceState, Status } from '../kernel/names.ts';
import type { RunOutcome } from './interface.ts';

/** What a script's end says. null = it says nothing about it: keep what you have. */
export interface Verdict {
  readonly result: ActionResult;
  readonly state: ServiceState | null;
  readonly status: Status | null;
  readonly condition: Condition | null;
}

const UNMATCHED: Verdict = { result: 'failed', state: null, status: null, condition: null };

/** The word under which an outcome is looked up: a decimal exit code, `plugin-failure` or `plugin-timeout`. */
export function exitWord(outcome: RunOutcome): string {
  switch (outcome.kind) {
    case 'exit':
      return String(outcome.code);
    case 'timeout':
      return 'plugin-timeout';
    default:
      return 'plugin-failure';
  }
}

export class ResultRules {
  readonly #rules = new Map<string, ActionResultRule>();
  /** What was found before: a service ends in few ways, again and again. */
  readonly #found = new Map<ActionDefinition, Map<string, Verdict>>();

  constructor(rules: readonly ActionResultRule[]) {
    for (const rule of rules) {
      const key = keyOf(rule.pluginType, rule.pluginName, rule.pluginCommand, rule.exitCode);
      // As in a table with a primary key: the first row stands.
      if (!this.#rules.has(key)) this.#rules.set(key, rule);
    }
  }

  /**
   * Judges an outcome. A time-out that the rules only call `failed` is reported as `timeout`, so that the limit for
   * time-outs means something. A script that never started has failed, whatever the rules say of `plugin-failure`.
   */
  judge(action: ActionDefinition, outcome: RunOutcome): Verdict {
    if (outcome.kind === 'refused') return UNMATCHED;
    if (outcome.kind === 'killed') return outcome.stopped ? { ...UNMATCHED, result: 'success' } : UNMATCHED;
    const rule = this.#lookup(action, exitWord(outcome));
    if (outcome.kind === 'timeout' && rule.result === 'failed') return { ...rule, result: 'timeout' };
    return rule;
  }

  #lookup(action: ActionDefinition, word: string): Verdict {
    const found = this.#found.get(action) ?? new Map<string, Verdict>();
    this.#found.set(action, found);
    const verdict = found.get(word) ?? this.#search(action, word);
    found.set(word, verdict);
    return verdict;
  }

  #search(action: ActionDefinition, word: string): Verdict {
    for (const name of [action.pluginName, 'default']) {
      for (const command of [action.pluginCommand, 'default']) {
        for (const code of [word, 'other']) {
          const rule = this.#rules.get(keyOf(action.pluginType, name, command, code));
          if (rule !== undefined) return rule;
        }
      }
    }
    return UNMATCHED;
  }
}

function keyOf(type: string, name: string, command: string, code: string): string {
  return `${type}\n${name}\n${command}\n${code}`;
}

/**
 * The state that a successful audit found. A rule that names none means "it runs": as standby where the service can be
 * promoted (exit 0 of an OCF monitor), else as active.
 */
export function auditedState(state: ServiceState | null, promotable: boolean): ServiceState {
  if (!promotable) return state === null || state === 'enabled-standby' ? 'enabled-active' : state;
  return state ?? 'enabled-standby';
}
