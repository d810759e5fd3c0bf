/** Work beside which ours is measured, done by plain programs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJournal } from './journal.ts';
import { SERVICE_SCRIPT } from './pair.ts';
import { overheadMs } from './schedule.ts';

export interface Plain {
  readonly ms: number;
  /** Of that, what each script took of a worker before its first line and after its last one. */
  readonly overheadMs: number;
}

/**
 * The least that a switch-over costs here: a shell that stops all services and then starts them, `workers` at a time, and
 * does nothing else.
 */
export function plainSwitchOver(directory: string, services: readonly string[], workers: number): Plain {
  mkdirSync(directory, { recursive: true });
  const journal = join(directory, 'journal');
  const run = (command: 'start' | 'stop'): void => {
    const options = { input: `${services.join('\n')}\n`, env: { ...process.env, directory } };
    const script = ['sh', '-c', `service=$1 exec ${SERVICE_SCRIPT} ${command}`, 'sh'];
    execFileSync('xargs', ['-P', String(workers), '-n', '1', ...script], options);
  };
  run('start');
  writeFileSync(journal, '');
  const from = performance.now();
  run('stop');
  run('start');
  const ms = performance.now() - from;
  const scripts = parseJournal('', readFileSync(journal, 'utf8'));
  run('stop');
  return { ms, overheadMs: overheadMs(scripts, workers, ms) };
}

/** Runs a program to its end and returns how long it took, in ms. */
export function timed(program: readonly string[]): { readonly ms: number; readonly stdout: string } {
  const [file = '', ...args] = program;
  const from = performance.now();
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${program.join(' ')} failed: ${stderr.trim().slice(-500)}`);
  return { ms: performance.now() - from, stdout };
}
