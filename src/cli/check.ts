/** `smctl check <set>`: everything that is wrong with a definition set, a folder or a database, before it is used. */
import { realpathSync } from 'node:fs';
import { buildDefinitions, type DefinitionCounts } from '../core/definitions/build.ts';
import type { ScriptQuestion } from '../core/definitions/check-services.ts';
import { type Problem, problemText } from '../core/definitions/problems.ts';
import { timingSums } from '../core/definitions/timing.ts';
import { ERRORS } from '../core/kernel/errors.ts';
import { loadRows } from '../shell/store/source.ts';

export interface CheckOptions {
  /** A script that is missing on this node is an error for every service, provisioned or not. */
  readonly strict?: boolean;
  /** This node's database: in that one a missing script of a provisioned service is an error. */
  readonly ownDatabase?: string;
  readonly scriptProblem?: ScriptQuestion['scriptProblem'];
}

export interface CheckReport {
  /** 0 = no error, 1 = errors, else that the set can not be read. */
  readonly exit: number;
  /** For people: one count a line, then errors, then warnings. */
  readonly lines: readonly string[];
  readonly json: object;
}

export function checkSet(source: string, options: CheckOptions = {}): CheckReport {
  const loaded = loadRows(source);
  if (!loaded.ok) {
    const { code, message } = loaded.error;
    return {
      exit: ERRORS[code].exitCode,
      lines: [`error ${code}: ${message}`],
      json: { ok: false, code, message },
    };
  }
  const built = buildDefinitions(loaded.value.rows, {
    ...(options.scriptProblem === undefined ? {} : { scriptProblem: options.scriptProblem }),
    scriptsNeeded: scriptsNeeded(source, options),
  });
  const problems = [...loaded.value.problems, ...loaded.value.warnings, ...built.problems];
  const errors = problems.filter((problem) => problem.severity === 'error');
  const warnings = problems.filter((problem) => problem.severity === 'warning');
  const ok = errors.length === 0;
  const timing = built.set === null ? [] : timingSums(built.set);
  return {
    exit: ok ? 0 : 1,
    lines: [...countLines(built.counts), ...timing, ...[...errors, ...warnings].map(problemText)],
    json: {
      ok,
      source,
      counts: built.counts,
      digest: built.set?.digest ?? null,
      usable: built.set !== null,
      timing,
      errors: errors.map(problemJson),
      warnings: warnings.map(problemJson),
    },
  };
}

function scriptsNeeded(source: string, options: CheckOptions): NonNullable<ScriptQuestion['scriptsNeeded']> {
  if (options.strict === true) return 'all';
  return options.ownDatabase !== undefined && sameFile(source, options.ownDatabase) ? 'provisioned' : 'none';
}

function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}

function countLines(counts: DefinitionCounts): readonly string[] {
  return Object.entries(counts).map(([name, count]) => `${name} ${count}`);
}

function problemJson({ code, table, row, sentence, quarantined }: Problem): object {
  return { code, table, row, sentence, quarantined };
}
