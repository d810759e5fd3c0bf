/**
 * Dropped datagrams: counted by link and cause, logged at a bounded rate whatever an attacker sends, and remembered for
 * a moment as the reason why a link is not heard.
 */

import type { InterfaceRole } from '../../core/kernel/names.ts';
import { DROP_ADVICE } from '../../core/link/advice.ts';
import type { DropCause } from '../../core/link/types.ts';

export const DROP_LOG_INTERVAL_MS = 10_000;
/** How long a drop explains the silence of a link. */
export const DROP_RECENT_MS = 3_000;

/** What explains a silence best, first: what tells of a wrong setting rather than of noise. */
const PRECEDENCE: readonly DropCause[] = [
  'unknown-key',
  'bad-signature',
  'unsigned',
  'other-cluster',
  'version',
  'wrong-interface',
  'wrong-receiver',
  'wrong-sender',
  'wrong-source',
  'malformed',
  'own-reflected',
  'truncated',
  'oversized',
  'magic',
  'replayed',
];

export interface DropReport {
  readonly role: InterfaceRole;
  readonly cause: DropCause;
  /** Since the line before. */
  readonly count: number;
  readonly total: number;
  readonly advice: string;
}

interface Counter {
  total: number;
  logged: number;
  loggedAt: number;
  lastAt: number;
}

export class DropCounters {
  readonly #log: (report: DropReport) => void;
  readonly #counters = new Map<InterfaceRole, Map<DropCause, Counter>>();

  constructor(log: (report: DropReport) => void) {
    this.#log = log;
  }

  /** `now`: monotonic ms. The first drop of its kind is logged at once. */
  count(role: InterfaceRole, cause: DropCause, now: number): void {
    const counter = this.#counter(role, cause);
    counter.total += 1;
    counter.lastAt = now;
    this.#report(role, cause, counter, now);
  }

  /** Logs what was counted since the last line and may be told by now. */
  flush(now: number): void {
    for (const [role, causes] of this.#counters) {
      for (const [cause, counter] of causes) this.#report(role, cause, counter, now);
    }
  }

  totals(): { readonly role: InterfaceRole; readonly cause: DropCause; readonly total: number }[] {
    return [...this.#counters].flatMap(([role, causes]) =>
      [...causes].map(([cause, { total }]) => ({ role, cause, total })),
    );
  }

  /** Why this link is not heard although datagrams arrive; '' = none were dropped lately. */
  reason(role: InterfaceRole, now: number): string {
    const causes = this.#counters.get(role);
    const isRecent = (cause: DropCause) => now - (causes?.get(cause)?.lastAt ?? -Infinity) <= DROP_RECENT_MS;
    const cause = PRECEDENCE.find(isRecent);
    return cause === undefined ? '' : DROP_ADVICE[cause];
  }

  #counter(role: InterfaceRole, cause: DropCause): Counter {
    const causes = this.#counters.get(role) ?? new Map<DropCause, Counter>();
    this.#counters.set(role, causes);
    const counter = causes.get(cause) ?? { total: 0, logged: 0, loggedAt: -Infinity, lastAt: -Infinity };
    causes.set(cause, counter);
    return counter;
  }

  #report(role: InterfaceRole, cause: DropCause, counter: Counter, now: number): void {
    const count = counter.total - counter.logged;
    if (count === 0 || now - counter.loggedAt < DROP_LOG_INTERVAL_MS) return;
    counter.logged = counter.total;
    counter.loggedAt = now;
    this.#log({ role, cause, count, total: counter.total, advice: DROP_ADVICE[cause] });
  }
}
