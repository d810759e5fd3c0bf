import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { EXIT_UNAVAILABLE } from '../../../src/shell/exit-codes.ts';
import { buildPrograms } from './build.ts';
import {
  destroyAll,
  eventually,
  isGroupActive,
  type NodeView,
  SERVICES,
  type Site,
  SMALL_SITE,
  signalTo,
  TestNode,
} from './node.ts';
import { eventsOf } from './settled.ts';

/** Nobody is replaced by time alone. */
const STAY: Site = {
  ...SMALL_SITE,
  install: (directory, ...more) => {
    SMALL_SITE.install(directory, ...more);
    const change = "UPDATE SM_DOMAIN_SAFETY SET SILENCE_POLICY = 'stay';";
    writeFileSync(join(directory, 'definitions', '20-stay.sql'), change);
  },
};

let programs: ReturnType<typeof buildPrograms>;
let pairs = 0;
const nodes: TestNode[] = [];

beforeAll(() => {
  programs = buildPrograms();
});

afterEach(async () => {
  await destroyAll(nodes);
});

afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

interface Settled {
  readonly active: TestNode;
  readonly standby: TestNode;
}

/**
 * `deadMs`: where a process has to be replaced while the permission lives, the test machine gets more time for it than
 * the shipped 800 ms leave.
 */
async function startPair(deadMs = 800, site = SMALL_SITE): Promise<Settled> {
  pairs += 1;
  const pair = [0, 1].map((index) =>
    TestNode.make(programs.root, programs.dist, index as 0 | 1, pairs, deadMs, site),
  );
  nodes.push(...pair);
  for (const node of pair) node.start();
  const [a, b] = pair as [TestNode, TestNode];
  await Promise.all(
    pair.map((node) =>
      node.until(
        'both nodes agree',
        15_000,
        (view) => view.peer?.exchanged === true && isGroupActive(view, 'everywhere'),
      ),
    ),
  );
  const active = await eventually('one node is active', 15_000, async () => {
    for (const node of pair) {
      const view = await node.view();
      if (view !== null && isGroupActive(view)) return node;
    }
    return null;
  });
  return { active, standby: active === a ? b : a };
}

function pidsOf(node: TestNode): (number | null)[] {
  return [...SERVICES, 'everywhere'].map((service) => node.pid(service));
}

describe('two nodes', () => {
  it('run the group on one of them', async () => {
    const { active, standby } = await startPair();
    expect(SERVICES.map((service) => active.pid(service))).not.toContain(null);
    expect(SERVICES.map((service) => standby.pid(service))).toEqual([null, null]);
    expect(pidsOf(standby)[2]).not.toBeNull();
  });

  it('go on when sm is killed: services and peer notice nothing', async () => {
    const { active, standby } = await startPair();
    const before = (await active.view()) as NodeView;
    const pids = pidsOf(active);
    signalTo(before.shell.pid, 'SIGKILL');
    const after = await active.until(
      'sm is back and active',
      10_000,
      (view) => view.shell.pid !== before.shell.pid && isGroupActive(view),
    );
    expect(pidsOf(active)).toEqual(pids);
    for (const service of SERVICES) expect(active.journal(service)).toHaveLength(1);
    for (const service of SERVICES) expect(standby.journal(service)).toEqual([]);
    expect(after.shell.watchdog?.smStarts).toBe(2);
    expect(after.shell.watchdog?.pid).toBe(before.shell.watchdog?.pid);
  });

  it('go on when sm-watchdog is killed: sm starts another one', async () => {
    const { active, standby } = await startPair(3000);
    const before = (await active.view()) as NodeView;
    const pids = pidsOf(active);
    signalTo(before.shell.watchdog?.pid, 'SIGKILL');
    const after = await active.until(
      'another watchdog hears the peer',
      10_000,
      ({ shell: { watchdog } }) =>
        watchdog !== null && watchdog.pid !== before.shell.watchdog?.pid && watchdog.guard.peerHeard,
    );
    expect(after.shell.pid).toBe(before.shell.pid);
    expect(isGroupActive(after)).toBe(true);
    expect(pidsOf(active)).toEqual(pids);
    for (const service of SERVICES) expect(active.journal(service)).toHaveLength(1);
    for (const service of SERVICES) expect(standby.journal(service)).toEqual([]);
    expect(after.shell.watchdog?.guard.holding).toBe(true);
    expect([...(after.shell.watchdog?.guard.entries ?? [])].sort()).toEqual([...SERVICES]);
  });

  it('hand over when the active one is ended in order', async () => {
    const { active, standby } = await startPair();
    active.terminate();
    expect(await active.exit).toBe(0);
    expect(pidsOf(active)).toEqual([null, null, null]);
    const view = await standby.until('it is active now', 5000, (seen) => isGroupActive(seen));
    expect(view.peer?.leaving).toBe(true);
    standby.terminate();
    expect(await standby.exit).toBe(0);
    expect(pidsOf(standby)).toEqual([null, null, null]);
  });

  it('replace a node that lost its power', async () => {
    const { active, standby } = await startPair();
    await active.cut();
    await standby.until('it is active now', 5000, (seen) => isGroupActive(seen));
    expect(SERVICES.map((service) => standby.pid(service))).not.toContain(null);
  });

  it('replace nobody under stay, until an operator says that the silent one is dead', async () => {
    const { active, standby } = await startPair(800, STAY);
    const dead = active.name;
    const heard = standby.smctl('confirm-dead', dead, '--yes', dead, '--why', 'a guess');
    expect([heard.status, heard.stderr]).toEqual([EXIT.refused, expect.stringContaining('is heard')]);
    await active.cut();
    await standby.until('it says why it waits', 15_000, ({ alarms }) =>
      alarms.some(({ id }) => id === 'peer-not-replaced'),
    );
    expect(SERVICES.map((service) => standby.pid(service))).toEqual([null, null]);
    const other = standby.smctl('confirm-dead', dead, '--yes', standby.name, '--why', 'pulled its plug');
    expect(other.status).toBe(EXIT.refused);
    const said = standby.smctl('confirm-dead', dead, '--yes', dead, '--why', 'pulled its plug');
    expect([said.status, said.stderr]).toEqual([0, '']);
    await standby.until('it is active now', 5000, (seen) => isGroupActive(seen));
    expect(SERVICES.map((service) => standby.pid(service))).not.toContain(null);
    expect(eventsOf(standby).some(({ REASON }) => REASON.includes('pulled its plug'))).toBe(true);
  });

  it('go on when sm hangs: sm-watchdog starts it again', async () => {
    const { active, standby } = await startPair();
    const before = (await active.view()) as NodeView;
    const pids = pidsOf(active);
    signalTo(before.shell.pid, 'SIGSTOP');
    await active.until(
      'another sm is active',
      10_000,
      (view) => view.shell.pid !== before.shell.pid && isGroupActive(view),
    );
    expect(pidsOf(active)).toEqual(pids);
    for (const service of SERVICES) expect(standby.journal(service)).toEqual([]);
  });

  it('go on when sm-watchdog hangs: sm kills it and starts another one', async () => {
    const { active, standby } = await startPair(3000);
    const before = (await active.view()) as NodeView;
    const pids = pidsOf(active);
    signalTo(before.shell.watchdog?.pid, 'SIGSTOP');
    await active.until(
      'another watchdog hears the peer',
      10_000,
      ({ shell: { watchdog } }) =>
        watchdog !== null && watchdog.pid !== before.shell.watchdog?.pid && watchdog.guard.peerHeard,
    );
    expect(pidsOf(active)).toEqual(pids);
    for (const service of SERVICES) expect(standby.journal(service)).toEqual([]);
  });

  it('go on on a node of which both processes died, when they are there again within its permission', async () => {
    const { active, standby } = await startPair(4000);
    const pids = pidsOf(active);
    await killBoth(active);
    active.start();
    await active.until('it is back', 10_000, (view) => view.peer?.exchanged === true && isGroupActive(view));
    expect(pidsOf(active)).toEqual(pids);
    expect(active.log.join('\n')).toContain('what they guarded goes on');
    for (const service of SERVICES) expect(standby.journal(service)).toEqual([]);
  });

  it('stop everything of a node of which both processes died, when it starts too late', async () => {
    const { active, standby } = await startPair();
    const pids = SERVICES.map((service) => active.pid(service));
    await killBoth(active);
    await standby.until('it is not heard', 10_000, (view) => view.peer?.heard === false);
    active.start();
    await active.until('it is back', 10_000, (view) => view.peer?.exchanged === true);
    for (const service of SERVICES) expect(pids).not.toContain(active.pid(service));
    await standby.until('one is active', 10_000, () => isOneActive(active, standby));
  });

  it('go on while somebody writes to the database for a second', async () => {
    const { active, standby } = await startPair();
    const before = (await active.view()) as NodeView;
    const pids = pidsOf(active);
    const release = holdDatabase(active);
    const refused = await active.request('command', {
      command: { kind: 'unmanage', service: 'everywhere', why: 'test' },
    });
    expect(refused).toMatchObject({ ok: false, code: 'not-stored' });
    await active.until('it says so', 3000, (view) => view.shell.loop.storeFailure !== '');
    release();
    const after = await active.until('it stores again', 5000, (view) => view.shell.loop.storeFailure === '');
    expect(after.shell.pid).toBe(before.shell.pid);
    expect(pidsOf(active)).toEqual(pids);
    for (const service of SERVICES) expect(standby.journal(service)).toEqual([]);
  });

  it('hand over when the database of the active one can not be written', async () => {
    const { active, standby } = await startPair();
    const before = (await active.view()) as NodeView;
    const release = holdDatabase(active);
    await active.request('command', { command: { kind: 'unmanage', service: 'everywhere', why: 'test' } });
    await standby.until('it is active now', 10_000, (view) => isGroupActive(view));
    expect(SERVICES.map((service) => active.pid(service))).toEqual([null, null]);
    release();
    const after = await active.until('it is standby', 5000, (view) =>
      view.groups.some(({ name, state }) => name === 'app' && state === 'standby'),
    );
    expect(after.shell.pid).toBe(before.shell.pid);
    expect(isGroupActive((await standby.view()) as NodeView)).toBe(true);
  });

  it('are not started twice', async () => {
    const { active } = await startPair();
    const twin = active.twin();
    twin.start();
    expect(await twin.exit).toBe(EXIT_UNAVAILABLE);
    expect(twin.log.join('\n')).toContain('this node runs already');
    expect(isGroupActive((await active.view()) as NodeView)).toBe(true);
  });
});

/** Neither can start the other again. */
async function killBoth(node: TestNode): Promise<void> {
  const { shell } = (await node.view()) as NodeView;
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
    for (const pid of [shell.watchdog?.pid, shell.pid]) signalTo(pid, signal);
  }
  await node.exit;
}

/** As an operator does who forgets to end a transaction in a shell. */
function holdDatabase(node: TestNode): () => void {
  const shell = new Database(join(node.directory, 'sm.db'));
  shell.exec('BEGIN IMMEDIATE');
  return () => shell.close();
}

/** By the processes that exist, not by what the nodes say. */
function isOneActive(...pair: TestNode[]): boolean {
  return pair.filter((node) => SERVICES.every((service) => node.pid(service) !== null)).length === 1;
}
