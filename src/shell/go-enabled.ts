/**
 * What has to be so before a node is given groups: every program in a directory (go-enabled) has to end with 0. They run one
 * after the other, by name, each within its time; what fails is run again until all have passed. Asked once in each life of
 * the kernel: a restart of `sm` beside running services asks nothing anew.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log, Time } from './ports.ts';

export const CHECK_LIMIT_MS = 30_000;
export const REPEAT_MS = 10_000;
const CHECKS_MAX = 100;
const OUTPUT_CHARACTERS_MAX = 200;

export interface GoEnabledOptions {
  readonly directory: string;
  readonly runDirectory: string;
  readonly kernelLife: string;
  /** '' = the node may go in. */
  readonly verdict: (obstacle: string) => void;
  readonly time: Time;
  readonly log: Log;
}

/** Why the node is not ready at its start; '' = it passed in this life of the kernel, or there is nothing to ask. */
export function initialObstacle({ directory, runDirectory, kernelLife }: GoEnabledOptions): string {
  const listing = checksIn(directory);
  if (listing.ok && listing.names.length === 0) return '';
  return passedIn(runDirectory) === kernelLife ? '' : 'go-enabled checks are under way';
}

/** Runs the checks until all have passed. Tells each change. */
export async function goEnabled(options: GoEnabledOptions): Promise<void> {
  const { directory, runDirectory, kernelLife, verdict, time, log } = options;
  for (let before = ''; ; ) {
    const obstacle = await firstFailure(directory);
    if (obstacle === '') break;
    if (obstacle !== before) log.warn({ obstacle }, 'go-enabled: the node is not ready');
    verdict(obstacle);
    before = obstacle;
    await new Promise<void>((resolve) => time.after(REPEAT_MS, resolve));
  }
  writeFileSync(join(runDirectory, 'goenabled'), kernelLife, { mode: 0o600 });
  verdict('');
}

async function firstFailure(directory: string): Promise<string> {
  const listing = checksIn(directory);
  if (!listing.ok) return listing.reason;
  for (const name of listing.names) {
    const failure = await check(join(directory, name), name);
    if (failure !== '') return failure;
  }
  return '';
}

type Listing =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** Executable files, by name; no directory is no check, one that others may write to is a fault. */
function checksIn(directory: string): Listing {
  let names: string[];
  try {
    if ((statSync(directory).mode & 0o002) !== 0)
      return { ok: false, reason: `go-enabled: everybody may write to ${directory}: run chmod o-w on it` };
    names = readdirSync(directory).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT'
      ? { ok: true, names: [] }
      : { ok: false, reason: `go-enabled: ${directory} can not be read (${code})` };
  }
  const checks = names.filter((name) => isExecutable(join(directory, name)));
  if (checks.length <= CHECKS_MAX) return { ok: true, names: checks };
  return { ok: false, reason: `go-enabled: ${directory} holds more than ${CHECKS_MAX} checks` };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** '' = passed. The whole process group of a check that takes too long is killed. */
function check(path: string, name: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(path, [], { detached: true, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    let output = '';
    let late = false;
    const take = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const limit = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, CHECK_LIMIT_MS);
    const end = (how: string) => {
      clearTimeout(limit);
      const said = output.trim().split('\n').at(-1) ?? '';
      resolve(how === '' ? '' : `go-enabled: ${name} ${how}${said === '' ? '' : `: ${said}`}`);
    };
    child.on('error', (error) => end(`can not be run (${error.message})`));
    child.on('exit', (code, signal) => {
      if (late) end(`did not end within ${CHECK_LIMIT_MS / 1000} s`);
      else end(code === 0 ? '' : `failed (${signal ?? `exit ${code}`})`);
    });
  });
}

function passedIn(runDirectory: string): string {
  try {
    return readFileSync(join(runDirectory, 'goenabled'), 'utf8');
  } catch {
    return '';
  }
}
