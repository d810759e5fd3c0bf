import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { COMPLETED } from '../../src/cli/complete.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import { loadConfig } from '../../src/shell/config.ts';
import { readKey } from '../../src/shell/watchdog/keyring.ts';
import { type Fixture, lastJson, makeFixture, run, settingsOf } from './fixture.ts';

const LINKS = ['management-interface=10.0.0.1,10.0.0.2', 'oam-interface=fd00::1,fd00::2'];
const INIT = ['init', '--node', 'a', '--peer', 'b', ...LINKS.flatMap((link) => ['--interface', link])];

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sm-setup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A fresh machine. */
function machine(name: string) {
  const directory = join(root, name);
  const at = (...path: string[]) => join(directory, ...path);
  const fixture: Fixture = { directory, database: at('var', 'sm.db'), sql: () => {}, remove: () => {} };
  const settings = () => ({
    ok: true as const,
    value: {
      ...settingsOf(fixture),
      node: name,
      controlSocket: at('control.sock'),
      keysDirectory: at('etc', 'keys.d'),
    },
  });
  const ctl = (...words: string[]) => run(SMCTL, words, fixture, { settings });
  return { at, ctl, database: fixture.database, bundle: at('etc', 'join-b.json') };
}

function linksOf(database: string): unknown[] {
  const file = new Database(database, { readonly: true });
  const rows = file
    .prepare(
      `SELECT SERVICE_DOMAIN_INTERFACE, NETWORK_TYPE, NETWORK_ADDRESS, NETWORK_PORT, NETWORK_PEER_ADDRESS, AUTH_KEY
       FROM SERVICE_DOMAIN_INTERFACES WHERE PROVISIONED = 'yes' ORDER BY 1`,
    )
    .raw()
    .all();
  file.close();
  return rows;
}

describe('init and join', () => {
  test('make two nodes that know each other, with one key and the same definitions', async () => {
    const [a, b] = [machine('a'), machine('b')];
    const first = await a.ctl(...INIT, '--json');
    expect(first.exit, first.err).toBe(0);
    const second = await b.ctl('join', '--bundle', a.bundle, '--json');
    expect(second.exit, second.err).toBe(0);
    expect(existsSync(`${b.database}-wal`)).toBe(false);

    expect(lastJson(first.out)).toMatchObject({ ok: true, node: 'a', bundle: a.bundle });
    expect(lastJson(second.out)).toMatchObject({
      node: 'b',
      key_id: lastJson(first.out).key_id,
      definitions: lastJson(first.out).definitions,
    });
    expect(linksOf(a.database)).toEqual([
      ['management-interface', 'ipv4-udp', '10.0.0.1', 2222, '10.0.0.2', 'cluster'],
      ['oam-interface', 'ipv6-udp', 'fd00::1', 2222, 'fd00::2', 'cluster'],
    ]);
    expect(linksOf(b.database)).toEqual([
      ['management-interface', 'ipv4-udp', '10.0.0.2', 2222, '10.0.0.1', 'cluster'],
      ['oam-interface', 'ipv6-udp', 'fd00::2', 2222, 'fd00::1', 'cluster'],
    ]);
    const config = loadConfig(b.at('etc', 'sm.yaml'));
    expect(config.ok && config.value).toMatchObject({
      node: 'b',
      database: b.database,
      keysDirectory: b.at('etc', 'keys.d'),
    });
    expect(statSync(a.bundle).mode & 0o777).toBe(0o600);
    expect(statSync(b.database).mode & 0o777).toBe(0o600);
    expect(statSync(b.at('etc', 'keys.d')).mode & 0o777).toBe(0o700);
  });

  test('a link-local address keeps its own interface, and the other node its own', async () => {
    const [a, b] = [machine('a'), machine('b')];
    const link = 'oam-interface=fe80::1%eth1,fe80::2%eth7';
    const first = await a.ctl('init', '--node', 'a', '--peer', 'b', '--interface', link);
    expect(first.exit, first.err).toBe(0);
    expect((await b.ctl('join', '--bundle', a.bundle)).exit).toBe(0);
    expect(linksOf(a.database)).toEqual([
      ['oam-interface', 'ipv6-udp', 'fe80::1%eth1', 2222, 'fe80::2', 'cluster'],
    ]);
    expect(linksOf(b.database)).toEqual([
      ['oam-interface', 'ipv6-udp', 'fe80::2%eth7', 2222, 'fe80::1', 'cluster'],
    ]);
  });

  test('the second node, and only that, takes nothing before the two have met', async () => {
    const [a, b] = [machine('a'), machine('b')];
    await a.ctl(...INIT);
    await b.ctl('join', '--bundle', a.bundle);
    const joins = ({ database }: { database: string }) => {
      const file = new Database(database, { readonly: true });
      const value = file.prepare("SELECT VALUE FROM SM_STATE WHERE KEY = 'joins'").pluck().get();
      file.close();
      return value;
    };
    expect([joins(a), joins(b)]).toEqual([undefined, 'yes']);
  });

  test('the key is neither printed nor in the configuration', async () => {
    const a = machine('a');
    const { out, err } = await a.ctl(...INIT);
    const key = readFileSync(a.at('etc', 'keys.d', 'cluster'));
    const text = out + err + readFileSync(a.at('etc', 'sm.yaml'), 'utf8');
    for (const form of ['base64', 'hex', 'latin1'] as const) expect(text).not.toContain(key.toString(form));
    expect(out).toContain(`smctl join --bundle ${a.bundle}`);
    expect(err).toContain('no interface of this machine has 10.0.0.1 yet');
  });

  test.each([
    'sm.yaml',
    'keys.d/cluster',
    'join-b.json',
  ])('%s is not overwritten, and nothing is left', async (name) => {
    const a = machine('a');
    mkdirSync(a.at('etc', 'keys.d'), { recursive: true });
    writeFileSync(a.at('etc', name), 'mine');
    const { exit, err } = await a.ctl(...INIT);
    expect(exit).toBe(5);
    expect(err).toContain(`${a.at('etc', name)} exists already`);
    expect(readFileSync(a.at('etc', name), 'utf8')).toBe('mine');
    const left = ['sm.yaml', 'keys.d/cluster', 'join-b.json'].filter((path) => existsSync(a.at('etc', path)));
    expect(left).toEqual([name]);
    expect(existsSync(a.database)).toBe(false);
  });

  test.each([
    [['init', '--node', 'a'], 'must have a name'],
    [['init', '--node', 'a', '--peer', 'a', '--interface', LINKS[0]!], 'both nodes have the name'],
    [['init', '--node', 'a b', '--peer', 'c', '--interface', LINKS[0]!], 'can not be the name of a node'],
    [['init', '--node', 'a', '--peer', 'b'], 'there is no interface'],
    [
      [...INIT, '--interface', 'eth0=10.0.0.1,10.0.0.2'],
      "'eth0' is no interface; there are management-interface",
    ],
    [[...INIT, '--interface', 'admin-interface'], 'must look like'],
    [[...INIT, '--interface', 'admin-interface=10.9.0.1,fd00::9'], 'one address is IPv4, the other IPv6'],
    [[...INIT, '--interface', 'admin-interface=10.0.0.1,10.9.0.2'], '10.0.0.1 is given twice'],
    [
      [...INIT, '--interface', 'admin-interface=fe80::1,fe80::2%eth0'],
      "'fe80::1' is link-local and must name its interface, as in fe80::1%eth0",
    ],
    [[...INIT, '--interface', 'admin-interface=fd00::8%eth0,fd00::9'], 'only link-local addresses do'],
    [[...INIT, '--interface', 'admin-interface=239.1.1.1,10.9.0.2'], 'is a multicast group'],
    [[...INIT, '--interface', 'admin-interface=10.9.0.1,10.9.0'], "'10.9.0' is no IPv4 or IPv6 address"],
    [[...INIT, '--port', '0'], 'the port must be'],
    [[...INIT, '--definitions', 'nowhere'], 'neither a folder'],
    [[...INIT, '--config', '/x/sm.yaml'], 'leave --config out'],
    [['join'], '--bundle FILE'],
  ])('%j: %s', async (words, sentence) => {
    const a = machine('a');
    const { exit, err } = await a.ctl(...words);
    expect(exit).toBe(2);
    expect(err).toContain(sentence);
    expect(existsSync(a.database)).toBe(false);
  });

  test('a bundle that others could read, or that is no bundle, is refused', async () => {
    const [a, b] = [machine('a'), machine('b')];
    await a.ctl(...INIT);
    chmodSync(a.bundle, 0o640);
    expect(await b.ctl('join', '--bundle', a.bundle)).toMatchObject({
      exit: 1,
      err: expect.stringContaining('mode 640'),
    });
    chmodSync(a.bundle, 0o600);
    const whole = JSON.parse(readFileSync(a.bundle, 'utf8')) as { pair: { links: unknown } };
    for (const text of [
      '',
      '{',
      'null',
      '{"format":"sm-join-1"}',
      JSON.stringify({ ...whole, rows: [[1]] }),
    ]) {
      writeFileSync(a.bundle, text);
      expect(await b.ctl('join', '--bundle', a.bundle), text).toMatchObject({
        exit: 2,
        err: expect.stringContaining('is not what smctl init made'),
      });
    }
    expect(existsSync(b.database)).toBe(false);
  });
});

describe('changing a key', () => {
  test('both are accepted before the new one signs, and the old one is dropped at the end', async () => {
    const a = machine('a');
    await a.ctl(...INIT);
    const idOf = (name: string) => {
      const key = readKey(a.at('etc', 'keys.d'), name);
      return key.ok ? key.value.id : key.error.code;
    };
    await a.ctl('key', 'new', 'next');
    const [old, next] = [idOf('cluster'), idOf('next')];
    expect((await a.ctl('key', 'accept', 'next')).exit).toBe(0);
    expect([idOf('cluster'), idOf('cluster-previous')]).toEqual([old, next]);
    expect((await a.ctl('key', 'use', 'next')).exit).toBe(0);
    expect([idOf('cluster'), idOf('cluster-previous')]).toEqual([next, old]);
    expect((await a.ctl('key', 'accept', 'cluster')).exit).toBe(0);
    expect([idOf('cluster'), idOf('cluster-previous')]).toEqual([next, next]);
  });

  test('a key that is not there changes nothing', async () => {
    const a = machine('a');
    await a.ctl(...INIT);
    for (const word of ['accept', 'use']) {
      const { exit, err } = await a.ctl('key', word, 'none');
      expect(exit).toBe(1);
      expect(err).toContain('SM_KEY_MISSING');
    }
    expect(existsSync(a.at('etc', 'keys.d', 'cluster-previous'))).toBe(false);
  });
});

describe('names for the completion', () => {
  test('come from the database, one a line', async () => {
    const fixture = makeFixture();
    const names = await run(SMCTL, ['__complete', 'group'], fixture);
    expect(names.out.split('\n')).toContain('oam-services');
    expect((await run(SMCTL, ['__complete', 'service'], fixture)).out.split('\n')).toContain('postgres');
    fixture.remove();
  });

  test('a node without a database has none, without a word', async () => {
    const a = machine('a');
    for (const kind of [...COMPLETED, 'other']) {
      expect(await a.ctl('__complete', kind)).toEqual({ exit: 0, out: '', err: '' });
    }
  });

  test('the command is not for people', async () => {
    expect((await machine('a').ctl('--help')).out).not.toContain('__complete');
  });
});
