/**
 * A shared disk as an adversary would run it: an I/O hangs, and lands when it likes; a node whose I/O hangs starts no
 * other one, for the process that did it can not be replaced before it is gone.
 */
import type { DiskReply, DiskRequest } from '../../src/core/arbiter/interface.ts';
import type { Call, WorldParts } from './arbiter-world.ts';

export function diskParts(
  keeper: WorldParts<DiskRequest, DiskReply>['keeper'],
): WorldParts<DiskRequest, DiskReply> {
  const sectors = ['', ''];
  /** The I/O of each node that is not over yet. */
  const hung: (symbol | null)[] = [null, null];
  return {
    keeper,
    serve: ({
      node,
      body,
      limitMs,
      reachable,
      loss,
      random,
      in: later,
      answer,
      fail,
    }: Call<DiskRequest, DiskReply>) => {
      later(limitMs, fail);
      if (hung[node] !== null) return;
      const mine = Symbol('I/O');
      hung[node] = mine;
      const slow = () => random.chance(reachable ? loss : 0.5);
      const delay = () => (slow() ? random.between(50, 4000) : random.between(0.5, 10));
      if (!reachable && random.chance(0.7)) {
        // An error, at once: nothing was done.
        hung[node] = null;
        later(1, fail);
        return;
      }
      later(delay(), () => {
        if (body.write !== null) sectors[node] = body.write;
        later(delay(), () => {
          const reply = { own: sectors[node] ?? '', peer: sectors[1 - node] ?? '' };
          later(random.between(0.1, 5), () => {
            hung[node] = null;
            answer(reply);
          });
        });
      });
    },
  };
}
