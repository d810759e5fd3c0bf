/** What a node tells of itself: the groups of its report, the rows of both nodes' assignments, that it is quiet. */
import type { AssignmentRow } from '../engine-interface.ts';
import type { GroupDesiredState } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import type { GroupReport } from '../link/types.ts';
import type { Placement } from '../plan/plan.ts';
import type { GroupView } from '../service/interface.ts';
import type { ClusterContext } from './context.ts';

const REASON_CHARACTERS_MAX = 200;

/** What only a leader says. */
export interface Leading {
  readonly placements: readonly Placement[];
  readonly orders: ReadonlyMap<string, GroupDesiredState>;
}

/**
 * `leading`: null = this node does not lead. `inactive`: verified that nothing of the group is active here. `before`: what was said
 * last; a group of which nothing else is to be said is the same object again, for whoever compares it or puts it into bytes.
 */
export function groupReports(
  { definitions, local, numbers, peer }: ClusterContext,
  leading: Leading | null,
  inactive: (group: string) => boolean,
  before: readonly GroupReport[],
): GroupReport[] {
  const theirs = new Map(
    leading?.placements.filter(({ node }) => node === peer?.name).map((each) => [each.group, each] as const),
  );
  return local.groups().map((view, index) => {
    const { name, state, desired, status, condition, health } = view;
    const exclusive = definitions.groups.get(name)?.exclusive === true;
    const record = exclusive ? numbers.of(name) : null;
    // A leader says why it orders what; what is wrong with a group here is known to nobody else, whoever leads.
    const ordered = leading === null ? [] : [theirs.get(name)?.reasons.join('; ') ?? ''];
    const own = leading === null || status !== '' ? [view.reason] : [];
    const reason = [...ordered, ...own].filter((part) => part !== '').join(': ');
    const report: GroupReport = {
      name,
      state,
      desired,
      status,
      condition,
      health,
      runs: record?.held ?? 0,
      inactive: record !== null && record.held === 0 && inactive(name),
      stopped: record?.stopped ?? 0,
      activationMax: record?.max ?? 0,
      holder: leading === null ? '' : (record?.holder ?? ''),
      holderActivation: leading === null ? 0 : (record?.holderActivation ?? 0),
      order: leading?.orders.get(name) ?? 'initial',
      reason: reason.slice(0, REASON_CHARACTERS_MAX),
    };
    const said = before[index];
    return said !== undefined && same(said, report) ? said : report;
  });
}

/** Every group as this node has it, then as the peer reports it. */
export function groupsOfBoth({ me, local, peer }: ClusterContext): [node: string, GroupView | GroupReport][] {
  const mine = local.groups().map((group): [string, GroupView] => [me, group]);
  if (peer === null || peer.report === null) return mine;
  return [...mine, ...peer.report.groups.map((group): [string, GroupReport] => [peer.name, group])];
}

export function assignmentRow(node: string, group: GroupView | GroupReport): AssignmentRow {
  const { name, desired, state, status, condition } = group;
  return { node, group: name, desired, state, status, condition };
}

/** Nothing exclusive is active here; with `all`, nothing runs at all. */
export function isQuiet({ definitions, local }: ClusterContext, all: boolean): boolean {
  return local.groups().every(({ name, state, inactive }) => {
    if (all) return state === 'disabled' || state === 'initial';
    return definitions.groups.get(name)?.exclusive !== true || inactive;
  });
}
