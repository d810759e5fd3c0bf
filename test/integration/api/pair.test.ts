/**
 * A running pair behind TLS, ordered by REST and by `smctl --url`: each order is followed to its end, by its id and by the
 * stream, at the node that leads and at the one that does not; the audit shows all.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorityFiles, filesOf, issue, makeAuthority } from '../../../src/shell/credentials/pki.ts';
import { createToken, type Role, revokeToken } from '../../../src/shell/credentials/tokens.ts';
import { buildPrograms } from '../pair/build.ts';
import { destroyAll, eventually, type Site, SMALL_SITE, TestNode } from '../pair/node.ts';
import { settled } from '../pair/settled.ts';
import { ask, follow, type Json, type Server } from './https.ts';
import { type ApiProcess, freePort, startApi, untilSaid, writeApiConfiguration } from './program.ts';

const LIMIT_MS = 30_000;
const ACTIONS = ['lock', 'unlock', 'swact', 'swact-force'] as const;
const programs = buildPrograms();
const pair: TestNode[] = [];
const apis: ApiProcess[] = [];

/** A node, and its REST server. */
interface Place extends Server {
  readonly name: string;
  readonly directory: string;
  readonly url: string;
}

const KEY = randomBytes(64);
const PASSWORD = `Geheim-${randomBytes(8).toString('hex')}`;
/** Every token that was handed out, and those that nobody was given. */
const tokens = new Set<string>();

const SITE: Site = {
  ...SMALL_SITE,
  install: (directory, index, base, deadMs) => {
    SMALL_SITE.install(directory, index, base, deadMs);
    writeFileSync(join(directory, 'keys', 'cluster'), KEY, { mode: 0o600 });
    const sql = `UPDATE SERVICE_INSTANCES SET INSTANCE_PARAMETERS = INSTANCE_PARAMETERS || ',password=${PASSWORD}';`;
    writeFileSync(join(directory, 'definitions', '20-password.sql'), sql);
  },
};

/** As they are at the start. */
let active: Place;
let standby: Place;

beforeAll(async () => {
  for (const index of [0, 1] as const)
    pair.push(TestNode.make(programs.root, programs.dist, index, 61, 3000, SITE));
  for (const node of pair) node.start();
  const pki = join(programs.root, 'pki');
  makeAuthority(pki, 'test', Date.now());
  const purpose = { kind: 'server', names: ['127.0.0.1'] } as const;
  issue(pki, { name: 'server', purpose, days: 1, now: Date.now(), renew: false });
  const place = async ({ name, directory }: TestNode): Promise<Place> => {
    const port = await freePort();
    const tls = filesOf(pki, 'server');
    const api = startApi(['--config', writeApiConfiguration(directory, { port, tls }, name)]);
    apis.push(api);
    await untilSaid(api, '"msg":"listens"');
    return { name, directory, port, url: `https://127.0.0.1:${port}`, ca: authorityFiles(pki).certificate };
  };
  const found = await settled(pair);
  [active, standby] = await Promise.all([place(found.active), place(found.standby)]);
});
afterAll(async () => {
  for (const { child } of apis) child.kill('SIGKILL');
  await destroyAll(pair);
  rmSync(programs.root, { recursive: true, force: true });
});

function token({ directory }: Place, role: Role, name: string = role): string {
  const wanted = { name, role, expiresAt: 0, createdBy: 'test', now: Date.now() };
  const made = createToken(join(directory, 'tokens'), wanted);
  if (!made.ok) throw new Error(made.error.message);
  tokens.add(made.value);
  return made.value;
}

async function order(at: Place, node: Place, action: string, credential: string) {
  const body = { origin: 'test', action };
  const path = `/v1/servicenode/${node.name}`;
  const answer = await ask(at, path, { method: 'PATCH', token: credential, body });
  return { ...answer, operation: String(answer.headers['x-sm-operation'] ?? '') };
}

/** The operation at its end, as that node tells. */
const ended = (at: Place, id: string): Promise<Json> =>
  eventually(`${id} ends`, LIMIT_MS, async () => {
    const { body } = await ask(at, `/v1/operations/${id}`);
    return body.ended === true ? body : null;
  });

/** Settled again after an order: nothing is on its way, as both tell. */
const groupsAre = (on: Place, off: Place, state: string) =>
  eventually(`app is active on ${on.name} and ${state} on ${off.name}`, LIMIT_MS, async () => {
    for (const at of [active, standby]) {
      const { sm_sda: rows } = (await ask(at, '/v1/sm_sda')).body as { sm_sda: Json[] };
      const is = (node: Place) =>
        rows.find((row) => row.node_name === node.name && row.service_group_name === 'app')?.state;
      if (is(on) !== 'active' || is(off) !== state) return null;
    }
    return true;
  });

const audited = ({ directory }: Place): Json[] =>
  readFileSync(join(directory, 'audit.log'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
    .filter(({ status }) => status !== 503);

test('what is read is what the pair is', async () => {
  const { nodes } = (await ask(active, '/v1/nodes')).body as { nodes: Json[] };
  expect(nodes.map(({ name }) => name).sort()).toEqual([active.name, standby.name].sort());
  for (const node of nodes)
    expect(node).toMatchObject({
      administrative_state: 'unlocked',
      operational_state: 'enabled',
      availability_status: 'available',
      ready_state: 'enabled',
    });
  await groupsAre(active, standby, 'standby');
  const { sm_sda: rows } = (await ask(active, '/v1/sm_sda')).body as { sm_sda: Json[] };
  expect(rows).toHaveLength(4);
  for (const { uuid } of rows) expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
  expect((await ask(active, `/v1/servicenode/${active.name}`)).body).toMatchObject({
    active_services: 'yes',
    swactable_services: 'yes',
  });
  expect((await ask(active, `/v1/servicenode/${standby.name}`)).body).toMatchObject({
    swactable_services: 'no',
  });
  const { services } = (await ask(active, '/v1/services')).body as { services: Json[] };
  expect(services.map(({ name, state }) => [name, state]).sort()).toEqual([
    ['app-store', 'enabled-active'],
    ['app-web', 'enabled-active'],
    ['everywhere', 'enabled-active'],
  ]);
  expect((await ask(active, '/v1/health/ready')).body).toMatchObject({ ready: true, reasons: [] });
  const config = join(active.directory, 'sm.yaml');
  const check = [join(programs.dist, 'bin/sm.js'), '--check', '--config', config];
  const checked = execFileSync(process.execPath, check, { encoding: 'utf8' });
  const { digest } = (await ask(active, '/v1/definitions')).body as { digest: string };
  expect(checked).toContain(`definitions ${digest}`);
});

test('by REST a pair is locked, unlocked, and moved there and back, each followed to its end', async () => {
  const operator = token(active, 'operator');
  for (const place of [active, standby]) await ask(place, '/v1/health');
  const streams = [await follow(active), await follow(standby)];
  expect((await order(active, standby, 'lock-pre-check', operator)).body.error_code).toBe('0');
  const lock = await order(active, standby, 'lock', operator);
  expect([lock.status, lock.body.error_code]).toEqual([200, '0']);
  expect(await ended(active, lock.operation)).toMatchObject({
    kind: 'lock',
    step: 'done',
    actor: 'api: token operator',
  });
  const refused = await order(active, active, 'swact', operator);
  expect([refused.status, JSON.parse(String(refused.body.error_message)).error_code]).toEqual([400, '-1001']);
  const unlock = await order(active, standby, 'unlock', operator);
  expect(await ended(active, unlock.operation)).toMatchObject({ step: 'done' });
  await groupsAre(active, standby, 'standby');
  const ids = [lock.operation, unlock.operation];
  for (const [action, from, to] of [
    ['swact', active, standby],
    ['swact-force', standby, active],
  ] as const) {
    const moved = await order(active, from, action, operator);
    expect([action, moved.status, moved.body.error_code]).toEqual([action, 200, '0']);
    expect(await ended(active, moved.operation)).toMatchObject({ kind: action, step: 'done' });
    await groupsAre(to, from, 'standby');
    ids.push(moved.operation);
  }

  // Whichever of them leads: both tell of each operation's end, in order, and of what the group did.
  for (const { changes, close } of streams) {
    const events = await eventually('the stream told of all ends', LIMIT_MS, () => {
      const told = changes().filter(({ entity, to }) => entity === 'operation' && to === 'done');
      return told.map(({ cause }) => cause).join() === ids.join() ? changes() : null;
    });
    const numbers = events.map(({ id }) => Number(id));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    const states = events.filter(({ entity, name }) => entity === 'group' && name === 'app');
    expect(states.map(({ to }) => to)).toEqual(expect.arrayContaining(['active', 'standby']));
    close();
  }

  const reader = token(active, 'reader');
  for (const action of ACTIONS) expect((await order(active, standby, action, reader)).status).toBe(403);
  revokeToken(join(active.directory, 'tokens'), 'operator');
  expect((await order(active, standby, 'lock', operator)).status).toBe(401);

  const audit = audited(active);
  expect(audit.map(({ who, action, status }) => [who, action, status])).toEqual([
    ['token operator', `lock-pre-check ${standby.name}`, 200],
    ['token operator', `lock ${standby.name}`, 200],
    ['token operator', `swact ${active.name}`, 400],
    ['token operator', `unlock ${standby.name}`, 200],
    ['token operator', `swact ${active.name}`, 200],
    ['token operator', `swact-force ${standby.name}`, 200],
    ...ACTIONS.map(() => ['token reader', '', 403]),
    [expect.any(String), '', 401],
  ]);
  expect(audit.map(({ operation }) => operation).filter((id) => id !== '')).toEqual(ids);
}, 120_000);

const run = promisify(execFile);

/** `smctl --url`, as typed on another machine. */
async function smctl(at: Place, credential: string, words: readonly string[]) {
  const file = join(programs.root, 'token');
  writeFileSync(file, `${credential}\n`, { mode: 0o600 });
  const options = ['--url', at.url, '--ca', at.ca, '--token-file', file];
  const argv = [join(programs.dist, 'bin/smctl.js'), ...words, ...options];
  return run(process.execPath, argv, { timeout: LIMIT_MS }).then(
    ({ stdout }) => ({ exit: 0, out: stdout, err: '' }),
    ({ code, stdout, stderr }) => ({ exit: code as number, out: stdout as string, err: stderr as string }),
  );
}

test('by smctl --url the same, at the node that is asked', async () => {
  const at = standby;
  const before = audited(active).length;
  const operator = token(at, 'operator');
  expect((await smctl(at, operator, ['status'])).out).toMatch(new RegExp(`^node +${at.name}\n`));
  expect(await smctl(at, operator, ['lock', standby.name, '--why', 'new disk'])).toMatchObject({
    exit: 0,
    out: `lock ${standby.name}: done\n`,
  });
  const barred = await smctl(at, operator, ['swact', active.name]);
  expect([barred.exit, barred.err]).toEqual([5, expect.stringContaining('it is locked (new disk)')]);
  expect((await smctl(at, operator, ['unlock', standby.name])).out).toBe(`unlock ${standby.name}: done\n`);
  await groupsAre(active, standby, 'standby');
  for (const [action, from, to] of [
    ['swact', active, standby],
    ['swact-force', standby, active],
  ] as const) {
    const moved = await smctl(at, operator, [action, from.name]);
    expect(moved).toMatchObject({ exit: 0, out: `${action} ${from.name}: done\n` });
    await groupsAre(to, from, 'standby');
  }
  const reader = token(at, 'reader');
  const no = await Promise.all(ACTIONS.map((action) => smctl(at, reader, [action, standby.name])));
  for (const { exit, err } of no) {
    expect(exit).toBe(5);
    expect(err).toContain('this needs the role operator, and token reader has reader');
  }
  revokeToken(join(at.directory, 'tokens'), 'operator');
  const revoked = await smctl(at, operator, ['lock', standby.name]);
  expect([revoked.exit, revoked.err]).toEqual([5, expect.stringContaining('may be revoked')]);
  expect(audited(at).map(({ who, action, status }) => [who, action, status])).toEqual([
    ['token operator', `lock ${standby.name}`, 202],
    ['token operator', `swact ${active.name}`, expect.any(Number)],
    ['token operator', `unlock ${standby.name}`, 202],
    ['token operator', `swact ${active.name}`, 202],
    ['token operator', `swact-force ${standby.name}`, 202],
    ...ACTIONS.map(() => ['token reader', '', 403]),
    [expect.any(String), '', 401],
  ]);
  expect(audited(active)).toHaveLength(before);
}, 120_000);

test('of two operators who order a swact at once one wins, and the other is told', async () => {
  const [alice, bob] = [token(active, 'operator', 'alice'), token(standby, 'operator', 'bob')];
  const both = await Promise.all([
    order(active, active, 'swact', alice),
    order(standby, active, 'swact', bob),
  ]);
  const ends = await Promise.all(
    both.map(async ({ status, body, operation }, index) => {
      if (status !== 200) return { step: `refused ${status}`, reason: String(body.error_message) };
      return ended([active, standby][index] as Place, operation);
    }),
  );
  expect(ends.filter(({ step }) => step === 'done')).toHaveLength(1);
  const other = ends.find(({ step }) => step !== 'done');
  expect(other?.step).toMatch(/^(failed-back|refused.*)$/);
  expect(String(other?.reason)).toMatch(/superseded by the swact|nothing is active|runs already/);
  await groupsAre(standby, active, 'standby');
}, 60_000);

/** Below a directory, but for the places that are made for secrets. */
function* filesBelow(directory: string, without: RegExp): Generator<string> {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !without.test(relative(directory, path))) yield path;
  }
}

/** As it is, and as programs write it. */
const forms = (secret: string | Buffer): string[] => {
  const bytes = Buffer.from(secret);
  return [bytes.toString('latin1'), bytes.toString('hex'), bytes.toString('base64').slice(0, 24)];
};

test('no key, token or password shows in logs, records, bundles, answers or command lines', async () => {
  const guess = `smt_${randomBytes(32).toString('base64url')}`;
  tokens.add(guess);
  const refused = await order(active, active, 'swact', guess);
  expect(refused.status).toBe(401);
  const path = `/v1/servicenode/${active.name}?token=${guess}`;
  expect((await ask(active, path, { method: 'PATCH', token: guess, body: { action: 'lock' } })).status).toBe(
    401,
  );
  const admin = token(active, 'admin');
  const answers = await Promise.all(
    ['/v1/definitions', '/v1/events', '/v1/status', '/v1/services'].map((each) =>
      ask(active, each, { token: admin }),
    ),
  );
  const bundle = join(programs.root, 'bundle');
  mkdirSync(bundle);
  const out = join(programs.root, 'bundle.tar.gz');
  const collect = ['collect', '--config', join(active.directory, 'api.yaml'), '--out', out];
  await run(process.execPath, [join(programs.dist, 'bin/smctl.js'), ...collect], { timeout: LIMIT_MS });
  execFileSync('tar', ['-xzf', out, '-C', bundle]);

  const places = new Map<string, string>();
  for (const file of filesBelow(programs.root, /^dist\/|\/keys\/|^pki\/.*key|^token$/))
    places.set(relative(programs.root, file), readFileSync(file, 'latin1'));
  for (const { name, log } of pair) places.set(`log of ${name}`, log.join('\n'));
  for (const [i, { said }] of apis.entries()) places.set(`log of sm-api ${i}`, said());
  for (const [i, { body }] of answers.entries()) places.set(`answer ${i}`, JSON.stringify(body));
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)))
    places.set(`command line ${pid}`, commandLine(pid));
  expect([...places.keys()].filter((name) => name.startsWith('bundle/')).length).toBeGreaterThan(10);

  // Definitions hold what scripts are given; nothing else does.
  const definitions = /\/definitions\/|\/sm\.db/;
  const shown = [...places].flatMap(([place, text]) => [
    ...[KEY, ...tokens]
      .filter((secret) => forms(secret).some((form) => text.includes(form)))
      .map(() => place),
    ...(forms(PASSWORD).some((form) => text.includes(form)) && !definitions.test(place) ? [place] : []),
  ]);
  expect(shown).toEqual([]);
  expect([...places].filter(([, text]) => text.includes(PASSWORD)).length).toBeGreaterThan(1);
}, 60_000);

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}
