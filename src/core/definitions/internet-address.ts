/**
 * Internet addresses as they are written in definitions, and what each may be used for. Pure. Sources: RFC 4291 (IPv6
 * addressing), RFC 4007 (zones), RFC 5771 and RFC 4291 2.7 (multicast), RFC 3927 (IPv4 link-local).
 */

export type AddressKind =
  | 'unicast'
  | 'loopback'
  /** IPv6 only: it means nothing without the interface. */
  | 'link-local'
  | 'multicast'
  /** Groups that a host joins by itself, or that no datagram of which leaves it. */
  | 'reserved-multicast'
  | 'broadcast'
  | 'unspecified'
  /** An IPv4 address in the notation of IPv6. */
  | 'mapped';

export interface InternetAddress {
  readonly family: 'ipv4' | 'ipv6';
  readonly kind: AddressKind;
  /** One spelling for each address, without its zone. */
  readonly key: string;
  /** The interface after `%`; '' = none. */
  readonly zone: string;
}

const ZONE = /^[A-Za-z0-9._-]{1,15}$/;
const IPV6_GROUP = /^[0-9A-Fa-f]{1,4}$/;
const IPV6_GROUPS = 8;

/** null = it is no address. */
export function parseAddress(text: string): InternetAddress | null {
  const four = octetsOf(text);
  if (four !== null) return { family: 'ipv4', kind: kindOfIpv4(four), key: four.join('.'), zone: '' };
  const [plain = '', zone, ...rest] = text.split('%');
  if (rest.length > 0 || (zone !== undefined && !ZONE.test(zone))) return null;
  const groups = groupsOf(plain);
  if (groups === null) return null;
  const key = groups.map((group) => group.toString(16)).join(':');
  return { family: 'ipv6', kind: kindOfIpv6(groups), key, zone: zone ?? '' };
}

function octetsOf(text: string): number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  // A leading zero is octal for some programs.
  if (!parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.map(Number);
}

/** The eight groups, `::` filled up and an IPv4 tail taken apart. */
function groupsOf(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const parts = halves.map((half) => (half === '' ? [] : half.split(':')));
  const tail = parts.at(-1);
  const four = octetsOf(tail?.at(-1) ?? '');
  if (four !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = four;
    tail?.splice(-1, 1, (a * 256 + b).toString(16), (c * 256 + d).toString(16));
  }
  const [head = [], end = []] = parts;
  if (![...head, ...end].every((part) => IPV6_GROUP.test(part))) return null;
  const missing = IPV6_GROUPS - head.length - end.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const zeros = Array.from({ length: missing }, () => '0');
  return [...head, ...zeros, ...end].map((part) => Number.parseInt(part, 16));
}

function kindOfIpv4([first = 0, second = 0, third = 0, fourth = 0]: readonly number[]): AddressKind {
  if (first === 0) return 'unspecified';
  if (first === 127) return 'loopback';
  // 224.0.0.0/24 belongs to routers, and every host is in 224.0.0.1.
  if (first === 224 && second === 0 && third === 0) return 'reserved-multicast';
  if (first >= 224 && first <= 239) return 'multicast';
  if (first === 255 && second === 255 && third === 255 && fourth === 255) return 'broadcast';
  return 'unicast';
}

function kindOfIpv6(groups: readonly number[]): AddressKind {
  const [first = 0] = groups;
  const last = groups.at(-1) ?? 0;
  const middleIsZero = groups.slice(1, -1).every((group) => group === 0);
  if (first === 0 && middleIsZero && last <= 1) return last === 0 ? 'unspecified' : 'loopback';
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return 'mapped';
  if ((first & 0xffc0) === 0xfe80) return 'link-local';
  if ((first & 0xff00) !== 0xff00) return 'unicast';
  const scope = first & 0xf;
  // All nodes and all routers of a link are groups that the system is in itself.
  const joinedBySystem = (first & 0xf0) === 0 && middleIsZero && last <= 2;
  return scope <= 1 || joinedBySystem ? 'reserved-multicast' : 'multicast';
}
