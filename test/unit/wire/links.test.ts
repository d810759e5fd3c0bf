import type { NetworkInterfaceInfo } from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { canonical, expanded, interfaceWith, scoped, sought } from '../../../src/shell/watchdog/address.ts';
import { LinkMonitor, type LinkPorts } from '../../../src/shell/watchdog/links.ts';

const MAC = '02:00:00:00:00:01';

function entry(address: string): NetworkInterfaceInfo {
  const common = { address, mac: MAC, internal: false, cidr: null };
  return address.includes(':')
    ? { ...common, family: 'IPv6', netmask: 'ffff::', scopeid: 0 }
    : { ...common, family: 'IPv4', netmask: '255.255.255.0' };
}

/** A system with one interface, to be changed by the test. */
function system(address = '10.0.0.1') {
  const state = {
    interfaces: { eth1: [entry(address)] } as Record<string, NetworkInterfaceInfo[]>,
    sys: { address: MAC, carrier: '1', operstate: 'up', flags: '0x1003', ifindex: '7' } as Record<
      string,
      string
    >,
    inet6: '',
    wake: () => {},
  };
  const ports: LinkPorts = {
    interfaces: () => state.interfaces,
    sys: (_name, file) => state.sys[file] ?? null,
    inet6: () => state.inet6,
    watch: (wake) => {
      state.wake = wake;
      return () => {};
    },
  };
  const told: string[] = [];
  const identities: string[] = [];
  const monitor = new LinkMonitor(
    [{ role: 'management-interface', address }],
    ({ up, reason, interfaceName, identity }) => {
      told.push(up ? `up ${interfaceName}` : reason);
      identities.push(identity);
    },
    ports,
  );
  return { state, monitor, told, identities };
}

describe('our own end of a link', () => {
  test('is told at once, then only when it changes', () => {
    const { state, monitor, told } = system();
    monitor.poll();
    monitor.poll();
    expect(told).toEqual(['up eth1']);
    state.sys.carrier = '0';
    monitor.poll();
    monitor.poll();
    state.sys.carrier = '1';
    monitor.poll();
    expect(told).toEqual(['up eth1', 'eth1 has no carrier', 'up eth1']);
  });

  test('a change that the kernel announces is looked at at once', () => {
    const { state, monitor, told } = system();
    monitor.start(100);
    state.sys.operstate = 'lowerlayerdown';
    state.wake();
    monitor.stop();
    expect(told).toEqual(['up eth1', 'eth1 is lowerlayerdown']);
  });

  test.each<[string, object]>([
    ['address 10.0.0.1 was taken off eth1', { interfaces: { eth1: [entry('10.0.0.9')] } }],
    ['address 10.0.0.1 was taken off eth1', { interfaces: {} }],
    ['eth1 has no carrier', { interfaces: {}, sys: { flags: '0x1003', carrier: '0' } }],
    ['eth1 was taken down by an administrator', { interfaces: {}, sys: { flags: '0x1002' } }],
    ['eth1, which had address 10.0.0.1, is down or gone', { interfaces: {}, sys: {} }],
  ])('%s', (reason, change) => {
    const { state, monitor, told } = system();
    monitor.poll();
    Object.assign(state, change);
    monitor.poll();
    expect(told.at(-1)).toBe(reason);
  });

  test('an address that never was there', () => {
    const { state, monitor, told } = system();
    state.interfaces = {};
    monitor.poll();
    expect(told).toEqual(['address 10.0.0.1 is on no interface that is up and has a carrier']);
  });

  test('/sys of another network namespace is not believed', () => {
    const { state, monitor, told } = system();
    state.sys = { address: '02:00:00:00:00:99', carrier: '0', operstate: 'down', flags: '0x1002' };
    monitor.poll();
    expect(told).toEqual(['up eth1']);
  });

  test('another interface under the same name is told', () => {
    const { state, monitor, told, identities } = system();
    monitor.poll();
    state.sys.ifindex = '8';
    monitor.poll();
    expect(told).toEqual(['up eth1', 'up eth1']);
    expect(identities).toEqual([`eth1 7 ${MAC}`, `eth1 8 ${MAC}`]);
  });

  describe('of IPv6', () => {
    const line = (flags: string) =>
      `00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000001 1f 40 00 80     eth9
fd000000000000000000000000000001 1e 40 00 ${flags}     eth1
`;
    test.each([
      ['80', 'up eth1'],
      ['c0', 'address fd00::1 on eth1 is tentative: duplicate address detection is not over'],
      ['44', 'up eth1'],
      ['c8', 'address fd00::1 is used by another machine on eth1 too: duplicate address detection found it'],
    ])('flags %s of its address: %s', (flags, sentence) => {
      const { state, monitor, told, identities } = system('fd00::1');
      state.inet6 = line(flags);
      monitor.poll();
      expect(told).toEqual([sentence]);
      expect(identities).toEqual([`eth1 30 ${MAC}`]);
    });

    test('without the list of the kernel the address alone counts', () => {
      const { monitor, told } = system('fd00::1');
      monitor.poll();
      expect(told).toEqual(['up eth1']);
    });

    test('a link-local address is looked for on its own interface alone', () => {
      const { state, monitor, told } = system('fe80::1%eth1');
      state.interfaces = { eth0: [entry('fe80::1')] };
      monitor.poll();
      state.interfaces = { eth0: [entry('fe80::1')], eth1: [entry('fe80::1')] };
      monitor.poll();
      expect(told).toEqual([
        'address fe80::1%eth1 is on no interface that is up and has a carrier',
        'up eth1',
      ]);
    });
  });

  test('loopback is always up', () => {
    const told: boolean[] = [];
    const ports = { interfaces: () => ({}), sys: () => null, inet6: () => '', watch: () => () => {} };
    const links = [
      { role: 'management-interface', address: '127.3.4.5' },
      { role: 'oam-interface', address: '::1' },
    ] as const;
    new LinkMonitor(links, ({ up }) => told.push(up), ports).poll();
    expect(told).toEqual([true, true]);
  });
});

describe('between two whole looks', () => {
  const LINK_DOWN_DETECT_MS = 100;
  afterEach(() => void vi.useRealTimers());

  /** A child that tells nothing: only our own looks count. `lists` counts the whole ones. */
  function alone(closely: boolean, begun = true) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { state, monitor, told } = system();
    const counts = { lists: 0 };
    const interfaces = state.interfaces;
    Object.defineProperty(state, 'interfaces', {
      get: () => {
        counts.lists += 1;
        return interfaces;
      },
    });
    if (begun) monitor.start(LINK_DOWN_DETECT_MS);
    monitor.watchClosely(closely);
    // One that goes on from what was left holds a permission before it looks at anything.
    if (!begun) monitor.start(LINK_DOWN_DETECT_MS);
    return { state, monitor, told, counts };
  }

  test.each([
    true,
    false,
  ])('a lost carrier is told within link_down_detect, whenever it is lost, if the loss would count: begun before %s', (begun) => {
    for (let at = 0; at < 400; at += 10) {
      const { state, monitor, told } = alone(true, begun);
      vi.advanceTimersByTime(at);
      state.sys.carrier = '0';
      vi.advanceTimersByTime(LINK_DOWN_DETECT_MS - 20);
      monitor.stop();
      expect(told, `lost after ${at} ms`).toEqual(['up eth1', 'eth1 has no carrier']);
    }
  });

  test('looks that somebody else takes put off our own', () => {
    const { monitor, counts } = alone(false);
    const before = counts.lists;
    for (let looks = 0; looks < 10; looks += 1) {
      vi.advanceTimersByTime(200);
      monitor.poll();
    }
    monitor.stop();
    expect(counts.lists - before).toBe(10);
  });

  test('a node that holds looks twice between the looks of two heartbeats, and no oftener', () => {
    const { state, monitor } = alone(true);
    let looks = 0;
    Object.defineProperty(state.sys, 'carrier', {
      get: () => {
        looks += 1;
        return '1';
      },
    });
    for (let hellos = 0; hellos < 10; hellos += 1) {
      vi.advanceTimersByTime(200);
      monitor.poll();
    }
    monitor.stop();
    expect(looks).toBe(10 * 3);
  });

  test('where nobody else looks any more, our own looks come back', () => {
    const { monitor, counts } = alone(false);
    for (let looks = 0; looks < 10; looks += 1) {
      vi.advanceTimersByTime(200);
      monitor.poll();
    }
    vi.advanceTimersByTime(1000);
    const before = counts.lists;
    vi.advanceTimersByTime(1000);
    monitor.stop();
    expect(counts.lists - before).toBeGreaterThanOrEqual(4);
  });

  test('an address that is taken off is told within a quarter of a second, with no loss of a carrier', () => {
    for (const closely of [true, false]) {
      const { state, monitor, told } = alone(closely);
      vi.advanceTimersByTime(130);
      Object.defineProperty(state, 'interfaces', { value: { eth1: [entry('10.0.0.9')] } });
      vi.advanceTimersByTime(280);
      monitor.stop();
      expect(told.at(-1)).toBe('address 10.0.0.1 was taken off eth1');
    }
  });

  test('where /sys is of another namespace, every look is a whole one', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { state, monitor, told } = system();
    state.sys = { address: '02:00:00:00:00:99', carrier: '1', operstate: 'up', flags: '0x1003' };
    monitor.start(LINK_DOWN_DETECT_MS);
    monitor.watchClosely(true);
    state.interfaces = {};
    vi.advanceTimersByTime(LINK_DOWN_DETECT_MS - 20);
    monitor.stop();
    expect(told).toHaveLength(2);
  });
});

test('addresses have one spelling', () => {
  expect(canonical('FD00:0::01')).toBe('fd00::1');
  expect(canonical('fe80::1%eth0')).toBe('fe80::1');
  expect(canonical('10.0.0.1')).toBe('10.0.0.1');
  expect(interfaceWith(sought('FD00::0:1'), { 'eth1:mgmt': [entry('fd00::1')] })).toBe('eth1');
  expect(interfaceWith(sought('fe80::1%eth1'), { eth0: [entry('fe80::1')], eth1: [entry('fe80::1')] })).toBe(
    'eth1',
  );
  expect(expanded('FD00::0:1%eth0')).toBe('fd000000000000000000000000000001');
  expect(expanded('10.0.0.1')).toBe('');
  expect(interfaceWith(sought('10.0.0.2'), { eth1: [entry('10.0.0.1')] })).toBeNull();
});

test('only addresses that mean nothing alone get a scope', () => {
  expect(scoped('fe80::1', 'eth1')).toBe('fe80::1%eth1');
  expect(scoped('ff12::8', 'eth1')).toBe('ff12::8%eth1');
  expect(scoped('fd00::1', 'eth1')).toBe('fd00::1');
  expect(scoped('239.1.1.1', 'eth1')).toBe('239.1.1.1');
  expect(scoped('fe80::1', null)).toBe('fe80::1');
});
