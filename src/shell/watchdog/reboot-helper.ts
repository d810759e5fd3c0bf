/**
 * A process that waits for one word to call reboot(2), which node can not: started and locked into memory beforehand, so
 * that at the deadline nothing has to be loaded. It ends, and does nothing, when we do. Source: reboot(2), mlockall(2).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Log } from '../ports.ts';

/** Numbers of mlockall and reboot by processor: Linux, the tables syscall*.tbl below arch and include/uapi/asm-generic/unistd.h. */
const SYSCALLS: Partial<Record<NodeJS.Architecture, readonly [mlockall: number, reboot: number]>> = {
  x64: [151, 169],
  arm64: [230, 142],
  loong64: [230, 142],
  riscv64: [230, 142],
  ia32: [152, 88],
  arm: [152, 88],
  ppc64: [152, 88],
  s390x: [152, 88],
};

const WORD = 'reboot\n';
const READY = 'ready\n';

/** MCL_CURRENT | MCL_FUTURE; then LINUX_REBOOT_MAGIC1, MAGIC2 and LINUX_REBOOT_CMD_RESTART. */
export const rebootScript = ([mlockall, reboot]: readonly [number, number]): string =>
  [
    `syscall(${mlockall}, 3);`,
    '$| = 1; print "ready\\n";',
    'my $word = <STDIN>;',
    'exit if !defined $word || $word ne "reboot\\n";',
    `syscall(${reboot}, 0xfee1dead, 672274793, 0x01234567, 0);`,
  ].join(' ');

const numbers = SYSCALLS[process.arch];

/** Empty = this processor's numbers are not known. */
export const REBOOT_PROGRAM: readonly string[] =
  numbers === undefined ? [] : ['/usr/bin/perl', '-e', rebootScript(numbers)];

const READY_LIMIT_MS = 3000;
const AGAIN_MS = 1000;

export class RebootHelper {
  readonly #program: readonly string[];
  readonly #log: Log;
  #child: ChildProcess;
  #closed = false;

  constructor(program: readonly string[], log: Log) {
    this.#program = program;
    this.#log = log;
    this.#child = this.#start();
  }

  /** '' = it waits for its word; else why it can not be relied on. */
  ready(): Promise<string> {
    const child = this.#child;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve('its process does not say that it is ready'), READY_LIMIT_MS);
      const end = (fault: string) => {
        clearTimeout(timer);
        resolve(fault);
      };
      child.stdout?.once('data', (chunk: Buffer) =>
        end(
          chunk.toString('latin1') === READY ? '' : 'its process says something else than that it is ready',
        ),
      );
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(`its process ended with ${signal ?? code}`));
    });
  }

  /** The word is with the kernel when this returns: a pipe that is empty takes it at once. */
  strike(): void {
    this.#child.stdin?.write(WORD);
  }

  close(): void {
    this.#closed = true;
    this.#child.stdin?.end();
  }

  #start(): ChildProcess {
    const [file = '', ...args] = this.#program;
    const child = spawn(file, args, { detached: true, env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', () => {});
    child.on('exit', (code, signal) => {
      if (this.#closed) return;
      this.#log.error(
        { code, signal },
        'self-fence: the process that waits to reboot is gone: another is started',
      );
      setTimeout(() => {
        if (!this.#closed) this.#child = this.#start();
      }, AGAIN_MS).unref();
    });
    return child;
  }
}
