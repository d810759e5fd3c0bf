import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Context, Daemon } from '../../src/cli/command.ts';
import { coloured, columns, parseDuration, plain } from '../../src/cli/format.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import type { EngineView } from '../../src/core/view.ts';
import { ControlError } from '../../src/shell/client.ts';
import { group, NOW, operation, service, view, WALL } from '../unit/cli/views.ts';
import { type Fixture, lastJson, makeFixture, type Printed, run } from './fixture.ts';

let fixture: Fixture;
beforeAll(() => {
  fixture = makeFixture();
});
afterAll(() => fixture.remove());

/** A daemon that shows one view after the other (the last one for ever) and keeps what it was told. */
class FakeDaemon implements Daemon {
  readonly commands: unknown[] = [];
  readonly #views: (EngineView | Error)[];
  readonly #reply: object | Error;

  constructor(views: (EngineView | Error)[], reply: object | Error = ACCEPTED) {
    this.#views = [...views];
    this.#reply = reply;
  }

  async request(method: string, params: object = {}): Promise<unknown> {
    if (method === 'command') this.commands.push(params);
    const answer =
      method === 'command' ? this.#reply : this.#views.length > 1 ? this.#views.shift() : this.#views[0];
    if (answer instanceof Error) throw answer;
    return answer;
  }

  close(): void {}
}

const ACCEPTED = { ok: true, code: '', message: '', operation: 'controller-0-ab-1' };
const AWAY = new ControlError('not-running', 'sm does not run: nobody listens on control.sock');

const smctl = (words: string, daemon?: Daemon, change: Partial<Context> = {}): Promise<Printed> =>
  run(SMCTL, words.split(' '), fixture, { ...change, ...(daemon === undefined ? {} : { daemon }) });

/* status */

test('status fits on one screen and names what matters', async () => {
  const daemon = new FakeDaemon([
    view({
      links: [
        { role: 'management-interface', up: true, heard: true, reason: 'heard now' },
        { role: 'oam-interface', up: false, heard: false, reason: 'no carrier' },
      ],
      services: [service('nginx', { state: 'disabled', status: 'failed', reason: 'enable exited with 1' })],
      operations: [operation({ why: 'kernel update' }), operation({ id: 'x', step: 'done' })],
      alarms: [
        {
          id: 'policy-takeover',
          entity: 'controller',
          severity: 'minor',
          reason: 'no arbiter',
          repair: '',
          since: NOW,
        },
      ],
    }),
  ]);
  const printed = await smctl('status', daemon);
  expect(printed).toMatchObject({ exit: 0, err: '' });
  expect(printed.out.split('\n')).toEqual([
    'node                  controller-0',
    'domain                controller: leads, number 12',
    'permission            held, renewed for the next 700 ms',
    'policy                takeover: a silent peer is replaced after the dead interval, when our own links are up',
    'peer                  controller-1: heard',
    'management-interface  up, peer heard',
    'oam-interface         down (no carrier)',
    '',
    'node          state                       ready',
    'controller-0  unlocked-enabled-available  enabled',
    'controller-1  unlocked-enabled-available  enabled',
    '',
    'group  controller-0  controller-1',
    'web    active        standby',
    '',
    'failures',
    '  nginx  disabled, failed  enable exited with 1',
    '',
    'pending',
    '  swact controller-0, asked 2027-01-15T08:00:00.000Z  stopping  alice  kernel update',
    '',
    'alarms',
    '  minor  policy-takeover  controller  no arbiter',
    '',
  ]);
});

test('status tells the last known state of a silent peer as what it is', async () => {
  const known = view();
  const active = { ...known.assignments[1]!, state: 'active' as const };
  const peer = { ...known.peer!, heard: false, exchanged: false, silentSince: NOW - 60_000 };
  const daemon = new FakeDaemon([view({ peer, assignments: [known.assignments[0]!, active] })]);
  const { out } = await smctl('status', daemon);
  expect(out).toMatch(/^peer +controller-1: silent for 1 min$/m);
  expect(out).toMatch(/^controller-1 +unlocked-enabled-available +unknown$/m);
  expect(out).toMatch(/^web +active +unknown \(was active\)$/m);
});

test('status counts the datagrams that were not believed', async () => {
  const drops = [{ role: 'oam-interface', cause: 'bad-signature', total: 7 }];
  const shell = { watchdog: { counters: { drops } } };
  const daemon = new FakeDaemon([{ ...view(), shell } as EngineView]);
  expect(lastJson((await smctl('status --json', daemon)).out)).toMatchObject({ dropped: drops });
  expect((await smctl('status', daemon)).out).toMatch(/oam-interface +bad-signature +7/);
  expect((await smctl('status', new FakeDaemon([view()]))).out).not.toContain('dropped');
});

test('status without sm comes from the database, is marked as stale, and exits 4', async () => {
  const printed = await smctl('status');
  expect(printed.exit).toBe(4);
  expect(printed.out).toMatch(/^STALE, from the database: nobody listens on /);
  expect(printed.out).toContain('controller-services  active, degraded');
  expect(printed.out).toContain('haproxy  disabled, failed');
});

test('without sm and without a database both are said, and sm is what is missing', async () => {
  const printed = await smctl('status --database /nowhere/sm.db');
  expect(printed).toMatchObject({ exit: 4, out: '' });
  expect(printed.err).toMatch(/nobody listens on .*\n\/nowhere\/sm.db does not exist/);
});

test('status does not wait for an sm that hangs', async () => {
  const daemon = new FakeDaemon([
    new ControlError('timeout', 'sm did not answer view within 2000 ms') as never,
  ]);
  const printed = await smctl('status --json', daemon);
  expect(printed.exit).toBe(4);
  expect(lastJson(printed.out)).toMatchObject({ stale: 'sm did not answer view within 2000 ms' });
});

/* Orders */

test('swact takes this node, waits for the end, and tells the steps on the way', async () => {
  const daemon = new FakeDaemon([
    view(),
    view({ operations: [operation({ step: 'stopping' })] }),
    view({ operations: [operation({ step: 'stopping' })] }),
    AWAY as never,
    view({ operations: [operation({ step: 'activating' })] }),
    view({ operations: [operation({ step: 'done' })] }),
  ]);
  const printed = await smctl('swact', daemon);
  expect(printed).toEqual({
    exit: 0,
    out: 'swact controller-0: done\n',
    err: 'stopping\nsm is away\nactivating\n',
  });
  expect(daemon.commands).toEqual([
    { actor: 'alice', command: { kind: 'swact', node: 'controller-0', group: '', why: '', forMs: 0 } },
  ]);
});

test.each([
  ['refused', 5],
  ['failed-back', 1],
  ['timed-out', 6],
] as const)('an operation that ends as %s exits %i with its reason', async (step, exit) => {
  const daemon = new FakeDaemon([view({ operations: [operation({ step, reason: 'nginx did not stop' })] })]);
  const printed = await smctl('swact --json', daemon);
  expect(printed.exit).toBe(exit);
  expect(printed.err).toBe(`swact controller-0: ${step}: nginx did not stop\n`);
  expect(lastJson(printed.out)).toMatchObject({ ok: false, code: step, message: 'nginx did not stop' });
});

test('what does not end in time exits 6 and says that it goes on', async () => {
  let wall = WALL;
  const daemon = new FakeDaemon([view({ operations: [operation()] })]);
  const printed = await smctl('swact --wait 1s', daemon, {
    wallMs: () => wall,
    pause: async () => {
      wall += 300;
    },
  });
  expect(printed.exit).toBe(6);
  expect(printed.err).toContain('accepted, but not ended yet, it is stopping; it goes on');
});

test('a refusal exits 5 at once', async () => {
  const daemon = new FakeDaemon([view()], {
    ok: false,
    code: 'unknown-node',
    message: 'no such node',
    operation: '',
  });
  const printed = await smctl('lock controller-7 --json', daemon);
  expect(printed).toMatchObject({ exit: 5, err: 'no such node\n' });
  expect(lastJson(printed.out)).toEqual({ ok: false, code: 'unknown-node', message: 'no such node' });
});

test('without sm an order exits 4', async () => {
  expect(await smctl('lock controller-1')).toMatchObject({ exit: 4, out: '' });
});

test('lock, unlock, recover and unmanage carry their words', async () => {
  const sent = async (...words: string[]): Promise<unknown> => {
    const daemon = new FakeDaemon([view()]);
    const printed = await run(SMCTL, [...words, '--no-wait'], fixture, { daemon });
    expect(printed).toMatchObject({ exit: 0, out: 'accepted\n' });
    return (daemon.commands[0] as { command: object }).command;
  };
  expect(await sent('lock', 'controller-1', '--for', '2h', '--why', 'new disk')).toEqual({
    kind: 'lock',
    node: 'controller-1',
    group: '',
    why: 'new disk',
    forMs: 7_200_000,
  });
  expect(await sent('unlock', 'controller-1')).toMatchObject({ kind: 'unlock', node: 'controller-1' });
  expect(await sent('swact-force', 'controller-1')).toMatchObject({
    kind: 'swact-force',
    node: 'controller-1',
  });
  expect(await sent('recover', 'web', '--node', 'controller-1')).toMatchObject({
    kind: 'recover',
    node: 'controller-1',
    group: 'web',
  });
  expect(await sent('recover', 'web')).toMatchObject({ node: 'controller-0', group: 'web' });
  expect(await sent('unmanage', 'nginx', '--for', '1h30m')).toEqual({
    kind: 'unmanage',
    service: 'nginx',
    why: '',
    forMs: 5_400_000,
  });
});

test('confirm-dead takes the name twice, and a reason', async () => {
  const words = ['confirm-dead', 'controller-1', '--why', 'unplugged'];
  const daemon = new FakeDaemon([view()]);
  const by = (...more: string[]) => run(SMCTL, [...words, ...more], fixture, { daemon });
  expect(await run(SMCTL, words.slice(0, 2), fixture, { daemon })).toMatchObject({
    exit: 2,
    err: '--why is needed: say how you know that it is dead\n',
  });
  expect((await by()).err).toContain('there is nobody to ask: type the name again, --yes controller-1\n');
  expect(await by('--yes', 'controller-0')).toMatchObject({
    exit: 5,
    err: '"controller-0" is not controller-1: nothing was done\n',
  });
  expect(daemon.commands).toEqual([]);
  expect((await by('--yes', 'controller-1')).exit).toBe(0);
  const typed = { daemon, ask: async () => 'controller-1' };
  const printed = await run(SMCTL, words, fixture, typed);
  expect(printed.exit).toBe(0);
  expect(printed.err).toContain('both nodes will act at once');
  const command = { kind: 'confirm-dead', node: 'controller-1', again: 'controller-1', why: 'unplugged' };
  expect(daemon.commands).toEqual([
    { actor: 'alice', command },
    { actor: 'alice', command },
  ]);
});

test('restart waits until the service is back, and fails when it fails', async () => {
  const with_ = (change: Parameters<typeof service>[1]): EngineView =>
    view({ services: [service('nginx', change)] });
  const back = new FakeDaemon([
    with_({ state: 'disabling', running: 'disable' }),
    with_({ running: 'audit-enabled' }),
    with_({}),
  ]);
  expect(await smctl('restart nginx', back)).toEqual({
    exit: 0,
    out: 'nginx: enabled-active\n',
    err: 'disabling\nenabled-active\n',
  });
  const standby = new FakeDaemon([with_({ state: 'disabled', desired: 'enabled-standby' })]);
  expect((await smctl('restart nginx', standby)).exit).toBe(0);
  const down = new FakeDaemon([with_({ state: 'disabled', condition: 'action-failure', reason: 'exit 1' })]);
  expect(await smctl('restart-safe nginx', down)).toMatchObject({
    exit: 1,
    err: 'nginx: disabled, action-failure: exit 1\n',
  });
});

/* explain, events, key, check */

test('explain answers, knows what it does not know, and falls back to the last events', async () => {
  const daemon = new FakeDaemon([view({ groups: [group('web')] })]);
  expect(await smctl('explain service nginx', daemon)).toMatchObject({
    exit: 0,
    out: 'nginx is enabled-active, as wanted on controller-0.\n',
  });
  expect((await smctl('explain node', daemon)).out).toContain('Permission is held');
  expect(await smctl('explain service nope', daemon)).toMatchObject({
    exit: 1,
    err: 'this node has no service nope\n',
  });
  expect((await smctl('explain planet earth', daemon)).exit).toBe(2);
  expect((await smctl('explain group', daemon)).exit).toBe(2);
  const alone = await smctl('explain service haproxy');
  expect(alone.exit).toBe(4);
  expect(alone.out).toContain('haproxy was disabled, enabled-active was wanted.');
});

test('events: since, entity, limit, follow', async () => {
  fixture.sql(`INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE, CAUSE, ACTOR, REASON) VALUES
    (${WALL - 7_200_000}, 'service', 'nginx', 'initial', 'enabling', 'enable', 'engine', ''),
    (${WALL - 60_000}, 'service', 'nginx', 'enabling', 'enabled-active', 'enable-success', 'engine', 'wanted'),
    (${WALL - 1000}, 'node', 'controller-1', 'unlocked', 'locked', 'command', 'alice', 'new disk')`);
  const count = async (words: string): Promise<number> => {
    const printed = await smctl(`events --json ${words}`.trim());
    expect(printed.exit).toBe(0);
    return (lastJson(printed.out).events as unknown[]).length;
  };
  expect(await count('')).toBe(3);
  expect(await count('--since 1h')).toBe(2);
  expect(await count('--since 2027-01-15T07:59:59Z')).toBe(1);
  expect(await count('--entity node')).toBe(1);
  expect(await count('--entity nginx')).toBe(2);
  expect(await count('--limit 2')).toBe(2);
  expect((await smctl('events --limit 1')).out).toBe(
    '2027-01-15T07:59:59.000Z  node  controller-1  unlocked -> locked  command  alice  new disk\n',
  );
  expect((await smctl('events --since yesterday')).exit).toBe(2);
  expect((await smctl('events --limit 0')).exit).toBe(2);
  let rounds = 0;
  const followed = await smctl('events --follow --since 10s', undefined, {
    pause: async () => {
      rounds += 1;
      if (rounds === 2)
        fixture.sql(
          `INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, CAUSE) VALUES (${WALL}, 'daemon', 'sm', 'start')`,
        );
    },
    stopped: () => rounds === 4,
  });
  expect(
    followed.out
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/)[2]),
  ).toEqual(['controller-1', 'sm']);
});

test('key new and list never print a key', async () => {
  const made = await smctl('key new link-1');
  expect(made.exit).toBe(0);
  expect(existsSync(`${fixture.directory}/keys.d/link-1`)).toBe(true);
  expect((await smctl('key new link-1')).exit).toBe(5);
  expect((await smctl('key list')).out).toMatch(/^link-1 +[0-9a-f]{8}\n$/);
});

test('check reports a set, and what is no set is called wrongly', async () => {
  const printed = await smctl('check db/definitions/starlingx');
  expect(printed.exit).toBe(0);
  expect(printed.out.split('\n').slice(0, 3)).toEqual(['groups 10', 'members 92', 'services 92']);
  expect((await smctl('check /nowhere')).exit).toBe(2);
});

/* Format */

test('words that nobody knows are exit 2', async () => {
  expect((await smctl('frobnicate')).exit).toBe(2);
  expect((await smctl('lock')).exit).toBe(2);
  expect((await smctl('lock a b')).exit).toBe(2);
  expect((await smctl('lock a --for soon')).exit).toBe(2);
});

test('columns are aligned with and without colour, durations are read', () => {
  const rows = [
    ['a', { text: 'long word', tone: 'good' } as const, 'x'],
    ['abc', { text: '', tone: 'bad' } as const, 'y'],
    ['b', '', ''],
  ];
  expect(columns(rows, plain)).toEqual(['a    long word  x', 'abc             y', 'b']);
  expect(columns(rows, coloured)[0]).toBe('a    \u001b[32mlong word\u001b[39m  x');
  expect(['90s', '1h30m', '500ms', '2d', '5', 'x', '', '1.5h'].map(parseDuration)).toEqual([
    90_000,
    5_400_000,
    500,
    172_800_000,
    null,
    null,
    null,
    null,
  ]);
});

/* what stands on the screen */

test('what is left alone is no failure: it is shown with its reason and its end', async () => {
  const alone = [
    { service: 'nginx', reason: 'unmanage by bob: debugging', until: WALL + 3_600_000 },
    { service: 'web', reason: 'unmanage by bob', until: 0 },
  ];
  const services = [service('nginx', { managed: false })];
  const daemon = () => new FakeDaemon([view({ alone, services })]);
  const printed = await smctl('status', daemon());
  expect(printed.out).not.toContain('failures');
  expect(printed.out).toContain('  nginx  unmanage by bob: debugging  until 2027-01-15T09:00:00.000Z');
  expect(printed.out).toContain('  web    unmanage by bob             until it is managed again');
  expect(lastJson((await smctl('status --json', daemon())).out)).toMatchObject({
    failures: [],
    alone: [
      { service: 'nginx', until: '2027-01-15T09:00:00.000Z' },
      { service: 'web', until: null },
    ],
  });
  expect((await smctl('explain service nginx', daemon())).out).toContain(
    'left alone by order of an operator (unmanage by bob: debugging); that ends by itself in 1 h',
  );
});

test('a lock is shown with its reason and its end', async () => {
  const [one, two] = view().nodes;
  const locked = {
    ...two!,
    administrative: 'locked',
    lockReason: 'new disk',
    lockedUntil: WALL + 60_000,
  } as const;
  const daemon = () => new FakeDaemon([view({ nodes: [one!, locked] })]);
  expect((await smctl('status', daemon())).out).toMatch(
    /locked-.*new disk, until 2027-01-15T08:01:00\.000Z \(1 min\)/,
  );
  expect(lastJson((await smctl('status --json', daemon())).out)).toMatchObject({
    nodes: [{ lock: '', lockedUntil: null }, { lockedUntil: '2027-01-15T08:01:00.000Z' }],
  });
});

test('status and alarms tell the time of an alarm in the same words', async () => {
  const alarm = { id: 'x', entity: 'y', severity: 'minor', reason: 'r', repair: 'p' };
  const since = '2027-01-15T07:59:00.000Z';
  const daemon = new FakeDaemon([view({ alarms: [{ ...alarm, since: NOW - 60_000 }] })]);
  expect(lastJson((await smctl('status --json', daemon)).out).alarms).toEqual([{ ...alarm, since }]);
  fixture.sql(`INSERT INTO SM_ALARMS (ALARM, ENTITY, SEVERITY, REASON, REPAIR, RAISED_AT)
    VALUES ('x', 'y', 'minor', 'r', 'p', ${WALL - 60_000})`);
  expect(lastJson((await smctl('alarms --json')).out).alarms).toEqual([{ ...alarm, since }]);
  expect(lastJson((await smctl('status --json')).out).alarms).toEqual([{ ...alarm, since }]);
  fixture.sql('DELETE FROM SM_ALARMS');
});

test('alarms come from sm, the most severe first; while it is away from the database, and that is said', async () => {
  const alarm = { entity: 'y', reason: 'r', repair: 'p', since: NOW - 60_000 };
  const severities = ['minor', 'critical', 'major'].map((severity) => ({ ...alarm, id: severity, severity }));
  const daemon = new FakeDaemon([view({ alarms: severities })]);
  const { out, exit } = await smctl('alarms', daemon);
  expect(exit).toBe(0);
  expect(out.match(/(critical|major|minor) +y$/gm)?.map((line) => line.split(' ')[0])).toEqual([
    'critical',
    'major',
    'minor',
  ]);
  expect(await smctl('alarms')).toMatchObject({
    exit: 4,
    out: 'no alarms\n',
    err: expect.stringMatching(/^what stood last, from the database: nobody listens on /),
  });
});

test('what could never be obeyed was called wrongly, not refused', async () => {
  const daemon = new FakeDaemon([view()], new ControlError('bad-parameters', 'a lock takes no group'));
  expect(await smctl('lock controller-1', daemon)).toMatchObject({ exit: 2, err: 'a lock takes no group\n' });
});

/* words that are missing or empty */

test.each([
  'lock',
  'unlock',
  'swact',
  'recover',
  'restart',
])('%s of an empty name is called wrongly: it means neither this node nor everything', async (command) => {
  const daemon = new FakeDaemon([view()]);
  const printed = await run(SMCTL, [command, ''], fixture, { daemon });
  expect(printed).toMatchObject({ exit: 2, err: expect.stringMatching(/argument is empty/) });
  expect(daemon.commands).toEqual([]);
});

test('who calls a command wrongly is pointed to its help as it has to be typed', async () => {
  const printed = await smctl('lock');
  expect(printed.err).toContain('(smctl lock --help tells more)');
  expect((await smctl('key use')).err).toContain('(smctl key use --help tells more)');
});
