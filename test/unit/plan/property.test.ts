/** What every plan keeps to, whatever the groups and whatever the picture. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DefinitionSet, GroupDefinition } from '../../../src/core/definitions/model.ts';
import type { Condition, Status } from '../../../src/core/kernel/names.ts';
import {
  hasFailed,
  type NodePicture,
  type Picture,
  type Placement,
  plan,
} from '../../../src/core/plan/plan.ts';
import { unitsOf } from '../../../src/core/plan/units.ts';
import { pairGroup } from '../../support/cluster-driver.ts';

const NODES = ['controller-0', 'controller-1'] as const;

interface Sketch {
  readonly exclusive: boolean;
  readonly mStandby: number;
  readonly aggregate: string;
  readonly core: boolean;
  /** Index of the group that it needs, among those before it; -1 = none. */
  readonly needs: number;
}

const sketch = fc.record({
  exclusive: fc.boolean(),
  mStandby: fc.integer({ min: 0, max: 1 }),
  aggregate: fc.constantFrom('', '', 'x', 'y'),
  core: fc.boolean(),
  needs: fc.integer({ min: -1, max: 7 }),
});

function groupsOf(sketches: readonly Sketch[]): Map<string, GroupDefinition> {
  return new Map(
    sketches.map(({ exclusive, mStandby, aggregate, core, needs }, index) => {
      const other = needs < index ? sketches[needs] : undefined;
      const allowed = other !== undefined && (!core || exclusive || (other.core && !other.exclusive));
      const group = pairGroup(`g${index}`, {
        exclusive,
        nActive: exclusive ? 1 : 2,
        mStandby: exclusive ? mStandby : 0,
        aggregate,
        core: core && !exclusive,
        activeOnlyIfActive: allowed ? `g${needs}` : '',
      });
      return [group.name, group];
    }),
  );
}

const view = fc.record({
  state: fc.constantFrom('initial', 'disabled', 'standby', 'go-active', 'active'),
  status: fc.constantFrom<Status>('', '', 'degraded', 'failed'),
  condition: fc.constantFrom<Condition>('', 'recovery-failure', 'fatal-failure'),
});

const nodeOf = (name: string, groups: number) =>
  fc.record({
    name: fc.constant(name),
    absent: fc.constantFrom('', '', '', 'silent'),
    administrative: fc.constantFrom('unlocked', 'unlocked', 'locked'),
    ready: fc.constantFrom(true, true, false),
    notReadyReason: fc.constant('booting'),
    linkScore: fc.constantFrom(0, 0, -1, -4),
    groups: fc
      .array(view, { minLength: groups, maxLength: groups })
      .map((views) => new Map(views.map((one, index) => [`g${index}`, one] as const))),
  });

interface World {
  readonly definitions: DefinitionSet;
  readonly picture: Picture;
}

const world: fc.Arbitrary<World> = fc.array(sketch, { minLength: 1, maxLength: 6 }).chain((sketches) => {
  const groups = groupsOf(sketches);
  const holder = fc.constantFrom('', ...NODES);
  return fc
    .record({
      nodes: fc.tuple(nodeOf(NODES[0], sketches.length), nodeOf(NODES[1], sketches.length)),
      holders: fc.array(holder, { minLength: sketches.length, maxLength: sketches.length }),
      avoided: fc.subarray([...NODES]),
    })
    .map(({ nodes, holders, avoided }) => ({
      definitions: { groups } as unknown as DefinitionSet,
      picture: {
        nodes,
        holders: new Map(
          holders.flatMap((name, index) => (groups.get(`g${index}`)?.exclusive ? [[`g${index}`, name]] : [])),
        ),
        avoided: new Set(avoided),
      },
    }));
});

function on(placements: readonly Placement[], group: string, want: Placement['want']): string[] {
  return placements.filter((p) => p.group === group && p.want === want).map((p) => p.node);
}

const isStuck = ({ picture }: World, group: GroupDefinition) =>
  group.exclusive &&
  picture.nodes.some((node) => node.absent !== '' && picture.holders.get(group.name) === node.name);

const mayBe = (node: NodePicture, group: GroupDefinition, unit: readonly GroupDefinition[]) =>
  node.absent === '' &&
  node.administrative === 'unlocked' &&
  (node.ready || (group.core && unit.every(({ core }) => core)));

function check(about: (world: World, placements: readonly Placement[]) => void): void {
  fc.assert(
    fc.property(world, (one) => about(one, plan(one.definitions, one.picture))),
    { numRuns: 400 },
  );
}

const groupsIn = ({ definitions }: World) => [...definitions.groups.values()];

test('one placement of each group on each node, each with a reason', () => {
  check((one, placements) => {
    const keys = placements.map(({ group, node }) => `${group} ${node}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBe(2 * one.definitions.groups.size);
    for (const { reasons } of placements) expect(reasons.join('')).not.toBe('');
  });
});

test('never more active than N_ACTIVE and more standby than M_STANDBY, and as many as nodes allow', () => {
  check((one, placements) => {
    for (const unit of unitsOf(one.definitions.groups)) {
      for (const group of unit) {
        const active = on(placements, group.name, 'active');
        const standby = on(placements, group.name, 'standby');
        expect(active.length).toBeLessThanOrEqual(group.nActive);
        if (isStuck(one, group)) {
          expect(active).toEqual([one.picture.holders.get(group.name)]);
          continue;
        }
        expect(standby.length).toBeLessThanOrEqual(group.mStandby);
        if (unit.some((each) => each.activeOnlyIfActive !== '')) continue;
        const able = one.picture.nodes.filter((node) => mayBe(node, group, unit)).length;
        expect(active.length).toBe(Math.min(group.nActive, able));
      }
    }
  });
});

test('nothing on a node that is absent, locked or not ready, unless who holds it can not be asked', () => {
  check((one, placements) => {
    for (const unit of unitsOf(one.definitions.groups)) {
      for (const group of unit.filter((each) => !isStuck(one, each))) {
        for (const node of one.picture.nodes.filter((each) => !mayBe(each, group, unit)))
          expect(on(placements, group.name, 'disabled')).toContain(node.name);
      }
    }
  });
});

test('an aggregate is on one node', () => {
  check((one, placements) => {
    for (const name of ['x', 'y']) {
      const members = groupsIn(one).filter((group) => group.exclusive && group.aggregate === name);
      if (members.some((group) => isStuck(one, group))) continue;
      const places = members.map((group) => on(placements, group.name, 'active').join(' '));
      expect(new Set(places).size).toBeLessThanOrEqual(1);
    }
  });
});

/** Units that need each other in a circle are refused when a set is loaded; the plan only has to bear them. */
function inCircle({ definitions: { groups } }: World): boolean {
  const units = unitsOf(groups);
  const place = (name: string) => units.findIndex((unit) => unit.some((group) => group.name === name));
  return [...groups.values()].some(({ name, activeOnlyIfActive }) => place(activeOnlyIfActive) > place(name));
}

test('active only where the group that it needs is wanted active', () => {
  check((one, placements) => {
    fc.pre(!inCircle(one));
    for (const group of groupsIn(one)) {
      if (group.activeOnlyIfActive === '' || isStuck(one, group)) continue;
      const needed = one.definitions.groups.get(group.activeOnlyIfActive);
      if (needed !== undefined && isStuck(one, needed)) continue;
      const there = on(placements, group.activeOnlyIfActive, 'active');
      for (const node of on(placements, group.name, 'active')) expect(there).toContain(node);
    }
  });
});

test('once it is so, it stays so: the plan of the planned world is the same plan', () => {
  check(({ definitions, picture }, placements) => {
    const holders = new Map(
      [...picture.holders.keys()].map((group) => [group, on(placements, group, 'active')[0] ?? '']),
    );
    const again = plan(definitions, { ...picture, holders });
    expect(again.map(({ want }) => want)).toEqual(placements.map(({ want }) => want));
  });
});

test('a group that is held by an able node leaves it only for a swact, a failure, links or its aggregate', () => {
  check((one, placements) => {
    const { picture, definitions } = one;
    for (const unit of unitsOf(definitions.groups)) {
      const held = new Set(unit.map((group) => picture.holders.get(group.name) ?? ''));
      const [holder = ''] = held;
      const node = picture.nodes.find(({ name }) => name === holder);
      if (held.size !== 1 || node === undefined || unit.some((group) => isStuck(one, group))) continue;
      const other = picture.nodes.find(({ name }) => name !== holder);
      if (unit.some((group) => group.activeOnlyIfActive !== '' || !mayBe(node, group, unit))) continue;
      const speaks =
        picture.avoided.has(holder) ||
        unit.some(({ name }) => hasFailed(node.groups.get(name))) ||
        node.linkScore < (other?.linkScore ?? 0);
      if (!speaks) for (const group of unit) expect(on(placements, group.name, 'active')).toEqual([holder]);
    }
  });
});

test('the order of the rows decides nothing', () => {
  fc.assert(
    fc.property(world, fc.infiniteStream(fc.nat()), (one, noise) => {
      fc.pre(!inCircle(one));
      const keyed = [...one.definitions.groups].map((entry) => [noise.next().value, entry] as const);
      const shuffled = new Map(keyed.sort(([a], [b]) => a - b).map(([, entry]) => entry));
      const text = (groups: ReadonlyMap<string, GroupDefinition>) =>
        plan({ groups } as unknown as DefinitionSet, one.picture)
          .map(({ group, node, want }) => `${group} ${node} ${want}`)
          .sort();
      expect(text(shuffled)).toEqual(text(one.definitions.groups));
    }),
  );
});
