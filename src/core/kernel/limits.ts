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
  /** Characters of a reason text. */
  reasonCharactersMax: 256,
} as const;
