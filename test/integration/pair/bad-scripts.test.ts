/** Scripts that hang, are missing, talk too much, or lie: that service alone fails. And `sm` is killed while one runs. */
import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
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
import { eventsOf, settled } from './settled.ts';

const LIMIT_MS = 30_000;
const DEAD_MS = 3000;
const BASE = 80;
const MEGABYTE = 1024 * 1024;

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

function startPair(site: Site): [TestNode, TestNode] {
  pairs += 1;
  const make = (index: 0 | 1) =>
    TestNode.make(programs.root, programs.dist, index, BASE + pairs, DEAD_MS, site);
  const pair: [TestNode, TestNode] = [make(0), make(1)];
  nodes.push(...pair);
  for (const node of pair) node.start();
  return pair;
}

/** Bodies of `start`; null = there is no script. `status` says "not running" but where a body says otherwise. */
const BODIES: Readonly<Record<string, string | null>> = {
  hangs: 'sleep 300 & wait',
  missing: null,
  plain: '',
  talks: 'head -c 104857600 /dev/zero | tr "\\0" x; echo; echo enough said; exit 1',
  lies: 'exit 0',
  dies: 'kill -9 $$',
};

/** What the reason of each service has to tell. */
const REASONS: Readonly<Record<string, RegExp>> = {
  hangs: /hangs start did not end within \d+ ms and was killed/,
  missing: /missing does not exist \(ENOENT\)/,
  plain: /plain is not executable \(EACCES\)/,
  talks: /talks start exited 1 after \d+ ms: .*enough said/,
  lies: /it is disabled/,
  dies: /dies start was ended by SIGKILL/,
};

/** A group of its own, wanted on both nodes, for each of the services. */
function groupRows(service: string): string[] {
  const actions = [
    ['enable', 'start', ''],
    ['disable', 'stop', ''],
    ['audit-enabled', 'status', 1],
    ['audit-disabled', 'status', 1],
  ] as const;
  return [
    `INSERT INTO SERVICE_GROUPS (NAME) VALUES ('${service}-group');`,
    `INSERT INTO SERVICE_DOMAIN_MEMBERS (NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY)
       VALUES ('test', '${service}-group', 'N', 2, 0);`,
    `INSERT INTO SERVICES (NAME) VALUES ('${service}');`,
    `INSERT INTO SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME) VALUES ('${service}-group', '${service}');`,
    `INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME) VALUES ('${service}', '${service}');`,
    ...actions.map(
      ([
        action,
        command,
        interval,
      ]) => `INSERT INTO SERVICE_ACTIONS (SERVICE_NAME, ACTION, PLUGIN_TYPE, PLUGIN_NAME,
        PLUGIN_COMMAND, MAX_FAILURE_RETRIES, MAX_TIMEOUT_RETRIES, MAX_TOTAL_RETRIES, TIMEOUT_IN_SECS, INTERVAL_IN_SECS)
        VALUES ('${service}', '${action}', 'lsb-script', '${service}', '${command}', 1, 1, 1, 2, '${interval}');`,
    ),
  ];
}

const BAD_SITE: Site = {
  ...SMALL_SITE,
  install: (directory, index, base, deadMs) => {
    SMALL_SITE.install(directory, index, base, deadMs);
    const rows = Object.keys(BODIES).flatMap(groupRows);
    writeFileSync(join(directory, 'definitions', '20-bad.sql'), rows.join('\n'));
    for (const [service, body] of Object.entries(BODIES)) {
      if (body === null) continue;
      const script = `#!/bin/sh\ncase $1 in\nstart) ${body || ':'} ;;\nstatus) exit 3 ;;\nesac\n`;
      const mode = service === 'plain' ? 0o644 : 0o755;
      writeFileSync(join(directory, 'lsb', service), script, { mode });
    }
  },
};

describe('a bad script', () => {
  it('makes its own service fail, with the reason, and nothing else', { timeout: 4 * LIMIT_MS }, async () => {
    const pair = startPair(BAD_SITE);
    const { active } = await settled(pair);
    for (const node of pair) {
      const view = await node.until(
        'all bad services have failed',
        LIMIT_MS,
        ({ services }) =>
          services.filter(({ status }) => status === 'failed').length === Object.keys(BODIES).length,
      );
      for (const [service, reason] of Object.entries(REASONS)) {
        const found = view.services.find(({ name }) => name === service);
        expect(found?.reason, service).toMatch(reason);
        const told = eventsOf(node).filter(({ ENTITY, NAME }) => ENTITY === 'service' && NAME === service);
        expect(told.map(({ REASON }) => REASON).join('\n'), service).toMatch(reason);
      }
      expect(
        view.services
          .filter(({ status }) => status !== '')
          .map(({ name }) => name)
          .sort(),
      ).toEqual(Object.keys(BODIES).sort());
      expect(isGroupActive(view, 'everywhere')).toBe(true);
      expect(outputBytes(node)).toBeLessThan(MEGABYTE);
    }
    expect(isGroupActive((await active.view()) as NodeView)).toBe(true);
    for (const service of SERVICES) expect(active.journal(service)).toHaveLength(1);
    await endsWithoutScripts(active);
  });
});

/** Nobody can stop its services in order any more: they are killed, and the node ends all the same. */
async function endsWithoutScripts(node: TestNode): Promise<void> {
  rmSync(join(node.directory, 'lsb', 'app.sh'));
  const pids = SERVICES.map((service) => node.pid(service));
  node.terminate();
  const late = setTimeout(() => node.cut(), LIMIT_MS);
  expect(await node.exit, 'an orderly end').toBe(0);
  clearTimeout(late);
  expect(pids).not.toContain(null);
  for (const service of SERVICES) expect(node.pid(service), service).toBeNull();
  expect(node.log.join('\n')).toContain('SM_STOP_SCRIPT');
}

/** What the output of scripts takes on the disk. */
function outputBytes(node: TestNode): number {
  const directory = join(node.directory, 'run', 'output');
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks * 512, 0);
}

/** The scripts of `app-store` wait, with a child, while there is a file that says so. */
const SLOW_SCRIPT = `#!/bin/sh
hold="$(dirname "$0")/hold-$1"
if [ -e "$hold" ] && [ "$journal" != "\${journal%app-store.journal}" ]; then
  sleep 300 &
  echo "begin $$ $!" >>"$journal"
  while [ -e "$hold" ]; do sleep 0.05; done
  kill $!
fi
exec "$(dirname "$0")/app" "$@"
`;

function hold(directory: string, command: string): void {
  writeFileSync(join(directory, 'lsb', `hold-${command}`), '');
}

function letGo(node: TestNode, command: string): void {
  rmSync(join(node.directory, 'lsb', `hold-${command}`));
}

function slowSite(containment: string, held: string | null): Site {
  return {
    ...SMALL_SITE,
    settings: [`containment: ${containment}`],
    install: (directory, index, base, deadMs) => {
      SMALL_SITE.install(directory, index, base, deadMs);
      copyFileSync(join(directory, 'lsb', 'app.sh'), join(directory, 'lsb', 'app'));
      writeFileSync(join(directory, 'lsb', 'app.sh'), SLOW_SCRIPT, { mode: 0o755 });
      if (held !== null) hold(directory, held);
    },
  };
}

describe.each(['auto', 'marker'])('sm, killed while a script runs, containment %s', (containment) => {
  it('ends a start script, asks what is so, and starts nothing twice', {
    timeout: 4 * LIMIT_MS,
  }, async () => {
    const pair = startPair(slowSite(containment, 'start'));
    const { node, old } = await eventually('a start script runs', LIMIT_MS, () => {
      for (const candidate of pair) {
        const [first] = begun(candidate);
        if (first !== undefined) return { node: candidate, old: first };
      }
      return null;
    });
    const before = (await node.view()) as NodeView;
    signalTo(before.shell.pid, 'SIGKILL');
    const again = await eventually('it is started again', LIMIT_MS, () => begun(node)[1] ?? null);
    // Everything of the old script was gone before: at no time two of them.
    expect(old.filter(isThere)).toEqual([]);
    expect(again.filter(isThere)).toEqual(again);
    expect(node.pid('app-store')).toBeNull();
    letGo(node, 'start');
    await node.until('it is active', LIMIT_MS, (view) => isGroupActive(view));
    expect(begun(node)).toHaveLength(2);
    expect(starts(node)).toEqual([1, 1]);
    const told = eventsOf(node).filter(
      ({ NAME, CAUSE }) => NAME === 'app-store' && CAUSE === 'audit-success',
    );
    expect(told.length).toBeGreaterThanOrEqual(2);
    for (const other of pair) if (other !== node) expect(begun(other)).toEqual([]);
  });

  it('ends a stop script, and leaves what still runs alone', { timeout: 4 * LIMIT_MS }, async () => {
    const { active } = await settled(startPair(slowSite(containment, null)));
    const pids = SERVICES.map((service) => active.pid(service));
    hold(active.directory, 'stop');
    const command = { kind: 'restart-safe', service: 'app-store', why: 'test', forMs: 0 };
    await active.request('command', { actor: 'test', command });
    const old = await eventually('a stop script runs', LIMIT_MS, () => begun(active)[0] ?? null);
    const before = (await active.view()) as NodeView;
    signalTo(before.shell.pid, 'SIGKILL');
    await active.until(
      'another sm is active',
      LIMIT_MS,
      (view) => view.shell.pid !== before.shell.pid && isGroupActive(view),
    );
    expect(old.filter(isThere)).toEqual([]);
    expect(begun(active)).toHaveLength(1);
    expect(active.pid('app-store')).toBe(pids[0]);
    expect(active.pid('app-web')).not.toBeNull();
    letGo(active, 'stop');
  });
});

function starts(node: TestNode): number[] {
  return SERVICES.map((service) => node.journal(service).filter((line) => line.startsWith('start')).length);
}

/** Script and its child of each start that was begun. */
function begun(node: TestNode): number[][] {
  return node
    .journal('app-store')
    .filter((line) => line.startsWith('begin'))
    .map((line) => line.split(' ').slice(1).map(Number));
}

function isThere(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
