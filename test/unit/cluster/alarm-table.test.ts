/** Every alarm of docs/reference/alarms.md: what raises it, and what clears it again. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { standingAlarms } from '../../../src/core/cluster/alarm-rules.ts';
import type { ClusterContext } from '../../../src/core/cluster/context.ts';
import { Engine } from '../../../src/core/engine.ts';
import { definitionsOf } from '../../../src/sim/definitions.ts';
import { PAIR } from '../../../src/sim/options.ts';
import { QUIET_WORLD } from '../../../src/sim/quiet.ts';
import {
  A,
  B,
  ClusterDriver,
  type ClusterOptions,
  everywhere,
  life,
  NOTHING,
  pairGroup,
} from '../../support/cluster-driver.ts';
import { MANAGEMENT } from '../../support/guard-driver.ts';

/** Raised by what happens to a pair in order, and cleared by what happens then. */
interface Row {
  readonly id: string;
  readonly severity: string;
  readonly entity: string;
  readonly reason: RegExp;
  readonly repair: RegExp;
  readonly raise: (c: ClusterDriver) => void;
  readonly clear: (c: ClusterDriver) => void;
  readonly options?: ClusterOptions;
}

const GROUP = 'service_domain=controller.service_group=oam';
const PATIENCE_MS = 3000;

function link(c: ClusterDriver, heard: boolean): void {
  c.fact({ type: 'guard.link', role: MANAGEMENT, up: true, heard, reason: heard ? '' : 'no frames arrive' });
  c.pass(PATIENCE_MS);
}

function theirs(c: ClusterDriver, change: Parameters<ClusterDriver['peerGroup']>[1], digest = 'd'): void {
  c.peerGroup('oam', change);
  c.report({ domainState: 'backup', leader: A, number: 2, settled: true, definitionDigest: digest });
  c.pass(PATIENCE_MS);
}

function gateway(c: ClusterDriver, answers: boolean): void {
  const reason = answers ? '' : 'its gateway does not answer';
  c.fact({ type: 'guard.gateway', role: MANAGEMENT, answers, reason });
}

function own(c: ClusterDriver, change: Parameters<ClusterDriver['local']['set']>[1]): void {
  c.local.set('oam', change);
  c.cluster.evaluate(c.now);
}

const FAILED = { status: 'failed', condition: 'recovery-failure', reason: 'disk broken' } as const;
const WELL = { status: '', condition: '', reason: '', parked: '' } as const;

const ROWS: readonly Row[] = [
  {
    id: 'gateway-unreachable',
    severity: 'major',
    entity: `host=${A}.network=${MANAGEMENT}`,
    reason: /^gateway .* of management-interface: its gateway does not answer; while the peer is not heard/,
    repair: /switch of management-interface, the router/,
    raise: (c) => gateway(c, false),
    clear: (c) => gateway(c, true),
  },
  {
    id: '400.001',
    severity: 'major',
    entity: `${GROUP}.host=${A}`,
    reason: /^oam is degraded on .*: disk slow$/,
    repair: /smctl explain group oam/,
    raise: (c) => own(c, { status: 'degraded', reason: 'disk slow' }),
    clear: (c) => own(c, WELL),
  },
  {
    id: '400.002',
    severity: 'major',
    entity: GROUP,
    reason: /^oam has lost its redundancy: 1 of 1 active, 0 of 1 standby$/,
    repair: /smctl explain node/,
    raise: (c) => theirs(c, { state: 'disabled' }),
    clear: (c) => theirs(c, { state: 'standby' }),
  },
  {
    id: '400.005',
    severity: 'major',
    entity: `host=${A}.network=${MANAGEMENT}`,
    reason: /is not heard on management-interface: no frames arrive/,
    repair: /cable, switch/,
    raise: (c) => link(c, false),
    clear: (c) => link(c, true),
  },
  {
    id: 'group-failed',
    severity: 'critical',
    entity: GROUP,
    reason: /^oam has failed on every node/,
    repair: /smctl recover oam/,
    raise: (c) => {
      theirs(c, FAILED);
      own(c, FAILED);
    },
    clear: (c) => theirs(c, WELL),
  },
  {
    id: 'reboot-withheld',
    severity: 'major',
    entity: `host=${A}.service_group=oam`,
    reason: /does not do that now: .*within 15 minutes of a boot/,
    repair: /smctl recover oam/,
    raise: (c) => own(c, { ...FAILED, condition: 'fatal-failure', parked: 'fatal-failure' }),
    clear: (c) => own(c, WELL),
    options: { groups: [pairGroup('oam', { fatalErrorReboot: true })] },
  },
  {
    id: 'node-not-ready',
    severity: 'major',
    entity: `host=${A}`,
    reason: /is given no groups: the disk is not there/,
    repair: /smctl explain node/,
    raise: (c) => {
      c.cluster.onReady(false, 'the disk is not there', c.now);
      c.pass(PATIENCE_MS);
    },
    clear: (c) => c.cluster.onReady(true, '', c.now),
  },
  {
    id: 'node-locked',
    severity: 'minor',
    entity: `host=${B}`,
    reason: /is locked/,
    repair: new RegExp(`^smctl unlock ${B}$`),
    raise: (c) => void c.command('lock', B),
    clear: (c) => void c.command('unlock', B),
  },
  {
    id: 'definitions-differ',
    severity: 'major',
    entity: `host=${B}`,
    reason: /run different definitions/,
    repair: /smctl check --json/,
    raise: (c) => theirs(c, {}, 'another digest'),
    clear: (c) => theirs(c, {}),
  },
  {
    id: 'duplicate-identity',
    severity: 'critical',
    entity: `host=${A}`,
    reason: /under the name of this node \(life 74776f\w\w\)/,
    repair: /stop sm on one of the two machines/,
    raise: (c) => c.fact({ type: 'guard.duplicate', processLife: life('two') }),
    clear: (c) => c.hello(),
  },
  {
    id: 'store-failed',
    severity: 'critical',
    entity: `host=${A}`,
    reason: /gives its groups up: disk full$/,
    repair: /make room/,
    raise: (c) => c.cluster.onStore('disk full', c.now),
    clear: (c) => c.cluster.onStore('', c.now),
  },
];

describe.each(ROWS)('$id', ({ id, severity, entity, reason, repair, raise, clear, options }) => {
  it(`is ${severity} about ${entity}, says what to do, and goes by itself`, () => {
    const c = new ClusterDriver(options).lead();
    theirs(c, {});
    const standing = () => c.cluster.alarms().find((each) => each.id === id && each.entity === entity);
    expect(standing()).toBeUndefined();
    raise(c);
    expect(standing()).toMatchObject({ severity, reason: expect.stringMatching(reason) });
    expect(standing()?.repair).toMatch(repair);
    clear(c);
    expect(standing()).toBeUndefined();
  });
});

describe('what the definitions alone call for', () => {
  const interfaces = (authType: string) => [{ role: MANAGEMENT, authType }];
  const context = (silencePolicy: string, authType: string) =>
    ({
      me: A,
      peer: { name: B },
      definitions: { domain: { name: 'controller', silencePolicy }, interfaces: interfaces(authType) },
    }) as unknown as ClusterContext;

  it.each([
    ['takeover', 'no-arbiter-takeover'],
    ['stay', 'no-arbiter-stay'],
  ] as const)('%s: %s, with an arbiter none', (policy, id) => {
    expect(standingAlarms(context(policy, 'hmac-sha512'), policy, false)).toMatchObject([
      { id, entity: 'controller', severity: 'minor', repair: expect.stringMatching(/^configure an arbiter/) },
    ]);
    expect(standingAlarms(context(policy, 'hmac-sha512'), 'record', false)).toEqual([]);
  });

  it('unsigned-interface: where frames are not signed', () => {
    expect(standingAlarms(context('takeover', 'none'), 'record', false)).toMatchObject([
      {
        id: 'unsigned-interface',
        entity: `host=${A}.network=${MANAGEMENT}`,
        severity: 'major',
        repair: expect.stringMatching(/smctl key new/),
      },
    ]);
  });
});

it('notification-failed: raised by a hook that goes wrong, cleared by the next change that goes well', () => {
  const groups = [{ ...PAIR, name: 'oam', services: [] }] as const;
  const definitions = definitionsOf({ ...QUIET_WORLD, groups, nodes: [A] }, 0);
  const facts = { node: A, definitions, kernelLife: life('own kernel'), restored: NOTHING, startedWallMs: 0 };
  const engine = new Engine({ ...facts, barriers: new Map() }, () => {});
  engine.start(1000);
  const told = (problem: string) =>
    engine.step({ type: 'group.notified', group: 'oam', state: 'active', problem }, 2000);
  const standing = () => engine.view(2000).alarms.filter(({ id }) => id === 'notification-failed');
  expect(standing()).toEqual([]);
  told('10-route (active): it ended with exit code 3');
  expect(standing()).toMatchObject([
    {
      entity: 'service_group=oam',
      severity: 'minor',
      reason: '10-route (active): it ended with exit code 3',
      repair: expect.stringMatching(/^mend or remove the hook/),
    },
  ]);
  told('');
  expect(standing()).toEqual([]);
});

describe('a peer that is silent', () => {
  const redundancy = (c: ClusterDriver) => {
    c.pass(PATIENCE_MS);
    return c.cluster.alarms().find(({ id }) => id === '400.002');
  };
  const follower = (options: ClusterOptions) => {
    const c = new ClusterDriver(options);
    c.peerGroup('oam', { state: 'active', runs: 3, holder: B, holderActivation: 3 });
    return c.follow();
  };

  it('may run what does not run here: that is not known, and not said to be nowhere', () => {
    const c = follower({ domain: { silencePolicy: 'stay' } });
    c.silent(false);
    expect(redundancy(c)).toMatchObject({
      severity: 'major',
      reason: `oam is not known to be active: 0 of 1 active, 0 of 1 standby here; what ${B} runs is not known`,
    });
  });

  it('runs nothing by its own word', () => {
    const c = follower({ domain: { silencePolicy: 'stay' } });
    c.cluster.onReady(false, 'checks', c.now);
    c.peerGroup('oam', { state: 'disabled', runs: 0, holder: '', inactive: true });
    c.report({ domainState: 'leader', leader: B, number: 5, settled: true }, true);
    expect(redundancy(c)).toMatchObject({
      severity: 'critical',
      reason: expect.stringMatching(/^oam is active nowhere: 0 of 1/),
    });
  });

  it('acts for nobody beside the node that holds the number', () => {
    const c = new ClusterDriver({ groups: [pairGroup('oam'), everywhere('web')] }).lead();
    c.silent(false);
    expect(redundancy(c)).toMatchObject({
      severity: 'major',
      reason: expect.stringContaining('1 of 1 active'),
    });
    own(c, { ...FAILED, state: 'disabled' });
    expect(redundancy(c)).toMatchObject({
      severity: 'critical',
      reason: expect.stringMatching(/active nowhere/),
    });
    // What needs no permission may run there beside us.
    const web = c.cluster.alarms().find(({ id, entity }) => id === '400.002' && entity.endsWith('web'));
    expect(web).toMatchObject({
      severity: 'major',
      reason: expect.stringContaining(`what ${B} runs is not known`),
    });
  });
});

it('is every alarm of the page, and no other', () => {
  const page = readFileSync(
    fileURLToPath(new URL('../../../docs/reference/alarms.md', import.meta.url)),
    'utf8',
  );
  const documented = [...page.matchAll(/^\| ([a-z0-9., -]+) \|/gm)].flatMap(([, ids = '']) =>
    ids.split(', '),
  );
  const elsewhere = readFileSync(fileURLToPath(new URL('./arbiter-alarms.test.ts', import.meta.url)), 'utf8');
  const here = [
    ...ROWS.map(({ id }) => id),
    ...['no-arbiter-takeover', 'no-arbiter-stay', 'unsigned-interface', 'notification-failed'],
    ...['no-third-vote', 'cannot-be-fenced', 'peer-not-replaced', 'paused-virtual-machine'].filter((id) =>
      elsewhere.includes(`'${id}'`),
    ),
  ];
  expect([...here].sort()).toEqual(documented.filter((id) => id !== 'id').sort());
});
