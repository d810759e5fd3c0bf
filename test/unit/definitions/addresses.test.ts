/** Addresses of links: what each text is, and what a link can not have. */
import { describe, expect, test } from 'vitest';
import { checkAddresses } from '../../../src/core/definitions/check-addresses.ts';
import { Draft } from '../../../src/core/definitions/draft.ts';
import { parseAddress } from '../../../src/core/definitions/internet-address.ts';
import { problemText } from '../../../src/core/definitions/problems.ts';

describe('an address', () => {
  test.each([
    ['10.0.0.1', 'ipv4', 'unicast', '10.0.0.1'],
    ['127.1.2.3', 'ipv4', 'loopback', '127.1.2.3'],
    ['169.254.1.1', 'ipv4', 'unicast', '169.254.1.1'],
    ['0.0.0.0', 'ipv4', 'unspecified', '0.0.0.0'],
    ['255.255.255.255', 'ipv4', 'broadcast', '255.255.255.255'],
    ['224.0.0.5', 'ipv4', 'reserved-multicast', '224.0.0.5'],
    ['239.1.1.2', 'ipv4', 'multicast', '239.1.1.2'],
    ['::', 'ipv6', 'unspecified', '0:0:0:0:0:0:0:0'],
    ['::1', 'ipv6', 'loopback', '0:0:0:0:0:0:0:1'],
    ['FD00:0::01', 'ipv6', 'unicast', 'fd00:0:0:0:0:0:0:1'],
    ['2001:db8::', 'ipv6', 'unicast', '2001:db8:0:0:0:0:0:0'],
    ['1:2:3:4:5:6:7:8', 'ipv6', 'unicast', '1:2:3:4:5:6:7:8'],
    ['64:ff9b::10.0.0.1', 'ipv6', 'unicast', '64:ff9b:0:0:0:0:a00:1'],
    ['::ffff:10.0.0.1', 'ipv6', 'mapped', '0:0:0:0:0:ffff:a00:1'],
    ['febf::1', 'ipv6', 'link-local', 'febf:0:0:0:0:0:0:1'],
    ['ff02::1', 'ipv6', 'reserved-multicast', 'ff02:0:0:0:0:0:0:1'],
    ['ff11::5', 'ipv6', 'reserved-multicast', 'ff11:0:0:0:0:0:0:5'],
    ['ff12::5', 'ipv6', 'multicast', 'ff12:0:0:0:0:0:0:5'],
    ['ff12::1', 'ipv6', 'multicast', 'ff12:0:0:0:0:0:0:1'],
  ])('%s: %s, %s', (text, family, kind, key) => {
    expect(parseAddress(text)).toEqual({ family, kind, key, zone: '' });
  });

  test('has its zone apart', () => {
    expect(parseAddress('fe80::1%eth0.7')).toMatchObject({ key: 'fe80:0:0:0:0:0:0:1', zone: 'eth0.7' });
  });

  test.each([
    '',
    'localhost',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.01',
    '1.2.3.4.5',
    ':1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::1',
    '::1%',
    'fe80::1%a%b',
    'fe80::1%a b',
    '10.0.0.1%eth0',
    '1.2.3.4::',
    ' ::1',
  ])('"%s" is none', (text) => {
    expect(parseAddress(text)).toBeNull();
  });
});

interface Cells {
  readonly type?: string;
  readonly own?: string;
  readonly peer?: string;
  readonly group?: string;
  readonly port?: number;
}

const ROLES = ['management-interface', 'oam-interface', 'cluster-host-interface'];

/** Problems of links with these addresses, without the sentences that ports are missing. */
function faults(...links: readonly Cells[]): { problems: string[]; lost: readonly string[] } {
  const rows = links.map(({ type = '', own = '', peer = '', group = '', port = 2222 }, i) => ({
    rowid: i,
    columns: {
      SERVICE_DOMAIN: 'd',
      SERVICE_DOMAIN_INTERFACE: ROLES[i] ?? '',
      AUTH_KEY: 'k',
      NETWORK_TYPE: type,
      NETWORK_ADDRESS: own,
      NETWORK_PEER_ADDRESS: peer,
      NETWORK_MULTICAST: group,
      NETWORK_PORT: port,
      NETWORK_PEER_PORT: port,
      NETWORK_HEARTBEAT_PORT: 2223,
      NETWORK_PEER_HEARTBEAT_PORT: 2223,
    },
  }));
  const draft = new Draft(new Map([['SERVICE_DOMAIN_INTERFACES', rows]]));
  checkAddresses(draft, draft.rows('SERVICE_DOMAIN_INTERFACES'));
  const problems = draft.problems.all
    .filter(({ code }) => code === 'bad-address')
    .map(problemText)
    .map((text) => text.replace('error SERVICE_DOMAIN_INTERFACES ', ''));
  return { problems, lost: [...draft.lostInterfaces] };
}

describe('links', () => {
  test.each<[string, Cells[]]>([
    ['IPv4', [{ own: '10.0.0.1', peer: '10.0.0.2' }]],
    ['global IPv6', [{ own: 'fd00::1', peer: 'fd00::2', type: 'ipv6-udp' }]],
    ['link-local IPv6', [{ own: 'fe80::1%eth0', peer: 'fe80::2' }]],
    ['link-local IPv6, the zone on both', [{ own: 'fe80::1%eth0', peer: 'fe80::2%eth0' }]],
    [
      'one IPv4, others IPv6',
      [
        { own: '10.0.0.1', peer: '10.0.0.2' },
        { own: 'fd00::1', peer: 'fd00::2' },
        { own: 'fe80::1%eth2', peer: 'fe80::2' },
      ],
    ],
    [
      'the same link-local address on two interfaces',
      [
        { own: 'fe80::1%eth1', peer: 'fe80::2' },
        { own: 'fe80::1%eth2', peer: 'fe80::2' },
      ],
    ],
    [
      'a group each',
      [
        { own: '10.0.0.1', peer: '10.0.0.2', group: '239.1.1.1' },
        { own: 'fd00::1', peer: 'fd00::2', group: 'ff12::5e:1' },
      ],
    ],
    [
      'one address, two ports',
      [
        { own: '10.0.0.1', peer: '10.0.0.2' },
        { own: '10.0.0.1', peer: '10.0.0.2', port: 2224 },
      ],
    ],
  ])('%s: nothing to say', (_what, links) => {
    expect(faults(...links)).toEqual({ problems: [], lost: [] });
  });

  test.each<[Cells, string]>([
    [{ own: 'eth0' }, 'NETWORK_ADDRESS "eth0" is not an IPv4 or IPv6 address'],
    [{ own: '10.0.0.1', type: 'ipv6-udp' }, 'NETWORK_ADDRESS "10.0.0.1" does not fit NETWORK_TYPE ipv6-udp'],
    [
      { own: '10.0.0.1', peer: 'fd00::2' },
      'NETWORK_ADDRESS "10.0.0.1" and NETWORK_PEER_ADDRESS "fd00::2" are of different families',
    ],
    [
      { own: '10.0.0.1', peer: '10.0.0.2', group: 'ff12::5' },
      'NETWORK_ADDRESS "10.0.0.1" and NETWORK_MULTICAST "ff12::5" are of different families',
    ],
    [{ own: '10.0.0.1', peer: '10.0.0.1' }, `NETWORK_PEER_ADDRESS "10.0.0.1" is this node's own address`],
    [{ own: 'fd00::1', peer: 'fd00:0::1' }, `NETWORK_PEER_ADDRESS "fd00:0::1" is this node's own address`],
    [
      { own: '239.1.1.1' },
      'NETWORK_ADDRESS "239.1.1.1" is a multicast group, which belongs into NETWORK_MULTICAST',
    ],
    [{ peer: '0.0.0.0' }, 'NETWORK_PEER_ADDRESS "0.0.0.0" is the address of nobody'],
    [{ peer: '255.255.255.255' }, 'NETWORK_PEER_ADDRESS "255.255.255.255" is the address of everybody'],
    [
      { own: '::ffff:10.0.0.1' },
      'NETWORK_ADDRESS "::ffff:10.0.0.1" is an IPv4 address in the notation of IPv6: write it as IPv4',
    ],
    [
      { own: 'fe80::1', peer: 'fe80::2' },
      'NETWORK_ADDRESS "fe80::1" is link-local and must name its interface, as in fe80::1%eth0',
    ],
    [
      { own: 'fd00::1%eth0' },
      'NETWORK_ADDRESS "fd00::1%eth0" takes no %interface: only link-local addresses do',
    ],
    [
      { own: 'fe80::1%eth0', peer: 'fe80::2%eth1' },
      'NETWORK_PEER_ADDRESS "fe80::2%eth1" names another interface than NETWORK_ADDRESS "fe80::1%eth0": the zone is this node\'s',
    ],
    [
      { own: 'fd00::1', peer: 'fe80::2' },
      'NETWORK_PEER_ADDRESS "fe80::2" is link-local, and NETWORK_ADDRESS "fd00::1" is not: use one kind for both',
    ],
    [
      { own: '10.0.0.1', group: '10.0.0.255' },
      'NETWORK_MULTICAST "10.0.0.255" is no multicast group: use one of 239.0.0.0/8 or ff12::/16, or nothing',
    ],
    [
      { group: '224.0.0.1' },
      'NETWORK_MULTICAST "224.0.0.1" is a group of the system itself: use one of your own',
    ],
    [
      { group: 'ff12::5%eth0' },
      'NETWORK_MULTICAST "ff12::5%eth0" takes no %interface: it is that of NETWORK_ADDRESS',
    ],
  ])('%j: %s', (link, sentence) => {
    expect(faults(link)).toEqual({
      problems: [`d/management-interface: ${sentence}`],
      lost: ['management-interface'],
    });
  });

  test('two with one address and port, or with one group: the second is out, and the sentence names the first', () => {
    const first = { own: '10.0.0.1', peer: '10.0.0.2', group: '239.1.1.1' };
    expect(faults(first, { ...first, group: '239.1.1.2' })).toEqual({
      problems: [
        'd/oam-interface: NETWORK_ADDRESS "10.0.0.1" with this port is that of management-interface too',
      ],
      lost: ['oam-interface'],
    });
    expect(faults(first, { own: '10.0.1.1', peer: '10.0.1.2', group: '239.1.1.1' }).problems).toEqual([
      'd/oam-interface: NETWORK_MULTICAST "239.1.1.1" is that of management-interface too: each link needs a group of its own',
    ]);
  });
});
