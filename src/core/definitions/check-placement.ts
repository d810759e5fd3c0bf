/**
 * Checks of what says where groups may be: ACTIVE_ONLY_IF_ACTIVE, aggregates, CORE. A set that passes has a placement of
 * every group for every picture of the nodes (src/core/plan). Pure.
 */
import { LIMITS } from '../kernel/limits.ts';
import { type CheckedRow, type Draft, lose } from './draft.ts';
import { findCycles, graphOf } from './order.ts';

export function checkPlacement(draft: Draft, members: readonly CheckedRow[]): void {
  const waiting = members.filter((row) => row.text('ACTIVE_ONLY_IF_ACTIVE') !== '');
  checkNeeded(draft, members, waiting);
  if (!checkCircles(draft, waiting, groupOf)) {
    const places = new Map(members.map((row) => [groupOf(row), placeOf(row)]));
    checkCircles(
      draft,
      waiting,
      (row) => places.get(groupOf(row)) ?? '',
      (name) => places.get(name) ?? name,
    );
  }
  checkCore(draft, members);
}

function groupOf(row: CheckedRow): string {
  return row.text('SERVICE_GROUP_NAME');
}

/** What is placed as one: the aggregate of an exclusive group, else the group alone. */
function placeOf(row: CheckedRow): string {
  const aggregate = row.text('SERVICE_GROUP_AGGREGATE');
  const exclusive = row.number('N_ACTIVE') < LIMITS.nodesMax;
  return exclusive && aggregate !== '' ? `aggregate ${aggregate}` : groupOf(row);
}

function checkNeeded(draft: Draft, members: readonly CheckedRow[], waiting: readonly CheckedRow[]): void {
  const names = draft.names('SERVICE_GROUPS', 'NAME');
  const provisioned = new Set(members.filter((row) => row.provisioned).map(groupOf));
  for (const row of waiting) {
    const other = row.text('ACTIVE_ONLY_IF_ACTIVE');
    if (!names.has(other)) {
      lose(draft, row, 'unknown-group', `ACTIVE_ONLY_IF_ACTIVE: SERVICE_GROUPS has no group ${other}`);
    } else if (row.provisioned && !provisioned.has(other)) {
      lose(
        draft,
        row,
        'unknown-group',
        `ACTIVE_ONLY_IF_ACTIVE: ${other} is not provisioned, so the group would never be active`,
      );
    }
  }
}

/** True if there is one. Every group on it is lost: none of them could begin. */
function checkCircles(
  draft: Draft,
  waiting: readonly CheckedRow[],
  from: (row: CheckedRow) => string,
  to: (group: string) => string = (group) => group,
): boolean {
  const edges = waiting
    .map((row) => ({ from: from(row), to: to(row.text('ACTIVE_ONLY_IF_ACTIVE')) }))
    // Within an aggregate one group waits for the other on the node that has them both.
    .filter((edge) => edge.from !== edge.to || from === groupOf);
  const cycles = findCycles(graphOf(edges));
  for (const cycle of cycles) {
    const rows = waiting.filter((row) => cycle.includes(from(row)));
    const row = rows.find((each) => from(each) === cycle.at(-1));
    if (row === undefined) continue;
    const way = [...cycle, cycle[0] ?? ''].join(' -> ');
    lose(draft, row, 'active-only-cycle', `ACTIVE_ONLY_IF_ACTIVE goes round in a circle: ${way}`);
    for (const each of rows) draft.lostGroups.add(groupOf(each));
  }
  return cycles.length > 0;
}

/** A node counts as ready only while its core groups are active, so each node has to run them, before all others. */
function checkCore(draft: Draft, members: readonly CheckedRow[]): void {
  const core = new Set(
    draft
      .rows('SERVICE_GROUPS')
      .filter((row) => row.is('CORE'))
      .map((row) => row.text('NAME')),
  );
  for (const row of members) {
    if (!core.has(groupOf(row))) continue;
    const other = row.text('ACTIVE_ONLY_IF_ACTIVE');
    if (row.number('N_ACTIVE') < LIMITS.nodesMax) {
      const sentence = `the group is CORE, which every node has to run: set N_ACTIVE to ${LIMITS.nodesMax}, or CORE to no`;
      lose(draft, row, 'bad-core', sentence);
    } else if (other !== '' && !core.has(other)) {
      const sentence = `the group is CORE, and may be active only beside ${other}, which is not: set CORE of both alike`;
      lose(draft, row, 'bad-core', sentence);
    }
  }
}
