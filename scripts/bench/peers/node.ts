/** A machine of the lab on which another manager runs. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../../../src/lab/machine.ts';
import type { Mount, Rack } from '../../../src/lab/rack.ts';
import type { PowerNode } from '../pair.ts';

export interface PeerNodeOptions {
  readonly name: string;
  readonly index: 0 | 1;
  /** Directory of the pair. */
  readonly root: string;
  readonly program: readonly string[];
  readonly mounts: (directory: string) => readonly Mount[];
}

export class PeerNode implements PowerNode {
  readonly name: string;
  readonly index: 0 | 1;
  readonly directory: string;
  readonly services: string;
  readonly #program: readonly string[];
  readonly #mounts: readonly Mount[];
  #machine: Machine | null = null;

  constructor({ name, index, root, program, mounts }: PeerNodeOptions) {
    this.name = name;
    this.index = index;
    this.directory = join(root, name);
    this.services = join(this.directory, 'services');
    this.#program = program;
    for (const path of [this.directory, this.services, join(this.directory, 'run')]) mkdirSync(path);
    this.#mounts = mounts(this.directory);
  }

  get machine(): Machine {
    if (this.#machine === null) throw new Error(`${this.name} has no power`);
    return this.#machine;
  }

  async boot(rack: Rack): Promise<void> {
    this.#machine = await rack.boot({
      name: this.name,
      index: this.index,
      directory: this.directory,
      program: this.#program,
      log: join(this.directory, 'console.log'),
      mounts: this.#mounts,
    });
  }

  /** Returns the moment just before. */
  async powerOff(): Promise<number> {
    const at = await this.machine.powerOff();
    this.#machine = null;
    return at;
  }

  async end(): Promise<void> {
    if (this.#machine !== null) await this.powerOff();
  }
}
