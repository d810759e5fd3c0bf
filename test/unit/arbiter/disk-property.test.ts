/** Two nodes and a disk that hangs, loses its way and writes late: never two holders (docs/SAFETY.md, rule 16). */
import { expect, test } from 'vitest';
import { DiskKeeper } from '../../../src/core/arbiter/disk-keeper.ts';
import type { DiskReply, DiskRequest } from '../../../src/core/arbiter/interface.ts';
import { Prng } from '../../../src/sim/prng.ts';
import { torment } from '../../support/arbiter-world.ts';
import { diskParts } from '../../support/disk-model.ts';

const SEEDS = 100;
const BREAK_SEEDS = 500;

/** The first world in which both act, or nobody does in the end. */
function violation(breaks: readonly string[], seeds: number): string {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const parts = diskParts((options, now, emit) => new DiskKeeper(options, now, emit));
    const { violation: found } = torment<DiskRequest, DiskReply>(parts, new Prng(`disk/${seed}`), breaks);
    if (found !== '') return `seed ${seed}: ${found}`;
  }
  return '';
}

test(`no two holders in ${SEEDS} worlds, and one in the end`, () => {
  expect(violation([], SEEDS)).toBe('');
});

test('the break sole-mode is seen', () => {
  expect(violation(['sole-mode'], BREAK_SEEDS)).toContain('both act');
});
