/** The checks of a definition set, and the set that they leave. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type BuildOptions,
  type BuildResult,
  buildDefinitions,
} from '../../../src/core/definitions/build.ts';
import type { Problem } from '../../../src/core/definitions/problems.ts';
import type { RawRow, RawRows } from '../../../src/core/definitions/rows.ts';
import { DATABASE_FOLDER } from '../../../src/shell/store/schema.ts';
import { loadRows } from '../../../src/shell/store/source.ts';

type Cells = Record<string, string | number | null>;

function rowsOf(name: string): RawRows {
  const loaded = loadRows(join(DATABASE_FOLDER, 'definitions', name));
  if (!loaded.ok) throw new Error(loaded.error.message);
  expect(loaded.value.problems).toEqual([]);
  return loaded.value.rows;
}
const STARLINGX = rowsOf('starlingx');
const DEMO = rowsOf('demo');

const sentences = ({ problems }: BuildResult): string[] =>
  problems.filter(({ severity }) => severity === 'error').map(({ sentence }) => sentence);

/** A copy of the demo's rows, to be spoiled. */
class Edit {
  readonly #tables = new Map<string, RawRow[]>([...DEMO].map(([name, rows]) => [name, [...rows]]));

  set(table: string, where: Cells, cells: Cells): this {
    const rows = this.#rows(table);
    const hits = rows.filter((row) => matches(row, where));
    if (hits.length === 0) throw new Error(`no row of ${table} is ${JSON.stringify(where)}`);
    this.#tables.set(
      table,
      rows.map((row) => (hits.includes(row) ? { ...row, columns: { ...row.columns, ...cells } } : row)),
    );
    return this;
  }
  add(table: string, cells: Cells): this {
    this.#rows(table).push({ rowid: 1000 + this.#rows(table).length, columns: cells });
    return this;
  }
  remove(table: string, where: Cells): this {
    this.#tables.set(
      table,
      this.#rows(table).filter((row) => !matches(row, where)),
    );
    return this;
  }
  drop(table: string): this {
    this.#tables.delete(table);
    return this;
  }
  build(options: BuildOptions = {}): BuildResult {
    return buildDefinitions(this.#tables, options);
  }
  #rows(table: string): RawRow[] {
    const rows = this.#tables.get(table) ?? [];
    this.#tables.set(table, rows);
    return rows;
  }
}

function matches(row: RawRow, where: Cells): boolean {
  return Object.entries(where).every(([column, cell]) => row.columns[column] === cell);
}

const edit = (): Edit => new Edit();
const errors = (result: BuildResult): string[] => texts(result, 'error');
const warnings = (result: BuildResult): string[] => texts(result, 'warning');
function texts(result: BuildResult, severity: Problem['severity']): string[] {
  return result.problems
    .filter((problem) => problem.severity === severity)
    .map(({ code, table, row }) => `${code} ${table} ${row}`);
}
const services = (result: BuildResult): string[] => [...(result.set?.services.keys() ?? [])];

const SHOP = ['shop-store', 'shop-cache', 'shop-queue', 'shop-worker', 'shop-web'];
const STANDING = [
  ...['management', 'cluster-host', 'oam'].map(
    (role) => `no-address SERVICE_DOMAIN_INTERFACES controller/${role}-interface`,
  ),
  'policy-takeover SM_DOMAIN_SAFETY controller',
];

describe('the shipped sets', () => {
  test('starlingx: all rows, no error, and the 7 groups and 32 services that are provisioned', () => {
    const result = buildDefinitions(STARLINGX);
    expect(errors(result)).toEqual([]);
    expect(result.counts).toEqual({
      groups: 10,
      members: 92,
      services: 92,
      actions: 389,
      results: 48,
      dependencies: 273,
    });
    const set = result.set;
    expect([set?.groups.size, set?.services.size]).toEqual([7, 32]);
    expect(set?.nodes).toEqual(['controller-0', 'controller-1']);
    expect(set?.groups.get('controller-services')?.exclusive).toBe(true);
    expect(set?.groups.get('web-services')?.exclusive).toBe(false);
    expect(set?.groups.get('vim-services')?.activeOnlyIfActive).toBe('directory-services');
    expect(set?.services.get('drbd-pg')).toMatchObject({ kernelState: true, group: 'controller-services' });
    expect(set?.services.get('drbd-pg')?.actions.get('go-active')).toMatchObject({
      timeoutMs: 180_000,
      intervalMs: 0,
    });
    // An interval of an enable row has no meaning.
    expect(set?.services.get('rabbit')?.actions.get('enable')?.intervalMs).toBe(0);
    expect(set?.enablingThrottle).toBe(2);
    expect(set?.failPendingMs).toBe(2000);
  });

  test('starlingx: every dependency of the set is between services of the set', () => {
    const set = buildDefinitions(STARLINGX).set;
    for (const { service, dependent } of set?.dependencies ?? []) {
      expect(set?.services.has(service) && set.services.has(dependent)).toBe(true);
    }
    expect(set?.dependencies.length).toBeGreaterThan(50);
  });

  test('starlingx with everything provisioned has no error either', () => {
    const all = new Map(
      [...STARLINGX].map(([name, rows]) => [
        name,
        rows.map((row) =>
          row.columns.PROVISIONED === undefined || name === 'SERVICE_DOMAIN_INTERFACES'
            ? row
            : { ...row, columns: { ...row.columns, PROVISIONED: 'yes' } },
        ),
      ]),
    );
    const result = buildDefinitions(all);
    expect(errors(result)).toEqual([]);
    expect([result.set?.groups.size, result.set?.services.size, result.set?.dependencies.length]).toEqual([
      10, 92, 273,
    ]);
  });

  test('demo: no error, standing warnings only', () => {
    const result = edit().build();
    expect(errors(result)).toEqual([]);
    expect(warnings(result)).toEqual(STANDING);
    expect(services(result)).toEqual([...SHOP, 'web-status']);
    expect(result.set?.domain).toMatchObject({ helloIntervalMs: 200, deadIntervalMs: 800, stopBoundMs: 300 });
  });
});

describe('one bad row takes out what it describes, and the rest is loaded', () => {
  const cases: [string, Edit, string, string[]][] = [
    [
      'a word',
      edit().set('SERVICE_GROUP_MEMBERS', { SERVICE_NAME: 'shop-web' }, { SERVICE_FAILURE_IMPACT: 'huge' }),
      'bad-cell SERVICE_GROUP_MEMBERS shop-services/shop-web',
      ['shop-web'],
    ],
    [
      'a range',
      edit().set('SERVICES', { NAME: 'web-status' }, { MAX_FAILURES: -1 }),
      'bad-cell SERVICES web-status',
      ['web-status'],
    ],
    [
      'a number that is none',
      edit().set(
        'SERVICE_ACTIONS',
        { SERVICE_NAME: 'shop-web', ACTION: 'enable' },
        { TIMEOUT_IN_SECS: 'soon' },
      ),
      'bad-cell SERVICE_ACTIONS shop-web/enable',
      ['shop-web'],
    ],
    [
      'NULL',
      edit().set('SERVICES', { NAME: 'web-status' }, { PID_FILE: null }),
      'bad-cell SERVICES web-status',
      ['web-status'],
    ],
    [
      'a relative path',
      edit().set('SERVICES', { NAME: 'web-status' }, { PID_FILE: 'a.pid' }),
      'bad-cell SERVICES web-status',
      ['web-status'],
    ],
    [
      'an odd name',
      edit().set('SERVICE_INSTANCES', { SERVICE_NAME: 'shop-web' }, { INSTANCE_NAME: 'a,b' }),
      'bad-cell SERVICE_INSTANCES shop-web',
      ['shop-web'],
    ],
    [
      'a long name',
      edit().set(
        'SERVICE_ACTIONS',
        { SERVICE_NAME: 'shop-web', ACTION: 'enable' },
        { PLUGIN_NAME: 'x'.repeat(80) },
      ),
      'bad-cell SERVICE_ACTIONS shop-web/enable',
      ['shop-web'],
    ],
    [
      'a double row',
      edit().add('SERVICES', { NAME: 'web-status', PROVISIONED: 'yes' }),
      'duplicate-row SERVICES web-status',
      ['web-status'],
    ],
    [
      'an unknown group',
      edit().set('SERVICE_GROUP_MEMBERS', { SERVICE_NAME: 'shop-web' }, { NAME: 'shop-servces' }),
      'unknown-group SERVICE_GROUP_MEMBERS shop-servces/shop-web',
      ['shop-web'],
    ],
    [
      'a group of no service',
      edit().add('SERVICE_GROUP_MEMBERS', { NAME: 'shop-services', SERVICE_NAME: 'shopweb' }),
      'unknown-service SERVICE_GROUP_MEMBERS shop-services/shopweb',
      [],
    ],
    [
      'two groups',
      edit().add('SERVICE_GROUP_MEMBERS', { NAME: 'web-services', SERVICE_NAME: 'shop-web' }),
      'two-groups SERVICE_GROUP_MEMBERS web-services/shop-web',
      ['shop-web'],
    ],
    [
      'no group',
      edit().remove('SERVICE_GROUP_MEMBERS', { SERVICE_NAME: 'shop-web' }),
      'no-group SERVICES shop-web',
      ['shop-web'],
    ],
    [
      'provisioned in one table only',
      edit().set('SERVICES', { NAME: 'shop-web' }, { PROVISIONED: 'no' }),
      'provisioned-differs SERVICE_GROUP_MEMBERS shop-services/shop-web',
      ['shop-web'],
    ],
    [
      'a group out of the domain',
      edit().remove('SERVICE_DOMAIN_MEMBERS', { SERVICE_GROUP_NAME: 'web-services' }),
      'no-domain-member SERVICE_GROUPS web-services',
      ['web-status'],
    ],
    [
      'too many copies',
      edit().set('SERVICE_DOMAIN_MEMBERS', { SERVICE_GROUP_NAME: 'web-services' }, { N_ACTIVE: 3 }),
      'bad-count SERVICE_DOMAIN_MEMBERS controller/web-services',
      ['web-status'],
    ],
    ...['none', 'N to 1', 'N to N'].map((model): [string, ReturnType<typeof edit>, string, string[]] => [
      `the model ${model}, which nothing keeps`,
      edit().set(
        'SERVICE_DOMAIN_MEMBERS',
        { SERVICE_GROUP_NAME: 'web-services' },
        { REDUNDANCY_MODEL: model },
      ),
      'unsupported-model SERVICE_DOMAIN_MEMBERS controller/web-services',
      ['web-status'],
    ]),
    [
      'no copy',
      edit().set('SERVICE_DOMAIN_MEMBERS', { SERVICE_GROUP_NAME: 'web-services' }, { N_ACTIVE: 0 }),
      'bad-count SERVICE_DOMAIN_MEMBERS controller/web-services',
      ['web-status'],
    ],
    [
      'a group to wait for that is not there',
      edit().set(
        'SERVICE_DOMAIN_MEMBERS',
        { SERVICE_GROUP_NAME: 'web-services' },
        { ACTIVE_ONLY_IF_ACTIVE: 'shops' },
      ),
      'unknown-group SERVICE_DOMAIN_MEMBERS controller/web-services',
      ['web-status'],
    ],
    [
      'no disable',
      edit().remove('SERVICE_ACTIONS', { SERVICE_NAME: 'web-status', ACTION: 'disable' }),
      'missing-action SERVICE_ACTIONS web-status/disable',
      ['web-status'],
    ],
    [
      'go-active alone',
      edit().remove('SERVICE_ACTIONS', { SERVICE_NAME: 'shop-store', ACTION: 'go-standby' }),
      'half-promotable SERVICE_ACTIONS shop-store/go-standby',
      SHOP,
    ],
    [
      'no provider',
      edit().set('SERVICE_ACTIONS', { SERVICE_NAME: 'web-status', ACTION: 'enable' }, { PLUGIN_CLASS: '' }),
      'bad-class SERVICE_ACTIONS web-status/enable',
      ['web-status'],
    ],
    [
      'an = in a value',
      edit().set('SERVICE_INSTANCES', { SERVICE_NAME: 'shop-web' }, { INSTANCE_PARAMETERS: 'a=b=c' }),
      'bad-parameters SERVICE_INSTANCES shop-web',
      ['shop-web'],
    ],
    [
      'an action of no service',
      edit().add('SERVICE_ACTIONS', {
        SERVICE_NAME: 'ghost',
        ACTION: 'enable',
        PLUGIN_TYPE: 'lsb-script',
        PLUGIN_NAME: 'x',
        PLUGIN_COMMAND: 'start',
        TIMEOUT_IN_SECS: 5,
      }),
      'unknown-service SERVICE_ACTIONS ghost/enable',
      [],
    ],
    [
      'a dependency on nothing',
      edit().set(
        'SERVICE_DEPENDENCY',
        { SERVICE_NAME: 'shop-web', ACTION: 'enable', DEPENDENT: 'shop-cache' },
        { DEPENDENT: 'shop-cash' },
      ),
      'unknown-service SERVICE_DEPENDENCY shop-web/enable/shop-cash',
      ['shop-web'],
    ],
    [
      'an empty dependent',
      edit().set(
        'SERVICE_DEPENDENCY',
        { SERVICE_NAME: 'shop-web', ACTION: 'enable', DEPENDENT: 'shop-cache' },
        { DEPENDENT: '' },
      ),
      'bad-cell SERVICE_DEPENDENCY shop-web/enable/',
      ['shop-web'],
    ],
    [
      'a dependency on itself',
      edit().set(
        'SERVICE_DEPENDENCY',
        { SERVICE_NAME: 'shop-web', ACTION: 'enable', DEPENDENT: 'shop-cache' },
        { DEPENDENT: 'shop-web' },
      ),
      'self-dependency SERVICE_DEPENDENCY shop-web/enable/shop-web',
      ['shop-web'],
    ],
    [
      'a bad result rule',
      edit().set(
        'SERVICE_ACTION_RESULTS',
        { PLUGIN_TYPE: 'ocf-script', PLUGIN_EXIT_CODE: '7' },
        { SERVICE_STATE: 'off' },
      ),
      'bad-cell SERVICE_ACTION_RESULTS ocf-script/default/default/7',
      [],
    ],
  ];

  test.each(cases)('%s', (_name, spoiled, error, lost) => {
    const result = spoiled.build();
    expect(errors(result)).toEqual([error]);
    expect(services(result)).toEqual([...SHOP, 'web-status'].filter((name) => !lost.includes(name)));
  });

  test('a lost service takes along those that wait for it, with the reason', () => {
    const result = edit().set('SERVICES', { NAME: 'shop-queue' }, { MAX_FAILURES: 'x' }).build();
    expect(services(result)).toEqual(['shop-store', 'shop-cache', 'web-status']);
    expect(warnings(result).filter((text) => text.startsWith('depends-on'))).toEqual([
      'depends-on-quarantined SERVICE_DEPENDENCY shop-worker/enable/shop-queue',
      'depends-on-quarantined SERVICE_DEPENDENCY shop-web/enable/shop-worker',
    ]);
    expect(result.set?.groups.get('shop-services')?.members.map((member) => member.service)).toEqual([
      'shop-store',
      'shop-cache',
    ]);
  });

  test.each(['enable', 'disable', 'go-standby'])('a circle of %s', (action) => {
    const wanted = action === 'enable' ? 'enabled-active' : 'disabled';
    const dependency = (from: string, to: string): Cells => ({
      DEPENDENCY_TYPE: 'action',
      SERVICE_NAME: from,
      STATE: 'not-applicable',
      ACTION: action,
      DEPENDENT: to,
      DEPENDENT_STATE: wanted,
    });
    const [low, high] = action === 'enable' ? ['shop-store', 'shop-web'] : ['shop-web', 'shop-store'];
    const circle = edit().add('SERVICE_DEPENDENCY', dependency(low!, high!));
    if (action === 'go-standby')
      circle
        .add('SERVICE_DEPENDENCY', dependency('shop-cache', 'shop-web'))
        .add('SERVICE_DEPENDENCY', dependency('shop-queue', 'shop-web'));
    const result = circle.build();
    expect(errors(result)).toHaveLength(1);
    for (const error of errors(result)) expect(error).toMatch(/^dependency-cycle SERVICE_DEPENDENCY /);
    expect(services(result)).not.toContain('shop-store');
    expect(services(result)).toContain('web-status');
  });

  test('a circle by way of promotion: enabled waits for what only a promoted one allows', () => {
    const result = edit()
      .add('SERVICE_DEPENDENCY', {
        DEPENDENCY_TYPE: 'action',
        SERVICE_NAME: 'shop-store',
        STATE: 'not-applicable',
        ACTION: 'go-active',
        DEPENDENT: 'shop-cache',
        DEPENDENT_STATE: 'enabled-active',
      })
      .build();
    expect(errors(result)).toHaveLength(1);
    expect(errors(result)[0]).toMatch(/^dependency-cycle/);
  });

  test('groups that wait for each other', () => {
    const result = edit()
      .set(
        'SERVICE_DOMAIN_MEMBERS',
        { SERVICE_GROUP_NAME: 'web-services' },
        { ACTIVE_ONLY_IF_ACTIVE: 'shop-services' },
      )
      .set(
        'SERVICE_DOMAIN_MEMBERS',
        { SERVICE_GROUP_NAME: 'shop-services' },
        { ACTIVE_ONLY_IF_ACTIVE: 'web-services' },
      )
      .build();
    expect(errors(result)).toHaveLength(1);
    expect(errors(result)[0]).toMatch(/^active-only-cycle/);
    expect(services(result)).toEqual([]);
  });

  test('an aggregate and a group that runs everywhere that wait for each other', () => {
    const shop = { SERVICE_GROUP_NAME: 'shop-services' };
    const web = { SERVICE_GROUP_NAME: 'web-services' };
    const rows = (aggregate: string) =>
      edit()
        .add('SERVICE_GROUPS', {
          PROVISIONED: 'yes',
          NAME: 'third-services',
          AUTO_RECOVER: 'no',
          CORE: 'no',
          FAILURE_DEBOUNCE: 1000,
          FATAL_ERROR_REBOOT: 'no',
        })
        .add('SERVICE_DOMAIN_MEMBERS', {
          PROVISIONED: 'yes',
          NAME: 'controller',
          SERVICE_GROUP_NAME: 'third-services',
          REDUNDANCY_MODEL: 'N + M',
          N_ACTIVE: 1,
          M_STANDBY: 1,
          SERVICE_GROUP_AGGREGATE: aggregate,
          ACTIVE_ONLY_IF_ACTIVE: 'web-services',
        })
        .set('SERVICE_DOMAIN_MEMBERS', shop, {
          SERVICE_GROUP_AGGREGATE: 'one',
          ACTIVE_ONLY_IF_ACTIVE: '',
        })
        .set('SERVICE_DOMAIN_MEMBERS', web, { ACTIVE_ONLY_IF_ACTIVE: 'shop-services' })
        .build();
    expect(sentences(rows('one'))).toEqual([
      expect.stringMatching(/circle: web-services -> aggregate one -> web-services$/),
    ]);
    expect(errors(rows('two'))).toEqual([]);
  });
});

describe('heartbeats', () => {
  const row = {
    PROVISIONED: 'yes',
    NAME: 'shop-web',
    TYPE: 'udp',
    SRC_PORT: 4001,
    DST_PORT: 4002,
    MESSAGE: 'alive?',
    INTERVAL_IN_MS: 500,
    MISSED_WARN: 2,
    MISSED_DEGRADE: 0,
    MISSED_FAIL: 4,
  };
  const built = (change: Cells) =>
    edit()
      .add('SERVICE_HEARTBEAT', { ...row, ...change })
      .build();
  const heartbeat = (result: BuildResult) => result.set?.services.get('shop-web')?.heartbeat;

  test('a good row is part of its service, on the loopback', () => {
    expect(errors(built({}))).toEqual([]);
    expect(heartbeat(built({}))).toEqual({
      address: '127.0.0.1',
      port: 4001,
      servicePort: 4002,
      message: 'alive?',
      intervalMs: 500,
      missedWarn: 2,
      missedDegrade: 0,
      missedFail: 4,
    });
    expect(heartbeat(built({ DST_ADDRESS: '::1', SRC_ADDRESS: '::1' }))?.address).toBe('::1');
    expect(heartbeat(built({ PROVISIONED: 'no', TYPE: 'unix' }))).toBeUndefined();
    expect(heartbeat(edit().drop('SERVICE_HEARTBEAT').build())).toBeUndefined();
  });

  test.each([
    [{ TYPE: 'unix' }, /TYPE must be udp/],
    [{ DST_PORT: '' }, /must be set/],
    [{ SRC_ADDRESS: '0.0.0.0' }, /must be empty, 127.0.0.1 or ::1/],
    [{ SRC_ADDRESS: '::1' }, /of one family/],
    [{ SRC_PORT: 4002 }, /must differ/],
    [{ INTERVAL_IN_MS: 5 }, /INTERVAL_IN_MS must be from 100/],
    [{ MISSED_WARN: 0, MISSED_FAIL: 0 }, /must be more than 0/],
    [{ MISSED_WARN: 5 }, /must not fall/],
    [{ NAME: 'nobody' }, /SERVICES has no service nobody/],
  ])('%j is named and left out, and the service runs without', (change, sentence) => {
    const result = built(change);
    expect(sentences(result).join()).toMatch(sentence);
    expect(services(result)).toContain('shop-web');
    expect(heartbeat(result)).toBeUndefined();
  });
});

describe('core groups', () => {
  const member = (group: string) => ({ SERVICE_GROUP_NAME: group });
  const core = (group: string) => edit().set('SERVICE_GROUPS', { NAME: group }, { CORE: 'yes' });

  test('run on every node', () => {
    expect(sentences(core('shop-services').build())).toEqual([
      expect.stringMatching(/set N_ACTIVE to 2, or CORE to no$/),
    ]);
    expect(errors(core('web-services').build())).toEqual([]);
    expect(core('web-services').build().set?.groups.get('web-services')?.core).toBe(true);
  });

  test('need no group that is not core', () => {
    const result = core('web-services')
      .set('SERVICE_DOMAIN_MEMBERS', member('web-services'), { ACTIVE_ONLY_IF_ACTIVE: 'shop-services' })
      .set('SERVICE_DOMAIN_MEMBERS', member('shop-services'), { ACTIVE_ONLY_IF_ACTIVE: '' })
      .build();
    expect(sentences(result)).toEqual([expect.stringMatching(/only beside shop-services/)]);
  });
});

describe('interfaces', () => {
  const oam = { SERVICE_DOMAIN_INTERFACE: 'oam-interface' };
  const left = (result: BuildResult): string[] => (result.set?.interfaces ?? []).map((each) => each.role);

  test.each([
    ['the public key', { AUTH_KEY: 'titanium-server' }, 'public-key'],
    ['no key', { AUTH_KEY: '' }, 'no-key'],
    ['no signature', { AUTH_TYPE: 'none' }, 'unsigned'],
    ['no address', { NETWORK_ADDRESS: '10.0.0.256' }, 'bad-address'],
    [
      'an address of the other family',
      { NETWORK_ADDRESS: '10.0.0.1', NETWORK_TYPE: 'ipv6-udp' },
      'bad-address',
    ],
    ['a wrong port', { NETWORK_PORT: 70_000 }, 'bad-cell'],
    ['an unknown role', { SERVICE_DOMAIN_INTERFACE: 'fourth-interface' }, 'bad-cell'],
    ['an unknown domain', { SERVICE_DOMAIN: 'elsewhere' }, 'unknown-domain'],
  ])('%s: that link is out, the others stay', (_name, cells, code) => {
    const result = edit().set('SERVICE_DOMAIN_INTERFACES', oam, cells).build();
    expect(errors(result)).toHaveLength(1);
    expect(errors(result)[0]).toContain(`${code} SERVICE_DOMAIN_INTERFACES `);
    expect(left(result)).toEqual(['management-interface', 'cluster-host-interface']);
  });

  test('an unsigned link that is meant is a standing warning', () => {
    const result = edit()
      .set('SERVICE_DOMAIN_INTERFACES', oam, { AUTH_TYPE: 'none', AUTH_KEY: '' })
      .add('SM_INTERFACE_FACTS', {
        SERVICE_DOMAIN: 'controller',
        ...oam,
        ALLOW_UNSIGNED: 'yes',
        AUTH_KEY_PREVIOUS: '',
      })
      .build();
    expect(errors(result)).toEqual([]);
    expect(warnings(result)).toContain('unsigned SERVICE_DOMAIN_INTERFACES controller/oam-interface');
    expect(left(result)).toHaveLength(3);
  });

  test('a fourth one is too many', () => {
    const result = edit()
      .add('SERVICE_DOMAIN_INTERFACES', {
        PROVISIONED: 'yes',
        SERVICE_DOMAIN: 'controller',
        SERVICE_DOMAIN_INTERFACE: 'admin-interface',
        AUTH_KEY: 'k',
      })
      .build();
    expect(errors(result)).toEqual([
      'too-many-interfaces SERVICE_DOMAIN_INTERFACES controller/admin-interface',
    ]);
    expect(left(result)).toHaveLength(3);
  });

  test.each([
    ['10.0.0.1', 'ipv4-udp'],
    ['fd00::12', 'ipv6-udp'],
    ['fe80::1%eth0', 'ipv6-udp'],
  ])('%s is %s where no type is given', (address, type) => {
    const result = edit().set('SERVICE_DOMAIN_INTERFACES', oam, { NETWORK_ADDRESS: address }).build();
    expect(result.set?.interfaces.at(-1)).toMatchObject({ address, networkType: type });
  });
});

describe('an error of the domain is fatal', () => {
  const CONTROLLER = { NAME: 'controller' };
  const SAFETY = { SERVICE_DOMAIN: 'controller' };
  test.each<[string, Edit, string]>([
    ['no domain', edit().remove('SERVICE_DOMAINS', CONTROLLER), 'no-domain SERVICE_DOMAINS'],
    [
      'two domains',
      edit().add('SERVICE_DOMAINS', { NAME: 'other' }),
      'several-domains SERVICE_DOMAINS other',
    ],
    [
      'a bad cell',
      edit().set('SERVICE_DOMAINS', CONTROLLER, { PREEMPT: 'maybe' }),
      'bad-cell SERVICE_DOMAINS controller',
    ],
    [
      'dead before three hellos',
      edit().set('SERVICE_DOMAINS', CONTROLLER, { HELLO_INTERVAL: 300 }),
      'bad-timing SERVICE_DOMAINS controller',
    ],
    [
      'no time for the self-fence',
      edit().set('SM_DOMAIN_SAFETY', SAFETY, { STOP_GRACE: 200 }),
      'bad-timing SM_DOMAIN_SAFETY controller',
    ],
    [
      'permission too short',
      edit().set('SM_DOMAIN_SAFETY', SAFETY, { LINK_DOWN_DETECT: 300 }),
      'bad-timing SM_DOMAIN_SAFETY controller',
    ],
    ['no node', edit().remove('SM_DOMAIN_NODES', {}), 'no-nodes SM_DOMAIN_NODES controller'],
    ['no table', edit().drop('SERVICES'), 'missing-table SERVICES -'],
  ])('%s', (_name, spoiled, error) => {
    const result = spoiled.build();
    expect(
      errors(result).some((text) => text.startsWith(error)),
      errors(result).join('\n'),
    ).toBe(true);
    expect(result.set).toBeNull();
  });

  test('the same short permission is fine where nobody takes over by time', () => {
    const result = edit()
      .set('SM_DOMAIN_SAFETY', SAFETY, { LINK_DOWN_DETECT: 300, SILENCE_POLICY: 'stay' })
      .build();
    expect(errors(result)).toEqual([]);
    expect(warnings(result).join()).not.toContain('policy-takeover');
  });
});

test('one node alone (simplex): it is said, and what one of two may run is exclusive all the same', () => {
  const result = edit().remove('SM_DOMAIN_NODES', { NODE_NAME: 'controller-1' }).build();
  expect(errors(result)).toEqual([]);
  expect(warnings(result)).toContain('one-node SM_DOMAIN_NODES controller');
  expect(result.set?.nodes).toEqual(['controller-0']);
  expect([...(result.set?.groups.values() ?? [])].map((group) => group.exclusive)).toEqual([true, false]);
});

describe('warnings', () => {
  test('a missing mirror, and none where the way back goes by way of another', () => {
    const gap = edit()
      .remove('SERVICE_DEPENDENCY', { SERVICE_NAME: 'shop-cache', ACTION: 'disable' })
      .build();
    expect(warnings(gap)).toContain('missing-mirror SERVICE_DEPENDENCY shop-web/enable/shop-cache');
    const round = edit()
      .add('SERVICE_DEPENDENCY', {
        DEPENDENCY_TYPE: 'action',
        SERVICE_NAME: 'shop-web',
        STATE: 'not-applicable',
        ACTION: 'enable',
        DEPENDENT: 'shop-store',
        DEPENDENT_STATE: 'enabled-active',
      })
      .build();
    expect(warnings(round)).toEqual(STANDING);
  });

  test('one missing audit is a warning, two are an error', () => {
    const one = edit().remove('SERVICE_ACTIONS', { SERVICE_NAME: 'web-status', ACTION: 'audit-disabled' });
    expect(warnings(one.build())).toContain('missing-audit SERVICE_ACTIONS web-status/audit-disabled');
    const none = one
      .remove('SERVICE_ACTIONS', { SERVICE_NAME: 'web-status', ACTION: 'audit-enabled' })
      .build();
    expect(errors(none)).toEqual(['missing-audit SERVICE_ACTIONS web-status/audit-enabled']);
  });

  test('a missing instance row is made up for', () => {
    const result = edit().remove('SERVICE_INSTANCES', { SERVICE_NAME: 'web-status' }).build();
    expect(warnings(result)).toContain('no-instance SERVICE_INSTANCES web-status');
    expect(result.set?.services.get('web-status')).toMatchObject({
      instanceName: 'web-status',
      instanceParameters: '',
    });
  });

  test('settings: unknown keys and senseless values', () => {
    const result = edit()
      .set('CONFIGURATION', {}, { VALUE: 'many' })
      .add('CONFIGURATION', { KEY: 'ENABELING', VALUE: '1' })
      .build();
    expect(warnings(result).slice(STANDING.length)).toEqual([
      'unknown-setting CONFIGURATION ENABELING',
      'bad-setting CONFIGURATION ENABLING_THROTTLE',
    ]);
    expect(result.set?.enablingThrottle).toBe(1000);
  });

  test('a script that is not here: a warning, or an error where it is needed; the service stays', () => {
    const scriptProblem = (_type: string, _class: string, name: string): string | null =>
      name === 'sm-worker' ? 'not there' : null;
    const ask = (scriptsNeeded: 'none' | 'provisioned' | 'all', provisioned = 'yes'): BuildResult =>
      edit()
        .set('SERVICES', { NAME: 'shop-worker' }, { PROVISIONED: provisioned })
        .set('SERVICE_GROUP_MEMBERS', { SERVICE_NAME: 'shop-worker' }, { PROVISIONED: provisioned })
        .build({ scriptProblem, scriptsNeeded });
    const problem = 'missing-script SERVICE_ACTIONS shop-worker/enable';
    expect([errors(ask('none')), warnings(ask('none')).includes(problem)]).toEqual([[], true]);
    expect(errors(ask('provisioned'))).toEqual([problem]);
    expect(errors(ask('provisioned', 'no'))).toEqual([]);
    expect(errors(ask('all', 'no'))).toEqual([problem]);
    expect(services(ask('provisioned'))).toContain('shop-worker');
  });
});

describe('the digest', () => {
  const digest = (spoiled: Edit): string => spoiled.build().set?.digest ?? '';
  const plain = digest(edit());
  test("is the same whatever the order, the state and the node's own facts", () => {
    expect(plain).toMatch(/^[0-9a-f]{16}$/);
    const own = edit()
      .set('SERVICE_DOMAIN_INTERFACES', {}, { NETWORK_ADDRESS: '10.0.0.1', NETWORK_PORT: 2222 })
      .set('SERVICES', { NAME: 'shop-web' }, { STATE: 'enabled-active', PID_FILE: '/run/x.pid' })
      .set('SERVICE_INSTANCES', { SERVICE_NAME: 'shop-web' }, { INSTANCE_NAME: 'shop-web:1' });
    expect(digest(own)).toBe(plain);
    const turned = buildDefinitions(new Map([...DEMO].map(([name, rows]) => [name, [...rows].reverse()])));
    expect(turned.set?.digest).toBe(plain);
  });
  test.each<[string, Edit]>([
    [
      'a time-out',
      edit().set('SERVICE_ACTIONS', { SERVICE_NAME: 'shop-web', ACTION: 'enable' }, { TIMEOUT_IN_SECS: 11 }),
    ],
    [
      'a row less',
      edit().remove('SERVICE_DEPENDENCY', { SERVICE_NAME: 'shop-web', DEPENDENT: 'shop-cache' }),
    ],
    ['the policy', edit().set('SM_DOMAIN_SAFETY', {}, { SILENCE_POLICY: 'stay' })],
  ])('is another one after a change of %s', (_name, changed) => {
    expect(digest(changed)).not.toBe(plain);
  });
});
