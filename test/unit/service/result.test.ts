import { describe, expect, it } from 'vitest';
import type { ActionResultRule } from '../../../src/core/definitions/model.ts';
import { auditedState, ResultRules } from '../../../src/core/service/result.ts';
import { actionDefinition, SHIPPED_RESULTS } from '../../support/local-definitions.ts';

const rules = new ResultRules(SHIPPED_RESULTS);
const exit = (code: number) => ({ kind: 'exit', code }) as const;

describe('result rules', () => {
  it('prefers plugin over default, command over default, code over other', () => {
    const base = { result: 'failed', state: null, status: null, condition: null } as const;
    const rows: ActionResultRule[] = [];
    const candidates: [string, string, string][] = [];
    for (const name of ['p', 'default']) {
      for (const command of ['start', 'default']) {
        for (const code of ['5', 'other']) candidates.push([name, command, code]);
      }
    }
    // Added from the most general on: each must win over all that were there before.
    for (const [pluginName, pluginCommand, exitCode] of candidates.reverse()) {
      const state = 'disabled' as const;
      rows.push({ ...base, pluginType: 'lsb-script', pluginName, pluginCommand, exitCode, state });
      const last = rows.map((row, index) => ({
        ...row,
        result: index === rows.length - 1 ? ('success' as const) : ('failed' as const),
      }));
      const verdict = new ResultRules(last).judge(actionDefinition('enable', 'lsb-script', 'p'), exit(5));
      expect(verdict.result, `${pluginName} ${pluginCommand} ${exitCode}`).toBe('success');
    }
  });

  it('takes what no rule matches for failed', () => {
    const verdict = new ResultRules([]).judge(actionDefinition('enable', 'lsb-script', 'p'), exit(0));
    expect(verdict).toEqual({ result: 'failed', state: null, status: null, condition: null });
  });

  it('knows the shipped meanings', () => {
    const lsb = actionDefinition('audit-enabled', 'lsb-script', 'p');
    const ocf = actionDefinition('audit-enabled', 'ocf-script', 'p');
    expect(rules.judge(lsb, exit(3))).toMatchObject({ result: 'success', state: 'disabled', status: null });
    expect(rules.judge(lsb, exit(77))).toMatchObject({ result: 'failed' });
    expect(rules.judge(ocf, exit(7))).toMatchObject({ result: 'success', state: 'disabled', status: '' });
    expect(rules.judge(ocf, exit(40))).toMatchObject({ state: 'enabled-active', condition: 'data-syncing' });
    expect(rules.judge(ocf, { kind: 'signal', signal: 'SIGSEGV' }).result).toBe('failed');
  });

  it('reports a time-out as such, unless a rule calls it a success', () => {
    const stop = (name: string) => actionDefinition('disable', 'ocf-script', name);
    expect(rules.judge(stop('p'), { kind: 'timeout' }).result).toBe('timeout');
    expect(rules.judge(stop('Filesystem'), { kind: 'timeout' }).result).toBe('success');
  });

  it('never takes a script that did not start for a success', () => {
    const lenient = new ResultRules([
      {
        pluginType: 'lsb-script',
        pluginName: 'default',
        pluginCommand: 'default',
        exitCode: 'plugin-failure',
        result: 'success',
        state: null,
        status: null,
        condition: null,
      },
    ]);
    const action = actionDefinition('disable', 'lsb-script', 'p');
    expect(lenient.judge(action, { kind: 'refused', reason: 'no such script' }).result).toBe('failed');
    expect(lenient.judge(action, { kind: 'signal', signal: 'SIGKILL' }).result).toBe('success');
  });

  it('reads what an audit found', () => {
    expect(auditedState(null, true)).toBe('enabled-standby');
    expect(auditedState(null, false)).toBe('enabled-active');
    expect(auditedState('enabled-active', true)).toBe('enabled-active');
    expect(auditedState('disabled', false)).toBe('disabled');
  });
});
