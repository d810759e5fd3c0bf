/** A machine of the lab: a tree of processes that can lose its power, and cables that can be pulled. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** A machine knows nothing of these: by the first, every start of node on it would read hundreds of certificates. */
const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...OURS } = process.env;

/** Also where /sbin is not in the path of ordinary users. */
export const ENVIRONMENT = {
  ...OURS,
  PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`,
};

/** CLOCK_MONOTONIC in ms, as the stamps have it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const OFF_LIMIT_MS = 5_000;
const RUN_LIMIT_MS = 10_000;

export interface MachineParts {
  readonly name: string;
  /** Its first process, as it is numbered here. */
  readonly init: number;
  readonly child: ChildProcess;
  /** The switch's ends of its cables, by link; null = it has neither cables nor namespaces of its own. */
  readonly ports: ReadonlyMap<number, string> | null;
  /** Removes what the kernel keeps of it. */
  readonly cleanUp: () => void;
}

export interface MachineProcess {
  /** Its number as we count here. */
  readonly here: number;
  readonly words: readonly string[];
}

/** A machine with power. After `powerOff` it is gone; the rack boots another one in its place. */
export class Machine {
  readonly #parts: MachineParts;
  readonly #ended: Promise<unknown>;

  constructor(parts: MachineParts) {
    this.#parts = parts;
    this.#ended = this.hasPower ? once(parts.child, 'exit') : Promise.resolve();
  }

  get name(): string {
    return this.#parts.name;
  }

  /** Its first process, as we count here. */
  get init(): number {
    return this.#parts.init;
  }

  get hasPower(): boolean {
    const { exitCode, signalCode } = this.#parts.child;
    return exitCode === null && signalCode === null;
  }

  pressStart(): void {
    this.#parts.child.stdin?.end('start\n');
  }

  /**
   * Every process of the machine ends at once, without a last word; then its switch ports go down. Returns the moment
   * just before.
   */
  async powerOff(): Promise<number> {
    const { name, init, ports, cleanUp } = this.#parts;
    const at = monotonicMs();
    try {
      if (this.hasPower) process.kill(init, ports === null ? 'SIGTERM' : 'SIGKILL');
    } catch {
      // It has ended itself, and we have not been told yet.
    }
    await within(this.#ended, OFF_LIMIT_MS, `${name} does not lose its power`);
    // The kernel removes the cables of a namespace that ends, but in its own time.
    if (ports !== null) await ip([...ports.values()].map((port) => `link delete ${port}`)).catch(() => {});
    cleanUp();
    return at;
  }

  /**
   * `unplugged`: the cable is pulled at the switch, and the machine sees it. `cut`: something breaks further on; the
   * machine's own end stays up. Throws where there are no cables.
   */
  async setLink(link: number, state: 'up' | 'unplugged' | 'cut'): Promise<void> {
    const port = this.port(link);
    const master = state === 'cut' ? 'nomaster' : `master switch${link}`;
    await ip([`link set ${port} ${master}`, `link set ${port} ${state === 'unplugged' ? 'down' : 'up'}`]);
  }

  /**
   * The switch drops this many of a hundred frames of the link at random: those from the machine and those to it. 100 and 0
   * are a one-way cut. Needs nft(8); throws where there are no cables.
   */
  async setLoss(link: number, fromPercent: number, toPercent: number): Promise<void> {
    const port = this.port(link);
    const rule = (match: string, percent: number) => {
      if (percent === 0) return [];
      const chance = percent >= 100 ? '' : `numgen random mod 100 < ${percent} `;
      return [`add rule bridge lab ${port} ${match} ${port} ${chance}drop`];
    };
    const commands = [
      'add table bridge lab',
      `add chain bridge lab ${port} { type filter hook forward priority 0; }`,
      `flush chain bridge lab ${port}`,
      ...rule('iifname', fromPercent),
      ...rule('oifname', toPercent),
    ];
    await output(['nft', '-f', '-'], RUN_LIMIT_MS, `${commands.join('\n')}\n`);
  }

  /** The switch's end of its cable. Throws where there is none. */
  port(link: number): string {
    const port = this.#parts.ports?.get(link);
    if (port === undefined) throw new Error(`${this.name} has no cable ${link}`);
    return port;
  }

  /** SIGKILL to a process, by the number that the machine itself knows it by. Returns the moment just before. */
  kill(pid: number): number {
    const here = this.#pidHere(pid);
    if (here === null || here <= 1) throw new Error(`${this.name} has no process ${pid}`);
    const at = monotonicMs();
    process.kill(here, 'SIGKILL');
    return at;
  }

  /** Runs a program on the machine and returns what it wrote to stdout. Rejects when it fails or takes too long. */
  run(program: readonly string[], limitMs = RUN_LIMIT_MS): Promise<string> {
    return output(this.#inside(program), limitMs);
  }

  /** Starts a program on the machine, as its service manager would. `log` gets what it writes. */
  start(program: readonly string[], log: string): void {
    const output = openSync(log, 'a');
    // A child of the first process, as everything on it: the one that enters has to be gone.
    const [file = '', ...args] = this.#inside(['/bin/sh', '-c', '"$@" &', 'sh', ...program]);
    const env = { ...ENVIRONMENT, SM_NODE_NAMESPACE: this.name };
    spawn(file, args, { env, stdio: ['ignore', output, output] }).on('error', () => {});
    closeSync(output);
  }

  /** Every process of the machine, its first one included. Throws where it has no namespaces of its own. */
  processes(): MachineProcess[] {
    if (this.#parts.ports === null) throw new Error(`${this.name} shares its processes`);
    const found: MachineProcess[] = [];
    for (const here of this.#pids()) {
      try {
        const words = readFileSync(`/proc/${here}/cmdline`, 'utf8').split('\0').slice(0, -1);
        found.push({ here, words });
      } catch {
        // Ended meanwhile.
      }
    }
    return found;
  }

  /** Arguments of every process of the machine. */
  commandLines(): (readonly string[])[] {
    return this.processes().map(({ words }) => words);
  }

  #inside(program: readonly string[]): readonly string[] {
    const { init, ports } = this.#parts;
    const enter = ['nsenter', '--target', String(init), '--mount', '--uts', '--net', '--pid', '--'];
    return ports === null ? program : [...enter, ...program];
  }

  #pidHere(pid: number): number | null {
    if (this.#parts.ports === null) return pid;
    for (const here of this.#pids()) {
      try {
        // Its numbers from our namespace down to its own.
        const numbers = /^NSpid:(.*)$/m.exec(readFileSync(`/proc/${here}/status`, 'latin1'))?.[1] ?? '';
        if (Number(numbers.trim().split(/\s+/).at(-1)) === pid) return here;
      } catch {
        // Ended meanwhile.
      }
    }
    return null;
  }

  /** Its processes, as they are numbered here: the first one and all that came from it. */
  #pids(): number[] {
    const children = new Map<number, number[]>();
    for (const name of readdirSync('/proc')) {
      const parent = /^\d+$/.test(name) ? parentOf(name) : null;
      if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    }
    const found = [this.#parts.init];
    // Grows while it is gone through.
    for (const each of found) found.push(...(children.get(each) ?? []));
    return found;
  }
}

/**
 * null = the process has ended. Nothing is asked for which the kernel would wait until the process has done what it does: one
 * that starts a program from a disk that hangs would take us with it.
 */
function parentOf(pid: string): number | null {
  try {
    // The name in parentheses may hold anything.
    return Number(/^\d+ \(.*\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
  } catch {
    return null;
  }
}

/** Commands of ip(8), as root of the current network. Those after a failing one are carried out too. */
export async function ip(commands: readonly string[]): Promise<void> {
  await output(['ip', '-force', '-batch', '-'], RUN_LIMIT_MS, `${commands.join('\n')}\n`);
}

/** What the program wrote to stdout. Rejects when it fails or takes too long. */
export function output(program: readonly string[], limitMs: number, input = ''): Promise<string> {
  const [file = '', ...args] = program;
  const options = { env: ENVIRONMENT, timeout: limitMs, killSignal: 'SIGKILL' as const };
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program.join(' ')}: ${stderr.trim() || error.message}`));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

export async function within<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
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
