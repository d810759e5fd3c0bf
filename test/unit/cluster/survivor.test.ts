import { describe, expect, it } from 'vitest';
import { linkScore, SteadyScores } from '../../../src/core/cluster/survivor.ts';

const LINKS = [
  { role: 'management-interface', weight: 4 },
  { role: 'oam-interface', weight: 1 },
  { role: 'cluster-host-interface', weight: 2 },
] as const;

describe('survivor scores', () => {
  it.each([
    [0b111, 0],
    [0b110, -4],
    [0b101, -1],
    [0b011, -2],
    [0b000, -7],
  ])('links %s score %s', (bits, score) => {
    expect(linkScore(LINKS, bits)).toBe(score);
  });

  it('counts our own ends only, not where the peer is heard, and only configured links', () => {
    expect(linkScore(LINKS, 0b0000_0111)).toBe(linkScore(LINKS, 0b0111_0111));
    expect(linkScore([], 0)).toBe(0);
  });

  it('follows a difference only when it has lasted', () => {
    const scores = new SteadyScores(2000);
    expect(scores.measure(0, 0, 100)).toBeNull();
    expect(scores.measure(-4, 0, 1000)).toBe(3000);
    expect(scores.measure(-4, 0, 2999)).toBe(3000);
    expect(scores.steady).toEqual({ mine: 0, theirs: 0 });
    expect(scores.measure(-4, 0, 3000)).toBeNull();
    expect(scores.steady).toEqual({ mine: -4, theirs: 0 });
  });

  it('lets a link that flaps move nothing', () => {
    const scores = new SteadyScores(2000);
    for (let now = 0; now < 20_000; now += 1000) {
      scores.measure(now % 2000 === 0 ? -4 : 0, 0, now);
      expect(scores.steady).toEqual({ mine: 0, theirs: 0 });
    }
  });

  it('needs no patience to become equal: that moves nothing by itself', () => {
    const scores = new SteadyScores(2000);
    scores.measure(-4, 0, 0);
    scores.measure(-4, 0, 2000);
    expect(scores.measure(0, 0, 2100)).toBeNull();
    expect(scores.steady).toEqual({ mine: 0, theirs: 0 });
    expect(scores.measure(-1, -1, 2200)).toBeNull();
    expect(scores.steady).toEqual({ mine: -1, theirs: -1 });
  });
});
