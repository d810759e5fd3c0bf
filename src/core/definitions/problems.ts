/**
 * What is wrong with a definition set. A problem names table and row, says what to do, and tells whether the part that
 * it spoils was taken out of the set. Pure.
 */
import type { RawRow, Table } from './rows.ts';
import { rowKey } from './rows.ts';

export const PROBLEM_CODES = [
  'statement-failed',
  'skipped-file',
  'missing-table',
  'bad-cell',
  'duplicate-row',
  'no-domain',
  'several-domains',
  'bad-timing',
  'no-nodes',
  'one-node',
  'default-safety',
  'policy-takeover',
  'too-many-interfaces',
  'no-interface',
  'no-address',
  'bad-address',
  'public-key',
  'no-key',
  'unsigned',
  'unknown-domain',
  'unknown-group',
  'unknown-service',
  'no-group',
  'two-groups',
  'two-domains',
  'no-domain-member',
  'provisioned-differs',
  'bad-count',
  'unsupported-model',
  'active-only-cycle',
  'bad-core',
  'no-services',
  'missing-action',
  'missing-audit',
  'half-promotable',
  'no-instance',
  'bad-parameters',
  'bad-class',
  'missing-script',
  'self-dependency',
  'bad-dependency',
  'dependency-cycle',
  'missing-mirror',
  'depends-on-quarantined',
  'no-result-rule',
  'bad-heartbeat',
  'two-arbiters',
  'bad-endpoint',
  'no-third-vote',
  'no-device',
  'arbiter-timing',
  'bad-fence-device',
  'secret-in-parameters',
  'node-without-fence',
  'unknown-setting',
  'bad-setting',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export interface Problem {
  /** An error makes `smctl check` fail. A warning is worth knowing, and may be a standing alarm. */
  readonly severity: 'error' | 'warning';
  readonly code: ProblemCode;
  readonly table: string;
  /** The row's natural key, e.g. `keystone/enable`. */
  readonly row: string;
  readonly sentence: string;
  /** The row, and what can not do without it, is not part of the set. */
  readonly quarantined: boolean;
}

/** One line for people: `error SERVICES keystone: MAX_FAILURES must be ...`. */
export function problemText(problem: Problem): string {
  return `${problem.severity} ${problem.table} ${problem.row}: ${problem.sentence}`;
}

/** Collects problems in the order in which they are found. */
export class ProblemList {
  readonly #problems: Problem[] = [];

  get all(): readonly Problem[] {
    return this.#problems;
  }

  error(code: ProblemCode, table: Table, row: RawRow | string, sentence: string, quarantined = true): void {
    this.#add('error', code, table, row, sentence, quarantined);
  }

  warning(
    code: ProblemCode,
    table: Table,
    row: RawRow | string,
    sentence: string,
    quarantined = false,
  ): void {
    this.#add('warning', code, table, row, sentence, quarantined);
  }

  #add(
    severity: Problem['severity'],
    code: ProblemCode,
    table: Table,
    row: RawRow | string,
    sentence: string,
    quarantined: boolean,
  ): void {
    const key = typeof row === 'string' ? row : rowKey(table, row);
    this.#problems.push({ severity, code, table: table.name, row: key, sentence, quarantined });
  }
}
