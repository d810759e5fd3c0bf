/** The groups of a record: who holds what, what that says of a holder, and what its leader may write next. */
import type { RecordedGroup, Wish } from './interface.ts';
import type { DomainRecord } from './record.ts';

type Holds = Wish['holds'];

/** Why the record forbids what is held; '' = it does not. A record that is older than the holder forbids nothing. */
export function contradiction(record: DomainRecord, node: string, holds: Holds): string {
  for (const { group, activation } of holds) {
    const entry = record.groups.find((each) => each.group === group);
    if (entry === undefined || entry.activation < activation) continue;
    if (entry.activation > activation)
      return `the record has ${group} under ${entry.activation}, this node under ${activation}`;
    if (entry.holder !== node) return `the record gives ${group} to ${entry.holder || 'nobody'}`;
  }
  return '';
}

/** The record names this node for everything that it holds: only then a renewal counts. */
export function covers(record: DomainRecord, node: string, holds: Holds): boolean {
  return holds.every(({ group, activation }) =>
    record.groups.some(
      (entry) => entry.group === group && entry.holder === node && entry.activation === activation,
    ),
  );
}

/**
 * What the leader writes. Activations never go back. What the record gives to the peer stays its own unless
 * `mayMove`: the two have met, or the peer was replaced (rule 15: in a cut each keeps what it holds).
 */
export function groupsFor(
  recorded: readonly RecordedGroup[],
  wish: Wish,
  node: string,
  mayMove: boolean,
): readonly RecordedGroup[] {
  const next = new Map(recorded.map((entry) => [entry.group, entry]));
  for (const entry of wish.groups) {
    const old = next.get(entry.group);
    if (old !== undefined && old.activation > entry.activation) continue;
    if (old !== undefined && old.holder !== node && old.holder !== '' && !mayMove) continue;
    next.set(entry.group, entry);
  }
  return [...next.values()].sort((a, b) => (a.group < b.group ? -1 : 1));
}

export function sameGroups(a: readonly RecordedGroup[], b: readonly RecordedGroup[]): boolean {
  return (
    a.length === b.length &&
    a.every((entry, index) => {
      const other = b[index];
      return (
        other?.group === entry.group && other.holder === entry.holder && other.activation === entry.activation
      );
    })
  );
}
