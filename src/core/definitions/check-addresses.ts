/**
 * Checks of the links' addresses: each one for itself, the three of a row together, and every row beside the others. A
 * link whose addresses are wrong is left out, and the sentence says which column of which row has to be changed.
 */
import type { CheckedRow, Draft } from './draft.ts';
import { type AddressKind, type InternetAddress, parseAddress } from './internet-address.ts';

const OWN = 'NETWORK_ADDRESS';
const PEER = 'NETWORK_PEER_ADDRESS';
const GROUP = 'NETWORK_MULTICAST';
const PORTS = ['NETWORK_PORT', 'NETWORK_PEER_PORT'] as const;

/** What an address of one machine can not be. */
const NOT_OF_A_MACHINE: Partial<Record<AddressKind, string>> = {
  multicast: 'a multicast group, which belongs into NETWORK_MULTICAST',
  'reserved-multicast': 'a multicast group',
  broadcast: 'the address of everybody',
  unspecified: 'the address of nobody',
  mapped: 'an IPv4 address in the notation of IPv6: write it as IPv4',
};

export function checkAddresses(draft: Draft, rows: readonly CheckedRow[]): void {
  const seen = new Map<string, string>();
  for (const row of rows) {
    const faults = [...faultsOf(row), ...clashes(row, seen)];
    for (const fault of faults) draft.problems.error('bad-address', row.table, row.raw, fault);
    if (faults.length > 0) draft.spoil(row.table, row.raw);
    const missing = [OWN, PORTS[0], PEER, PORTS[1]].filter((column) => row.text(column) === '');
    if (missing.length > 0) {
      const sentence = `${missing.join(', ')} not set: the link stays down`;
      draft.problems.warning('no-address', row.table, row.raw, sentence);
    }
  }
}

/** The first fault of each column, then what does not fit together. */
function faultsOf(row: CheckedRow): string[] {
  const faults: string[] = [];
  const type = row.text('NETWORK_TYPE');
  const addresses = [OWN, PEER, GROUP].flatMap((column) => {
    const text = row.text(column);
    if (text === '') return [];
    const address = parseAddress(text);
    const fault = address === null ? 'is not an IPv4 or IPv6 address' : faultOfOne(column, address, type);
    if (fault !== null) faults.push(`${column} "${text}" ${fault}`);
    return address === null ? [] : [{ column, text, address }];
  });
  if (faults.length > 0) return faults;
  const [first, ...others] = addresses;
  const other = others.find(({ address }) => address.family !== first?.address.family);
  if (first !== undefined && other !== undefined) {
    return [`${first.column} "${first.text}" and ${other.column} "${other.text}" are of different families`];
  }
  const of = (column: string) => addresses.find((entry) => entry.column === column);
  return faultsOfBoth(of(OWN), of(PEER));
}

function faultOfOne(column: string, { family, kind, zone }: InternetAddress, type: string): string | null {
  if (/^ipv[46]/.test(type) && !type.startsWith(family)) return `does not fit NETWORK_TYPE ${type}`;
  if (column === GROUP) {
    if (kind === 'reserved-multicast') return 'is a group of the system itself: use one of your own';
    if (kind !== 'multicast') return 'is no multicast group: use one of 239.0.0.0/8 or ff12::/16, or nothing';
    return zone === '' ? null : 'takes no %interface: it is that of NETWORK_ADDRESS';
  }
  return machineFault({ kind, zone }, column === OWN);
}

/** Why it can not be the address of one machine, to be said after it; null = it can. `own`: of the one that reads it. */
export function machineFault(
  { kind, zone }: Pick<InternetAddress, 'kind' | 'zone'>,
  own: boolean,
): string | null {
  const sentence = NOT_OF_A_MACHINE[kind];
  if (sentence !== undefined) return `is ${sentence}`;
  if (kind !== 'link-local' && zone !== '') return 'takes no %interface: only link-local addresses do';
  if (kind === 'link-local' && zone === '' && own)
    return `is link-local and must name its interface, as in fe80::1%eth0`;
  return null;
}

interface Entry {
  readonly text: string;
  readonly address: InternetAddress;
}

function faultsOfBoth(own: Entry | undefined, peer: Entry | undefined): string[] {
  if (own === undefined || peer === undefined) return [];
  if (own.address.key === peer.address.key) return [`${PEER} "${peer.text}" is this node's own address`];
  if (peer.address.zone !== '' && peer.address.zone !== own.address.zone) {
    return [
      `${PEER} "${peer.text}" names another interface than ${OWN} "${own.text}": the zone is this node's`,
    ];
  }
  if (peer.address.kind === 'link-local' && own.address.kind !== 'link-local') {
    return [`${PEER} "${peer.text}" is link-local, and ${OWN} "${own.text}" is not: use one kind for both`];
  }
  return [];
}

/**
 * Two links must be told apart by address or port, and by group: with one group for two interfaces the datagrams of each
 * are heard on both, and a dead link looks alive.
 */
function clashes(row: CheckedRow, seen: Map<string, string>): string[] {
  const name = row.text('SERVICE_DOMAIN_INTERFACE');
  const faults: string[] = [];
  for (const column of [OWN, GROUP]) {
    const address = parseAddress(row.text(column));
    if (address === null) continue;
    const { key, zone } = address;
    const port = column === OWN ? row.text(PORTS[0]) : '';
    const place = `${column} ${key}%${zone} ${port}`;
    const other = seen.get(place);
    if (other === undefined) seen.set(place, name);
    else if (column === OWN) faults.push(`${OWN} "${row.text(OWN)}" with this port is that of ${other} too`);
    else
      faults.push(
        `${GROUP} "${row.text(GROUP)}" is that of ${other} too: each link needs a group of its own`,
      );
  }
  return faults;
}
