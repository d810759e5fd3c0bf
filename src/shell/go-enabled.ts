/**
 * What has to be so before a node is given groups: every program in a directory (go-enabled) has to end with 0. They run one
 * after the other, by name, each within its time; what fails is run again until all have passed. Asked once in each life of
 * the kernel: a restart of `sm` beside running services asks nothing anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log, Time } from './ports.ts';
import { programsIn, runProgram } from './programs.ts';

export const CHECK_LIMIT_MS = 30_000;
export const REPEAT_MS = 10_000;
const CHECKS_MAX = 100;

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
  const listing = programsIn(directory, CHECKS_MAX);
  if (listing.ok && listing.names.length === 0) return '';
  return passedIn(runDirectory) === kernelLife ? '' : 'go-enabled checks are under way';
}

/** Runs the checks until all have passed. Tells each change. */
export async function goEnabled(options: GoEnabledOptions): Promise<void> {
  const { verdict, time, log } = options;
  for (let before = ''; ; ) {
    const obstacle = await firstFailure(options);
    if (obstacle === '') break;
    if (obstacle !== before) log.warn({ obstacle }, 'go-enabled: the node is not ready');
    verdict(obstacle);
    before = obstacle;
    await new Promise<void>((resolve) => time.after(REPEAT_MS, resolve));
  }
  remember(options);
  verdict('');
}

async function firstFailure({ directory, time }: GoEnabledOptions): Promise<string> {
  const checks = programsIn(directory, CHECKS_MAX);
  if (!checks.ok) return `go-enabled: ${checks.reason}`;
  for (const name of checks.names) {
    const failure = await runProgram(join(directory, name), { limitMs: CHECK_LIMIT_MS, time });
    if (failure !== '') return `go-enabled: ${name}: ${failure}`;
  }
  return '';
}

/** Where that is not possible the node is ready all the same; the next `sm` asks again. */
function remember({ runDirectory, kernelLife, log }: GoEnabledOptions): void {
  try {
    writeFileSync(join(runDirectory, 'goenabled'), kernelLife, { mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log.warn(
      { runDirectory, code },
      'go-enabled: passed, and a restart of sm asks again: it can not be kept',
    );
  }
}

function passedIn(runDirectory: string): string {
  try {
    return readFileSync(join(runDirectory, 'goenabled'), 'utf8');
  } catch {
    return '';
  }
}
