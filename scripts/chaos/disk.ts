/**
 * The root disk of a node: a small file system of its own, and on top of it one that passes everything on (bindfs). A bindfs
 * that is stopped is a disk that hangs: whoever needs it waits in the kernel and can not even be killed. One that is stopped again and
 * again is slow. Without FUSE it can only be full.
 *
 * The node's run directory and the stamps are no part of it: the first is a RAM disk anywhere, the second belong to the witness.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../../src/lab/machine.ts';
import { eventually } from '../../src/lab/node.ts';
import type { Mount } from '../../src/lab/rack.ts';

const SIZE_MIB = 24;
const LIMIT_MS = 5000;
const FILLER = 'filler';
const FUSE_MAGIC = 0x65735546;
/** A process of its own: whatever we wait for ourselves, a disk that hangs comes back. PID, stop, go and total time in ms. */
const BRAKE = `my ($pid, $stop, $go, $left) = @ARGV;
while ($left > 0) {
  kill STOP => $pid; select undef, undef, undef, $stop / 1000;
  kill CONT => $pid; select undef, undef, undef, $go / 1000;
  $left -= $stop + $go;
}
`;

export const HAS_FUSE = existsSync('/dev/fuse') && existsSync('/usr/bin/bindfs');

export class Disk {
  /** As we see it: never through bindfs, so that we never hang. */
  readonly directory: string;
  readonly mounts: readonly Mount[];
  readonly #child: ChildProcess | null;
  #helper: ChildProcess | null = null;

  private constructor(directory: string, mounts: readonly Mount[], child: ChildProcess | null) {
    this.directory = directory;
    this.mounts = mounts;
    this.#child = child;
  }

  /** In our mount namespace. */
  static async make(root: string, name: string): Promise<Disk> {
    const [directory, run, stamps, front] = ['', '-run', '-stamps', '-disk'].map((end) =>
      join(root, name + end),
    ) as [string, string, string, string];
    for (const path of [directory, run, stamps, front]) mkdirSync(path, { mode: 0o755 });
    await output(['mount', '-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, name, directory], LIMIT_MS);
    const shared: Mount[] = [
      { at: join(directory, 'run'), directory: run },
      { at: join(directory, 'services'), directory: stamps },
    ];
    for (const { at, directory: from } of shared) {
      mkdirSync(at);
      await output(['mount', '--bind', from ?? '', at], LIMIT_MS);
    }
    if (!HAS_FUSE) return new Disk(directory, [], null);
    const child = spawn('bindfs', ['-f', directory, front], { stdio: ['ignore', 'ignore', 'inherit'] });
    await eventually(`the disk of ${name}`, LIMIT_MS, () =>
      statfsSync(front).type === FUSE_MAGIC ? true : null,
    );
    return new Disk(directory, [{ at: directory, directory: front }, ...shared], child);
  }

  fill(): void {
    const path = join(this.directory, FILLER);
    try {
      for (let flag = 'w'; ; flag = 'a') writeFileSync(path, Buffer.alloc(1 << 16), { flag });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  /** `forMs`: at the latest then it goes on by itself. */
  hang(forMs: number): void {
    this.#brake(forMs, 0, forMs);
  }

  /** Every access waits for up to `beatMs`. */
  slow(beatMs: number, forMs: number): void {
    this.#brake(beatMs, beatMs, forMs);
  }

  /** Undoes all of that. */
  mend(): void {
    this.#helper?.kill('SIGKILL');
    this.#helper = null;
    this.#child?.kill('SIGCONT');
    rmSync(join(this.directory, FILLER), { force: true });
  }

  #brake(stopMs: number, goMs: number, forMs: number): void {
    if (this.#child === null) return;
    const numbers = [this.#child.pid, stopMs, goMs, forMs].map(String);
    this.#helper = spawn('perl', ['-e', BRAKE, ...numbers], { stdio: 'ignore' });
  }

  /** For good. Whoever still waits for it gets an error. */
  end(): void {
    this.mend();
    this.#child?.kill('SIGKILL');
  }
}
