import { describe, expect, it } from 'vitest';
import { type Claim, grant, refusal, type Verdict } from '../../../src/core/cluster/permission.ts';

const GOOD: Verdict = {
  now: 1000,
  deadline: 1500,
  lost: false,
  guarded: true,
  announcementHeard: false,
  duplicate: false,
  storeFailed: false,
};
const CLAIM: Claim = { group: 'oam-services', exclusive: true, held: 7, stopped: 6 };

const REFUSALS: readonly (readonly [string, Partial<Verdict>, RegExp])[] = [
  ['without sm-watchdog', { guarded: false }, /sm-watchdog is not connected/],
  ['with a duplicate identity', { duplicate: true }, /another machine uses the name/],
  ['while a deaf peer announces', { announcementHeard: true }, /announces that it takes over/],
  ['while commits fail', { storeFailed: true }, /does not accept commits/],
  ['after permission was lost', { lost: true }, /permission was lost/],
  ['at the deadline', { now: 1500 }, /permission has run out/],
  ['after the deadline', { now: 1501 }, /permission has run out/],
];

describe('the grant function (rule 1)', () => {
  it('makes a token that names group, activation number and deadline', () => {
    const granted = grant(CLAIM, GOOD);
    expect(granted).toMatchObject({
      ok: true,
      token: { group: 'oam-services', activation: 7, deadline: 1500 },
    });
  });

  it.each(REFUSALS)('refuses %s', (_, change, reason) => {
    const verdict = { ...GOOD, ...change };
    expect(refusal(verdict)).toMatch(reason);
    const granted = grant(CLAIM, verdict);
    expect(granted.ok).toBe(false);
    expect(granted.ok ? '' : granted.reason).toMatch(reason);
  });

  it('refuses a group that nobody gave to this node', () => {
    const granted = grant({ ...CLAIM, held: 0 }, GOOD);
    expect(granted.ok ? '' : granted.reason).toMatch(/nobody gave oam-services/);
  });

  it('treats a claim under a number that was given up as a broken invariant', () => {
    expect(() => grant({ ...CLAIM, held: 6 }, GOOD)).toThrow(/given up before/);
  });

  it('asks nothing for a group that is not exclusive: number 0, no deadline', () => {
    const bad = Object.assign({}, GOOD, ...REFUSALS.map(([, change]) => change)) as Verdict;
    const claim = { group: 'web-services', exclusive: false, held: 0, stopped: 0 };
    expect(grant(claim, bad)).toMatchObject({
      ok: true,
      token: { group: 'web-services', activation: 0, deadline: Number.POSITIVE_INFINITY },
    });
  });

  it('knows permission without a limit in time', () => {
    expect(refusal({ ...GOOD, now: 1e15, deadline: Number.POSITIVE_INFINITY })).toBeNull();
  });
});
