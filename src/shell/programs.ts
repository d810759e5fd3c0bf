/**
 * Programs in a directory that `sm` runs with its own rights, go-enabled checks and notification hooks: which ones they are, and
 * one of them within its time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Time } from './ports.ts';

const PATH = '/sbin:/usr/sbin:/bin:/usr/bin:/usr/local/sbin:/usr/local/bin';
const OUTPUT_CHARACTERS_MAX = 200;

export type Programs =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/**
 * Executable files, by name; those that begin with a dot are left out, and no directory holds none. Whoever may change what is
 * run may do what `sm` may: all of it has to belong to root or `user`, and nobody else may be allowed to write to it.
 */
export function programsIn(directory: string, max: number, user = process.geteuid?.() ?? 0): Programs {
  try {
    const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
    const programs = names.filter((name) => isProgram(join(directory, name))).sort();
    if (programs.length > max) return { ok: false, reason: `${directory} holds more than ${max} programs` };
    const paths = [directory, ...programs.map((name) => join(directory, name))];
    const exposed = paths.map((path) => exposure(path, user)).find((reason) => reason !== '');
    return exposed === undefined ? { ok: true, names: programs } : { ok: false, reason: exposed };
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' && path === directory
      ? { ok: true, names: [] }
      : { ok: false, reason: `${path ?? directory} can not be read (${code})` };
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Why somebody else may have written what is there; '' = nobody can have. */
function exposure(path: string, user: number): string {
  const { mode, uid } = statSync(path);
  if (uid !== 0 && uid !== user)
    return `${path} belongs to user ${uid}, so nothing is run: run chown root on it`;
  return (mode & 0o022) === 0 ? '' : `others may write to ${path}, so nothing is run: run chmod go-w on it`;
}

export interface ProgramRun {
  readonly limitMs: number;
  /** Given to it on its standard input. */
  readonly input?: string;
  /** Beside PATH and LANG; nothing is inherited. */
  readonly environment?: NodeJS.ProcessEnv;
  readonly time: Pick<Time, 'after'>;
}

/**
 * '' = it ended with 0 in time; else how it ended, with the last line of what it printed. What takes longer is killed with its
 * whole process group.
 */
export async function runProgram(path: string, run: ProgramRun): Promise<string> {
  const env = { PATH, LANG: 'C', ...run.environment };
  try {
    return await endOf(spawn(path, [], { cwd: '/', detached: true, stdio: 'pipe', env }), run);
  } catch (error) {
    return `it can not be run (${(error as Error).message})`;
  }
}

function endOf(child: ChildProcess, { limitMs, input, time }: ProgramRun): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const take = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX);
    };
    const end = (how: string): void => {
      cancel();
      // What it left running must not hold our end of its pipes.
      child.stdout?.destroy();
      child.stderr?.destroy();
      const said = output.trim().split('\n').at(-1) ?? '';
      resolve(how === '' || said === '' ? how : `${how}: ${said}`);
    };
    const cancel = time.after(limitMs, () => {
      killGroup(child.pid);
      end(`it did not end within ${Math.round(limitMs)} ms and was killed`);
    });
    child.once('error', (error) => {
      cancel();
      reject(error);
    });
    child.once('exit', (code, signal) =>
      end(code === 0 ? '' : `it ended with ${signal ?? `exit code ${code}`}`),
    );
    // Where descriptors have run out there are no pipes, and the error is still to come.
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    // One that does not read what it is told is none of our business.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
