/**
 * FATAL_ERROR_REBOOT on real nodes: the word that ends a node goes from the engine to the self-fence, which kills the node's
 * own processes here and nothing else, and the other node takes over.
 */
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { REBOOT_PAUSE_MS } from '../../../src/core/cluster/reboot.ts';
import { buildPrograms } from './build.ts';
import { destroyAll, isGroupActive, SERVICES, type Site, SMALL_SITE, signalTo, TestNode } from './node.ts';
import { eventsOf, settled } from './settled.ts';

const LIMIT_MS = 20_000;
const BASE = 130;

let programs: ReturnType<typeof buildPrograms>;
const nodes: TestNode[] = [];

beforeAll(() => {
  programs = buildPrograms();
});
afterEach(() => destroyAll(nodes));
afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

/** `app-web` can not be stopped any more once there is a file that says so: at its death `app` has failed for good. */
const SITE: Site = {
  ...SMALL_SITE,
  // Named, so that it is tried with what a machine would be ended by left away.
  settings: ['selfFence: processes'],
  install: (directory, ...more) => {
    SMALL_SITE.install(directory, ...more);
    const lsb = (name: string) => join(directory, 'lsb', name);
    copyFileSync(lsb('app.sh'), lsb('app'));
    const script = `#!/bin/sh\ncase $1$pidfile in stopDIR/app-web.pid) [ -e DIR/broken ] && exit 1 ;; esac\nexec DIR/lsb/app "$@"\n`;
    writeFileSync(lsb('app.sh'), script.replaceAll('DIR', directory), { mode: 0o755 });
    writeFileSync(
      join(directory, 'definitions', '20-fatal.sql'),
      `UPDATE SERVICE_GROUPS SET FATAL_ERROR_REBOOT = 'yes' WHERE NAME = 'app';
       UPDATE SERVICES SET MAX_TRANSITION_FAILURES = 1 WHERE NAME = 'app-web';`,
    );
  },
};

/** No node ends itself soon after a boot, so that has to be some time ago. */
async function bootedLongAgo(node: TestNode): Promise<void> {
  node.start();
  await node.until('it has written its boot down', LIMIT_MS, (view) => isGroupActive(view, 'everywhere'));
  node.terminate();
  expect(await node.exit).toBe(0);
  const database = new Database(join(node.directory, 'sm.db'));
  database.prepare('UPDATE SM_BOOTS SET WALL_MS = WALL_MS - ?').run(2 * REBOOT_PAUSE_MS);
  database.close();
}

it('ends the node on which a group has failed for good, and the other one takes over', async () => {
  const pair = [0, 1].map((index) =>
    TestNode.make(programs.root, programs.dist, index as 0 | 1, BASE, 800, SITE),
  );
  nodes.push(...pair);
  await Promise.all(pair.map(bootedLongAgo));
  for (const node of pair) node.start();
  const { active, standby } = await settled(pair);
  writeFileSync(join(active.directory, 'broken'), '');
  signalTo(active.pid('app-web'), 'SIGKILL');

  await standby.until('it is active now', LIMIT_MS, (view) => isGroupActive(view));
  expect(SERVICES.map((service) => standby.pid(service))).not.toContain(null);
  expect(await active.exit).toBe(1);
  const says = (what: string) => active.log.filter((line) => line.includes(what));
  expect(says('self-fence: all processes of this node were killed')).toHaveLength(1);
  expect(says('app has failed for good').length).toBeGreaterThan(0);
  expect([...SERVICES, 'everywhere'].map((service) => active.pid(service))).toEqual([null, null, null]);
  expect(eventsOf(active).filter(({ CAUSE }) => CAUSE === 'fatal-error-reboot')).toMatchObject([
    { ENTITY: 'node', NAME: active.name, TO_STATE: 'ends itself' },
  ]);
}, 90_000);
