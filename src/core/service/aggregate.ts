/** The groups of one aggregate seen as one: it is as active as the most active of them. */
import type { GroupDefinition } from '../definitions/model.ts';
import type { GroupDesiredState, GroupState } from '../kernel/names.ts';
import type { GroupView } from './interface.ts';

/** The first that one of the groups is in is that of all: on the way to a state comes before being there. */
const STATES: readonly GroupState[] = [
  'go-active',
  'active',
  'go-standby',
  'standby',
  'disabling',
  'disabled',
  'shutdown',
];
const DESIRED: readonly GroupDesiredState[] = ['active', 'standby', 'disabled'];

export interface AggregateView {
  readonly name: string;
  readonly desired: GroupDesiredState;
  readonly state: GroupState;
}

/** Of the aggregate that `group` belongs to, on this node; null = it belongs to none. */
export function aggregateOf(
  group: string,
  definitions: ReadonlyMap<string, Pick<GroupDefinition, 'aggregate'>>,
  views: Iterable<Pick<GroupView, 'name' | 'desired' | 'state'>>,
): AggregateView | null {
  const name = definitions.get(group)?.aggregate ?? '';
  if (name === '') return null;
  const members = [...views].filter((view) => definitions.get(view.name)?.aggregate === name);
  return {
    name,
    desired: DESIRED.find((desired) => members.some((view) => view.desired === desired)) ?? 'initial',
    state: STATES.find((state) => members.some((view) => view.state === state)) ?? 'initial',
  };
}
