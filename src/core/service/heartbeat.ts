/**
 * The heartbeat of a service (SERVICE_HEARTBEAT): it is asked at an interval, and whatever it answers counts as a sign of
 * life. What is judged is how many intervals in a row went by without one. Pure; the sockets are the shell's.
 */
import type { HeartbeatDefinition } from '../definitions/model.ts';

export const HEARTBEAT_LEVELS = ['okay', 'warn', 'degrade', 'fail'] as const;
export type HeartbeatLevel = (typeof HEARTBEAT_LEVELS)[number];

export class HeartbeatCount {
  readonly #definition: HeartbeatDefinition;
  #missed = 0;
  #level: HeartbeatLevel = 'okay';

  constructor(definition: HeartbeatDefinition) {
    this.#definition = definition;
  }

  /** Intervals in a row without a sign of life. */
  get missed(): number {
    return this.#missed;
  }

  /** A sign of life. The next interval says what that changes. */
  alive(): void {
    this.#missed = 0;
  }

  /**
   * An interval is over, and the service is asked again. The new level, or null where it is that of before. `late`: this
   * process stood still meanwhile, so that answers may lie in the socket unread: nothing is held against the service.
   */
  interval(late: boolean): HeartbeatLevel | null {
    if (!late) this.#missed += 1;
    const level = this.#judge();
    if (level === this.#level) return null;
    this.#level = level;
    return level;
  }

  /** A limit of 0 is off; a limit is crossed by what is more. */
  #judge(): HeartbeatLevel {
    const { missedWarn, missedDegrade, missedFail } = this.#definition;
    const crossed = (limit: number) => limit > 0 && this.#missed > limit;
    if (crossed(missedFail)) return 'fail';
    if (crossed(missedDegrade)) return 'degrade';
    return crossed(missedWarn) ? 'warn' : 'okay';
  }
}
