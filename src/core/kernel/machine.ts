/**
 * Finite state machines as plain, exhaustive tables: every (state, event) cell is written. A cell names the row of
 * work to do, or says that the event is ignored there, or that it can never arrive there (which is then asserted).
 * A missing cell is a compile error; tables can be printed (docs/machines).
 */
import { assert } from './assert.ts';

/** `ignore`: legal and without effect. `never`: cannot happen; the machine asserts. */
export type Cell<Work extends string> = Work | 'ignore' | 'never';

export type Table<State extends string, Event extends string, Work extends string> = {
  readonly [S in State]: { readonly [E in Event]: Cell<Work> };
};

/** The work that a cell asks for, or null where the event is ignored. */
export function lookup<State extends string, Event extends string, Work extends string>(
  name: string,
  table: Table<State, Event, Work>,
  state: State,
  event: Event,
): Work | null {
  const cell = table[state][event];
  assert(cell !== undefined, () => `${name}: no cell for (${state}, ${event})`);
  assert(cell !== 'never', () => `${name}: ${event} can not happen in ${state}`);
  return cell === 'ignore' ? null : (cell as Work);
}
