import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  judgeLeadership,
  type LeadershipClaim,
  type LeadershipVerdict,
  outranks,
} from '../../../src/core/cluster/leadership.ts';

const claim = (node: string, leads: boolean, number: number, settled = true): LeadershipClaim => ({
  node,
  leads,
  number,
  settled,
});
const A = 'controller-0';
const B = 'controller-1';

const TABLE: readonly (readonly [string, LeadershipClaim, LeadershipClaim, LeadershipVerdict])[] = [
  ['two leaders, mine higher', claim(A, true, 5), claim(B, true, 4), { kind: 'lead', number: 5 }],
  ['two leaders, theirs higher', claim(A, true, 4), claim(B, true, 5), { kind: 'follow', number: 5 }],
  ['two leaders, equal numbers', claim(A, true, 5), claim(B, true, 5), { kind: 'follow', number: 5 }],
  ['equal numbers, other side', claim(B, true, 5), claim(A, true, 5), { kind: 'lead', number: 5 }],
  [
    'I lead, it knows of no higher number',
    claim(A, true, 5),
    claim(B, false, 5),
    { kind: 'lead', number: 5 },
  ],
  ['I lead, it saw a higher number', claim(A, true, 5), claim(B, false, 9), { kind: 'lead', number: 10 }],
  ['it leads', claim(A, false, 5), claim(B, true, 5), { kind: 'follow', number: 5 }],
  ['it leads with an older number', claim(A, false, 9), claim(B, true, 5), { kind: 'wait' }],
  ['none, mine higher', claim(A, false, 5), claim(B, false, 3), { kind: 'lead', number: 6 }],
  ['none, equal', claim(A, false, 0), claim(B, false, 0), { kind: 'wait' }],
  ['none, equal, other side', claim(B, false, 0), claim(A, false, 0), { kind: 'lead', number: 1 }],
  ['none, only it is settled', claim(A, false, 9, false), claim(B, false, 2, true), { kind: 'wait' }],
  [
    'none, only I am settled: above every number seen',
    claim(A, false, 2, true),
    claim(B, false, 9, false),
    { kind: 'lead', number: 10 },
  ],
];

describe('leadership (rules 5 to 7)', () => {
  it.each(TABLE)('%s', (_, mine, theirs, verdict) => {
    expect(judgeLeadership(mine, theirs)).toEqual(verdict);
  });

  const side = (node: string) =>
    fc.record({
      node: fc.constant(node),
      leads: fc.boolean(),
      number: fc.nat({ max: 4 }),
      settled: fc.boolean(),
    });

  it('never lets both sides of one pair of claims lead, and never leaves both waiting for good', () => {
    fc.assert(
      fc.property(side(A), side(B), (a, b) => {
        const forA = judgeLeadership(a, b);
        const forB = judgeLeadership(b, a);
        expect([forA.kind, forB.kind].filter((kind) => kind === 'lead').length).toBe(1);
      }),
    );
  });

  it('ends with one leader whom the other follows, whoever hears first', () => {
    fc.assert(
      fc.property(side(A), side(B), fc.array(fc.boolean(), { minLength: 4, maxLength: 8 }), (a, b, order) => {
        const nodes = [{ ...a }, { ...b }] as const;
        for (const first of [...order, true, false, true, false]) {
          const [mine, theirs] = first ? nodes : [nodes[1], nodes[0]];
          const verdict = judgeLeadership(mine, theirs);
          if (verdict.kind === 'wait') continue;
          Object.assign(mine, {
            leads: verdict.kind === 'lead',
            number: verdict.number,
            settled: true,
          });
        }
        expect(nodes.filter(({ leads }) => leads).length).toBe(1);
        expect(nodes[0].number).toBe(nodes[1].number);
      }),
    );
  });

  it('orders all claims of two nodes', () => {
    fc.assert(
      fc.property(side(A), side(B), (a, b) => {
        expect(outranks(a, b)).toBe(!outranks(b, a));
      }),
    );
    expect(() => outranks(claim(A, true, 1), claim(A, true, 2))).toThrow(/two nodes/);
  });
});
