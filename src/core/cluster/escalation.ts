/**
 * What is done about a service that its own node has parked, rung by rung: the leader moves its group to where it has not
 * failed (plan.ts); a group that is marked so ends the node, where that helps (reboot.ts); what is left is tried again in
 * place, less and less often, and at once when the group is given to this node all the same, because there is no better one:
 * once for each activation. Nothing stays failed for ever because nobody looked.
 */

import type { GroupDefinition } from '../definitions/model.ts';
import { STATE } from '../kernel/state.ts';
import type { Wait } from '../service/interface.ts';
import type { ClusterContext } from './context.ts';
import type { Obstacle } from './reboot.ts';

const TIMER = 'cluster/escalation';
/** Before the first, second, ... try in place; the last holds for all further ones. */
export const RETRY_MS = [30_000, 60_000, 120_000, 240_000, 480_000, 600_000] as const;
/** So long without a failure, and the next one is the first again. */
const FORGET_MS = 600_000;

interface Trouble {
  readonly since: number;
  /** Tries in place before this one. */
  readonly tries: number;
  readonly retryAt: number;
  /** Why the node does not end itself for it; '' where nobody wants that. */
  withheld: string;
}

interface Past {
  readonly tries: number;
  readonly endedAt: number;
}

export interface EscalationOptions {
  /** Of FATAL_ERROR_REBOOT. */
  readonly rebootObstacle: (group: string, now: number) => Obstacle | null;
  readonly reboot: (group: string, reason: string, now: number) => void;
}

export class Escalation {
  readonly #context: ClusterContext;
  readonly #options: EscalationOptions;
  readonly #troubles = new Map<string, Trouble>();
  readonly #past = new Map<string, Past>();
  /** Activation of each group at the last look; 0 = this node did not hold it. */
  readonly #held = new Map<string, number>();

  get [STATE]() {
    return {
      troubles: this.#troubles,
      past: this.#past,
      held: this.#held,
    };
  }

  constructor(context: ClusterContext, options: EscalationOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Looks at every group of this node. True if something was tried again. */
  judge(now: number): boolean {
    let tried = false;
    let next = Number.POSITIVE_INFINITY;
    for (const group of this.#context.definitions.groups.values()) {
      const parked = this.#context.local.group(group.name).parked !== '';
      const isGiven = this.#isGivenAnew(group);
      if (!parked) this.#calm(group.name, now);
      else {
        const trouble = this.#trouble(group.name, now);
        next = Math.min(next, this.#considerReboot(group, trouble, now));
        if (isGiven || now >= trouble.retryAt) tried = this.#retry(group.name, trouble, now);
        else next = Math.min(next, trouble.retryAt);
      }
    }
    const { timers } = this.#context;
    if (tried || next === Number.POSITIVE_INFINITY) timers.clear(TIMER);
    else if (timers.armed.get(TIMER)?.at !== next) timers.set(TIMER, next);
    return tried;
  }

  /** Groups for which the node should end itself, and why it does not. */
  withheld(): { readonly group: string; readonly reason: string }[] {
    return [...this.#troubles].flatMap(([group, { withheld }]) =>
      withheld === '' ? [] : [{ group, reason: withheld }],
    );
  }

  waits(): Wait[] {
    return [...this.#troubles].map(([name, { since, tries, retryAt }]) => {
      const reason = `tried again in place (try ${tries + 1}) if it can not go elsewhere: ${this.#context.local.group(name).reason}`;
      return { entity: 'group', name, reason, since, until: retryAt };
    });
  }

  /** Under a number that it did not have when it was looked last: what has failed since then is no part of that. */
  #isGivenAnew({ name, exclusive }: GroupDefinition): boolean {
    const held = exclusive ? this.#context.numbers.of(name).held : 0;
    const before = this.#held.get(name);
    this.#held.set(name, held);
    return before !== undefined && held > 0 && held !== before;
  }

  #calm(group: string, now: number): void {
    const trouble = this.#troubles.get(group);
    if (trouble === undefined) return;
    this.#troubles.delete(group);
    this.#past.set(group, { tries: trouble.tries, endedAt: now });
  }

  #trouble(group: string, now: number): Trouble {
    const known = this.#troubles.get(group);
    if (known !== undefined) return known;
    const past = this.#past.get(group);
    const tries = past === undefined || now - past.endedAt >= FORGET_MS ? 0 : past.tries;
    const trouble = { since: now, tries, retryAt: now + retryMs(tries), withheld: '' };
    this.#troubles.set(group, trouble);
    return trouble;
  }

  /** When to look again. */
  #considerReboot({ name, fatalErrorReboot }: GroupDefinition, trouble: Trouble, now: number): number {
    const { parked, reason } = this.#context.local.group(name);
    trouble.withheld = '';
    if (!fatalErrorReboot || parked !== 'fatal-failure') return Number.POSITIVE_INFINITY;
    const obstacle = this.#options.rebootObstacle(name, now);
    if (obstacle === null) this.#options.reboot(name, reason, now);
    else trouble.withheld = obstacle.reason;
    const until = obstacle?.until ?? null;
    return until === null ? Number.POSITIVE_INFINITY : this.#context.monotonic(until);
  }

  /** Forgotten is what keeps the scripts from being run, not that it failed here: the leader still prefers another node. */
  #retry(group: string, { tries }: Trouble, now: number): true {
    const { local, history } = this.#context;
    const { parked, reason } = local.group(group);
    history({ entity: 'group', name: group, from: parked, to: 'tried again', cause: 'escalation', reason });
    this.#troubles.delete(group);
    this.#past.set(group, { tries: tries + 1, endedAt: now });
    local.step({ type: 'group.recover', group, clearFatal: true, forgive: false }, now);
    return true;
  }
}

function retryMs(tries: number): number {
  return RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] ?? 0;
}
