/** The manager is started anew, the set of nodes changes: the services are sleeps that must not notice. */
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readBundle } from '../../../src/shell/setup/bundle.ts';
import { makeNode, placesOf } from '../../../src/shell/setup/node.ts';
import { buildPrograms } from './build.ts';
import {
  addressOf,
  destroyAll,
  isGroupActive,
  LONE_SITE,
  ROLES,
  SERVICES,
  type Site,
  SMALL_SITE,
  TestNode,
} from './node.ts';
import { eventsOf, settled } from './settled.ts';

const LIMIT_MS = 20_000;
/** Replacing both processes takes time on a busy machine; the permission has to live through it. */
const DEAD_MS = 3000;

let programs: ReturnType<typeof buildPrograms>;
let pairs = 100;
const nodes: TestNode[] = [];

beforeAll(() => {
  programs = buildPrograms();
});
afterEach(async () => {
  await destroyAll(nodes);
});
afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

function make(index: 0 | 1, site: Site = SMALL_SITE): TestNode {
  const node = TestNode.make(programs.root, programs.dist, index, pairs, DEAD_MS, site);
  nodes.push(node);
  return node;
}

/** What is no business of the services: numbers of processes, and everything that their scripts were asked to do. */
function lives(node: TestNode): object {
  const all = [...SERVICES, 'everywhere'];
  return { pids: all.map((name) => node.pid(name)), journals: all.map((name) => node.journal(name)) };
}

/** Changes of services and groups in the history, but for audits at a start that find everything as it should be. */
function changes(node: TestNode, after: number): string[] {
  return eventsOf(node)
    .slice(after)
    .filter(({ ENTITY }) => /service|group/.test(ENTITY))
    .filter(({ FROM_STATE, TO_STATE }) => FROM_STATE !== 'initial' && !/^(enabled-)?active$/.test(TO_STATE))
    .map(({ ENTITY, NAME, FROM_STATE, TO_STATE }) => `${ENTITY} ${NAME}: ${FROM_STATE} -> ${TO_STATE}`);
}

/** `smStarts`: of the watchdog that is there. */
async function processes(
  node: TestNode,
): Promise<{ sm: number; watchdog: number; basis: string; smStarts: number }> {
  const { shell } = await node.until(
    'both processes answer',
    LIMIT_MS,
    (view) => view.shell.watchdog !== null,
  );
  const { pid = 0, basis = '', smStarts = 0 } = shell.watchdog ?? {};
  return { sm: shell.pid, watchdog: pid, basis, smStarts };
}

describe('a restart of the manager', () => {
  it('after an upgrade replaces both processes of each node, and nothing else', async () => {
    pairs += 1;
    const pair = [make(0), make(1)];
    for (const node of pair) node.start();
    const { active, standby } = await settled(pair);
    // As a package manager does: all files are others, under the same names.
    cpSync(programs.dist, `${programs.dist}.new`, { recursive: true });
    renameSync(programs.dist, `${programs.dist}.old`);
    renameSync(`${programs.dist}.new`, programs.dist);
    const before = [active, standby].map(lives);
    for (const node of [active, standby]) {
      const was = await processes(node);
      const done = node.smctl('restart-daemon', '--why', 'upgrade');
      expect(done, done.stderr).toMatchObject({ status: 0 });
      const is = await processes(node);
      expect(is.sm).not.toBe(was.sm);
      expect(is.watchdog).not.toBe(was.watchdog);
      expect(is.basis).not.toBe(was.basis);
      expect(is.smStarts).toBe(0);
    }
    await settled(pair);
    expect([active, standby].map(lives)).toEqual(before);
    expect(isGroupActive((await active.view())!)).toBe(true);
    expect(eventsOf(active)).toContainEqual(
      expect.objectContaining({ ENTITY: 'daemon', TO_STATE: 'restarting', REASON: 'upgrade' }),
    );
    // Nothing new is installed: sm alone is another one.
    const was = await processes(active);
    expect(active.smctl('restart-daemon')).toMatchObject({ status: 0 });
    const is = await processes(active);
    expect(is).toMatchObject({ watchdog: was.watchdog, basis: was.basis });
    expect(is.sm).not.toBe(was.sm);
    expect([active, standby].map(lives)).toEqual(before);
    rmSync(`${programs.dist}.old`, { recursive: true, force: true });
  }, 90_000);

  it('is refused where the installed version could not go on, and everything runs on', async () => {
    pairs += 1;
    const pair = [make(0), make(1)];
    for (const node of pair) node.start();
    const { active } = await settled(pair);
    const before = { ...lives(active), ...(await processes(active)) };
    const database = new Database(join(active.directory, 'sm.db'));
    const version = database.pragma('user_version', { simple: true }) as number;
    database.pragma('user_version = 999');
    const newer = active.smctl('restart-daemon');
    expect(newer).toMatchObject({ status: 5 });
    expect(newer.stderr).toMatch(/could not take over .*SM_STORE_NEWER: .*has schema version 999/);
    database.pragma(`user_version = ${version}`);
    database.close();
    const config = join(active.directory, 'sm.yaml');
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, `${text}nonsense: 1\n`);
    // The tool itself reads it too; the socket does without.
    expect(await active.request('restart', { actor: 'test' })).toMatchObject({
      ok: false,
      code: 'SM_RESTART_REFUSED',
      message: expect.stringContaining('nonsense'),
    });
    writeFileSync(config, text);
    expect({ ...lives(active), ...(await processes(active)) }).toEqual(before);
  }, 60_000);
});

/** Set up as `smctl join` does it; what the definitions name lies in a directory of this node's own. */
function join1(first: TestNode): TestNode {
  const second = make(1);
  const bundle = readBundle(join(first.directory, 'join-controller-1.json'));
  if (!bundle.ok) throw new Error(bundle.error.message);
  const config = join(second.directory, 'sm.yaml');
  const text = readFileSync(config, 'utf8');
  for (const path of ['sm.yaml', 'keys/cluster', 'definitions'])
    rmSync(join(second.directory, path), { recursive: true });
  const database = join(second.directory, 'sm.db');
  const { pair, rows, key } = bundle.value;
  const made = makeNode(
    { pair, index: 1, rows, source: 'bundle', key: Buffer.from(key, 'base64'), wallMs: Date.now() },
    placesOf(join(second.directory, 'keys'), database),
  );
  if (!made.ok) throw new Error(made.error.message);
  writeFileSync(config, text.replace(/^definitions: .*\n/m, ''));
  const file = new Database(database);
  for (const [table, column] of [
    ['SERVICES', 'PID_FILE'],
    ['SERVICE_INSTANCES', 'INSTANCE_PARAMETERS'],
  ])
    file.exec(
      `UPDATE ${table} SET ${column} = replace(${column}, '${first.directory}/', '${second.directory}/')`,
    );
  file.close();
  return second;
}

describe('a node alone', () => {
  it('gets a second one, and goes on alone when that is gone, and its services do not notice', async () => {
    pairs += 1;
    const first = make(0, LONE_SITE);
    first.start();
    await first.until(
      'it is active',
      LIMIT_MS,
      (view) => isGroupActive(view) && isGroupActive(view, 'everywhere'),
    );
    const before = lives(first);
    const noted = eventsOf(first).length;

    const links = ROLES.flatMap((role, link) => [
      '--interface',
      `${role}=${addressOf(pairs, link, 0)},${addressOf(pairs, link, 1)}`,
    ]);
    const refused = first.smctl('node', 'add', 'controller-1', '--interface', `${ROLES[0]}=10.0.0.1,fe80::1`);
    expect(refused).toMatchObject({ status: 2 });
    expect(first.smctl('node', 'remove', 'controller-1').stderr).toContain('is the only node of the domain');
    const added = first.smctl('node', 'add', 'controller-1', ...links, '--why', 'delivered');
    expect(added, added.stderr).toMatchObject({ status: 0 });
    expect(lives(first)).toEqual(before);

    const second = join1(first);
    second.start();
    const { active, standby } = await settled([first, second]);
    expect([active, standby]).toEqual([first, second]);
    const [one, two] = [(await first.view())!, (await second.view())!];
    expect(two.definitionDigest).toBe(one.definitionDigest);
    expect(lives(first)).toEqual(before);
    expect(SERVICES.map((service) => second.pid(service))).toEqual([null, null]);

    // Heard, and not locked: both are reasons to let it be.
    expect(first.smctl('node', 'remove', 'controller-1').stderr).toContain(
      'lock it (smctl lock controller-1)',
    );
    expect(first.smctl('lock', 'controller-1', '--why', 'sold')).toMatchObject({ status: 0 });
    second.terminate();
    await second.exit;
    const removed = first.smctl('node', 'remove', 'controller-1', '--why', 'sold');
    expect(removed, removed.stderr).toMatchObject({ status: 0 });
    const alone = await first.until(
      'it leads alone',
      LIMIT_MS,
      (view) => view.peer === null && isGroupActive(view),
    );
    expect(alone.domain.leader).toBe('controller-0');
    expect(alone.nodes.map(({ name }) => name)).toEqual(['controller-0']);
    expect(lives(first)).toEqual(before);
    expect(changes(first, noted)).toEqual([]);

    // Started again by mistake, with its old database: it leads, hears nobody, and takes nothing.
    second.start();
    await second.until('it leads', LIMIT_MS, (view) => view.domain.state === 'leader');
    await second.until('it has judged', LIMIT_MS, ({ placements }) =>
      placements.some(({ group, node }) => group === 'app' && node === 'controller-1'),
    );
    expect(SERVICES.map((service) => second.pid(service))).toEqual([null, null]);
    expect(second.journal(SERVICES[0])).toEqual([]);
  }, 120_000);

  it('and one that joined it take nothing from each other where no datagram passes', async () => {
    pairs += 1;
    const first = make(0, LONE_SITE);
    first.start();
    await first.until('it is active', LIMIT_MS, (view) => isGroupActive(view));
    const before = lives(first);
    const links = ROLES.flatMap((role, link) => [
      '--interface',
      `${role}=${addressOf(pairs, link, 0)},${addressOf(pairs, link, 1)}`,
    ]);
    expect(first.smctl('node', 'add', 'controller-1', ...links)).toMatchObject({ status: 0 });
    const second = join1(first);
    // A firewall, or a slip in the addresses.
    const file = new Database(join(second.directory, 'sm.db'));
    file.exec("UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_PEER_PORT = 4444 WHERE PROVISIONED = 'yes'");
    file.close();
    second.start();
    await second.until('silence has lasted', LIMIT_MS, (view) =>
      view.waits.some(
        ({ reason }) => reason.includes('silence for') && reason.includes('takes nothing before'),
      ),
    );
    await first.until('it leads', LIMIT_MS, (view) => view.domain.state === 'leader');
    expect(isGroupActive((await second.view())!)).toBe(false);
    expect(SERVICES.map((service) => second.pid(service))).toEqual([null, null]);
    expect(lives(first)).toEqual(before);
    // It is lost before it ever worked.
    await second.cut();
    expect(first.smctl('node', 'remove', 'controller-1').stderr).toContain('--dead');
    const removed = first.smctl('node', 'remove', 'controller-1', '--dead');
    expect(removed, removed.stderr).toMatchObject({ status: 0 });
    expect(lives(first)).toEqual(before);
  }, 120_000);
});
