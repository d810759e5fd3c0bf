/** Moves a program into namespaces of its own, in which it may build a rack, and which end with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { ENVIRONMENT } from './machine.ts';

/** Everything that a rack of namespaces needs: bridges, cables, and a machine below it with its own /proc. */
const PROBE = [
  'ip link add probe type bridge',
  'ip link add probe0 type veth peer name probe1',
  "unshare --net --mount --uts --pid --fork sh -c 'mount -t proc proc /proc && hostname probe'",
].join(' && ');
const PROBE_LIMIT_MS = 5000;

const NAMESPACES = ['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** Root of a namespace of its own: what an ordinary user may be, where the system permits it. */
const USER = ['--user', '--map-root-user'];

/** Options of unshare that work here; null = none do. Found out by trying. */
export function rackOptions(): readonly string[] | null {
  const attempts =
    process.getuid?.() === 0 ? [NAMESPACES, [...USER, ...NAMESPACES]] : [[...USER, ...NAMESPACES]];
  for (const options of attempts) {
    const { status } = spawnSync('unshare', [...options, 'sh', '-c', PROBE], {
      env: ENVIRONMENT,
      stdio: 'ignore',
      timeout: PROBE_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    if (status === 0) return options;
  }
  return null;
}

/**
 * Starts the program as process 1 of a rack; it writes to our own stdout and stderr. To end it, kill the child: nothing of
 * the rack outlives it. The program sees the end of its stdin when we end in any way, and has to end then.
 */
export function enterRack(options: readonly string[], program: readonly string[]): ChildProcess {
  return spawn('unshare', [...options, '--', ...program], {
    env: ENVIRONMENT,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
}
