/**
 * A store that accepts no commits: nothing is activated that was not stored, the node yields and says so. Here somebody
 * holds the database's write lock, which everybody may try; a full disk fails at the same place.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildPrograms } from './build.ts';
import { destroyAll, isGroupActive, SERVICES, SMALL_SITE, signalTo, TestNode } from './node.ts';
import { eventsOf, settled } from './settled.ts';

const LIMIT_MS = 20_000;
const DEAD_MS = 800;
const BASE = 90;

let programs: ReturnType<typeof buildPrograms>;
let pairs = 0;
const nodes: TestNode[] = [];
const locks: Database.Database[] = [];

beforeAll(() => {
  programs = buildPrograms();
});

afterEach(async () => {
  for (const lock of locks.splice(0)) lock.close();
  await destroyAll(nodes);
});

afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

function startPair(): TestNode[] {
  pairs += 1;
  const pair = ([0, 1] as const).map((index) =>
    TestNode.make(programs.root, programs.dist, index, BASE + pairs, DEAD_MS, SMALL_SITE),
  );
  nodes.push(...pair);
  for (const node of pair) node.start();
  return pair;
}

/** From now on no commit of this node succeeds, until the result is called. */
function failCommits(node: TestNode): () => void {
  const database = new Database(join(node.directory, 'sm.db'), { timeout: 5000 });
  locks.push(database);
  database.exec('BEGIN IMMEDIATE');
  return () => void database.exec('ROLLBACK');
}

function starts(node: TestNode): number[] {
  return SERVICES.map((service) => node.journal(service).filter((line) => line.startsWith('start')).length);
}

describe('a store that accepts no commits', () => {
  it('makes the active node yield', { timeout: 4 * LIMIT_MS }, async () => {
    const { active, standby } = await settled(startPair());
    const repair = failCommits(active);
    // Something has to be stored for it to be noticed.
    signalTo(active.pid('app-web'), 'SIGKILL');
    await standby.until('it is active', LIMIT_MS, (view) => isGroupActive(view));
    const view = await active.until('nothing of the group is active here', LIMIT_MS, ({ groups }) =>
      groups.every(({ name, inactive }) => name !== 'app' || inactive),
    );
    expect(view.shell.loop.storeFailure).not.toBe('');
    expect(view.permission.reason).toMatch(/commit/);
    expect(active.log.join('\n')).toContain('the state could not be stored');
    expect(SERVICES.map((service) => active.pid(service))).toEqual([null, null]);
    // app-web died and was wanted; it was not started again, for that could not be stored.
    expect(starts(active)).toEqual([1, 1]);
    repair();
    await active.until('it is standby', LIMIT_MS, ({ groups, shell }) =>
      groups.some(
        ({ name, state }) => name === 'app' && state === 'standby' && shell.loop.storeFailure === '',
      ),
    );
    expect(isGroupActive(await standby.until('it answers', LIMIT_MS, () => true))).toBe(true);
    expect(starts(active)).toEqual([1, 1]);
    expect(starts(standby)).toEqual([1, 1]);
    const told = eventsOf(active).map(({ REASON }) => REASON);
    expect(told.join('\n')).toContain('does not accept commits');
  });

  it('keeps the standby node from taking over', { timeout: 4 * LIMIT_MS }, async () => {
    const { active, standby } = await settled(startPair());
    const repair = failCommits(standby);
    await active.cut();
    await standby.until(
      'it has been alone for long, and says why it does nothing',
      LIMIT_MS,
      ({ now, peer, permission }) =>
        peer?.silentSince != null &&
        now - peer.silentSince > 4 * DEAD_MS &&
        permission.reason.includes('does not accept commits'),
    );
    expect(starts(standby)).toEqual([0, 0]);
    repair();
    await standby.until('it is active', LIMIT_MS, (seen) => isGroupActive(seen));
    expect(starts(standby)).toEqual([1, 1]);
  });
});
