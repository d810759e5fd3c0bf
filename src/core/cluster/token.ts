/**
 * The token: the only thing with which an activating effect of a group can be constructed (docs/SAFETY.md, rule 1).
 * Tokens are made by `grant` in permission.ts and nowhere else; test/tidy proves it.
 */
declare const granted: unique symbol;

export interface Token {
  readonly [granted]: true;
  readonly group: string;
  /** Activation number k of this activity of the group; 0 for groups that are not exclusive. */
  readonly activation: number;
  /** Monotonic ms after which the performer drops the effect; Infinity where permission does not run out by time. */
  readonly deadline: number;
}
