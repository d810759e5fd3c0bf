/** The cables and switches of the pair, as faults change them: several at once, each undone by itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ip, type Machine, output, within } from '../../src/lab/machine.ts';
import { LINK_COUNT, type Rack } from '../../src/lab/rack.ts';

/** Datagrams and connections from one machine to another that get lost on a link. Machines by their index in the rack. */
export interface Obstacle {
  readonly link: number;
  readonly from: number;
  readonly to: number;
  /** 1 to 100. */
  readonly percent: number;
}

export const ALL_LINKS = Array.from({ length: LINK_COUNT }, (_, link) => link);
const RELAY = join(import.meta.dirname, '..', 'lab', 'cable-relay');
const LIMIT_MS = 5000;

/** Commands for `nft -f`. By addresses, so that what the neighbour asks of a floating address always gets through. */
export function rulesFor(obstacles: readonly Obstacle[], rack: Pick<Rack, 'address'>): string {
  const rules = obstacles.map(({ link, from, to, percent }) => {
    const chance = percent >= 100 ? '' : `numgen random mod 100 < ${percent} `;
    const match = `ip saddr ${rack.address(link, from)} ip daddr ${rack.address(link, to)}`;
    return `add rule bridge chaos wires ${match} ${chance}drop`;
  });
  return [
    'add table bridge chaos',
    'delete table bridge chaos',
    'add table bridge chaos',
    'add chain bridge chaos wires { type filter hook forward priority 0; }',
    ...rules,
    '',
  ].join('\n');
}

export interface Delays {
  readonly minMs: number;
  readonly maxMs: number;
  /** Of a hundred datagrams. */
  readonly duplicates: number;
  readonly seed: number;
}

export class Wires {
  readonly #rack: Rack;
  #obstacles: readonly Obstacle[] = [];
  /** Names relays' own cables. */
  #relays = 0;

  constructor(rack: Rack) {
    this.#rack = rack;
  }

  /** Returns how to take them away again. */
  async obstruct(more: readonly Obstacle[]): Promise<() => Promise<void>> {
    this.#obstacles = [...this.#obstacles, ...more];
    await this.#apply();
    return async () => {
      this.#obstacles = this.#obstacles.filter((obstacle) => !more.includes(obstacle));
      await this.#apply();
    };
  }

  /** Puts a relay between the machine's cable and the switch. Returns how to remove it. */
  async relay(machine: Machine, link: number, delays: Delays): Promise<() => Promise<void>> {
    const port = machine.port(link);
    this.#relays += 1;
    const number = this.#relays;
    const [inner, outer] = [`relay${number}a`, `relay${number}b`];
    await ip([
      `link add ${inner} type veth peer name ${outer}`,
      `link set ${inner} up`,
      `link set ${outer} master switch${link} up`,
      `link set ${port} nomaster`,
    ]);
    const { minMs, maxMs, duplicates, seed } = delays;
    const numbers = [minMs, maxMs, duplicates, seed].map(String);
    const child = spawn(RELAY, [port, inner, ...numbers], { stdio: ['ignore', 'pipe', 'inherit'] });
    const remove = async () => {
      await end(child);
      // The port is gone if the machine has lost its power meanwhile.
      await ip([`link delete ${inner}`, `link set ${port} master switch${link}`]).catch(() => {});
    };
    try {
      await within(once(child.stdout, 'data'), LIMIT_MS, 'the relay does not start');
    } catch (error) {
      await remove();
      throw error;
    }
    return remove;
  }

  async #apply(): Promise<void> {
    await output(['nft', '-f', '-'], LIMIT_MS, rulesFor(this.#obstacles, this.#rack));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
