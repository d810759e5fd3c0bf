import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { SMCTL } from '../../src/cli/smctl.ts';
import { calendarDay, clockTime, parseWhen, zoneAt } from '../../src/cli/when.ts';
import { type Fixture, lastJson, makeFixture, type Printed, run } from './fixture.ts';

/** The tools' own now, 15 January 2027, 08:00 UTC. */
const NOW = 1_800_000_000_000;

let one: Fixture;
let other: Fixture;
beforeAll(() => {
  vi.stubEnv('TZ', 'UTC');
  one = makeFixture();
  other = makeFixture();
  const nodes = "INSERT INTO SM_DOMAIN_NODES VALUES ('d', 'controller-0', 0), ('d', 'controller-1', 1);";
  one.sql(`${nodes} INSERT INTO SM_STATE VALUES ('node', 'controller-0');`);
  other.sql(`${nodes} INSERT INTO SM_STATE VALUES ('node', 'controller-1');`);
  one.sql(
    events([
      [-300_000, 'daemon', 'sm', 'not running', 'running', 'start', 'engine', 'the kernel has run on'],
      [
        -120_000,
        'group',
        'web-services',
        'active',
        'go-standby',
        'go-standby',
        'engine',
        'web-services wanted standby: swact away',
      ],
      [-119_960, 'group', 'web-services', 'go-standby', 'standby', 'members-changed', 'engine', ''],
      [
        -60_000,
        'service',
        'horizon',
        'enabled-active',
        'disabling',
        'process-failure',
        'engine',
        'process 7 died',
      ],
    ]),
  );
  other.sql(
    events([
      [-120_010, 'operation', 'swact controller-0', 'requested', 'accepted', 'c-1', 'alice', 'kernel update'],
      [
        -119_950,
        'group',
        'web-services',
        'standby',
        'go-active',
        'go-active',
        'engine',
        'web-services wanted active: swact away',
      ],
      [-119_900, 'group', 'web-services', 'go-active', 'active', 'members-changed', 'engine', ''],
      [-119_890, 'operation', 'swact controller-0', 'activating', 'done', 'c-1', 'alice', 'kernel update'],
    ]),
  );
});
afterAll(() => {
  vi.unstubAllEnvs();
  one.remove();
  other.remove();
});

function events(rows: readonly (readonly (string | number)[])[]): string {
  return rows
    .map(([at = 0, ...texts]) => {
      const values = texts.map((text) => `'${text}'`).join(', ');
      return `INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE, CAUSE, ACTOR, REASON)
        VALUES (${NOW + Number(at)}, ${values});`;
    })
    .join('\n');
}

const history = (...words: string[]): Promise<Printed> => run(SMCTL, ['history', ...words], one);

test('it tells the story of a time without sm', async () => {
  const printed = await history('--from', '07:57', '--to', '07:58:30');
  expect(printed).toEqual({
    exit: 0,
    err: '',
    out: [
      '2027-01-15 07:57:00.000 to 07:58:30.000 UTC, as controller-0 wrote it down',
      '',
      '07:58:00.000 (40 ms)  web-services: active -> standby',
      '  07:58:00.000  web-services: active -> standby in 40 ms: swact away',
      '',
      'What the other node knows is not in this: add its database with --db.',
      '',
    ].join('\n'),
  });
});

test('two databases give one story, with the time in which nobody was active', async () => {
  const printed = await history('--last', '5m', '--db', one.database, '--db', other.database);
  expect(printed.out.split('\n').slice(0, 11)).toEqual([
    '2027-01-15 07:55:00.000 to 08:00:00.000 UTC, as controller-0 and controller-1 wrote it down',
    '',
    '07:55:00.000  sm was started on controller-0',
    '  07:55:00.000  controller-0  sm was started on controller-0: the kernel has run on',
    '',
    '07:57:59.990 (120 ms)  swact controller-0 by alice (kernel update)',
    '  web-services was active nowhere for 100 ms, until 07:58:00.100 on controller-1',
    '  07:57:59.990  controller-1  swact controller-0 by alice (kernel update): done after 120 ms',
    '  07:58:00.000  controller-0  web-services: active -> standby in 40 ms: swact away',
    '  07:58:00.050  controller-1  web-services: standby -> active in 50 ms: swact away',
    '',
  ]);
  expect(printed.out).not.toContain('--db');
});

test('JSON has times in UTC and durations in ms', async () => {
  const printed = await history('--json', '--last', '3m', '--db', one.database, '--db', other.database);
  expect(lastJson(printed.out)).toMatchObject({
    ok: true,
    from: '2027-01-15T07:57:00.000Z',
    nodes: ['controller-0', 'controller-1'],
    incidents: [
      {
        from: '2027-01-15T07:57:59.990Z',
        first: 'swact controller-0 by alice (kernel update)',
        absences: [{ group: 'web-services', from: '2027-01-15T07:58:00.000Z', durationMs: 100, exact: true }],
        lines: [
          {
            at: '2027-01-15T07:57:59.990Z',
            durationMs: 120,
            kind: 'operation',
            actor: 'alice',
            outcome: 'done',
          },
          { durationMs: 40 },
          { durationMs: 50 },
        ],
      },
      { first: 'horizon failed' },
    ],
  });
});

test('a name leaves only what it has to do with; a service finds itself through its group', async () => {
  expect((await history('--service', 'horizon')).out).toMatch(/^ .*horizon failed: process 7 died/m);
  expect((await history('--service', 'horizon')).out).not.toContain('standby');
  expect((await history('--group', 'web-services')).out).toMatch(/standby[\s\S]*horizon failed/);
  expect((await history('--service', 'postgres')).out).toContain('Nothing happened that was written down.');
});

test.each([
  [['--from', 'yesterday'], '--from takes a time'],
  [['--to', '25:00'], '--to takes a time'],
  [['--last', '0s'], '--last takes a duration'],
  [['--from', '2027-01-15T07:00:00Z', '--to', '2027-01-15T06:00:00Z'], 'the end is before the beginning'],
  [['--group', 'a', '--node', 'b'], 'one of --service, --group and --node'],
])('%j is refused with what is allowed', async (words, sentence) => {
  const printed = await history(...words);
  expect(printed).toMatchObject({ exit: 2, out: '' });
  expect(printed.err).toContain(sentence);
});

test('databases that can not be read, or are of one node, are refused', async () => {
  expect(await history('--db', '/nowhere/sm.db')).toMatchObject({ exit: 3, out: '' });
  const twice = await history('--db', one.database, '--db', one.database);
  expect(twice.exit).toBe(2);
  expect(twice.err).toContain('two of the databases are of controller-0');
});

test('many scripts that went well are counted, and the slowest told; --full tells them all', async () => {
  const many = makeFixture();
  const scripts = Array.from({ length: 20 }, (_, n) => [
    [-1000, 'service', `s${n}`, 'disabled', 'enabling', 'enable', 'engine', ''],
    [
      -1000 + 10 * n,
      'service',
      `s${n}`,
      'enabling',
      'enabled-active',
      'enable-success',
      'engine',
      'enable success',
    ],
  ]).flat();
  many.sql(events(scripts.sort((a, b) => Number(a[0]) - Number(b[0]))));
  const short = await run(SMCTL, ['history'], many);
  expect(short.out).toContain('17 scripts went well; the slowest follow (--full tells all)');
  expect(short.out).toContain('enable of s19 took 190 ms');
  expect(short.out).not.toContain('enable of s3 took');
  expect((await run(SMCTL, ['history', '--full'], many)).out).toContain('enable of s3 took 30 ms');
  many.remove();
});

test('a name that nothing has is told, not answered with silence', async () => {
  const empty = makeFixture();
  expect(await run(SMCTL, ['history', '--group', 'no-such', '--last', '1m'], empty)).toMatchObject({
    exit: 1,
    err: expect.stringMatching(/^nothing here has the name no-such/),
  });
  const name = 'web-services';
  const known = await run(SMCTL, ['history', '--group', name, '--last', '1m'], empty);
  expect(known).toMatchObject({ exit: 0, out: expect.stringContaining('Nothing happened') });
  expect((await run(SMCTL, ['events', '--entity', 'no-such'], empty)).out).toBe('no events\n');
  empty.remove();
});

test('times of day are the nearest ones of this machine', () => {
  vi.stubEnv('TZ', 'Europe/Berlin');
  const at = (text: string, after = false): string =>
    new Date(parseWhen(text, NOW, after) ?? 0).toISOString();
  expect(at('09:00')).toBe('2027-01-15T08:00:00.000Z');
  expect(at('09:01')).toBe('2027-01-14T08:01:00.000Z');
  expect(at('08:59', true)).toBe('2027-01-16T07:59:00.000Z');
  expect(at('2027-01-15 03:10:05.5')).toBe('2027-01-15T02:10:05.500Z');
  expect(at('2027-01-15')).toBe('2027-01-14T23:00:00.000Z');
  expect(at('2027-01-15T03:10:00Z')).toBe('2027-01-15T03:10:00.000Z');
  for (const text of ['', '7', '24:00', '03:60', '2027-13-01', 'monday'])
    expect(parseWhen(text, NOW)).toBeNull();
  expect([calendarDay(NOW), clockTime(NOW), zoneAt(NOW)]).toEqual([
    '2027-01-15',
    '09:00:00.000',
    'UTC+01:00',
  ]);
  vi.stubEnv('TZ', 'UTC');
});
