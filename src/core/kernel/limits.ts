/** A limit on everything. Reaching one is an event or an error with a name, never a surprise. */
export const LIMITS = {
  /** Events that one turn of the loop takes in. */
  eventsPerTurnMax: 1024,
  /** Internal steps that one event may cause before the engine calls it a runaway. */
  cascadeStepsMax: 100_000,
  /** Scripts that run at once on one node. */
  actionsRunningMax: 16,
  /** Bytes kept of a script's output, from its end: the reason of a failure. */
  outputTailBytesMax: 2048,
  /** Bytes of one datagram, header, body and tag. */
  frameBytesMax: 1400,
  /** Fragments of one report. */
  reportPartsMax: 64,
  /** Interfaces provisioned at once. */
  interfacesMax: 3,
  /** Nodes of a domain. */
  nodesMax: 2,
  /** Rows of the history table. */
  historyRowsMax: 10_000,
  /** Characters of names of services, groups and nodes (StarlingX: 32 with the terminator). */
  nameCharactersMax: 31,
  /**
   * Where there is another node, a failure that is over is held against its own for at least so long, whatever
   * FAILURE_DEBOUNCE says, and twice as long with each further one: a group that fails on both would move to and fro as
   * fast as its scripts end.
   */
  failureHoldMsMin: 5000,
  /** The doubling ends here. */
  failureHoldMsMax: 300_000,
  /** So long without a failure of the group, and the next one is the first again. */
  failureForgottenMs: 600_000,
  /** Characters of a reason text. */
  reasonCharactersMax: 256,
} as const;
