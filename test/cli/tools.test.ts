/** StarlingX's names of tools: its arguments and words, and exit codes that tell what came of it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bashCompletion } from '../../scripts/packaging/completion.ts';
import type { Daemon } from '../../src/cli/command.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import { TOOLS, toolOf } from '../../src/cli/tools.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { openStore } from '../../src/shell/store/store.ts';
import { ROOT } from '../tidy/project.ts';
import { type Fixture, lastJson, makeFixture, run } from './fixture.ts';

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture();
});
afterEach(() => fixture.remove());

const commands: unknown[] = [];
const daemon = (ok = true): Daemon => ({
  request: async (_method, params) => {
    commands.push(params);
    return {
      ok,
      code: ok ? '' : 'SM_ERR_REFUSED',
      message: ok ? '' : 'it is not provisioned',
      operation: '',
    };
  },
  close: () => {},
});
const tool = (line: string, more: { daemon?: Daemon } = {}) => {
  const [name = '', ...words] = line.split(' ').map((word) => (word === "''" ? '' : word));
  const spec = toolOf(name);
  if (spec === null) throw new Error(`no ${name}`);
  return run(spec, words, fixture, more);
};

test('a name says what it does, wherever it is called from', () => {
  expect(toolOf('/usr/sbin/sm-restart-safe')?.name).toBe('sm-restart-safe');
  expect(toolOf('/usr/lib/sm/dist/bin/sm-tool.js')).toBe(null);
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const { name } of TOOLS) expect([name, bin[name]]).toEqual([name, 'dist/bin/sm-tool.js']);
});

test.each([
  ['sm-manage', 'manage', 'Service (haproxy) is now being managed.'],
  ['sm-unmanage', 'unmanage', 'Service (haproxy) is no longer being managed.'],
  ['sm-restart', 'restart', 'Service (haproxy) is restarting.'],
  ['sm-restart-safe', 'restart-safe', 'Service (haproxy) is restarting.'],
])('%s orders, and says what StarlingX says', async (name, kind, words) => {
  commands.length = 0;
  expect(await tool(`${name} service haproxy`, { daemon: daemon() })).toEqual({
    exit: 0,
    out: `${words}\n`,
    err: '',
  });
  expect(commands).toEqual([{ actor: 'alice', command: { kind, service: 'haproxy', why: '', forMs: 0 } }]);
  const unknown = await tool(`${name} service nope`, { daemon: daemon() });
  expect(unknown).toMatchObject({ exit: 1, out: 'Given service (nope) does not exist.\n' });
  expect(await tool(`${name} service haproxy`, { daemon: daemon(false) })).toMatchObject({
    exit: 5,
    out: '',
    err: 'it is not provisioned\n',
  });
  expect((await tool(`${name} service haproxy`)).exit).toBe(4);
  expect((await tool(name)).exit).toBe(2);
});

test('sm-notify audits a service at once, and is quiet', async () => {
  commands.length = 0;
  expect(await tool('sm-notify -s haproxy -e sync-end', { daemon: daemon() })).toEqual({
    exit: 0,
    out: '',
    err: '',
  });
  expect(commands).toEqual([
    { actor: 'alice', command: { kind: 'audit', service: 'haproxy', why: 'sync-end', forMs: 0 } },
  ]);
  expect((await tool('sm-notify -s haproxy -e exploded', { daemon: daemon() })).exit).toBe(2);
  expect((await tool('sm-notify --service nope --event sync-start', { daemon: daemon() })).exit).toBe(1);
});

/** A database as of a node with the shipped demonstration set. */
function shipped(): string {
  const path = join(fixture.directory, 'shipped.db');
  const loaded = loadRows(join(ROOT, 'db/definitions/demo'));
  const opened = openStore(path, {});
  if (!loaded.ok || !opened.ok) throw new Error('the demonstration set can not be loaded');
  opened.value.seed(loaded.value.rows, loaded.value.problems, 0);
  opened.value.close();
  return path;
}

const one = (path: string, sql: string): Record<string, unknown> => {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).get() as Record<string, unknown>;
  } finally {
    database.close();
  }
};

test('a part of the definitions is provisioned and not, as a whole or not at all', async () => {
  const path = shipped();
  const { NAME: group, SERVICE_NAME: service } = one(
    path,
    'SELECT * FROM SERVICE_GROUP_MEMBERS ORDER BY ID DESC',
  );
  const done = await tool(
    `sm-deprovision service-group-member ${group} ${service} --database ${path} --json`,
  );
  expect(done.err).toContain('sm takes it up when it is started anew');
  expect([done.exit, lastJson(done.out)]).toEqual([
    0,
    { ok: true, changed: 2, digest: expect.stringMatching(/./), applied: false },
  ]);
  expect(one(path, `SELECT PROVISIONED FROM SERVICES WHERE NAME = '${service}'`)).toEqual({
    PROVISIONED: 'no',
  });
  const again = await tool(`sm-deprovision service-group-member ${group} ${service} --database ${path}`);
  expect(again).toEqual({ exit: 0, out: '', err: 'it was so already\n' });
  const back = await tool(`sm-provision service-group-member ${group} ${service} --apply --database ${path}`);
  expect(back).toMatchObject({ exit: 0, out: '', err: expect.stringContaining('--apply changes nothing') });
  expect(one(path, `SELECT PROVISIONED FROM SERVICES WHERE NAME = '${service}'`)).toEqual({
    PROVISIONED: 'yes',
  });
  const unknown = await tool(`sm-provision service-group-member ${group} nope --database ${path}`);
  expect(unknown).toMatchObject({
    exit: 1,
    err: expect.stringContaining('There is no service nope in group'),
  });
});

test('what would be an error is refused, and nothing is changed', async () => {
  const path = shipped();
  const before = one(path, 'SELECT * FROM SERVICE_DOMAINS');
  const refused = await tool(`sm-deprovision service-domain ${before.NAME} --database ${path} --json`);
  expect([refused.exit, lastJson(refused.out).code]).toEqual([5, 'SM_EDIT_REFUSED']);
  expect(refused.err).toContain('Nothing was changed');
  expect(one(path, 'SELECT * FROM SERVICE_DOMAINS')).toEqual(before);
  const missing = await tool('sm-provision service x --database /nowhere/sm.db');
  expect([missing.exit, missing.err]).toEqual([3, expect.stringContaining('/nowhere/sm.db')]);
});

test('sm-configure changes instances, groups, links and settings; values are values', async () => {
  const path = shipped();
  const { NAME: service } = one(path, 'SELECT * FROM SERVICES ORDER BY ID DESC');
  const { NAME: domain } = one(path, 'SELECT * FROM SERVICE_DOMAINS');
  const { NAME: group } = one(path, 'SELECT * FROM SERVICE_GROUPS');
  const set = (words: string) => tool(`sm-configure ${words} --database ${path}`);
  const hostile = "a=b',c=d;DROP";
  expect((await set(`service_instance ${service} there ${hostile}`)).exit).toBe(0);
  expect(one(path, `SELECT * FROM SERVICE_INSTANCES WHERE SERVICE_NAME = '${service}'`)).toMatchObject({
    INSTANCE_NAME: 'there',
    INSTANCE_PARAMETERS: hostile,
  });
  expect((await set('service_instance nope there a=b')).exit).toBe(1);
  expect((await set(`service_group yes ${domain} ${group} N 1 0 '' ''`)).exit).toBe(0);
  expect(
    one(path, `SELECT * FROM SERVICE_DOMAIN_MEMBERS WHERE SERVICE_GROUP_NAME = '${group}'`),
  ).toMatchObject({
    REDUNDANCY_MODEL: 'N',
    N_ACTIVE: 1,
    M_STANDBY: 0,
  });
  const bad = await set(`service_group yes ${domain} ${group} N many 0 '' ''`);
  expect([bad.exit, bad.err]).toEqual([5, expect.stringContaining('N_ACTIVE must be a whole number')]);
  const link = `interface ${domain} management-interface '' 10.9.0.1 2222 2223 10.9.0.2 2222 2223`;
  expect((await set(link)).exit).toBe(0);
  expect(one(path, 'SELECT * FROM SERVICE_DOMAIN_INTERFACES')).toMatchObject({
    NETWORK_TYPE: 'ipv4-udp',
    NETWORK_ADDRESS: '10.9.0.1',
    NETWORK_PEER_HEARTBEAT_PORT: 2223,
  });
  expect((await set(link.replace('10.9.0.1', 'here'))).exit).toBe(2);
  expect((await set('system --cpe_mode duplex-direct --sm_process_priority -10')).exit).toBe(0);
  expect(one(path, "SELECT VALUE FROM CONFIGURATION WHERE KEY = 'sm_process_priority'")).toEqual({
    VALUE: '-10',
  });
  expect((await set('system --sm_process_priority 5')).exit).toBe(2);
  expect((await set('system')).exit).toBe(2);
});

test('one program is called by its names, and completion offers what the database has', () => {
  const node = ['--import', join(ROOT, 'node_modules/tsx/dist/esm/index.mjs')];
  const link = join(fixture.directory, 'sm-unmanage');
  writeFileSync(join(fixture.directory, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'src/bin/sm-tool.ts'), link);
  const options = { encoding: 'utf8', cwd: ROOT, env: { ...process.env, SM_CONFIG: '/dev/null' } } as const;
  const help = execFileSync(process.execPath, [...node, link, 'service', '--help'], options);
  expect(help).toContain('Usage: sm-unmanage service [options] <service>');
  const named = spawnSync(process.execPath, [...node, join(ROOT, 'src/bin/sm-tool.ts'), 'nope'], options);
  expect([named.status, named.stderr]).toEqual([2, expect.stringContaining('call it as one of sm-manage')]);
  rmSync(link);

  const file = join(fixture.directory, 'completion');
  writeFileSync(file, bashCompletion(SMCTL));
  const smctl = [process.execPath, ...node, join(ROOT, 'src/bin/smctl.ts')].join(' ');
  const script = `smctl() { ${smctl} "$@" --database ${fixture.database}; }
source ${file}
for kind in restart recover; do
  COMP_WORDS=(smctl $kind "") COMP_CWORD=2; _smctl; echo "\${COMPREPLY[*]}"
done`;
  const offered = execFileSync('bash', ['-c', script], options).split('\n');
  expect(offered[0]?.split(' ')).toEqual(expect.arrayContaining(['haproxy', 'postgres']));
  expect(offered[1]?.split(' ')).toEqual(expect.arrayContaining(['controller-services', 'web-services']));
}, 60_000);
