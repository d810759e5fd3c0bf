/**
 * The order in which the effects of a turn go out that waited for its commit, in `sm` and in the simulator.
 * sm-watchdog relies on it: the report that says on which grant this node acts comes before the scripts that it lists
 * (docs/SAFETY.md, rule 14b).
 */
import type { EngineEffect } from './engine-interface.ts';

/** Place of scripts that are started at once. */
export const STARTS = 2;

/**
 * Words go out before scripts are started, which takes longer, and ends come last. Of several reports of one turn only the
 * newest is sent: each is the whole truth, and the others were true at no moment that was stored.
 */
export function inOrder<E extends EngineEffect>(effects: readonly E[]): E[] {
  const newest = effects.findLast((effect) => effect.type === 'guard.send');
  return effects
    .filter((effect) => effect.type !== 'guard.send' || effect === newest)
    .sort((a, b) => placeOf(a) - placeOf(b));
}

/** A listing is a word too: what needs one is started when it is answered. */
export function placeOf(effect: EngineEffect): number {
  if (effect.type === 'exit' || effect.type === 'restart') return 1 + STARTS;
  if (effect.type !== 'run') return 0;
  return effect.exclusive && effect.token !== null ? 1 : STARTS;
}
