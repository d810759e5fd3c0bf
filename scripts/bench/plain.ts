/** Work beside which ours is measured, done by plain programs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { SERVICE_SCRIPT } from './pair.ts';

/**
 * The least that a switch-over costs here: a shell that stops all services and then starts them, `workers` at a time, and
 * does nothing else. In ms.
 */
export function plainSwitchOver(directory: string, services: readonly string[], workers: number): number {
  mkdirSync(directory, { recursive: true });
  const run = (command: 'start' | 'stop'): void => {
    const options = { input: `${services.join('\n')}\n`, env: { ...process.env, directory } };
    const script = ['sh', '-c', `service=$1 exec ${SERVICE_SCRIPT} ${command}`, 'sh'];
    execFileSync('xargs', ['-P', String(workers), '-n', '1', ...script], options);
  };
  run('start');
  const from = performance.now();
  run('stop');
  run('start');
  const took = performance.now() - from;
  run('stop');
  return took;
}

/** Runs a program to its end and returns how long it took, in ms. */
export function timed(program: readonly string[]): { readonly ms: number; readonly stdout: string } {
  const [file = '', ...args] = program;
  const from = performance.now();
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${program.join(' ')} failed: ${stderr.trim().slice(-500)}`);
  return { ms: performance.now() - from, stdout };
}
