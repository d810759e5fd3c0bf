/** A database as a running node leaves it, and a context that keeps what a tool prints. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import {
  type CommandSpec,
  type Context,
  type Daemon,
  execute,
  type Settings,
} from '../../src/cli/command.ts';
import { plain } from '../../src/cli/format.ts';
import { RestClient } from '../../src/cli/rest.ts';
import { ControlError } from '../../src/shell/client.ts';
import { ROOT } from '../tidy/project.ts';

export interface Fixture {
  readonly directory: string;
  readonly database: string;
  readonly sql: (text: string) => void;
  readonly remove: () => void;
}

const GROUPS = [
  ['oam-services', 'active', 'active', '', ''],
  ['controller-services', 'active', 'active', 'degraded', 'data-syncing'],
  ['web-services', 'active', 'go-active', 'failed', 'action-failure'],
];

const SERVICES = [
  ['drbd-pg', 'controller-services', 'enabled-active', 'degraded', 'data-syncing', 'critical', ''],
  ['postgres', 'controller-services', 'enabled-active', '', '', 'critical', 'postmaster.pid'],
  ['nfs-mgmt', 'controller-services', 'enabled-active', '', '', 'major', 'gone.pid'],
  ['barbican-keystone-listener', 'oam-services', 'enabled-active', '', '', 'critical', 'junk.pid'],
  ['horizon', 'web-services', 'enabling', '', '', 'critical', ''],
  ['haproxy', 'web-services', 'disabled', 'failed', 'action-failure', 'minor', ''],
];

/** Pid files live below /fixture in the database: the golden files name no temporary directory. */
export function makeFixture(): Fixture {
  const directory = mkdtempSync(join(tmpdir(), 'sm-cli-'));
  const database = join(directory, 'sm.db');
  const file = new Database(database);
  file.exec(readFileSync(join(ROOT, 'db', 'schema.sql'), 'utf8'));
  const group = file.prepare(
    'INSERT INTO SERVICE_GROUPS (NAME, DESIRED_STATE, STATE, STATUS, CONDITION) VALUES (?, ?, ?, ?, ?)',
  );
  for (const row of GROUPS) group.run(...row);
  const service = file.prepare(
    `INSERT INTO SERVICES (NAME, DESIRED_STATE, STATE, STATUS, CONDITION, PID_FILE)
     VALUES (?, 'enabled-active', ?, ?, ?, ?)`,
  );
  const member = file.prepare(
    'INSERT INTO SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME, SERVICE_FAILURE_IMPACT) VALUES (?, ?, ?)',
  );
  for (const [name, of, state, status, condition, impact, pidFile] of SERVICES) {
    service.run(name, state, status, condition, pidFile === '' ? '' : `/fixture/${pidFile}`);
    member.run(of, name, impact);
  }
  file.exec(`UPDATE SERVICE_GROUPS SET PROVISIONED = 'yes';
    UPDATE SERVICES SET PROVISIONED = 'yes';
    INSERT INTO SERVICES (NAME, PROVISIONED) VALUES ('unused', 'no');
    INSERT INTO SERVICE_GROUPS (NAME, PROVISIONED) VALUES ('unused-services', 'no');`);
  file.close();
  return {
    directory,
    database,
    sql: (text) => {
      const writer = new Database(database);
      writer.exec(text);
      writer.close();
    },
    remove: () => rmSync(directory, { recursive: true }),
  };
}

export interface Printed {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Everything is below the fixture's directory. */
export function settingsOf(fixture: Fixture): Settings {
  return {
    node: 'controller-0',
    database: fixture.database,
    controlSocket: join(fixture.directory, 'control.sock'),
    keysDirectory: join(fixture.directory, 'keys.d'),
    runDirectory: join(fixture.directory, 'run'),
    log: { level: 'info', file: null },
    trace: { directory: join(fixture.directory, 'trace'), bytesMax: 1e6 },
    api: {
      address: '127.0.0.1',
      port: 7777,
      tls: null,
      tokensFile: join(fixture.directory, 'tokens'),
      auditFile: join(fixture.directory, 'audit.log'),
      keystone: null,
      compatibility: null,
    },
    lsbDirectory: fixture.directory,
    ocfRoot: fixture.directory,
  };
}

/** Runs a tool in this process. Without `daemon`, nobody listens on the control socket. */
export async function run(
  spec: CommandSpec,
  words: readonly string[],
  fixture: Fixture,
  change: Partial<Context> & { readonly daemon?: Daemon } = {},
): Promise<Printed> {
  const out: string[] = [];
  const err: string[] = [];
  const { daemon, ...rest } = change;
  const context: Context = {
    out: (line) => void out.push(`${line}\n`),
    err: (line) => void err.push(`${line}\n`),
    paint: plain,
    terminal: false,
    settings: () => ({ ok: true, value: settingsOf(fixture) }),
    configurationPath: () => join(fixture.directory, 'sm.yaml'),
    scriptProblem: () => null,
    actor: 'alice',
    wallMs: () => 1_800_000_000_000,
    connect: async (socket) => {
      if (daemon === undefined) throw new ControlError('not-running', `nobody listens on ${socket}`);
      return daemon;
    },
    rest: (options) => new RestClient(options),
    environment: () => '',
    processOf: (pidFile) =>
      pidFile === '/fixture/postmaster.pid'
        ? { pid: 4242, name: 'postgres' }
        : { pid: pidFile === '/fixture/gone.pid' ? 99 : null, name: '' },
    pause: async () => {},
    stopped: () => false,
    ask: async () => null,
    ...rest,
  };
  const exit = await execute(spec, words, context);
  return { exit, out: out.join(''), err: err.join('') };
}

/** The object in the last line. */
export function lastJson(text: string): Record<string, unknown> {
  return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
}
