/**
 * Where the machines of the lab stand: makes them, cables them, takes their power away. Two kinds: namespaces of one kernel
 * with a network of their own, and, where the system does not allow those, plain processes on loopback addresses.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeNodeGroups } from '../shell/exec/containment.ts';

export type Isolation = 'namespaces' | 'loopback';

/** CLOCK_MONOTONIC in ms, as the stamps have it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface MachineOptions {
  readonly name: string;
  /** 0 or 1: decides over its addresses. */
  readonly index: number;
  /** Absolute; its run-time directory is `run` in it. */
  readonly directory: string;
  /** Runs when the start button is pressed. */
  readonly program: readonly string[];
  /** File that gets what the program writes to stdout and stderr. */
  readonly log: string;
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
/** Also where /sbin is not in the path of ordinary users. */
export const ENVIRONMENT = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`,
};

const BOOT_LIMIT_MS = 10_000;
const OFF_LIMIT_MS = 5_000;
const LAB = fileURLToPath(new URL('../../scripts/lab', import.meta.url));

/** A machine with power. After `powerOff` it is gone; the rack boots another one in its place. */
export class Machine {
  readonly name: string;
  /** Its first process, as it is numbered here. */
  readonly init: number;
  readonly #process: ChildProcess;
  readonly #ownNamespaces: boolean;
  readonly #unplug: () => Promise<void>;
  readonly #cleanUp: () => void;
  readonly #ended: Promise<unknown>;

  constructor(
    name: string,
    init: number,
    child: ChildProcess,
    parts: { ownNamespaces: boolean; unplug: () => Promise<void>; cleanUp: () => void },
  ) {
    this.name = name;
    this.init = init;
    this.#process = child;
    this.#ownNamespaces = parts.ownNamespaces;
    this.#unplug = parts.unplug;
    this.#cleanUp = parts.cleanUp;
    this.#ended =
      child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
  }

  get hasPower(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  pressStart(): void {
    this.#process.stdin?.end('start\n');
  }

  /**
   * Every process of the machine ends at once, without a last word; then its switch ports go down. Returns the moment
   * just before.
   */
  async powerOff(): Promise<number> {
    const at = monotonicMs();
    if (this.hasPower) process.kill(this.init, this.#ownNamespaces ? 'SIGKILL' : 'SIGTERM');
    await within(this.#ended, OFF_LIMIT_MS, `${this.name} does not lose its power`);
    await this.#unplug();
    this.#cleanUp();
    return at;
  }

  /** The number here of the process that the machine itself knows as `pid`; null = there is none. */
  pidHere(pid: number): number | null {
    if (!this.#ownNamespaces) return pid;
    const namespace = readlinkSync(`/proc/${this.init}/ns/pid`);
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const numbers = /^NSpid:(.*)$/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1] ?? '';
        if (Number(numbers.trim().split(/\s+/).at(-1)) !== pid) continue;
        if (readlinkSync(`/proc/${name}/ns/pid`) === namespace) return Number(name);
      } catch {
        // Ended meanwhile.
      }
    }
    return null;
  }

  /** SIGKILL to a process as the machine numbers it. Returns the moment just before. */
  kill(pid: number): number {
    const here = this.pidHere(pid);
    if (here === null || here <= 1) throw new Error(`${this.name} has no process ${pid}`);
    const at = monotonicMs();
    process.kill(here, 'SIGKILL');
    return at;
  }

  /** Runs a program on the machine and returns what it wrote to stdout. */
  async run(program: readonly string[], limitMs = 10_000): Promise<string> {
    const enter = ['nsenter', '--target', String(this.init), '--mount', '--uts', '--net', '--pid', '--'];
    const [file = '', ...args] = this.#ownNamespaces ? [...enter, ...program] : program;
    return output(file, args, limitMs);
  }
}

/** Rejects when the program fails or takes too long. */
export function output(
  file: string,
  args: readonly string[],
  limitMs: number,
  input?: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: ENVIRONMENT, timeout: limitMs, killSignal: 'SIGKILL' as const };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${file} ${args.join(' ')}: ${stderr.trim() || error.message}`));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

async function within<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts the first process of a machine; returns it with the lines that it writes. */
function startInit(
  argv: readonly string[],
  log: string,
): { child: ChildProcess; line: () => Promise<string> } {
  const errors = openSync(log, 'a');
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { env: ENVIRONMENT, stdio: ['pipe', 'pipe', errors], detached: true });
  closeSync(errors);
  child.stdin!.on('error', () => {});
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async () => {
    const { done, value } = await within(lines.next(), BOOT_LIMIT_MS, 'the machine does not boot');
    if (done === true) throw new Error(`the machine does not boot: see ${log}`);
    return value;
  };
  return { child, line };
}

/** Machines as processes on loopback addresses. Two racks at once have different addresses, unless chance is very unkind. */
export class LoopbackRack implements Rack {
  readonly isolation = 'loopback';
  readonly #network = `127.${64 + Math.floor(Math.random() * 128)}.${Math.floor(Math.random() * 256)}`;

  address(link: number, node: number): string {
    return `${this.#network}.${10 * (link + 1) + node}`;
  }

  async boot({ name, directory, program, log }: MachineOptions): Promise<Machine> {
    const { child, line } = startInit([`${LAB}/node-init`, ...program], log);
    await line();
    const cleanUp = () => removeNodeGroups(name, `${directory}/run`, readlinkSync('/proc/self/ns/pid'));
    return new Machine(name, child.pid ?? 0, child, {
      ownNamespaces: false,
      unplug: async () => {},
      cleanUp,
    });
  }
}

/**
 * Machines as namespaces: three switches (bridges) in the network namespace of this process, a cable (veth pair) from
 * each machine to each of them. This process has to be where `enterRack` (enter.ts) puts it: everything then ends
 * with it.
 */
export class NamespaceRack implements Rack {
  readonly isolation = 'namespaces';
  /** Counts cables, so that a new one never has the name of one that is just vanishing. */
  #cables = 0;

  private constructor() {}

  static async make(): Promise<NamespaceRack> {
    const rack = new NamespaceRack();
    const links = Array.from({ length: LINK_COUNT }, (_, link) => link);
    await ip([
      'link set lo up',
      ...links.flatMap((link) => [
        `link add switch${link} type bridge stp_state 0 forward_delay 0`,
        `link set switch${link} up`,
      ]),
    ]);
    return rack;
  }

  address(link: number, node: number): string {
    return `10.77.${link + 1}.${node + 1}`;
  }

  async boot({ name, index, directory, program, log }: MachineOptions): Promise<Machine> {
    const cables = Array.from({ length: LINK_COUNT }, (_, link) => ({
      port: `port${this.#cables++}`,
      plug: `link${link}`,
      link,
    }));
    const addresses = cables.map(({ plug, link }) => `${plug}=${this.address(link, index)}/24`);
    const unshare = ['unshare', '--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--'];
    const boot = [`${LAB}/node-boot`, name, directory, ...addresses, '--', ...program];
    const { child, line } = startInit([...unshare, ...boot], log);
    const init = Number(await line());
    const pidNamespace = readlinkSync(`/proc/${init}/ns/pid`);
    await ip(
      cables.flatMap(({ port, plug, link }) => [
        `link add ${port} type veth peer name ${plug} netns ${init}`,
        `link set ${port} master switch${link} up`,
      ]),
    );
    child.stdin?.write('cabled\n');
    await line();
    return new Machine(name, init, child, {
      ownNamespaces: true,
      // The kernel removes the cables of a namespace that ends, but in its own time.
      unplug: () => ip(cables.map(({ port }) => `link delete ${port}`)).catch(() => {}),
      cleanUp: () => removeNodeGroups(name, `${directory}/run`, pidNamespace),
    });
  }
}

async function ip(commands: readonly string[]): Promise<void> {
  await output('ip', ['-force', '-batch', '-'], 5000, `${commands.join('\n')}\n`);
}
