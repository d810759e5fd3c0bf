import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SM_DUMP } from '../../src/cli/dump.ts';
import { processFacts } from '../../src/shell/process-facts.ts';
import { ROOT } from '../tidy/project.ts';
import { group, service, view } from '../unit/cli/views.ts';
import { type Fixture, lastJson, makeFixture, run } from './fixture.ts';

let fixture: Fixture;
beforeAll(() => {
  fixture = makeFixture();
});
afterAll(() => fixture.remove());

const GOLDEN = join(ROOT, 'test', 'cli', 'golden');
const ALL = ['--verbose', '--impact', '--pid', '--pn', '--pid_file'];

test.each([
  ['plain', []],
  ['verbose', ['--verbose']],
  ['impact', ['--impact']],
  ['pid', ['--pid']],
  ['pn', ['--pn']],
  ['pid-file', ['--pid_file']],
  ['all', ALL],
])('the text of %s is the known one, trailing blanks included', async (name, flags) => {
  const printed = await run(SM_DUMP, flags, fixture);
  expect(printed.exit).toBe(0);
  await expect(printed.out).toMatchFileSnapshot(join(GOLDEN, `sm-dump-${name}.txt`));
});

test('alarms follow when asked for, the most severe first, and are always in the JSON', async () => {
  const own = makeFixture();
  expect((await run(SM_DUMP, ['--alarms'], own)).out).toMatch(/\n\n-Alarms\nnone\n$/);
  own.sql(`INSERT INTO SM_ALARMS (ALARM, ENTITY, SEVERITY, REASON, REPAIR, RAISED_AT) VALUES
    ('node-locked', 'host=a', 'minor', 'new fan', 'unlock it', 0),
    ('400.002', 'service_group=web', 'critical', 'active nowhere', 'look', 1000)`);
  expect((await run(SM_DUMP, ['--alarms'], own)).out).toMatch(
    /-Alarms\n1970-01-01T00:00:01.000Z +critical +400.002 +service_group=web\n +active nowhere\n +to do: look\n.* minor .*\n +new fan\n +to do: unlock it\n$/,
  );
  expect((await run(SM_DUMP, [], own)).out).not.toContain('Alarms');
  const { alarms } = lastJson((await run(SM_DUMP, ['--json'], own)).out);
  expect(alarms).toMatchObject([{ id: '400.002', since: '1970-01-01T00:00:01.000Z' }, { id: 'node-locked' }]);
  own.remove();
});

/** Widths worked out by hand from the columns, not by the code under test. */
test.each([
  [[], 87, 85, 87, 86, 78],
  [['--verbose'], 107, 106, 107, 106, 98],
  [['--impact'], 87, 85, 97, 96, 88],
  [['--pid'], 87, 85, 96, 94, 87],
  [['--pn'], 87, 85, 109, 106, 100],
  [['--pid_file'], 87, 85, 115, 111, 106],
  [ALL, 107, 106, 176, 169, 167],
])('line lengths with %j', async (flags, groupHeading, groupRow, serviceHeading, serviceRow, footer) => {
  const { out } = await run(SM_DUMP, flags, fixture);
  const lines = out.split('\n');
  const lengthOf = (start: string): number => lines.find((line) => line.startsWith(start))?.length ?? -1;
  expect(lines[0]).toBe('');
  expect(lengthOf('-Service_Groups')).toBe(groupHeading);
  expect(lengthOf('oam-services ')).toBe(groupRow);
  expect(lines[5]).toBe('-'.repeat(groupHeading));
  expect(lengthOf('-Services')).toBe(serviceHeading);
  expect(lengthOf('horizon ')).toBe(serviceRow);
  expect(lines.at(-2)).toBe('-'.repeat(footer));
  expect(lines.at(-1)).toBe('');
});

test('--json and --yaml hold everything', async () => {
  const json = lastJson((await run(SM_DUMP, ['--json'], fixture)).out) as {
    groups: object[];
    services: object[];
  };
  expect(json.groups).toHaveLength(3);
  expect(json.services[1]).toEqual({
    name: 'postgres',
    group: 'controller-services',
    desired_state: 'enabled-active',
    state: 'enabled-active',
    status: '',
    condition: '',
    impact: 'critical',
    pid_file: '/fixture/postmaster.pid',
    pid: 4242,
    process: 'postgres',
  });
  expect(parse((await run(SM_DUMP, ['--yaml'], fixture)).out)).toEqual(json);
});

test('--explain asks sm; without it the state is shown and the exit code tells', async () => {
  const daemon = {
    request: async () =>
      view({
        groups: [group('oam-services')],
        services: [service('postgres', { state: 'enabling', reason: 'enable runs' })],
      }),
    close: () => {},
  };
  const asked = await run(SM_DUMP, ['--explain'], fixture, { daemon });
  expect(asked.exit).toBe(0);
  expect(asked.out).toContain('\n-Reasons\noam-services is active on controller-0, as wanted.\n');
  expect(asked.out).toContain(
    'postgres is enabling; enabled-active is wanted on controller-0.\n  Last cause: enable runs.\n',
  );
  const alone = await run(SM_DUMP, ['--explain'], fixture);
  expect(alone.exit).toBe(4);
  expect(alone.err).toContain('No reasons: only the running sm knows them.');
  expect(alone.out).toContain('-Services');
});

test('--watch prints again only after a change', async () => {
  let rounds = 0;
  const printed = await run(SM_DUMP, ['--watch', '1s'], fixture, {
    pause: async () => {
      rounds += 1;
      if (rounds === 3) fixture.sql("UPDATE SERVICES SET STATE = 'enabled-active' WHERE NAME = 'horizon'");
    },
    stopped: () => rounds === 5,
  });
  fixture.sql("UPDATE SERVICES SET STATE = 'enabling' WHERE NAME = 'horizon'");
  expect(printed.out.split('-Service_Groups')).toHaveLength(3);
  expect((await run(SM_DUMP, ['--watch', 'soon'], fixture)).exit).toBe(2);
});

test('a database that is missing, or is none, is said on stderr with exit 3, and nothing is made', async () => {
  const missing = join(fixture.directory, 'nothing', 'sm.db');
  const printed = await run(SM_DUMP, ['--database', missing], fixture);
  expect(printed).toEqual({
    exit: 3,
    out: '',
    err: `${missing} does not exist. Start sm once, or name another file.\n`,
  });
  const junk = join(fixture.directory, 'junk.db');
  writeFileSync(junk, 'x'.repeat(4096));
  expect((await run(SM_DUMP, ['--database', junk], fixture)).exit).toBe(3);
  expect(readFileSync(junk, 'utf8')).toBe('x'.repeat(4096));
  const broken = await run(SM_DUMP, ['--database', missing, '--json'], fixture);
  expect(lastJson(broken.out)).toMatchObject({ ok: false, code: 'SM_STORE_MISSING' });
});

test('the database is not written', async () => {
  const before = statSync(fixture.database).mtimeMs;
  await run(SM_DUMP, ALL, fixture);
  expect(statSync(fixture.database).mtimeMs).toBe(before);
});

test('a wrong option is exit 2, help is exit 0', async () => {
  expect((await run(SM_DUMP, ['--nonsense'], fixture)).exit).toBe(2);
  const help = await run(SM_DUMP, ['-h'], fixture);
  expect(help.exit).toBe(0);
  expect(help.out).toContain('--pid_file');
});

test('processes are named as people know them', () => {
  const directory = join(fixture.directory, 'pids');
  mkdirSync(directory);
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  expect(processFacts('')).toEqual({ pid: null, name: '' });
  expect(processFacts(join(directory, 'missing'))).toEqual({ pid: null, name: '' });
  expect(processFacts(file('word', 'starting\n'))).toEqual({ pid: null, name: '' });
  expect(processFacts(file('gone', '999999999\n'))).toEqual({ pid: 999_999_999, name: '' });
  const own = processFacts(file('own', `${process.pid}\nsecond line\n`));
  expect(own.pid).toBe(process.pid);
  const comm = execFileSync('cat', [`/proc/${process.pid}/comm`], { encoding: 'utf8' }).trimEnd();
  expect(own.name.startsWith(comm.slice(0, 15))).toBe(true);
});
