/** Fresh machines in a rack: each with a root file system of its own, and the package in its /tmp. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../../../src/lab/machine.ts';
import { eventually } from '../../../src/lab/node.ts';
import { NamespaceRack } from '../../../src/lab/rack.ts';

export const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const FRESH = join(import.meta.dirname, 'fresh-machine');
const BOOT_LIMIT_MS = 15_000;
const SCRIPT_LIMIT_MS = 150_000;

export class FreshMachine {
  readonly name: string;
  readonly #machine: Machine;
  /** Words before each command. */
  #inside: readonly string[] = [];

  constructor(name: string, machine: Machine) {
    this.name = name;
    this.#machine = machine;
  }

  /** What the script wrote to stdout; rejects when it fails. `words` are its $1, $2... */
  shell(script: string, ...words: string[]): Promise<string> {
    return this.#machine.run([...this.#inside, 'sh', '-euc', script, 'sh', ...words], SCRIPT_LIMIT_MS);
  }

  /** On a machine with systemd: waits until it is up, and is below it from then on. */
  async enterSystemd(): Promise<void> {
    const pid = (
      await this.shell(
        'timeout 15 sh -c "until test -s /run/systemd.pid; do sleep 0.1; done"; cat /run/systemd.pid',
      )
    ).trim();
    this.#inside = ['nsenter', '--target', pid, '--mount', '--pid', '--ipc', '--cgroup', '--'];
    await this.shell(
      'timeout 30 sh -c "until systemctl is-system-running >/dev/null 2>&1; do sleep 0.2; done"',
    );
  }

  async powerOff(): Promise<void> {
    await this.#machine.powerOff();
  }
}

/** This process has to be the first one of a rack (src/lab/enter.ts). */
export async function bootMachines(
  directory: string,
  packageFile: string,
  names: readonly string[],
  /** What each becomes; it waits if left out. */
  becomes?: string,
): Promise<FreshMachine[]> {
  // By the path of its run-time directory the lab finds the control groups of a node that has gone.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  mkdirSync('/run/sm');
  const rack = await NamespaceRack.make();
  const machines: FreshMachine[] = [];
  for (const [index, name] of names.entries()) {
    const own = join(directory, name);
    mkdirSync(own);
    symlinkSync('/run/sm', join(own, 'run'));
    const log = join(directory, `${name}.log`);
    const program = [FRESH, name, PROJECT, packageFile, ...(becomes === undefined ? [] : [becomes])];
    const machine = await rack.boot({ name, index, directory: own, program, log });
    machine.pressStart();
    const fresh = () => (readFileSync(log, 'utf8').includes(`${name} is there`) ? true : null);
    await eventually(`${name} is fresh`, BOOT_LIMIT_MS, fresh).catch((error: unknown) => {
      throw new Error(`its log: ${readFileSync(log, 'utf8')}`, { cause: error });
    });
    machines.push(new FreshMachine(name, machine));
  }
  return machines;
}
