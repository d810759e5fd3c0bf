import { expect, it } from 'vitest';
import type { GroupDesiredState, GroupState } from '../../../src/core/kernel/names.ts';
import { aggregateOf } from '../../../src/core/service/aggregate.ts';

const definitions = new Map([
  ['a', { aggregate: 'both' }],
  ['b', { aggregate: 'both' }],
  ['other', { aggregate: 'one' }],
  ['alone', { aggregate: '' }],
]);
type Seen = readonly [GroupDesiredState, GroupState];

function both([aDesired, aState]: Seen, [bDesired, bState]: Seen) {
  return aggregateOf('a', definitions, [
    { name: 'other', desired: 'active', state: 'go-active' },
    { name: 'a', desired: aDesired, state: aState },
    { name: 'b', desired: bDesired, state: bState },
    { name: 'alone', desired: 'active', state: 'active' },
  ]);
}

it.each([
  [['active', 'go-active'], ['active', 'active'], 'active', 'go-active'],
  [['active', 'active'], ['standby', 'go-standby'], 'active', 'active'],
  [['standby', 'standby'], ['standby', 'go-standby'], 'standby', 'go-standby'],
  [['disabled', 'disabling'], ['disabled', 'disabled'], 'disabled', 'disabling'],
  [['initial', 'initial'], ['initial', 'initial'], 'initial', 'initial'],
] as const)('%j and %j make %s, %s', (a, b, desired, state) => {
  expect(both(a, b)).toEqual({ name: 'both', desired, state });
  expect(both(b, a)).toEqual({ name: 'both', desired, state });
});

it('is none where the group belongs to none, or is not known', () => {
  expect(aggregateOf('alone', definitions, [])).toBeNull();
  expect(aggregateOf('nobody', definitions, [])).toBeNull();
});
