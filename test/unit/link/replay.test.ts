import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ENDED_LIVES_MAX, LIVES_MAX, REPLAY_WINDOW, ReplayGuard } from '../../../src/core/link/replay.ts';

const ROLE = 'management-interface';
const life = (i: number) => i.toString(16).padStart(32, '0');
const PEER = life(1);

describe('one window', () => {
  test('a model: newer, or within the window and not seen', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 300 }), (sequences) => {
        const guard = new ReplayGuard();
        const seen = new Set<number>();
        let highest = 0;
        for (const sequence of sequences) {
          const fresh = !seen.has(sequence) && sequence >= highest - REPLAY_WINDOW;
          // The first frame of a life sets the window: what came before it was never ours to hear, yet may still come.
          expect(guard.admit(PEER, ROLE, sequence)).toBe(fresh);
          seen.add(sequence);
          highest = Math.max(highest, sequence);
        }
      }),
    );
  });

  test('large numbers keep their window', () => {
    const guard = new ReplayGuard();
    const top = 2 ** 48 - 1;
    expect(guard.admit(PEER, ROLE, 1)).toBe(true);
    expect(guard.admit(PEER, ROLE, top)).toBe(true);
    expect(guard.admit(PEER, ROLE, top - REPLAY_WINDOW)).toBe(true);
    expect(guard.admit(PEER, ROLE, top - REPLAY_WINDOW - 1)).toBe(false);
    expect(guard.admit(PEER, ROLE, 1)).toBe(false);
  });

  test('the copies on three links are no replays of each other', () => {
    const guard = new ReplayGuard();
    for (const role of [ROLE, 'oam-interface', 'cluster-host-interface'] as const) {
      expect(guard.admit(PEER, role, 7)).toBe(true);
      expect(guard.admit(PEER, role, 7)).toBe(false);
    }
  });
});

describe('lives', () => {
  test('a confirmed newcomer ends the life before it', () => {
    const guard = new ReplayGuard();
    guard.admit(PEER, ROLE, 1);
    guard.confirm(PEER);
    expect(guard.admit(life(2), ROLE, 1)).toBe(true);
    expect(guard.admit(PEER, ROLE, 2)).toBe(true);
    guard.confirm(life(2));
    expect(guard.admit(PEER, ROLE, 3)).toBe(false);
    expect(guard.admit(life(2), ROLE, 2)).toBe(true);
    guard.confirm(PEER);
    expect(guard.admit(PEER, ROLE, 4)).toBe(false);
  });

  test('a crowd of strangers does not push the peer out', () => {
    const guard = new ReplayGuard();
    guard.admit(PEER, ROLE, 5);
    guard.confirm(PEER);
    for (let i = 2; i < 10 * LIVES_MAX; i += 1) guard.admit(life(i), ROLE, 1);
    expect(guard.admit(PEER, ROLE, 5)).toBe(false);
    expect(guard.admit(PEER, ROLE, 6)).toBe(true);
  });

  test('the longest unheard stranger is forgotten first', () => {
    const guard = new ReplayGuard();
    for (let i = 1; i <= LIVES_MAX; i += 1) guard.admit(life(i), ROLE, 5);
    expect(guard.admit(life(1), ROLE, 5)).toBe(false);
    guard.admit(life(99), ROLE, 5);
    expect(guard.admit(life(1), ROLE, 5)).toBe(false);
    expect(guard.admit(life(2), ROLE, 5)).toBe(true);
  });

  test('a successor knows what was ended, and how far the peer was heard', () => {
    const guard = new ReplayGuard();
    guard.admit(PEER, ROLE, 1);
    guard.confirm(PEER);
    guard.confirm(life(2));
    guard.admit(life(2), ROLE, 7);
    guard.admit(life(2), 'oam-interface', 9);
    const successor = new ReplayGuard();
    successor.recall(guard.known());
    expect(successor.known()).toEqual({ ended: [PEER], current: { life: life(2), sequence: 9 } });
    expect(successor.admit(PEER, ROLE, 100)).toBe(false);
    for (const role of [ROLE, 'cluster-host-interface'] as const) {
      expect(successor.admit(life(2), role, 9)).toBe(false);
      expect(successor.admit(life(2), role, 10)).toBe(true);
    }
    expect(successor.admit(life(3), ROLE, 1)).toBe(true);
    successor.confirm(life(3));
    expect(successor.admit(life(2), ROLE, 11)).toBe(false);
    expect(new ReplayGuard().known()).toEqual({ ended: [], current: null });
  });

  test('ended lives are remembered up to a bound', () => {
    const guard = new ReplayGuard();
    for (let i = 1; i <= ENDED_LIVES_MAX + 1; i += 1) guard.end(life(i));
    expect(guard.admit(life(2), ROLE, 1)).toBe(false);
    expect(guard.admit(life(1), ROLE, 1)).toBe(true);
  });
});
