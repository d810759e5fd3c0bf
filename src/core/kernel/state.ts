/**
 * The key under which an object shows what is private to it and changes, for traces (trace/snapshot.ts). Its getter names
 * every such field, and the parts that have state of their own; its setter takes those that are not filled in place.
 * `test/tidy/state.test.ts` knows when one is forgotten.
 */
export const STATE = Symbol('state');

/** The key under which a class names its public fields that anybody who looks may fill: they are found again, and in no state. */
export const CACHES = Symbol('caches');
