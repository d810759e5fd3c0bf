/** StarlingX's own definitions, as shipped and with everything provisioned: they settle, in the order of every row. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildDefinitions } from '../../../src/core/definitions/build.ts';
import type { DefinitionSet } from '../../../src/core/definitions/model.ts';
import type { RawRow, RawRows } from '../../../src/core/definitions/rows.ts';
import type { RunEffect } from '../../../src/core/service/interface.ts';
import { loadRows } from '../../../src/shell/store/source.ts';
import { LocalDriver } from '../../support/local-driver.ts';

function definitions(everything: boolean): DefinitionSet {
  const loaded = loadRows(fileURLToPath(new URL('../../../db/definitions/starlingx', import.meta.url)));
  if (!loaded.ok) throw new Error(loaded.error.message);
  const provisioned = (row: RawRow): RawRow =>
    everything && 'PROVISIONED' in row.columns
      ? { ...row, columns: { ...row.columns, PROVISIONED: 'yes' } }
      : row;
  const rows: RawRows = new Map(
    [...loaded.value.rows].map(([table, list]) => [
      table,
      table.includes('INTERFACE') ? list : list.map(provisioned),
    ]),
  );
  const { set } = buildDefinitions(rows);
  if (set === null) throw new Error('the definitions can not be used');
  return set;
}

/** Rows that a script was run against. `known` is what the history has told of each service so far. */
function violations(set: DefinitionSet, run: RunEffect, known: ReadonlyMap<string, string>): string[] {
  return set.dependencies
    .filter((row) => row.service === run.service && row.action === run.action)
    .filter((row) => {
      const state = known.get(row.dependent) ?? 'initial';
      if (row.dependentState === 'enabled-active') return state !== 'enabled-active';
      return !['disabled', 'enabled-standby', 'enabling-throttle'].includes(state);
    })
    .map((row) => `${run.service} ${run.action}: ${row.dependent} is ${known.get(row.dependent)}`);
}

function violationsOf(set: DefinitionSet, d: LocalDriver): string[] {
  const known = new Map<string, string>();
  const found: string[] = [];
  for (const effect of d.effects) {
    if (effect.type === 'history' && effect.entity === 'service') known.set(effect.name, effect.to);
    if (effect.type === 'run') found.push(...violations(set, effect, known));
  }
  return found;
}

/** Orders all groups as on a node that is active, or standby, of the N + M groups. */
function order(set: DefinitionSet, d: LocalDriver, role: 'active' | 'standby'): void {
  for (const group of set.groups.values()) d.want(group.name, group.exclusive ? role : 'active');
}

function groupStates(d: LocalDriver): string[] {
  return [...new Set(d.engine.groups().map((group) => group.state))].sort();
}

describe.each([
  ['as shipped', false, 7, 32],
  ['with everything provisioned', true, 10, 92],
] as const)('StarlingX %s', (_name, everything, groups, services) => {
  const set = definitions(everything);

  it('has all its parts', () => {
    expect(set.groups.size).toBe(groups);
    expect(set.services.size).toBe(services);
  });

  it('goes active, standby, active again and disabled, row by row in order', () => {
    const d = new LocalDriver(set);
    order(set, d, 'active');
    d.pass(60_000);
    expect(groupStates(d)).toEqual(['active']);
    order(set, d, 'standby');
    d.pass(60_000);
    for (const group of set.groups.values()) {
      expect(d.engine.group(group.name).inactive, group.name).toBe(group.exclusive);
    }
    order(set, d, 'active');
    d.pass(60_000);
    expect(groupStates(d)).toEqual(['active']);
    for (const group of set.groups.values()) d.want(group.name, 'disabled');
    d.pass(60_000);
    expect(groupStates(d)).toEqual(['disabled']);
    expect(d.engine.groups().every((group) => group.inactive && group.status === '')).toBe(true);
    expect(violationsOf(set, d)).toEqual([]);
  });

  it('settles as the standby node, but for what waits for the other one', () => {
    const d = new LocalDriver(set);
    order(set, d, 'standby');
    d.pass(600_000);
    const waits = d.engine.waits().filter((wait) => wait.entity === 'service');
    const reason = 'waits for ceph-mon to be enabled-active on this node: it is enabled-standby here';
    expect(waits.map((wait) => [wait.name, wait.reason])).toEqual(everything ? [['ceph-osd', reason]] : []);
    expect(groupStates(d)).toEqual(everything ? ['active', 'go-active', 'standby'] : ['active', 'standby']);
    expect(d.engine.groups().every((group) => group.status === '')).toBe(true);
  });
});
