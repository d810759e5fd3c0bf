/**
 * The records of both nodes. A node says itself how it is; whether it is locked travels with a version, so that whoever
 * changed it last is believed. A lock with an end is ended by the locked node itself.
 */

import type { NodeRow, PersistEffect } from '../engine-interface.ts';
import { same } from '../kernel/same.ts';
import { STATE } from '../kernel/state.ts';
import type { NodeReport } from '../link/types.ts';

/** An order makes the version the next multiple of this, so that it is newer than all renewals that were made apart from it. */
const VERSIONS_PER_ORDER = 2 ** 16;

export class NodeRecords {
  readonly #me: string;
  readonly #rows = new Map<string, NodeRow>();
  readonly #emit: (effect: PersistEffect) => void;

  get [STATE]() {
    return {
      rows: this.#rows,
    };
  }

  constructor(
    me: string,
    names: readonly string[],
    restored: readonly NodeRow[],
    emit: (effect: PersistEffect) => void,
  ) {
    this.#me = me;
    this.#emit = emit;
    for (const row of restored) if (names.includes(row.name)) this.#rows.set(row.name, row);
    for (const name of names) if (!this.#rows.has(name)) this.#rows.set(name, newNode(name));
  }

  all(): NodeRow[] {
    return [...this.#rows.values()];
  }

  find(name: string): NodeRow | undefined {
    return this.#rows.get(name);
  }

  get own(): NodeRow {
    return this.#rows.get(this.#me) ?? newNode(this.#me);
  }

  set(name: string, change: Partial<NodeRow>): void {
    const old = this.#rows.get(name) ?? newNode(name);
    const row = { ...old, ...change };
    if (same(row, old) && this.#rows.has(name)) return;
    this.#rows.set(name, row);
    this.#emit({ type: 'persist.node', node: row });
  }

  /** `until`: wall-clock ms at which a lock ends by itself; 0 = never. */
  setAdministrative(
    name: string,
    administrative: 'locked' | 'unlocked',
    until: number,
    reason: string,
  ): void {
    const { administrativeVersion } = this.#rows.get(name) ?? newNode(name);
    this.set(name, {
      administrative,
      administrativeVersion:
        (Math.floor(administrativeVersion / VERSIONS_PER_ORDER) + 1) * VERSIONS_PER_ORDER,
      lockedUntil: until,
      lockReason: reason,
    });
  }

  /** A new version that says the same: who reports it has read what this node says since. */
  renew(): void {
    this.set(this.#me, { administrativeVersion: this.own.administrativeVersion + 1 });
  }

  merge(reports: readonly NodeReport[]): void {
    for (const theirs of reports) {
      const mine = this.#rows.get(theirs.name);
      if (mine === undefined) continue;
      const { administrative, administrativeVersion, lockedUntil, lockReason } = isNewer(theirs, mine)
        ? theirs
        : mine;
      const { operational, availability, ready } = theirs.name === this.#me ? mine : theirs;
      this.set(theirs.name, {
        administrative,
        administrativeVersion,
        lockedUntil,
        lockReason,
        operational,
        availability,
        ready,
      });
    }
  }
}

/** Versions of orders that were given apart are equal: then either order will do that is the same on both sides. */
function isNewer(theirs: NodeReport, mine: NodeRow): boolean {
  if (theirs.administrativeVersion !== mine.administrativeVersion)
    return theirs.administrativeVersion > mine.administrativeVersion;
  const text = (row: NodeReport) => JSON.stringify([row.administrative, row.lockedUntil, row.lockReason]);
  return text(theirs) > text(mine);
}

export function newNode(name: string): NodeRow {
  return {
    name,
    administrative: 'unlocked',
    operational: 'unknown',
    availability: 'unknown',
    ready: 'unknown',
    administrativeVersion: 0,
    lockedUntil: 0,
    lockReason: '',
  };
}
