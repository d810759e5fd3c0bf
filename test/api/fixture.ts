/** A REST server over a database as a running node leaves it, and a real control socket behind it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { AccessPorts } from '../../src/api/access.ts';
import { Answers } from '../../src/api/answers.ts';
import type { AuditRecord } from '../../src/api/audit.ts';
import { Daemon } from '../../src/api/daemon.ts';
import { Once } from '../../src/api/once.ts';
import type { ApiContext, App } from '../../src/api/routes/context.ts';
import { buildServer, type ServerOptions } from '../../src/api/server.ts';
import { Stream } from '../../src/api/stream.ts';
import type { OperatorCommand } from '../../src/core/engine-interface.ts';
import { ControlServer } from '../../src/shell/control.ts';
import type { CommandResult } from '../../src/shell/control-protocol.ts';
import { createToken, type Role, readTokens } from '../../src/shell/credentials/tokens.ts';
import { LiveReader } from '../../src/shell/store/live-reader.ts';
import { ROOT } from '../tidy/project.ts';
import { service, view } from '../unit/cli/views.ts';

export const WALL_MS = 1_800_000_000_000;

const STATE = `
  INSERT INTO NODES (NAME, ADMINISTRATIVE_STATE, OPERATIONAL_STATE, AVAILABILITY_STATUS, READY_STATE) VALUES
    ('controller-0', 'unlocked', 'enabled', 'available', 'enabled'),
    ('controller-1', 'unlocked', 'enabled', 'available', 'enabled');
  INSERT INTO SERVICE_DOMAINS (NAME, STATE, LEADER, GENERATION) VALUES ('controller', 'leader', 'controller-0', 7);
  INSERT INTO SM_DOMAIN_SAFETY (SERVICE_DOMAIN) VALUES ('controller');
  INSERT INTO SERVICE_DOMAIN_INTERFACES
    (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY, INTERFACE_STATE, NETWORK_ADDRESS, NETWORK_PORT, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT) VALUES
    ('controller', 'management-interface', 'cluster', 'enabled', '10.0.0.1', 2222, '10.0.0.2', 2222);
  INSERT INTO SERVICE_DOMAIN_NEIGHBORS (NAME, SERVICE_DOMAIN, STATE) VALUES ('controller-1', 'controller', 'full');
  INSERT INTO SERVICE_DOMAIN_MEMBERS (NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY) VALUES
    ('controller', 'oam-services', 'N + M', 1, 1), ('controller', 'directory-services', 'N', 2, 0);
  INSERT INTO SERVICE_GROUPS (NAME) VALUES ('oam-services'), ('directory-services');
  INSERT INTO SERVICES (NAME, DESIRED_STATE, STATE, STATUS) VALUES
    ('oam-ip', 'enabled-active', 'enabled-active', ''),
    ('open-ldap', 'enabled-active', 'enabled-active', ''),
    ('keystone', 'enabled-active', 'disabled', 'failed');
  INSERT INTO SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME, SERVICE_FAILURE_IMPACT) VALUES
    ('oam-services', 'oam-ip', 'critical'), ('oam-services', 'keystone', 'critical'),
    ('directory-services', 'open-ldap', 'critical');
  INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS) VALUES
    ('open-ldap', 'open-ldap', 'url=ldap://x,admin_password=hunter2,level=1');
  INSERT INTO SERVICE_DOMAIN_ASSIGNMENTS (UUID, NAME, NODE_NAME, SERVICE_GROUP_NAME, DESIRED_STATE, STATE) VALUES
    ('6d1c0b3e-0000-5000-8000-000000000001', 'controller', 'controller-0', 'oam-services', 'active', 'active'),
    ('6d1c0b3e-0000-5000-8000-000000000002', 'controller', 'controller-0', 'directory-services', 'active', 'active'),
    ('6d1c0b3e-0000-5000-8000-000000000003', 'controller', 'controller-1', 'oam-services', 'standby', 'standby'),
    ('6d1c0b3e-0000-5000-8000-000000000004', 'controller', 'controller-1', 'directory-services', 'active', 'active');
  INSERT INTO SM_OPERATIONS (OPERATION, KIND, NODE_NAME, STEP, REQUESTED_AT, ACTOR, WHY) VALUES
    ('controller-0-ab12-1', 'swact', 'controller-1', 'done', ${WALL_MS - 60_000}, 'alice', 'kernel update');
  INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE, CAUSE, ACTOR, REASON) VALUES
    (${WALL_MS - 5000}, 'group', 'oam-services', 'standby', 'go-active', 'order', 'engine', 'swact of controller-1'),
    (${WALL_MS - 4000}, 'group', 'oam-services', 'go-active', 'active', 'done', 'engine', ''),
    (${WALL_MS - 3000}, 'service', 'keystone', 'enabling', 'disabled', 'failure', 'engine', 'exit 1');
  INSERT INTO SM_ALARMS (ALARM, SEVERITY, RAISED_AT, ENTITY, REASON, REPAIR) VALUES
    ('400.001', 'critical', ${WALL_MS - 3000}, 'service=keystone', 'it failed', 'see smctl explain service keystone');
`;

export interface ApiFixture {
  readonly context: ApiContext;
  readonly app: App;
  readonly directory: string;
  readonly records: AuditRecord[];
  readonly commands: { readonly actor: string; readonly command: OperatorCommand }[];
  /** What `sm` will answer to commands. */
  answer: CommandResult;
  readonly sql: (text: string) => void;
  readonly token: (role: Role, name?: string) => string;
  /** The local caller's uid as the kernel would tell it. */
  uid: number | null;
  readonly stopDaemon: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface FixtureOptions {
  readonly daemon?: boolean;
  readonly access?: Partial<AccessPorts>;
  readonly changesPerMinute?: number;
  /** As of the server; 0 without it. */
  readonly lateMs?: number;
  /** Whatever is read or ordered fails in a way that nobody has foreseen. */
  readonly broken?: boolean;
  readonly tls?: ServerOptions['tls'];
  readonly headMs?: number;
  readonly requestMs?: number;
}

/** The `await` ends when the server has found `sm`, or that it is not there. */
export async function makeApi(options: FixtureOptions = {}): Promise<ApiFixture> {
  const directory = mkdtempSync(join(tmpdir(), 'sm-api-'));
  const path = join(directory, 'sm.db');
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.exec(readFileSync(join(ROOT, 'db', 'schema.sql'), 'utf8'));
  database.exec(STATE);
  const commands: ApiFixture['commands'] = [];
  const log = { info() {}, warn() {}, error() {}, debug() {} };
  const control = new ControlServer(
    {
      view: async () =>
        view({ services: [service('keystone', { state: 'disabled', status: 'failed', reason: 'exit 1' })] }),
      command: (request, actor, command) => {
        commands.push({ actor, command });
        // What is asked of one service is no operation, and neither is a word on a node.
        const { answer } = fixture;
        const done = 'service' in command || command.kind === 'confirm-dead';
        const told = done ? { ...answer, operation: '' } : answer;
        queueMicrotask(() => control.answered(request, told));
      },
      shutdown: () => {},
      restart: async () => fixture.answer,
      nodes: async () => fixture.answer,
    },
    log as never,
  );
  const socket = join(directory, 'run', 'control.sock');
  if (options.daemon !== false) await control.listen(socket);
  const now = () => performance.now();
  const reader = new LiveReader(path, now);
  const answers = new Answers(reader);
  const daemon = new Daemon({ socket, now });
  if (options.broken === true) {
    const fail = () => {
      throw new TypeError('secret detail of a fault');
    };
    Object.assign(answers, { get: fail, read: fail });
    Object.assign(daemon, { view: async () => fail(), command: async () => fail() });
  }
  await daemon.start();
  const stream = new Stream({
    read: (work) => answers.read(work),
    dropped: () => {},
    now,
    unreadMsMax: 2000,
  });
  daemon.onChange = () => stream.wake();
  const records: AuditRecord[] = [];
  const tokensFile = join(directory, 'tokens');
  const context: ApiContext = {
    node: 'controller-0',
    database: path,
    answers,
    daemon,
    stream,
    audit: (record) => void records.push(record),
    once: new Once(now),
    wallMs: () => WALL_MS,
    access: {
      tokens: () => {
        const read = readTokens(tokensFile);
        return read.ok ? read.value : [];
      },
      localUid: () => fixture.uid,
      mayOperate: (uid) => uid === 0,
      wallMs: () => WALL_MS,
      ...options.access,
    },
  };
  const app = await buildServer({
    log: false,
    // The test and the server share a loop that building the server keeps busy.
    lateMs: options.lateMs ?? 0,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.headMs === undefined ? {} : { headMs: options.headMs }),
    ...(options.requestMs === undefined ? {} : { requestMs: options.requestMs }),
    ...(options.changesPerMinute === undefined ? {} : { changesPerMinute: options.changesPerMinute }),
    context,
  });
  await app.ready();
  const stopDaemon = async () => {
    const gone = new Promise<void>((resolve) => {
      const look = () => (daemon.awayMs() === null ? setImmediate(look) : resolve());
      look();
    });
    control.close();
    if (options.daemon !== false) await gone;
  };
  const fixture: ApiFixture = {
    context,
    app,
    directory,
    records,
    commands,
    answer: { ok: true, code: '', message: 'accepted', operation: 'controller-0-ab12-2' },
    sql: (text) => void database.exec(text),
    token: (role, name = role) => {
      const made = createToken(tokensFile, { name, role, expiresAt: 0, createdBy: 'test', now: WALL_MS });
      if (!made.ok) throw new Error(made.error.message);
      return made.value;
    },
    uid: 1000,
    stopDaemon,
    close: async () => {
      daemon.close();
      stream.close();
      await app.close();
      control.close();
      reader.close();
      database.close();
      rmSync(directory, { recursive: true });
    },
  };
  return fixture;
}
