import { afterAll, beforeAll, expect, test } from 'vitest';
import { SM_QUERY } from '../../src/cli/query.ts';
import { type Fixture, lastJson, makeFixture, run } from './fixture.ts';

let fixture: Fixture;
beforeAll(() => {
  fixture = makeFixture();
});
afterAll(() => fixture.remove());

const ask = async (...words: string[]): Promise<string> => {
  const printed = await run(SM_QUERY, words, fixture);
  expect(printed).toMatchObject({ exit: 0, err: '' });
  return printed.out;
};

test('a service: state, and status where there is one', async () => {
  expect(await ask('service', 'postgres')).toBe('postgres is enabled-active\n');
  expect(await ask('service', 'drbd-pg')).toBe('drbd-pg is enabled-active-degraded\n');
  expect(await ask('service', 'haproxy')).toBe('haproxy is disabled-failed\n');
  expect(await ask('service', 'unused')).toMatch(/^unused is initial\n$/);
});

test('a service that does not exist is disabled', async () => {
  expect(await ask('service', "no'such")).toBe("no'such is disabled.\n");
  expect(lastJson(await ask('service', 'nope', '--json'))).toMatchObject({ name: 'nope', known: false });
});

test('groups, with and without the desired state, and what is not provisioned', async () => {
  expect(await ask('service-group', 'oam-services')).toBe('oam-services active\n');
  expect(await ask('service-group', '--desired-state', 'web-services', 'nope')).toBe(
    'web-services active go-active\nnope is not provisioned\n',
  );
  expect(await ask('service-group', 'nope', 'oam-services', 'unused-services')).toBe(
    'oam-services active\nnope,unused-services are not provisioned\n',
  );
});

test('no database is exit 3, no word is exit 2', async () => {
  expect((await run(SM_QUERY, ['service', 'x', '--database', '/nowhere/sm.db'], fixture)).exit).toBe(3);
  expect((await run(SM_QUERY, ['service'], fixture)).exit).toBe(2);
  expect((await run(SM_QUERY, [], fixture)).exit).toBe(2);
});
