/**
 * What an operator's programs do to a real node. Notification hooks: a group that waits for them, one that does not, and hooks that
 * do not end. A go-enabled check that has to pass first. A service that has to answer its heartbeats.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { buildPrograms } from './build.ts';
import {
  destroyAll,
  eventually,
  isGroupActive,
  LONE_SITE,
  type NodeView,
  type Site,
  signalTo,
  TestNode,
} from './node.ts';
import { type EventRow, eventsOf } from './settled.ts';

const LIMIT_MS = 20_000;
const DEAD_MS = 3000;
const BASE = 120;
/** What all hooks have at one change, and what this one takes of it before a start. */
const HOOKS_LIMIT_MS = 1500;
const HOOK_S = 0.7;

let programs: ReturnType<typeof buildPrograms>;
const nodes: TestNode[] = [];

beforeAll(() => {
  programs = buildPrograms();
});
afterEach(() => destroyAll(nodes));
afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

/** Takes its time before a start, and never ends at a stop; says both in the journal of the group's first service. */
const hook = (directory: string): string => `#!/bin/sh
cd ${directory}
case $SERVICE_GROUP_NAME in app) journal=app-store.journal ;; *) journal=everywhere.journal ;; esac
case $SERVICE_GROUP_NOTIFICATION in
go-active) sleep ${HOOK_S}; echo hook >>$journal ;;
go-standby | disabling) sleep 60 & echo $! >hook-$SERVICE_GROUP_NAME.pid; wait ;;
esac
`;

function siteWithHooks(directory: string): Site {
  return {
    ...LONE_SITE,
    install: (...node) => {
      LONE_SITE.install(...node);
      mkdirSync(join(node[0], 'notify.d'), { mode: 0o755 });
      writeFileSync(join(node[0], 'notify.d', '10-slow'), hook(node[0]), { mode: 0o755 });
    },
    settings: [
      'notifications:',
      `  directory: ${JSON.stringify(join(directory, 'notify.d'))}`,
      `  limitMs: ${HOOKS_LIMIT_MS}`,
      '  barrier: app',
    ],
  };
}

it('holds a group that waits for its hooks, until they have ended or for their limit, and no other', async () => {
  const directory = join(programs.root, `pair-${BASE}-0`);
  const node = TestNode.make(programs.root, programs.dist, 0, BASE, DEAD_MS, siteWithHooks(directory));
  nodes.push(node);
  node.start();
  const both = ['app', 'everywhere'];
  await node.until('it is active', LIMIT_MS, (view) => both.every((group) => isGroupActive(view, group)));
  expect(node.journal('app-store')).toEqual(['hook', 'start 1']);
  // No barrier: its service was there before the hook had ended.
  await eventually('its hook has ended', LIMIT_MS, () => node.journal('everywhere')[1] ?? null);
  expect(node.journal('everywhere')).toEqual(['start ', 'hook']);

  const begin = eventsOf(node).length;
  expect(node.smctl('lock', 'controller-0', '--why', 'hooks hang')).toMatchObject({ status: 0 });
  const events = await eventually('both hooks are told of', LIMIT_MS, () => {
    const rows = eventsOf(node).slice(begin);
    return rows.filter(({ CAUSE }) => CAUSE === 'notification-failed').length === 2 ? rows : null;
  });
  const when = (group: string, is: (row: EventRow) => boolean): number =>
    events.find((row) => row.ENTITY === 'group' && row.NAME === group && is(row))?.WALL_MS ?? Number.NaN;
  const took = (group: string): number =>
    when(group, ({ TO_STATE }) => TO_STATE === 'disabled') -
    when(group, ({ TO_STATE }) => TO_STATE === 'disabling');
  // The engine's limit is of the monotonic clock.
  expect(took('app')).toBeGreaterThanOrEqual(HOOKS_LIMIT_MS - 20);
  expect(when('app', ({ CAUSE }) => CAUSE === 'notification-late')).not.toBeNaN();
  expect(took('everywhere')).toBeLessThan(HOOKS_LIMIT_MS);
  for (const group of both) {
    const failed = ({ CAUSE, REASON }: EventRow): boolean =>
      CAUSE === 'notification-failed' &&
      REASON === `10-slow (disabling): it did not end within ${HOOKS_LIMIT_MS} ms and was killed`;
    expect(when(group, failed), group).not.toBeNaN();
    await eventually('what the hook started is killed too', LIMIT_MS, () =>
      node.pid(`hook-${group}`) === null ? true : null,
    );
  }
});

const goEnabled = (directory: string): Site => ({
  ...LONE_SITE,
  install: (...node) => {
    LONE_SITE.install(...node);
    mkdirSync(join(node[0], 'goenabled.d'), { mode: 0o755 });
    const script = `#!/bin/sh\nwhile [ ! -e ${node[0]}/disk-is-there ]; do sleep 0.05; done\n`;
    writeFileSync(join(node[0], 'goenabled.d', '10-disk'), script, { mode: 0o755 });
  },
  settings: [`goEnabledDirectory: ${JSON.stringify(join(directory, 'goenabled.d'))}`],
});

it('is given no groups before its go-enabled checks have passed, and asks once in a life of the kernel', async () => {
  const directory = join(programs.root, `pair-${BASE + 1}-0`);
  const node = TestNode.make(programs.root, programs.dist, 0, BASE + 1, DEAD_MS, goEnabled(directory));
  nodes.push(node);
  node.start();
  await node.until('it says what it waits for', LIMIT_MS, ({ alarms }) =>
    alarms.some(({ id, reason }) => id === 'node-not-ready' && reason.includes('go-enabled')),
  );
  expect(node.journal('app-store')).toEqual([]);
  writeFileSync(join(directory, 'disk-is-there'), '');
  const before = await node.until('it is active', LIMIT_MS, (view) => isGroupActive(view));

  rmSync(join(directory, 'disk-is-there'));
  signalTo(before.shell.pid, 'SIGKILL');
  const after = await node.until(
    'another sm is there',
    LIMIT_MS,
    (view) => view.shell.pid !== before.shell.pid && isGroupActive(view),
  );
  expect(after.nodes.find(({ name }) => name === node.name)?.ready).toBe('enabled');
  expect(node.journal('app-store')).toEqual(['start 1']);
});

/** `everywhere` is asked every 100 ms, at a port of this test. */
const withHeartbeat = (servicePort: number, port: number): Site => ({
  ...LONE_SITE,
  install: (...node) => {
    LONE_SITE.install(...node);
    writeFileSync(
      join(node[0], 'definitions', '30-heartbeat.sql'),
      `INSERT INTO SERVICE_HEARTBEAT (PROVISIONED, NAME, TYPE, SRC_ADDRESS, SRC_PORT, DST_ADDRESS, DST_PORT, MESSAGE,
         INTERVAL_IN_MS, MISSED_WARN, MISSED_DEGRADE, MISSED_FAIL)
       VALUES ('yes', 'everywhere', 'udp', '127.0.0.1', ${port}, '127.0.0.1', ${servicePort}, 'alive?', 100, 5, 10, 0);`,
    );
  },
});

it('asks a service for its heartbeat, and shows it degraded while it does not answer', async () => {
  const service = createSocket('udp4').bind(0, '127.0.0.1');
  await once(service, 'listening');
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const site = withHeartbeat(service.address().port, probe.address().port);
  probe.close();
  let answers = true;
  const texts = new Set<string>();
  service.on('message', (text, from) => {
    texts.add(text.toString());
    if (answers) service.send('yes', from.port, from.address);
  });
  const node = TestNode.make(programs.root, programs.dist, 0, BASE + 2, DEAD_MS, site);
  nodes.push(node);
  node.start();
  const status = (view: NodeView) => view.services.find(({ name }) => name === 'everywhere')?.status;
  await node.until('it runs', LIMIT_MS, (view) => isGroupActive(view, 'everywhere'));
  answers = false;
  await node.until('it is missed', LIMIT_MS, (view) => status(view) === 'degraded');
  answers = true;
  await node.until('it is back', LIMIT_MS, (view) => status(view) === '');
  expect([...texts]).toEqual(['alive?\0']);
  expect(node.journal('everywhere')).toEqual(['start']);
  service.close();
});
