/** Internet addresses as text: one spelling each, and the interface that carries one of our own. */
import { isIP, SocketAddress } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { parseAddress } from '../../core/definitions/internet-address.ts';

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** The shortest spelling, without a scope; what is no address comes back as it is. */
export function canonical(address: string): string {
  const plain = withoutScope(address);
  if (isIP(plain) !== 6) return plain;
  return new SocketAddress({ address: plain, family: 'ipv6' }).address;
}

/** The 32 hexadecimal digits of an IPv6 address, as /proc/net/if_inet6 has them; '' = it is none. */
export function expanded(address: string): string {
  const parsed = parseAddress(withoutScope(address));
  if (parsed?.family !== 'ipv6') return '';
  return parsed.key
    .split(':')
    .map((group) => group.padStart(4, '0'))
    .join('');
}

export function familyOf(address: string): 'udp4' | 'udp6' {
  return isIP(withoutScope(address)) === 6 ? 'udp6' : 'udp4';
}

export function isLoopback(address: string): boolean {
  const plain = canonical(address);
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** An address of our own, as it is looked for. Who looks several times a second spells it once. */
export interface Sought {
  readonly isLoopback: boolean;
  /** As the system spells it: as `canonical` does. */
  readonly spelling: string;
  /** '' = on any interface. */
  readonly zone: string;
}

export function sought(address: string): Sought {
  return { isLoopback: isLoopback(address), spelling: canonical(address), zone: zoneOf(address) };
}

/**
 * The interface that has this address and is running; null = none. Every 127.x.y.z is on `lo`. Where a zone is written, no
 * other interface will do: a link-local address may be on several.
 */
export function interfaceWith(
  { isLoopback, spelling, zone }: Sought,
  interfaces: Interfaces = networkInterfaces(),
): string | null {
  if (isLoopback) return 'lo';
  for (const [label, entries] of Object.entries(interfaces)) {
    // An address with a label is listed under `eth0:label`.
    const colon = label.indexOf(':');
    const name = colon < 0 ? label : label.slice(0, colon);
    if (zone !== '' && name !== zone) continue;
    if (entries?.some((entry) => entry.address === spelling)) return name;
  }
  return null;
}

/** IPv6 link-local and multicast addresses mean nothing without the interface. */
export function scoped(address: string, interfaceName: string | null): string {
  const needsScope = /^(?:fe[89ab]|ff[0-9a-f][12])/i.test(canonical(address)) && familyOf(address) === 'udp6';
  if (!needsScope || interfaceName === null) return address;
  return `${withoutScope(address)}%${interfaceName}`;
}

/** The interface that is written after the address; '' = none. */
export function zoneOf(address: string): string {
  return /%(.*)$/.exec(address)?.[1] ?? '';
}

export function withoutScope(address: string): string {
  return address.replace(/%.*$/, '');
}
