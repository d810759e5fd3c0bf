/**
 * `make demo`: two nodes with three links on this machine, told as a story. The last line of stdout is one line of JSON.
 *
 * The story runs inside a rack of namespaces of its own, where an ordinary user may make one, so that everything ends with
 * it; else, or with ISOLATION=loopback, on loopback addresses. KEEP=1 keeps the directory with the nodes' files and
 * logs.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabNode } from '../src/lab/node.ts';
import { aborted, perform } from '../src/lab/perform.ts';
import type { Isolation, Rack } from '../src/lab/rack.ts';
import { failure, verdictOn } from '../src/lab/verdict.ts';
import { Witness } from '../src/lab/witness.ts';
import { BOUNDS, type Figures, Story } from './demo/story.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = {
  definitions: join(PROJECT, 'db', 'definitions', 'demo'),
  programs: join(PROJECT, 'dist'),
} as const;
const LIMIT_MS = 240_000;

const started = performance.now();

function tell(line: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

function show(text: string): void {
  console.log(`\n${text.replace(/^/gm, '    ')}\n`);
}

/** The last line. Returns the exit code. */
function conclude(isolation: Isolation, outcome: Figures | Error): number {
  const more = { isolation };
  const { line, code } =
    outcome instanceof Error
      ? failure('demo', outcome, more)
      : verdictOn('demo', { ...outcome }, { ...BOUNDS }, more);
  console.log(line);
  return code;
}

/** Plays to the end, or until `stop`; nothing of the nodes is left then. Returns the exit code. */
async function play(rack: Rack, root: string, stop: AbortSignal): Promise<number> {
  const key = randomBytes(64);
  const node = (index: 0 | 1) =>
    new LabNode({ name: `controller-${index}`, index, root, key, ...SOURCES }, rack);
  const nodes = [node(0), node(1)] as const;
  const witness = new Witness(new Map(nodes.map(({ name, services }) => [name, services])));
  const story = new Story({ rack, nodes, witness, tell, show });
  const told = story
    .tellAll()
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  const outcome = await Promise.race([aborted(stop), told]);
  for (const each of nodes) await each.end();
  return conclude(rack.isolation, outcome);
}

function begin(isolation: Isolation): null {
  console.log(
    'Two controllers on this machine, three links between them, five services on one of them at a time.',
  );
  console.log(
    isolation === 'loopback'
      ? 'They have no namespaces of their own here: they share the loopback network and the process table. Losing power is the end of all their processes, one after the other within milliseconds; no cable can be cut.'
      : 'Each has namespaces of its own: network, processes, mounts, host name. Losing power is SIGKILL to its process 1.',
  );
  return null;
}

await perform(
  {
    program: fileURLToPath(import.meta.url),
    prefix: 'sm-demo-',
    limitMs: LIMIT_MS,
    begin,
    play,
    failed: (isolation, reason) => conclude(isolation, new Error(reason)),
  },
  true,
);
