/** Two nodes, a register that loses requests and answers and does writes late: never two holders (docs/SAFETY.md, 15). */
import { expect, test } from 'vitest';
import type { RegisterReply, RegisterRequest } from '../../../src/core/arbiter/interface.ts';
import { RegisterKeeper } from '../../../src/core/arbiter/register-keeper.ts';
import { Prng } from '../../../src/sim/prng.ts';
import { RegisterModel } from '../../../src/sim/register.ts';
import { torment, type WorldParts } from '../../support/arbiter-world.ts';

const SEEDS = 100;
const BREAK_SEEDS = 500;

function parts(): WorldParts<RegisterRequest, RegisterReply> {
  const register = new RegisterModel();
  return {
    keeper: (options, now, emit) => new RegisterKeeper({ ...options, knownRegister: '' }, now, emit),
    serve: ({ body, limitMs, reachable, loss, random, in: later, answer, fail }) => {
      later(limitMs, fail);
      if (random.chance(reachable ? loss / 2 : 0.6)) return;
      // Of a server that is away, what it was asked before may be done when it is back.
      const late = random.chance(reachable ? loss : 1);
      later(late ? random.between(50, 4000) : random.between(0.5, 20), () => {
        const reply = register.apply(body);
        if (!random.chance(loss)) later(random.between(0.5, 20), () => answer(reply));
      });
    },
  };
}

/** The first world in which both act, or nobody does in the end. */
function violation(breaks: readonly string[], seeds: number): string {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { violation: found } = torment(parts(), new Prng(`register/${seed}`), breaks);
    if (found !== '') return `seed ${seed}: ${found}`;
  }
  return '';
}

test(`no two holders in ${SEEDS} worlds, and one in the end`, () => {
  expect(violation([], SEEDS)).toBe('');
});

test.each([
  'sole-mode',
  'leased-from-send',
  'proof-once',
  'count-from-start',
])('the break %s is seen', (name) => {
  expect(violation([name], BREAK_SEEDS)).toContain('both act');
});
