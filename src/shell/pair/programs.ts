/** How the processes of a node start each other: the same node, the same installation, a pipe as descriptor 3. */
import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PROGRAM_MARK } from '../exec/pid-belief.ts';
import type { Time } from '../ports.ts';

export type ProgramName = 'sm' | 'sm-watchdog' | 'sm-arbiter';

export interface Started {
  readonly pid: number | undefined;
  readonly stream: Duplex;
  readonly alive: () => boolean;
  /** SIGKILL. */
  readonly end: () => void;
}

export interface StartedProgram extends Started {
  /** Its exit code; null = it was killed, or could not be started. */
  readonly ended: Promise<number | null>;
}

export function programPath(name: ProgramName): string {
  return fileURLToPath(new URL(`../../bin/${name}${extname(import.meta.url)}`, import.meta.url));
}

/**
 * Starts a program that outlives us: in a session of its own, so that no signal to our group ends it. It writes to our
 * own stdout and stderr.
 */
export function startProgram(name: ProgramName, args: readonly string[]): StartedProgram {
  const child = spawn(process.execPath, [...process.execArgv, programPath(name), ...args], {
    detached: true,
    // So that no pid file can make either of us kill the other.
    env: { ...process.env, [PROGRAM_MARK]: name },
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  // Without a handler a failed start would be an exception; the pipe tells it anyway.
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', resolve);
    child.on('error', () => resolve(null));
  });
  return {
    ended,
    pid: child.pid,
    stream: child.stdio[3] as unknown as Duplex,
    alive: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    end: () => void child.kill('SIGKILL'),
  };
}

/** True as soon as the program has said something, which stays to be read; false when it ends before or the time is over. */
export function speaks({ stream }: Pick<Started, 'stream'>, limitMs: number, time: Time): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (spoke: boolean) => {
      cancel();
      stream.off('readable', look);
      stream.off('close', gone);
      resolve(spoke);
    };
    // At the end of a stream it is readable too, with nothing in it.
    const look = () => end(stream.readableLength > 0);
    const gone = () => end(false);
    const cancel = time.after(limitMs, gone);
    stream.on('readable', look);
    stream.on('close', gone);
  });
}
