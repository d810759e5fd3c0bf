/** A real node in a directory of its own: two processes, three links on loopback addresses, services that are sleeps. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineView } from '../../../src/core/view.ts';
import { type ControlClient, connect } from '../../../src/shell/client.ts';
import type { LoopStatistics } from '../../../src/shell/loop.ts';
import type { WatchdogStatus } from '../../../src/shell/pair/messages.ts';
import { isAlive, type ProcessIdentity } from '../../../src/shell/process-identity.ts';
import { replayAll } from '../../../src/sim/traces.ts';

export type NodeView = EngineView & {
  readonly shell: {
    readonly pid: number;
    readonly loop: LoopStatistics;
    readonly watchdogRestarts: number;
    readonly watchdog: WatchdogStatus | null;
  };
};

export const NODES = ['controller-0', 'controller-1'] as const;
export const SERVICES = ['app-store', 'app-web'] as const;
export const ROLES = ['management-interface', 'cluster-host-interface', 'oam-interface'] as const;
const POLL_MS = 25;

/** Of a node's end of its link number `link`. */
export function addressOf(base: number, link: number, node: number): string {
  return `127.77.${base}.${10 * (link + 1) + node}`;
}

export async function eventually<T>(
  what: string,
  limitMs: number,
  look: () => Promise<T | null> | T | null,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** One exclusive group of two services, the second after the first, and one group on both nodes. */
function definitions(directory: string, index: number, base: number, deadMs: number): string {
  const lines = [
    `INSERT INTO SERVICE_DOMAINS (NAME, DEAD_INTERVAL, WAIT_INTERVAL, EXCHANGE_INTERVAL)
       VALUES ('test', ${deadMs}, 2000, 500);`,
    ...NODES.map((name, i) => `INSERT INTO SM_DOMAIN_NODES VALUES ('test', '${name}', ${i});`),
    "INSERT INTO SM_DOMAIN_SAFETY (SERVICE_DOMAIN) VALUES ('test');",
    "INSERT INTO SERVICE_GROUPS (NAME) VALUES ('app'), ('everywhere');",
    `INSERT INTO SERVICE_DOMAIN_MEMBERS (NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY)
       VALUES ('test', 'app', 'N + M', 1, 1), ('test', 'everywhere', 'N', 2, 0);`,
  ];
  for (const [i, role] of ROLES.entries()) {
    const address = (node: number) => addressOf(base, i, node);
    lines.push(`INSERT INTO SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY, NETWORK_TYPE,
      NETWORK_ADDRESS, NETWORK_PORT, NETWORK_HEARTBEAT_PORT, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, NETWORK_PEER_HEARTBEAT_PORT)
      VALUES ('test', '${role}', 'cluster', 'ipv4-udp', '${address(index)}', 2222, 2223, '${address(1 - index)}', 2222, 2223);`);
  }
  for (const service of [...SERVICES, 'everywhere']) {
    const group = service === 'everywhere' ? 'everywhere' : 'app';
    const file = (suffix: string) => join(directory, `${service}.${suffix}`);
    lines.push(
      `INSERT INTO SERVICES (NAME, PID_FILE) VALUES ('${service}', '${file('pid')}');`,
      `INSERT INTO SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME) VALUES ('${group}', '${service}');`,
      `INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS)
         VALUES ('${service}', '${service}', 'pidfile=${file('pid')},journal=${file('journal')}');`,
    );
    for (const [action, command] of [
      ['enable', 'start'],
      ['disable', 'stop'],
      ['audit-enabled', 'status'],
      ['audit-disabled', 'status'],
    ]) {
      lines.push(`INSERT INTO SERVICE_ACTIONS (SERVICE_NAME, ACTION, PLUGIN_TYPE, PLUGIN_NAME, PLUGIN_COMMAND,
        MAX_FAILURE_RETRIES, MAX_TIMEOUT_RETRIES, MAX_TOTAL_RETRIES, TIMEOUT_IN_SECS)
        VALUES ('${service}', '${action}', 'lsb-script', 'app.sh', '${command}', 2, 2, 2, 10);`);
    }
  }
  lines.push(
    `INSERT INTO SERVICE_ACTION_RESULTS (PLUGIN_TYPE, PLUGIN_NAME, PLUGIN_COMMAND, PLUGIN_EXIT_CODE, ACTION_RESULT,
       SERVICE_STATE, SERVICE_STATUS, SERVICE_CONDITION) VALUES
       ('lsb-script', 'default', 'status', '0', 'success', 'enabled-active', 'unknown', 'unknown'),
       ('lsb-script', 'default', 'status', '3', 'success', 'disabled', 'unknown', 'unknown'),
       ('lsb-script', 'default', 'default', '0', 'success', 'unknown', 'unknown', 'unknown'),
       ('lsb-script', 'default', 'default', 'other', 'failed', 'unknown', 'unknown', 'unknown'),
       ('lsb-script', 'default', 'default', 'plugin-failure', 'failed', 'unknown', 'unknown', 'unknown'),
       ('lsb-script', 'default', 'default', 'plugin-timeout', 'failed', 'unknown', 'unknown', 'unknown');`,
    `INSERT INTO SERVICE_DEPENDENCY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT, DEPENDENT_STATE) VALUES
       ('action', 'app-web', 'not-applicable', 'enable', 'app-store', 'enabled-active'),
       ('action', 'app-store', 'not-applicable', 'disable', 'app-web', 'disabled');`,
  );
  return lines.join('\n');
}

/** What the nodes of a pair run: definitions and scripts, put into a node's directory. */
export interface Site {
  /** `deadMs`: d and P. `base`: third byte of the pair's addresses. */
  readonly install: (directory: string, index: 0 | 1, base: number, deadMs: number) => void;
  /** Ends what the services left running, as the loss of power does. */
  readonly cut: (directory: string) => void;
  /** More lines of sm.yaml. */
  readonly settings?: readonly string[];
}

/** What TestNode runs if nothing else is said. */
export const SMALL_SITE: Site = {
  // Small, so that what is replayed in the end goes over many files.
  settings: ['trace: { bytesMax: 60000 }'],
  install: (directory, index, base, deadMs) => {
    writeFileSync(join(directory, 'definitions', '10-all.sql'), definitions(directory, index, base, deadMs));
    copyFileSync(fileURLToPath(new URL('./app.sh', import.meta.url)), join(directory, 'lsb', 'app.sh'));
  },
  cut: (directory) => {
    for (const service of [...SERVICES, 'everywhere']) signalTo(runningPid(directory, service), 'SIGKILL');
  },
};

/** The same on a node that has no peer. */
export const LONE_SITE: Site = {
  ...SMALL_SITE,
  install: (directory, index, base, deadMs) => {
    SMALL_SITE.install(directory, index, base, deadMs);
    writeFileSync(
      join(directory, 'definitions', '20-alone.sql'),
      `DELETE FROM SM_DOMAIN_NODES WHERE NODE_NAME <> '${NODES[index]}';
       UPDATE SERVICE_DOMAIN_INTERFACES SET PROVISIONED = 'no';`,
    );
  },
};

export class TestNode {
  readonly name: string;
  readonly directory: string;
  readonly #dist: string;
  readonly #site: Site;
  #child: ChildProcess | null = null;
  #client: ControlClient | null = null;
  /** Lines of the log, as they are. */
  readonly log: string[] = [];
  exit: Promise<number | null> = Promise.resolve(null);

  private constructor(name: string, dist: string, directory: string, site: Site) {
    this.name = name;
    this.#dist = dist;
    this.directory = directory;
    this.#site = site;
  }

  /** `base`: third byte of the loopback addresses, one per pair. `deadMs`: d and P. */
  static make(
    root: string,
    dist: string,
    index: 0 | 1,
    base: number,
    deadMs: number,
    site = SMALL_SITE,
  ): TestNode {
    const node = new TestNode(NODES[index], dist, join(root, `pair-${base}-${index}`), site);
    node.#fill(index, base, deadMs);
    return node;
  }

  /** The same node once more. */
  twin(): TestNode {
    return new TestNode(this.name, this.#dist, this.directory, this.#site);
  }

  #fill(index: 0 | 1, base: number, deadMs: number): void {
    for (const name of ['', 'definitions', 'keys', 'lsb'])
      mkdirSync(join(this.directory, name), { mode: 0o700 });
    writeFileSync(join(this.directory, 'keys', 'cluster'), Buffer.alloc(64, base), { mode: 0o600 });
    this.#site.install(this.directory, index, base, deadMs);
    writeFileSync(join(this.directory, 'kernel'), `kernel of ${this.name} ${base}`);
    writeFileSync(join(this.directory, 'machine'), `machine of ${this.name} ${base}`);
    const path = (name: string) => JSON.stringify(join(this.directory, name));
    const lines = [
      `node: ${this.name}`,
      `database: ${path('sm.db')}`,
      `runtimeDatabaseLink: ${path('run/sm.db')}`,
      `definitions: ${path('definitions')}`,
      `keysDirectory: ${path('keys')}`,
      `runDirectory: ${path('run')}`,
      `lsbDirectory: ${path('lsb')}`,
      `ocfRoot: ${path('ocf')}`,
      `kernelLifeFile: ${path('kernel')}`,
      `productUuidFile: ${path('machine')}`,
      'realtime: no',
      ...(this.#site.settings ?? []),
    ];
    writeFileSync(join(this.directory, 'sm.yaml'), `${lines.join('\n')}\n`);
  }

  start(): void {
    const program = join(this.#dist, 'bin', 'sm.js');
    const args = [program, '--foreground', '--config', join(this.directory, 'sm.yaml')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => this.log.push(...text.trimEnd().split('\n')));
    this.exit = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  /** Starts it as after a loss of power: it is another life of the kernel. */
  boot(): void {
    appendFileSync(join(this.directory, 'kernel'), ', once more');
    this.start();
  }

  get watchdogPid(): number {
    return this.#child?.pid ?? 0;
  }

  terminate(): void {
    this.#child?.kill('SIGTERM');
  }

  async request(method: string, params: object = {}): Promise<unknown> {
    try {
      this.#client ??= await connect(join(this.directory, 'run', 'control.sock'));
      return await this.#client.request(method, params, 2000);
    } catch (error) {
      this.#client?.close();
      this.#client = null;
      throw error;
    }
  }

  async view(): Promise<NodeView | null> {
    try {
      return (await this.request('view')) as NodeView;
    } catch {
      return null;
    }
  }

  /** Waits for a view of which this is true. */
  /** As an operator types it on this node. */
  smctl(...words: readonly string[]) {
    const options = ['--config', join(this.directory, 'sm.yaml')];
    const args = [join(this.#dist, 'bin', 'smctl.js'), ...words, ...options];
    return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  }

  async until(what: string, limitMs: number, is: (view: NodeView) => boolean): Promise<NodeView> {
    let last: NodeView | null = null;
    try {
      return await eventually(`${this.name}: ${what}`, limitMs, async () => {
        last = (await this.view()) ?? last;
        return last !== null && is(last) ? last : null;
      });
    } catch (error) {
      const seen = last as NodeView | null;
      const detail = {
        alarms: seen?.alarms,
        groups: seen?.groups,
        services: seen?.services,
        waits: seen?.waits,
        peer: seen?.peer,
        permission: seen?.permission,
        links: seen?.links,
        watchdog: seen?.shell.watchdog?.guard,
      };
      throw new Error(
        `${String(error)}\n${JSON.stringify(detail, null, 1)}\n${this.log.slice(-30).join('\n')}`,
      );
    }
  }

  pid(service: string): number | null {
    return runningPid(this.directory, service);
  }

  /** What the service's script did: `start N`, `stop`. */
  journal(service: string): string[] {
    const path = join(this.directory, `${service}.journal`);
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
  }

  /** Takes the power away: both processes and the services end at once, and nothing of them has a last word. */
  async cut(): Promise<void> {
    await eventually(`${this.name}: nothing is left`, 5000, () => {
      const held = ['sm.lock', 'sm-watchdog.lock'].flatMap((name) =>
        holderOf(join(this.directory, 'run', name)),
      );
      // Stopped first, so that neither can start the other again.
      for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
        for (const { pid } of held) signalTo(pid, signal);
      }
      this.#site.cut(this.directory);
      return held.length === 0 ? true : null;
    });
  }

  /** What its lives have recorded comes out of the same core again, whatever happened to the node. */
  async destroy(): Promise<void> {
    this.#client?.close();
    await this.cut();
    const traces = join(this.directory, 'trace');
    if (!existsSync(traces)) return;
    const { lines, summary } = replayAll(traces);
    if (!summary.identical) throw new Error(`${this.name}: ${lines.join('\n')}`);
  }
}

/** All of them end, whatever is found at one: what goes on would answer at the addresses of the next test. */
export async function destroyAll(nodes: TestNode[]): Promise<void> {
  const ends = await Promise.allSettled(nodes.splice(0).map((node) => node.destroy()));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** The living process that a lock names. */
function holderOf(path: string): ProcessIdentity[] {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
    return isAlive(holder) ? [holder] : [];
  } catch {
    return [];
  }
}

function runningPid(directory: string, service: string): number | null {
  const path = join(directory, `${service}.pid`);
  if (!existsSync(path)) return null;
  const pid = Number(readFileSync(path, 'utf8'));
  return isRunning(pid) ? pid : null;
}

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

export function signalTo(pid: number | null | undefined, signal: NodeJS.Signals): void {
  if (pid === null || pid === undefined || pid <= 1) return;
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

export function isGroupActive(view: NodeView, group = 'app'): boolean {
  return view.groups.some(({ name, state }) => name === group && state === 'active');
}
