/** What two nodes must agree on before either can start: names, links, ports. */
import { machineFault } from '../../core/definitions/check-addresses.ts';
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
    const families = addresses.map((address) => parseAddress(address)?.family);
    for (const address of addresses) {
      const parsed = parseAddress(address);
      const fault = parsed === null ? 'is no IPv4 or IPv6 address' : machineFault(parsed, true);
      if (fault !== null) faults.push(`${role}: '${address}' ${fault}`);
      else if (seen.has(address)) faults.push(`${role}: ${address} is given twice`);
      seen.add(address);
    }
    if (families[0] !== families[1] && !families.includes(undefined)) {
      faults.push(`${role}: one address is IPv4, the other IPv6`);
    }
  }
  return faults;
}
