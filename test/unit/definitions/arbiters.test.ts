/** The arbiter tables: what is taken, what is refused, what is warned of. */
import { expect, test } from 'vitest';
import { buildDefinitions } from '../../../src/core/definitions/build.ts';
import type { RawRow, RawRows } from '../../../src/core/definitions/rows.ts';
import { DEFINITION_TABLES } from '../../../src/core/definitions/rows.ts';
import { timingSums } from '../../../src/core/definitions/timing.ts';

type Cells = Readonly<Record<string, string | number>>;

const ETCD: Cells = { SERVICE_DOMAIN: 'controller', ENDPOINTS: 'https://192.0.2.9:2379' };
const DISK: Cells = { SERVICE_DOMAIN: 'controller', DEVICE: '/dev/disk/by-id/shared' };
const DEVICE: Cells = {
  SERVICE_DOMAIN: 'controller',
  DEVICE_NAME: 'bmc-1',
  NODE_NAME: 'controller-1',
  AGENT: 'fence_ipmilan',
  PARAMETERS: 'ip=192.0.2.21,lanplus=1,username=admin',
  SECRETS: 'password=bmc-1',
};

function build(tables: Readonly<Record<string, readonly Cells[]>>) {
  const rows: RawRows = new Map(
    DEFINITION_TABLES.map(({ name }) => {
      const own = { ...DOMAIN, ...tables }[name] ?? [];
      return [name, own.map((columns, index): RawRow => ({ rowid: index + 1, columns }))];
    }),
  );
  const { set, problems } = buildDefinitions(rows);
  const told = problems
    .filter(({ table }) => /^SM_(ETCD|SHARED|FENC|GATE)/.test(table))
    .map(({ severity, code, sentence }) => `${severity} ${code}: ${sentence}`);
  return { set, arbiters: set?.arbiters, told, warned: problems.map(({ code }) => code) };
}

const DOMAIN: Readonly<Record<string, readonly Cells[]>> = {
  SERVICE_DOMAINS: [{ NAME: 'controller' }],
  SM_DOMAIN_NODES: [
    { SERVICE_DOMAIN: 'controller', NODE_NAME: 'controller-0', ORDINAL: 0 },
    { SERVICE_DOMAIN: 'controller', NODE_NAME: 'controller-1', ORDINAL: 1 },
  ],
  SERVICE_DOMAIN_INTERFACES: [
    {
      SERVICE_DOMAIN: 'controller',
      SERVICE_DOMAIN_INTERFACE: 'management-interface',
      AUTH_KEY: 'k',
      NETWORK_ADDRESS: '192.0.2.1',
      NETWORK_PORT: 1,
      NETWORK_PEER_ADDRESS: '192.0.2.2',
      NETWORK_PEER_PORT: 1,
    },
  ],
};

test('none is configured: the set has none', () => {
  expect(build({})).toMatchObject({ arbiters: undefined, told: [] });
});

const OF_ANY = [
  'timing silence: DEAD_INTERVAL 800 >= 3 x HELLO_INTERVAL 200 = 600 ms: holds',
  'timing stop: S 300 = STOP_GRACE 100 + KILL_VERIFY 100 + 100 ms for the self-fence, more than 0: holds',
];

test('etcd, with the sums that a take-over waits for', () => {
  const { set, arbiters, told } = build({
    SM_ETCD: [{ ...ETCD, ENDPOINTS: 'https://192.0.2.9:2379, http://[2001:db8::1]:2379' }],
  });
  expect(told).toEqual([]);
  expect(arbiters?.etcd).toMatchObject({
    endpoints: ['https://192.0.2.9:2379', 'http://[2001:db8::1]:2379'],
    stampIntervalMs: 200,
    requestLimitMs: 200,
  });
  expect(timingSums(set!)).toEqual([
    ...OF_ANY,
    'timing etcd: STAMP_INTERVAL 200 + 2 x REQUEST_LIMIT 200 = 600 < P 800 ms: holds',
    'timing etcd: the peer is replaced after P 800 + S 300 + m 130 = 1230 ms of quiet',
  ]);
});

test.each<[string, Readonly<Record<string, readonly Cells[]>>, boolean]>([
  ['nothing', {}, true],
  [
    'gateways, which say nothing of the peer',
    {
      SM_GATEWAYS: [
        {
          SERVICE_DOMAIN: 'controller',
          SERVICE_DOMAIN_INTERFACE: 'management-interface',
          ADDRESS: '192.0.2.254',
        },
      ],
    },
    true,
  ],
  ['etcd', { SM_ETCD: [ETCD] }, false],
  ['a disk', { SM_SHARED_DISK: [DISK] }, false],
  ['a fence device', { SM_FENCE_DEVICES: [DEVICE] }, false],
])('the policy is warned of where it decides: beside %s', (_beside, tables, isWarned) => {
  expect(build(tables).warned.includes('policy-takeover')).toBe(isWarned);
});

test('fence devices: their own sums, and the wait of the one with less to lose', () => {
  const other = { ...DEVICE, DEVICE_NAME: 'bmc-0', NODE_NAME: 'controller-0', STATUS_LIMIT: 1000 };
  const own = { ...DEVICE, DEVICE_NAME: 'bmc-1', NODE_NAME: 'controller-1' };
  expect(timingSums(build({ SM_FENCE_DEVICES: [own] }).set!).slice(2)).toEqual([
    'timing fence bmc-1: controller-1 is proven off within 45600 ms, or not by it',
  ]);
  expect(timingSums(build({ SM_FENCE_DEVICES: [other, own] }).set!).slice(2)).toEqual([
    'timing fence bmc-0: controller-0 is proven off within 29600 ms, or not by it',
    'timing fence bmc-1: controller-1 is proven off within 45600 ms, or not by it',
    'timing fence: where both can shoot and controller-0 has less to lose, it shoots after 21800 ms at most; after less where audits and fencings were quicker than the limits',
    'timing fence: where both can shoot and controller-1 has less to lose, it shoots after 25800 ms at most; after less where audits and fencings were quicker than the limits',
  ]);
});

test('the sums of a domain without an arbiter are those of its policy', () => {
  const { set } = build({});
  expect(timingSums(set!)).toEqual([
    ...OF_ANY,
    'timing takeover: a node acts 0.9 x (d 800 + S 300) - S 300 - LINK_DOWN_DETECT 100 - 20 = 570 ms after its last frame on an up link, at least 2 x HELLO_INTERVAL + 50 = 450 ms: holds',
    'timing takeover: the peer is replaced after d 800 + S 300 = 1100 ms of silence',
  ]);
  const domain = { ...set!.domain, silencePolicy: 'stay', deadIntervalMs: 500 } as const;
  expect(timingSums({ ...set!, domain })).toEqual([
    'timing silence: DEAD_INTERVAL 500 >= 3 x HELLO_INTERVAL 200 = 600 ms: DOES NOT HOLD',
    OF_ANY[1],
    'timing stay: a silent peer is not replaced by time',
  ]);
});

test('those of gateways say what is in time, and what is not', () => {
  const gateway = {
    SERVICE_DOMAIN: 'controller',
    SERVICE_DOMAIN_INTERFACE: 'oam-interface',
    ADDRESS: '192.0.2.254',
  };
  const slow = timingSums(build({ SM_GATEWAYS: [gateway] }).set!);
  expect(slow.at(-1)).toMatch(
    /3 x \(PING_INTERVAL 1000 \+ PING_LIMIT 500\) = 4500 ms, and acts for 570 ms: too late/,
  );
  const quick = timingSums(build({ SM_GATEWAYS: [{ ...gateway, PING_INTERVAL: 100, PING_LIMIT: 50 }] }).set!);
  expect(quick.at(-1)).toMatch(/= 450 ms, and acts for 570 ms: in time/);
});

test('a disk waits twice', () => {
  const { set } = build({ SM_SHARED_DISK: [DISK] });
  expect(timingSums(set!)).toEqual([
    ...OF_ANY,
    'timing disk: STAMP_INTERVAL 200 + 2 x REQUEST_LIMIT 200 = 600 < P 800 ms: holds',
    'timing disk: a claim after P 800 + S 300 + m 130 = 1230 ms of quiet, then 200 + 1230 = 1430 ms more',
  ]);
});

test.each<[string, Readonly<Record<string, readonly Cells[]>>, string]>([
  ['no endpoint', { SM_ETCD: [{ ...ETCD, ENDPOINTS: '' }] }, 'ENDPOINTS must name 1 to 16'],
  ['an endpoint without port', { SM_ETCD: [{ ...ETCD, ENDPOINTS: 'https://a' }] }, '"https://a" is not like'],
  ['an endpoint with a path', { SM_ETCD: [{ ...ETCD, ENDPOINTS: 'https://a:1/x' }] }, 'is not like'],
  ['port 0', { SM_ETCD: [{ ...ETCD, ENDPOINTS: 'https://a:0' }] }, 'is not like'],
  ['a user without password', { SM_ETCD: [{ ...ETCD, USER_NAME: 'sm' }] }, 'belong together'],
  [
    'a password in place of its name',
    { SM_ETCD: [{ ...ETCD, USER_NAME: 'sm', PASSWORD_SECRET: 'a@b' }] },
    'PASSWORD_SECRET must name a file',
  ],
  ['a certificate without key', { SM_ETCD: [{ ...ETCD, CERTIFICATE_FILE: '/etc/x' }] }, 'belong together'],
  [
    'a slow register',
    { SM_ETCD: [{ ...ETCD, REQUEST_LIMIT: 300 }] },
    'STAMP_INTERVAL + 2 x REQUEST_LIMIT = 800 ms must be less than DEAD_INTERVAL 800 ms',
  ],
  ['a bad cell', { SM_ETCD: [{ ...ETCD, STAMP_INTERVAL: 1 }] }, 'STAMP_INTERVAL must be a whole number'],
  ['no device', { SM_SHARED_DISK: [{ ...DISK, DEVICE: '' }] }, 'DEVICE must name a block device'],
  ['two places', { SM_ETCD: [ETCD], SM_SHARED_DISK: [DISK] }, 'kept in one place'],
])('%s leaves nothing to run: the domain would go on under a weaker rule', (_name, tables, sentence) => {
  const { set, told } = build(tables);
  expect(told.join('\n')).toContain(sentence);
  expect(set).toBeNull();
});

test('members of etcd on the two nodes alone are no third vote', () => {
  const on = (endpoints: string) => build({ SM_ETCD: [{ ...ETCD, ENDPOINTS: endpoints }] });
  for (const endpoints of ['http://192.0.2.1:2379,http://192.0.2.2:2379', 'http://127.0.0.1:2379'])
    expect(on(endpoints).told.join()).toContain('warning no-third-vote');
  expect(on('http://192.0.2.1:2379,http://192.0.2.2:2379,http://192.0.2.3:2379').told).toEqual([]);
});

test('a fence device: parameters apart from secrets', () => {
  const { arbiters, told } = build({
    SM_FENCE_DEVICES: [DEVICE, { ...DEVICE, DEVICE_NAME: 'bmc-0', NODE_NAME: 'controller-0' }],
  });
  expect(told).toEqual([]);
  expect(arbiters?.fencing).toMatchObject({ afterwards: 'off', verifyGapMs: 200, delayMs: 0 });
  expect(arbiters?.fencing.devices[0]).toMatchObject({
    name: 'bmc-1',
    parameters: [
      ['ip', '192.0.2.21'],
      ['lanplus', '1'],
      ['username', 'admin'],
    ],
    secrets: [['password', 'bmc-1']],
  });
});

test.each<[string, Cells, string]>([
  ['of a stranger', { NODE_NAME: 'x' }, 'the domain has no node x'],
  ['that is no agent', { AGENT: 'reboot' }, 'AGENT must be the name of a fence agent'],
  ['with its password in sight', { PARAMETERS: 'ip=a,password=hunter2' }, 'password would be readable here'],
  ['with a community', { PARAMETERS: 'community=public' }, 'community would be readable here'],
  ['that sets the action', { PARAMETERS: 'action=on' }, 'must not set action'],
  ['with parameters that are none', { PARAMETERS: 'a=b=c' }, 'PARAMETERS: '],
  ['with a secret that is a path', { SECRETS: 'password=../../etc/shadow' }, 'password must name a file'],
])('a fence device %s is left out, and nothing else', (_name, cells, sentence) => {
  const { set, arbiters, told } = build({ SM_FENCE_DEVICES: [{ ...DEVICE, ...cells }] });
  expect(told.join('\n')).toContain(sentence);
  expect(told.join('\n')).not.toContain('hunter2');
  expect(set).not.toBeNull();
  expect(arbiters).toBeUndefined();
});

test('a node that nobody can fence is warned of', () => {
  expect(build({ SM_FENCE_DEVICES: [DEVICE] }).told.join()).toContain('no device can fence controller-0');
});

test('gateways', () => {
  const gateway = {
    SERVICE_DOMAIN: 'controller',
    SERVICE_DOMAIN_INTERFACE: 'oam-interface',
    ADDRESS: '192.0.2.254',
  };
  expect(build({ SM_GATEWAYS: [gateway] }).arbiters?.gateways).toEqual([
    { role: 'oam-interface', address: '192.0.2.254', pingIntervalMs: 1000, pingLimitMs: 500 },
  ]);
});
