/**
 * Arbiters of the lab, real ones: an etcd and BMCs at our own end of the outside network, a file in the place of a shared
 * disk. Each can be gone for everybody, and be cut off from one node.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EtcdRegister } from '../shell/arbiter/etcd.ts';
import { BMC_USER, Bmc } from './bmc.ts';
import { eventually, type LabNode } from './node.ts';
import { OUTSIDE, OUTSIDE_ADDRESS } from './rack.ts';

export const ARBITER_KINDS = ['etcd', 'disk', 'fence'] as const;
export type ArbiterKind = (typeof ARBITER_KINDS)[number];

export interface LabArbiter {
  readonly kind: ArbiterKind;
  /** Rows that configure it, for the definitions of both nodes. */
  readonly rows: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** Indexes of the nodes that a device can fence. */
  readonly fences: readonly number[];
  /** Before the nodes are switched on. */
  start(nodes: readonly LabNode[]): Promise<void>;
  /** Nobody is answered any more. */
  end(): Promise<void>;
  /** As before the end. */
  resume(): Promise<void>;
  /** Connections stand, and no answer comes, until `wake`. */
  hang(): Promise<void>;
  wake(): Promise<void>;
  /** Says that it did what it did not do; only fence devices do so. */
  lie(lies: boolean): void;
  cut(node: LabNode): Promise<void>;
  heal(node: LabNode): Promise<void>;
  /** The machine of the node was switched on. */
  hasPower(node: LabNode): void;
  /** It lost its power. `noticed`: this arbiter can tell. */
  lostPower(node: LabNode, noticed: boolean): void;
}

/** `fences`: indexes of the nodes that have a BMC, where BMCs are what decides. */
export function makeArbiter(kind: ArbiterKind, directory: string, fences: readonly number[]): LabArbiter {
  if (kind === 'etcd') return new LabEtcd(join(directory, 'etcd'));
  if (kind === 'disk') return new LabDisk(join(directory, 'shared-disk'));
  return new LabBmcs(directory, fences);
}

const START_LIMIT_MS = 20_000;
const ETCD_PORT = 2379;

class LabEtcd implements LabArbiter {
  readonly kind = 'etcd';
  readonly fences = [];
  readonly secrets = {};
  readonly #directory: string;
  readonly #url = `http://${OUTSIDE_ADDRESS}:${ETCD_PORT}`;
  #child: ChildProcess | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get rows(): string {
    return `INSERT INTO SM_ETCD (SERVICE_DOMAIN, ENDPOINTS) VALUES ('controller', '${this.#url}');\n`;
  }

  start(): Promise<void> {
    return this.resume();
  }

  async resume(): Promise<void> {
    const args = [
      ...['--name', 'lab', '--data-dir', this.#directory, '--logger', 'zap'],
      ...['--listen-client-urls', this.#url, '--advertise-client-urls', this.#url],
    ];
    this.#child = spawn('etcd', args, { stdio: 'ignore' });
    this.#child.on('error', () => {});
    const register = new EtcdRegister({
      endpoints: [this.#url],
      prefix: '/lab/',
      user: null,
      tls: {},
      now: () => performance.now(),
    });
    await eventually('etcd answers', START_LIMIT_MS, async () => {
      const answer = await register.ask({ expect: [], put: [] }, 500);
      return answer.kind === 'known' ? true : null;
    });
    register.close();
  }

  async end(): Promise<void> {
    await ended(this.#child);
    this.#child = null;
  }

  async hang(): Promise<void> {
    this.#child?.kill('SIGSTOP');
  }

  async wake(): Promise<void> {
    this.#child?.kill('SIGCONT');
  }

  lie(): void {}

  cut(node: LabNode): Promise<void> {
    return node.machine.setLink(OUTSIDE, 'cut');
  }

  heal(node: LabNode): Promise<void> {
    return node.machine.setLink(OUTSIDE, 'up');
  }

  hasPower(): void {}
  lostPower(): void {}
}

const DISK_BYTES = 1024 * 1024;

/** Who can not reach it any more has I/O that hangs. */
class LabDisk implements LabArbiter {
  readonly kind = 'disk';
  readonly fences = [];
  readonly secrets = {};
  readonly #path: string;
  #nodes: readonly LabNode[] = [];

  constructor(path: string) {
    this.#path = path;
    writeFileSync(path, '');
    truncateSync(path, DISK_BYTES);
  }

  get rows(): string {
    return `INSERT INTO SM_SHARED_DISK (SERVICE_DOMAIN, DEVICE) VALUES ('controller', '${this.#path}');\n`;
  }

  async start(nodes: readonly LabNode[]): Promise<void> {
    this.#nodes = nodes;
  }

  async end(): Promise<void> {
    for (const node of this.#nodes) if (node.hasPower) await this.cut(node);
  }

  async resume(): Promise<void> {
    for (const node of this.#nodes) if (node.hasPower) await this.heal(node);
  }

  hang(): Promise<void> {
    return this.end();
  }

  wake(): Promise<void> {
    return this.resume();
  }

  lie(): void {}

  async cut(node: LabNode): Promise<void> {
    signalDisk(node, 'SIGSTOP');
  }

  async heal(node: LabNode): Promise<void> {
    signalDisk(node, 'SIGCONT');
  }

  hasPower(): void {}
  lostPower(): void {}
}

const BMC_PORT = 6230;
const BMC_PASSWORD = 'lab-bmc-password';
/** What makes the agent quick here (docs/reference/arbiters.md). */
const PARAMETERS =
  'lanplus=1,cipher=3,power_wait=0,login_timeout=2,shell_timeout=2,ipmitool_timeout=1,power_timeout=8';

/** Of a reading, a shot, and the readings after it. The one with less to lose waits for a shot: such a BMC needs 0.2 s. */
const LIMITS_MS = [2000, 1000, 2000] as const;

class LabBmcs implements LabArbiter {
  readonly kind = 'fence';
  readonly secrets = { bmc: BMC_PASSWORD };
  readonly #directory: string;
  readonly fences: readonly number[];
  readonly #bmcs = new Map<string, Bmc>();

  constructor(directory: string, fences: readonly number[]) {
    this.#directory = directory;
    this.fences = fences;
  }

  get rows(): string {
    const devices = this.fences.map((index) => {
      const parameters = `ip=${OUTSIDE_ADDRESS},ipport=${BMC_PORT + index},username=${BMC_USER},${PARAMETERS}`;
      return `('controller', 'bmc-${index}', 'controller-${index}', 'fence_ipmilan', '${parameters}', 'password=bmc', ${LIMITS_MS.join(', ')})`;
    });
    return `INSERT INTO SM_FENCE_DEVICES (SERVICE_DOMAIN, DEVICE_NAME, NODE_NAME, AGENT, PARAMETERS, SECRETS, STATUS_LIMIT, OFF_LIMIT, VERIFY_LIMIT) VALUES
  ${devices.join(',\n  ')};
`;
  }

  async start(nodes: readonly LabNode[]): Promise<void> {
    for (const { name, index, productUuid } of nodes) {
      if (!this.fences.includes(index)) continue;
      const bmc = await Bmc.start({
        directory: join(this.#directory, `bmc-${index}`),
        address: OUTSIDE_ADDRESS,
        port: BMC_PORT + index,
        guid: productUuid.replaceAll('-', ''),
        password: BMC_PASSWORD,
      });
      this.#bmcs.set(name, bmc);
    }
  }

  async end(): Promise<void> {
    for (const bmc of this.#bmcs.values()) await bmc.end();
  }

  async resume(): Promise<void> {
    for (const bmc of this.#bmcs.values()) await bmc.start();
  }

  async hang(): Promise<void> {
    for (const bmc of this.#bmcs.values()) bmc.signal('SIGSTOP');
  }

  async wake(): Promise<void> {
    for (const bmc of this.#bmcs.values()) bmc.signal('SIGCONT');
  }

  lie(lies: boolean): void {
    for (const bmc of this.#bmcs.values()) bmc.lie(lies);
  }

  cut(node: LabNode): Promise<void> {
    return node.machine.setLink(OUTSIDE, 'cut');
  }

  heal(node: LabNode): Promise<void> {
    return node.machine.setLink(OUTSIDE, 'up');
  }

  hasPower(node: LabNode): void {
    this.#bmcs.get(node.name)?.setMachine(node.machine.init);
    this.#bmcs.get(node.name)?.setPower('on');
  }

  lostPower(node: LabNode, noticed: boolean): void {
    this.#bmcs.get(node.name)?.setMachine(null);
    if (noticed) this.#bmcs.get(node.name)?.setPower('off');
  }
}

/** To the process that does its I/O. */
function signalDisk(node: LabNode, signal: 'SIGSTOP' | 'SIGCONT'): void {
  // By its title, or by its program where it has just begun.
  const isDisk = (words: readonly string[]) =>
    words.slice(0, 2).some((word) => /(^|\/)sm-disk(\.js)?\s*$/.test(word));
  const found = node.machine.processes().filter(({ words }) => isDisk(words));
  if (found.length === 0) throw new Error(`no sm-disk runs on ${node.name}`);
  for (const { here } of found) process.kill(here, signal);
}

async function ended(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
