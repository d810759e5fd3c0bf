/** A node of the lab: its disk, its definitions, and what can be asked of its manager. */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { INTERFACE_ROLES } from '../core/kernel/names.ts';
import type { EngineView } from '../core/view.ts';
import { type ControlClient, connect } from '../shell/client.ts';
import type { Machine } from './machine.ts';
import { LINK_COUNT, type Mount, type Rack } from './rack.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const PORT = 2222;
const HEARTBEAT_PORT = 2223;
const POLL_MS = 20;
const REQUEST_LIMIT_MS = 2000;

/** What the control socket answers to `view`. */
export type NodeView = EngineView & { readonly shell: { readonly pid: number } };

export interface LabNodeOptions {
  readonly name: string;
  readonly index: 0 | 1;
  /** Directory of the whole lab. */
  readonly root: string;
  /** Folder of numbered .sql files. It names paths of an installed system; they are changed to those of this node. */
  readonly definitions: string;
  /** SQL that changes them on all nodes alike. */
  readonly changes?: string;
  /** Secrets of arbiters, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** See MachineOptions. */
  readonly links?: readonly number[];
  /** Content of the key file `cluster`, the same on all nodes. */
  readonly key: Buffer;
  /** Directory of the compiled programs. */
  readonly programs: string;
  /** OCF_ROOT; if left out, one of its own with the agents of this project. */
  readonly ocfRoot?: string;
  /** Paths of LSB scripts that it has besides this project's. */
  readonly initScripts?: readonly string[];
  /** See MachineOptions. */
  readonly mounts?: readonly Mount[];
}

export class LabNode {
  readonly name: string;
  readonly index: 0 | 1;
  readonly directory: string;
  /** Where its services put pid files and stamps. */
  readonly services: string;
  readonly #programs: string;
  readonly #mounts: readonly Mount[];
  readonly #links: readonly number[] | undefined;
  #machine: Machine | null = null;
  #client: ControlClient | null = null;

  constructor(options: LabNodeOptions, rack: Rack) {
    this.name = options.name;
    this.index = options.index;
    this.directory = join(options.root, options.name);
    this.services = join(this.directory, 'services');
    this.#programs = options.programs;
    this.#mounts = options.mounts ?? [];
    this.#links = options.links;
    this.#fill(options, rack);
  }

  get hasPower(): boolean {
    return this.#machine?.hasPower === true;
  }

  get machine(): Machine {
    if (this.#machine === null) throw new Error(`${this.name} has no power`);
    return this.#machine;
  }

  /** Of its machine, as its firmware would tell it. */
  get productUuid(): string {
    return readFileSync(join(this.directory, 'product_uuid'), 'utf8').trim();
  }

  get logFile(): string {
    return join(this.directory, 'sm.log');
  }

  /** Boots the machine: a new start of its kernel. */
  async boot(rack: Rack): Promise<void> {
    writeFileSync(join(this.directory, 'boot_id'), `${randomUUID()}\n`);
    this.#machine = await rack.boot({
      name: this.name,
      index: this.index,
      directory: this.directory,
      program: this.#program,
      log: join(this.directory, 'console.log'),
      mounts: this.#mounts,
      ...(this.#links === undefined ? {} : { links: this.#links }),
    });
  }

  /** What a service manager does when `sm` and `sm-watchdog` have both ended. */
  startProgram(): void {
    this.machine.start(this.#program, join(this.directory, 'console.log'));
  }

  get #program(): readonly string[] {
    const config = join(this.directory, 'sm.yaml');
    return [process.execPath, join(this.#programs, 'bin', 'sm.js'), '--foreground', '--config', config];
  }

  /** Returns the moment just before. */
  async powerOff(): Promise<number> {
    const at = await this.machine.powerOff();
    this.#machine = null;
    this.#forget();
    return at;
  }

  /** For good, also where it has no power. */
  async end(): Promise<void> {
    if (this.#machine !== null) await this.powerOff();
  }

  /** Runs one of the tools on the node; returns what it wrote. */
  tool(name: 'smctl' | 'sm-dump', ...args: string[]): Promise<string> {
    const config = ['--config', join(this.directory, 'sm.yaml')];
    return this.machine.run([
      process.execPath,
      join(this.#programs, 'bin', `${name}.js`),
      ...args,
      ...config,
    ]);
  }

  /** Rejects with a ControlError. */
  async request(method: string, params: object = {}): Promise<unknown> {
    try {
      this.#client ??= await connect(join(this.directory, 'run', 'control.sock'));
      return await this.#client.request(method, params, REQUEST_LIMIT_MS);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** null = `sm` does not answer. */
  async view(): Promise<NodeView | null> {
    return (await this.request('view').catch(() => null)) as NodeView | null;
  }

  /** Waits for a view of which `is` is true. */
  async until(what: string, limitMs: number, is: (view: NodeView) => boolean): Promise<NodeView> {
    return eventually(`${this.name}: ${what}`, limitMs, async () => {
      const view = await this.view();
      return view !== null && is(view) ? view : null;
    });
  }

  /** Calls `event` for everything that the manager tells from now on. Returns how to stop. */
  async subscribe(event: (event: unknown) => void): Promise<() => void> {
    const client = await connect(join(this.directory, 'run', 'control.sock'));
    client.onEvent = event;
    await client.request('subscribe');
    return () => client.close();
  }

  /** As the node numbers it. */
  servicePid(service: string): number {
    return Number(readFileSync(join(this.services, `${service}.pid`), 'utf8'));
  }

  #forget(): void {
    this.#client?.close();
    this.#client = null;
  }

  #fill(options: LabNodeOptions, rack: Rack): void {
    const at = (...path: string[]) => join(this.directory, ...path);
    for (const path of [
      '',
      'definitions',
      'keys',
      'secrets',
      'init.d',
      'bin',
      'run',
      'services',
      'ocf/resource.d/sm',
    ])
      mkdirSync(at(path), { recursive: true, mode: 0o700 });
    for (const name of readdirSync(options.definitions))
      copyFileSync(join(options.definitions, name), at('definitions', name));
    writeFileSync(at('definitions', '99-node.sql'), this.#ownDefinitions(rack));
    if (options.changes !== undefined) writeFileSync(at('definitions', '98-changes.sql'), options.changes);
    for (const [name, secret] of Object.entries(options.secrets ?? {}))
      writeFileSync(at('secrets', name), `${secret}\n`, { mode: 0o600 });
    writeFileSync(at('keys', 'cluster'), options.key, { mode: 0o600 });
    for (const agent of ['process', 'promotable'])
      symlinkSync(join(PROJECT, 'ocf', agent), at('ocf', 'resource.d', 'sm', agent));
    for (const script of [join(PROJECT, 'lsb', 'sm-worker'), ...(options.initScripts ?? [])])
      symlinkSync(script, at('init.d', basename(script)));
    symlinkSync(join(PROJECT, 'scripts', 'demo', 'sm-stamp'), at('bin', 'sm-stamp'));
    writeFileSync(at('product_uuid'), `${randomUUID()}\n`);
    writeFileSync(at('sm.yaml'), this.#config(at, options.ocfRoot ?? at('ocf')));
  }

  /** What is each node's own, as an operator would set it by SQL. */
  #ownDefinitions(rack: Rack): string {
    const links = INTERFACE_ROLES.slice(0, LINK_COUNT).map(
      (role, link) =>
        `UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_TYPE = 'ipv4-udp',
  NETWORK_ADDRESS = '${rack.address(link, this.index)}', NETWORK_PORT = ${PORT}, NETWORK_HEARTBEAT_PORT = ${HEARTBEAT_PORT},
  NETWORK_PEER_ADDRESS = '${rack.address(link, 1 - this.index)}', NETWORK_PEER_PORT = ${PORT}, NETWORK_PEER_HEARTBEAT_PORT = ${HEARTBEAT_PORT}
  WHERE SERVICE_DOMAIN_INTERFACE = '${role}';`,
    );
    const paths = [
      ['/run/sm-demo/', `${this.services}/`],
      ['/usr/lib/sm/demo/', `${join(this.directory, 'bin')}/`],
    ].flatMap(([from, to]) => [
      `UPDATE SERVICES SET PID_FILE = replace(PID_FILE, '${from}', '${to}');`,
      `UPDATE SERVICE_INSTANCES SET INSTANCE_PARAMETERS = replace(INSTANCE_PARAMETERS, '${from}', '${to}');`,
    ]);
    return `${[...links, ...paths].join('\n')}\n`;
  }

  #config(at: (...path: string[]) => string, ocfRoot: string): string {
    const text = (...path: string[]) => JSON.stringify(at(...path));
    return `node: ${this.name}
database: ${text('sm.db')}
runtimeDatabaseLink: ${text('run', 'sm.db')}
definitions: ${text('definitions')}
keysDirectory: ${text('keys')}
secretsDirectory: ${text('secrets')}
runDirectory: ${text('run')}
lsbDirectory: ${text('init.d')}
ocfRoot: ${JSON.stringify(ocfRoot)}
kernelLifeFile: ${text('boot_id')}
productUuidFile: ${text('product_uuid')}
virtualMachine: no
log: { level: info, file: ${text('sm.log')} }
`;
  }
}

/** Looks again and again, until `look` finds something. Rejects after the limit. */
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
    await sleep(POLL_MS);
  }
}
