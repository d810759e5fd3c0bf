/** A real etcd on loopback, in a directory of its own; it ends with its test. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const ETCD_MISSING = spawnSync('etcd', ['--version']).error !== undefined;

const START_LIMIT_MS = 20_000;

/** Where there is one: it writes nothing late because other tests write, too. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class EtcdMember {
  readonly name: string;
  readonly url: string;
  readonly peerUrl: string;
  readonly directory: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;

  constructor(name: string, directory: string, ports: readonly [number, number], cluster: () => string) {
    this.name = name;
    this.directory = join(directory, name);
    this.url = `http://127.0.0.1:${ports[0]}`;
    this.peerUrl = `http://127.0.0.1:${ports[1]}`;
    this.#args = [
      ...['--name', name, '--data-dir', this.directory, '--unsafe-no-fsync'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', this.peerUrl, '--initial-advertise-peer-urls', this.peerUrl],
      ...['--initial-cluster', cluster(), '--logger', 'zap'],
    ];
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  start(): void {
    this.#child = spawn('etcd', this.#args.filter(known), { stdio: 'ignore' });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

/** Debian 12's etcd 3.4 does not know it; it makes newer ones quick. */
const known = (argument: string): boolean => argument !== '--unsafe-no-fsync' || !OLD;
const OLD = / 3\.[0-4]\./.test(spawnSync('etcd', ['--version'], { encoding: 'utf8' }).stdout ?? '');

export class Etcd {
  readonly directory = mkdtempSync(join(MEMORY, 'sm-etcd-'));
  members: EtcdMember[] = [];

  static async start(count = 1): Promise<Etcd> {
    const etcd = new Etcd();
    const ports = await freePorts(2 * count);
    const urls = Array.from({ length: count }, (_, i) => `m${i}=http://127.0.0.1:${ports[2 * i + 1]}`);
    etcd.members = urls.map(
      (_, i) =>
        new EtcdMember(`m${i}`, etcd.directory, [ports[2 * i]!, ports[2 * i + 1]!], () => urls.join(',')),
    );
    for (const member of etcd.members) member.start();
    await etcd.ready();
    return etcd;
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url);
  }

  /** Every member answers a linearizable read. */
  async ready(): Promise<void> {
    const end = performance.now() + START_LIMIT_MS;
    for (const { url } of this.members) {
      while (!(await answers(url))) {
        if (performance.now() > end) throw new Error(`etcd at ${url} did not start`);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    }
  }

  async ctl(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, ETCDCTL_API: '3' };
    const { stdout } = await run('etcdctl', ['--endpoints', this.urls.join(','), ...args], { env });
    return stdout;
  }

  /** Of a cluster of one: from now on it is what it was at the backup, under its old identity. */
  async restore(backup: string): Promise<void> {
    const member = this.members[0]!;
    await member.kill();
    rmSync(member.directory, { recursive: true });
    await this.ctl(
      ...['snapshot', 'restore', backup, '--data-dir', member.directory, '--name', member.name],
      ...['--initial-cluster', `${member.name}=${member.peerUrl}`],
      ...['--initial-advertise-peer-urls', member.peerUrl],
    );
    member.start();
    await this.ready();
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.request(`${url}/v3/kv/range`, { method: 'POST', timeout: 1000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    });
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
    request.end(JSON.stringify({ key: 'YQ==' }));
  });
}
