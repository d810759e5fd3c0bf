/** What two nodes must agree on before either can start: names, links, ports. */
import { isIP } from 'node:net';
import { parseAddress } from '../../core/definitions/internet-address.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { INTERFACE_ROLES, type InterfaceRole } from '../../core/kernel/names.ts';
import { isNodeName } from '../../core/link/frame.ts';

/** The key that signs on all links of a new pair. */
export const KEY_NAME = 'cluster';

/** The key that is accepted beside it, where there is one. */
export function previousOf(keyName: string): string {
  return `${keyName}-previous`;
}

const PORT_MAX = 65_534;

export interface PairLink {
  readonly role: InterfaceRole;
  /** Of the two nodes, in their order. */
  readonly addresses: readonly [string, string];
}

export interface Pair {
  readonly nodes: readonly [string, string];
  readonly links: readonly PairLink[];
  /** UDP port on all links; the one after it is StarlingX's second port. */
  readonly port: number;
}

function lacksInterface(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed?.kind === 'link-local' && parsed.zone === '';
}

/** `management-interface=10.0.0.1,10.0.0.2`: the address of the first node, then that of the second. */
export function parseLink(text: string): PairLink | string {
  const match = /^([^=]+)=([^,]+),([^,]+)$/.exec(text);
  const [, role = '', first = '', second = ''] = match ?? [];
  if (match === null) return `'${text}' must look like management-interface=10.0.0.1,10.0.0.2`;
  if (!(INTERFACE_ROLES as readonly string[]).includes(role)) {
    return `'${role}' is no interface; there are ${INTERFACE_ROLES.join(', ')}`;
  }
  return { role: role as InterfaceRole, addresses: [first, second] };
}

export function checkPair(pair: Pair): Result<Pair> {
  const faults = [...nodeFaults(pair), ...linkFaults(pair)];
  if (!Number.isInteger(pair.port) || pair.port < 1 || pair.port > PORT_MAX) {
    faults.push(`the port must be a whole number from 1 to ${PORT_MAX}`);
  }
  return faults.length === 0
    ? { ok: true, value: pair }
    : failure('SM_SETUP_PAIR', { detail: faults.join('; ') });
}

function nodeFaults({ nodes }: Pair): string[] {
  const faults = nodes
    .filter((name) => !isNodeName(name))
    .map((name) => `'${name}' can not be the name of a node: letters, digits, dots, underscores, dashes`);
  return nodes[0] === nodes[1] ? [...faults, `both nodes have the name '${nodes[0]}'`] : faults;
}

function linkFaults({ links }: Pair): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  if (links.length === 0) faults.push('there is no interface: two or three independent ones are advised');
  for (const { role, addresses } of links) {
    if (seen.has(role)) faults.push(`${role} is given twice`);
    seen.add(role);
    const families = addresses.map((address) => isIP(address));
    for (const [index, address] of addresses.entries()) {
      if (families[index] === 0) faults.push(`${role}: '${address}' is no IPv4 or IPv6 address`);
      else if (seen.has(address)) faults.push(`${role}: ${address} is given twice`);
      else if (lacksInterface(address))
        faults.push(
          `${role}: ${address} is link-local and must name its node's interface, as in fe80::1%eth0`,
        );
      seen.add(address);
    }
    if (families[0] !== families[1] && !families.includes(0)) {
      faults.push(`${role}: one address is IPv4, the other IPv6`);
    }
  }
  return faults;
}
