/** Exit codes of all our tools, the same as in src/core/kernel/errors.ts. Source: docs/reference/smctl.md. */
export const EXIT = {
  ok: 0,
  /** The answer is no: it failed, or what was asked for does not exist. */
  failed: 1,
  /** Called wrongly. */
  usage: 2,
  /** The database can not be used. */
  store: 3,
  /** `sm` is not there, or does not answer; or the REST server of --url. */
  away: 4,
  /** `sm` refused the command. */
  refused: 5,
  /** What was waited for did not end in time; it may still go on. */
  timedOut: 6,
} as const;

export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'done, or the answer is yes',
  [EXIT.failed]: 'it failed, or what was asked for does not exist',
  [EXIT.usage]: 'called wrongly',
  [EXIT.store]: 'the database can not be read',
  [EXIT.away]: 'sm does not run here, or does not answer; with --url: the server there could not be asked',
  [EXIT.refused]: 'sm refused the command',
  [EXIT.timedOut]: 'it did not end in time; it may still go on',
};
