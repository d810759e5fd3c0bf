import { describe, expect, it } from 'vitest';
import type { DefinitionSet, GroupDefinition } from '../../../src/core/definitions/model.ts';
import {
  type GroupPicture,
  type NodePicture,
  type Picture,
  type Placement,
  plan,
} from '../../../src/core/plan/plan.ts';
import { pairGroup as group } from '../../support/cluster-driver.ts';

const A = 'controller-0';
const B = 'controller-1';

/** Only its groups are looked at. */
function set(...groups: GroupDefinition[]): DefinitionSet {
  return { groups: new Map(groups.map((g) => [g.name, g])) } as unknown as DefinitionSet;
}

function node(name: string, change: Partial<NodePicture> = {}): NodePicture {
  return {
    name,
    absent: '',
    administrative: 'unlocked',
    ready: true,
    notReadyReason: '',
    linkScore: 0,
    groups: new Map(),
    ...change,
  };
}

function picture(
  a: Partial<NodePicture>,
  b: Partial<NodePicture>,
  holders: Readonly<Record<string, string>> = {},
  avoided: readonly string[] = [],
): Picture {
  return {
    nodes: [node(A, a), node(B, b)],
    holders: new Map(Object.entries(holders)),
    avoided: new Set(avoided),
  };
}

const failed = (name: string): ReadonlyMap<string, GroupPicture> =>
  new Map([[name, { state: 'active', status: 'failed', condition: 'action-failure' }]]);

const wants = (placements: readonly Placement[], name: string) =>
  placements
    .filter((p) => p.group === name)
    .map((p) => `${p.node}: ${p.want}`)
    .join(', ');

const OAM = set(group('oam'));
const onA = `${A}: active, ${B}: standby`;
const onB = `${A}: standby, ${B}: active`;
const onlyA = `${A}: active, ${B}: disabled`;
const onlyB = `${A}: disabled, ${B}: active`;

/** What is there, where the group goes, and the reason of the first placement. */
const TABLE: readonly (readonly [string, Picture, string, RegExp])[] = [
  ['nothing decides: the first node', picture({}, {}), onA, /first node of the domain/],
  ['it runs somewhere: it stays', picture({}, {}, { oam: B }), onB, /it runs on controller-1 and nothing/],
  ['the first node is locked', picture({ administrative: 'locked' }, {}), onlyB, /controller-0 is locked/],
  ['the holder is locked', picture({}, { administrative: 'locked' }, { oam: B }), onlyA, /only able node/],
  [
    'the first node is not ready',
    picture({ ready: false, notReadyReason: 'not go-enabled' }, {}),
    onlyB,
    /controller-0 is not ready: not go-enabled/,
  ],
  [
    'the holder failed',
    picture({}, { groups: failed('oam') }, { oam: B }),
    onA,
    /oam failed on controller-1/,
  ],
  [
    'both failed: it stays',
    picture({ groups: failed('oam') }, { groups: failed('oam') }, { oam: B }),
    onB,
    /it runs on controller-1/,
  ],
  [
    'links of the holder are worse',
    picture({ linkScore: -1 }, {}, { oam: A }),
    onB,
    /links of controller-0 are worse \(score -1\)/,
  ],
  [
    'links are worse on both',
    picture({ linkScore: -2 }, { linkScore: -4 }, { oam: B }),
    onA,
    /links of controller-1 are worse/,
  ],
  [
    'a failure weighs more than links',
    picture({ linkScore: -4 }, { groups: failed('oam') }, { oam: B }),
    onA,
    /oam failed on controller-1/,
  ],
  [
    'a swact weighs more than a failure on the target',
    picture({}, { groups: failed('oam') }, { oam: A }, [A]),
    onB,
    /swact away from controller-0/,
  ],
  [
    'a swact with nowhere to go',
    picture({}, { administrative: 'locked' }, { oam: A }, [A]),
    onlyA,
    /only able node/,
  ],
  [
    'nobody is able',
    picture({ administrative: 'locked' }, { ready: false, notReadyReason: 'booting' }),
    `${A}: disabled, ${B}: disabled`,
    /controller-0 is locked/,
  ],
  [
    'the holder can not be asked: it stays there',
    picture({}, { absent: 'controller-1: silent' }, { oam: B }),
    onB,
    /controller-1 holds it and can not be asked: controller-1: silent/,
  ],
  [
    'absent without holding anything',
    picture({}, { absent: 'controller-1: silent' }, { oam: '' }),
    onlyA,
    /only able node/,
  ],
];

describe('the plan', () => {
  it.each(TABLE)('%s', (_, there, expected, reason) => {
    const placements = plan(OAM, there);
    expect(wants(placements, 'oam')).toBe(expected);
    expect(placements[0]?.reasons.join('; ')).toMatch(reason);
  });

  it('gives every placement a reason, and every group one placement per node', () => {
    const definitions = set(group('oam'), group('web', { nActive: 2, mStandby: 0, exclusive: false }));
    for (const [, there] of TABLE) {
      const placements = plan(definitions, there);
      expect(placements.length).toBe(4);
      for (const { reasons } of placements) expect(reasons.join('').length).toBeGreaterThan(0);
    }
  });

  it('keeps an aggregate together, where most of it is, and away from where one of it failed', () => {
    const aggregate = { aggregate: 'controller-aggregate' };
    const three = set(group('a', aggregate), group('b', aggregate), group('c', aggregate));
    const split = picture({}, {}, { a: A, b: B, c: B });
    for (const name of ['a', 'b', 'c']) expect(wants(plan(three, split), name)).toBe(onB);
    const broken = picture({}, { groups: failed('c') }, { a: B, b: B, c: B });
    for (const name of ['a', 'b', 'c']) expect(wants(plan(three, broken), name)).toBe(onA);
  });

  it('moves groups of different aggregates, and of none, on their own', () => {
    const definitions = set(group('a', { aggregate: 'x' }), group('b', { aggregate: 'y' }), group('c'));
    const there = picture({}, { groups: failed('b') }, { a: B, b: B, c: B });
    const placements = plan(definitions, there);
    expect(['a', 'b', 'c'].map((name) => wants(placements, name))).toEqual([onB, onA, onB]);
  });

  it('runs an N group on every able node, also during a swact', () => {
    const web = set(group('web', { nActive: 2, mStandby: 0, exclusive: false, redundancyModel: 'N' }));
    expect(wants(plan(web, picture({}, {}, {}, [A])), 'web')).toBe(`${A}: active, ${B}: active`);
    expect(wants(plan(web, picture({ administrative: 'locked' }, {})), 'web')).toBe(onlyB);
    expect(plan(web, picture({}, {}))[0]?.reasons).toEqual(['active on every able node']);
  });

  it('keeps a group without standbys disabled on the other node', () => {
    expect(wants(plan(set(group('oam', { mStandby: 0 })), picture({}, {})), 'oam')).toBe(onlyA);
  });

  it('plans for one node', () => {
    const alone: Picture = { nodes: [node(A)], holders: new Map(), avoided: new Set() };
    expect(plan(OAM, alone)).toEqual([
      { group: 'oam', node: A, want: 'active', reasons: [`${A} is the only able node`] },
    ]);
  });

  describe('with ACTIVE_ONLY_IF_ACTIVE', () => {
    const everywhere = { nActive: 2, mStandby: 0, exclusive: false, redundancyModel: 'N' } as const;
    const pair = set(group('oam', { activeOnlyIfActive: 'dir' }), group('dir', everywhere));
    const is = (state: GroupPicture['state'], change: Partial<GroupPicture> = {}) => ({
      groups: new Map([['dir', { state, status: '', condition: '', ...change } as GroupPicture]]),
    });
    const broken = is('disabled', { status: 'failed', condition: 'recovery-failure' });

    it('begins on the first node, wherever what it needs is active sooner: what starts together stays together', () => {
      const placements = plan(pair, picture(is('go-active'), is('active')));
      expect(wants(placements, 'oam')).toBe(onA);
      expect(placements.find((p) => p.group === 'oam')?.reasons).toEqual([
        'controller-0 is the first node of the domain',
      ]);
    });

    it('leaves a node where that has failed, but not for a moment in which it is not active', () => {
      expect(wants(plan(pair, picture(is('go-active'), is('active'), { oam: A })), 'oam')).toBe(onA);
      const placements = plan(pair, picture(broken, is('active'), { oam: A }));
      expect(wants(placements, 'oam')).toBe(onB);
      expect(placements.find((p) => p.group === 'oam')?.reasons).toEqual([
        'dir failed on controller-0 (recovery-failure)',
      ]);
      expect(wants(plan(pair, picture(broken, broken, { oam: A })), 'oam')).toBe(onA);
    });

    it('is active beside an exclusive group, wherever that goes, and stands by beside its standby', () => {
      const three = set(
        group('top', { activeOnlyIfActive: 'mid' }),
        group('mid', { ...everywhere, activeOnlyIfActive: 'low' }),
        group('low'),
      );
      const placements = plan(three, picture({}, {}, { low: B, top: A }));
      expect(wants(placements, 'low')).toBe(onB);
      expect(wants(placements, 'mid')).toBe(onlyB);
      expect(wants(placements, 'top')).toBe(onB);
      const direct = set(group('top', { activeOnlyIfActive: 'low' }), group('low'));
      expect(wants(plan(direct, picture({}, { groups: failed('top') }, { low: B, top: B })), 'low')).toBe(
        onA,
      );
    });

    it('plans groups that need each other in a circle of aggregates', () => {
      const x = { aggregate: 'x' };
      const circle = set(
        group('a', { ...x, activeOnlyIfActive: 'web' }),
        group('b', x),
        group('web', { ...everywhere, activeOnlyIfActive: 'b' }),
      );
      const placements = plan(circle, picture({}, {}));
      expect(['a', 'b'].map((name) => wants(placements, name))).toEqual([onA, onA]);
    });
  });

  it('runs a core group wherever a node is unlocked: the node is ready only with it', () => {
    const core = { nActive: 2, mStandby: 0, exclusive: false, core: true } as const;
    const booting = { ready: false, notReadyReason: 'base is not active' };
    const placements = plan(set(group('base', core), group('oam')), picture(booting, {}));
    expect(wants(placements, 'base')).toBe(`${A}: active, ${B}: active`);
    expect(wants(placements, 'oam')).toBe(onlyB);
    expect(wants(plan(set(group('base', core)), picture({ administrative: 'locked' }, {})), 'base')).toBe(
      onlyB,
    );
  });
});

describe('the counts of a group say where it goes, whatever its model is called', () => {
  const placed = (nActive: number, mStandby: number, nodes: Picture, redundancyModel: 'N' | 'N + M' = 'N') =>
    wants(
      plan(set(group('web', { redundancyModel, nActive, mStandby, exclusive: nActive < 2 })), nodes),
      'web',
    );
  const locked = { administrative: 'locked' } as const;
  const both = picture({}, {});
  it.each(['N', 'N + M'] as const)('%s', (model) => {
    expect(placed(1, 0, both, model)).toBe(onlyA);
    expect(placed(1, 0, picture({ ...locked }, {}), model)).toBe(onlyB);
    expect(placed(1, 1, both, model)).toBe(onA);
    expect(placed(1, 1, picture({ ...locked }, {}), model)).toBe(onlyB);
    expect(placed(2, 0, both, model)).toBe(`${A}: active, ${B}: active`);
    expect(placed(2, 0, picture({}, { ...locked }), model)).toBe(onlyA);
    // A standby beside actives everywhere finds no node.
    expect(placed(2, 1, both, model)).toBe(`${A}: active, ${B}: active`);
  });
});
