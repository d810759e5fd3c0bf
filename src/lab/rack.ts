/**
 * Where the machines of the lab stand: boots and cables them. Two kinds: namespaces of one kernel with a network of their
 * own, and, where the system does not allow those, plain processes on loopback addresses.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeNodeGroups } from '../shell/exec/containment.ts';
import { ENVIRONMENT, ip, Machine, within } from './machine.ts';

export type Isolation = 'namespaces' | 'loopback';

export interface MachineOptions {
  readonly name: string;
  /** Decides over its addresses: 0 and 1 are the two nodes. */
  readonly index: number;
  /** Absolute; its run-time directory is `run` in it. */
  readonly directory: string;
  /** Runs when the start button is pressed. */
  readonly program: readonly string[];
  /** File that gets what the program writes to stdout and stderr. */
  readonly log: string;
  /** Links that it has a cable of; all of them if left out. */
  readonly links?: readonly number[];
  /** What only it sees at these places: a directory of the outside, or a fresh tmpfs at every boot. */
  readonly mounts?: readonly Mount[];
}

export interface Mount {
  /** Absolute. Is made if it is below an earlier mount. */
  readonly at: string;
  /** Absolute; null = a tmpfs. */
  readonly directory: string | null;
}

export interface Rack {
  readonly isolation: Isolation;
  /** Address of a node on a link. */
  address(link: number, node: number): string;
  /** Resolves when the machine waits for its start button. */
  boot(options: MachineOptions): Promise<Machine>;
}

/** Number of links between the machines. */
export const LINK_COUNT = 3;
/** A network beside the links, on which arbiters are: for machines that ask for a cable of it. */
export const OUTSIDE = LINK_COUNT;
/** Of this process on that network, whatever is cut: its own end of the switch. */
export const OUTSIDE_ADDRESS = '10.77.4.254';

const LINKS = Array.from({ length: LINK_COUNT }, (_, link) => link);
const BOOT_LIMIT_MS = 10_000;
const LAB = fileURLToPath(new URL('../../scripts/lab', import.meta.url));

/** Machines as processes on loopback addresses. Two racks at once have different ones, unless chance is very unkind. */
export class LoopbackRack implements Rack {
  readonly isolation = 'loopback';
  readonly #network = `127.${64 + Math.floor(Math.random() * 128)}.${Math.floor(Math.random() * 256)}`;

  address(link: number, node: number): string {
    return `${this.#network}.${10 * (link + 1) + node}`;
  }

  /** All machines share the mounts of the outside: `mounts` can not be had. */
  async boot({ name, directory, program, log }: MachineOptions): Promise<Machine> {
    const { child, line } = startInit([`${LAB}/node-init`, ...program], log);
    await line();
    const cleanUp = cleaner(name, directory, 'self');
    return new Machine({ name, init: child.pid ?? 0, child, ports: null, cleanUp });
  }
}

/**
 * Machines as namespaces: four switches (bridges) in the network namespace of this process, a cable (veth pair) from
 * each machine to those that it asks for. This process has to be where `enterRack` (enter.ts) puts it: everything then ends
 * with it.
 */
export class NamespaceRack implements Rack {
  readonly isolation = 'namespaces';
  /** Counts cables, so that a new one never has the name of one that is just vanishing. */
  #cables = 0;

  private constructor() {}

  static async make(): Promise<NamespaceRack> {
    const switches = [...LINKS, OUTSIDE].flatMap((link) => [
      `link add switch${link} type bridge stp_state 0 forward_delay 0`,
      `link set switch${link} up`,
    ]);
    const own = [
      // Its own, or it would be that of a port, and another one when that goes.
      `link set switch${OUTSIDE} address 02:00:00:00:04:fe`,
      `address add ${OUTSIDE_ADDRESS}/24 dev switch${OUTSIDE}`,
    ];
    await ip(['link set lo up', ...switches, ...own]);
    return new NamespaceRack();
  }

  address(link: number, node: number): string {
    return `10.77.${link + 1}.${node + 1}`;
  }

  /** The same after every boot, as that of a real machine. */
  hardwareAddress(link: number, node: number): string {
    return `02:00:00:00:0${link + 1}:0${node + 1}`;
  }

  async boot(options: MachineOptions): Promise<Machine> {
    const { name, index, directory, program, log, links = LINKS, mounts = [] } = options;
    const ports = new Map(links.map((link) => [link, `port${this.#cables++}`]));
    const setup = [
      ...mounts.map((mount) => `${mount.at}=${mount.directory ?? 'tmpfs'}`),
      ...links.map((link) => `link${link}=${this.address(link, index)}/24`),
    ];
    const unshare = ['unshare', '--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--'];
    const boot = [`${LAB}/node-boot`, name, directory, ...setup, '--', ...program];
    const { child, line } = startInit([...unshare, ...boot], log);
    const init = Number(await line());
    const cleanUp = cleaner(name, directory, String(init));
    await ip(
      [...ports].flatMap(([link, port]) => [
        `link add ${port} type veth peer name link${link} address ${this.hardwareAddress(link, index)} netns ${init}`,
        `link set ${port} master switch${link} up`,
      ]),
    );
    child.stdin?.write('cabled\n');
    await line();
    return new Machine({ name, init, child, ports, cleanUp });
  }
}

/** `process`: one of the machine, now: afterwards nobody can tell its pid namespace any more. */
function cleaner(name: string, directory: string, process: string): () => void {
  const pidNamespace = readlinkSync(`/proc/${process}/ns/pid`);
  return () => removeNodeGroups(name, `${directory}/run`, pidNamespace);
}

/** Starts the first process of a machine; `line` waits for the next line that it writes. */
function startInit(
  program: readonly string[],
  log: string,
): { child: ChildProcess; line: () => Promise<string> } {
  const errors = openSync(log, 'a');
  const [file = '', ...args] = program;
  const child = spawn(file, args, { env: ENVIRONMENT, stdio: ['pipe', 'pipe', errors], detached: true });
  closeSync(errors);
  child.on('error', () => {});
  child.stdin!.on('error', () => {});
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async () => {
    const { done, value } = await within(lines.next(), BOOT_LIMIT_MS, 'the machine does not boot');
    if (done === true) throw new Error(`the machine does not boot: see ${log}`);
    return value;
  };
  return { child, line };
}
