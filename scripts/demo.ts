/**
 * `make demo`: two nodes with three links on this machine, told as a story. The last line of stdout is one line of JSON.
 *
 * The story runs inside a rack of namespaces of its own, where an ordinary user may make one, so that everything ends with
 * it; else, or with ISOLATION=loopback, on loopback addresses. KEEP=1 keeps the directory with the nodes' files and
 * logs.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { enterRack, rackOptions } from '../src/lab/enter.ts';
import { LabNode } from '../src/lab/node.ts';
import { type Isolation, LoopbackRack, NamespaceRack, type Rack } from '../src/lab/rack.ts';
import { Witness } from '../src/lab/witness.ts';
import { BOUNDS, type Figures, Story } from './demo/story.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = {
  definitions: join(PROJECT, 'db', 'definitions', 'demo'),
  programs: join(PROJECT, 'dist'),
} as const;
const LIMIT_MS = 240_000;
/** How long an interrupted story may take to clean up. */
const END_LIMIT_MS = 10_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Says to the program that it is inside; followed by the directory. */
const INSIDE = '--inside';

const started = performance.now();

function tell(line: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

function show(text: string): void {
  console.log(`\n${text.replace(/^/gm, '    ')}\n`);
}

/** The last line. Returns the exit code. */
function conclude(isolation: Isolation, outcome: Figures | Error): number {
  if (outcome instanceof Error) {
    console.log(JSON.stringify({ demo: 'failed', reason: outcome.message, isolation }));
    return 1;
  }
  const broken = Object.entries(BOUNDS)
    .filter(([name, bound]) => outcome[name as keyof Figures] > bound)
    .map(([name, bound]) => `${name} is above ${bound}`);
  const verdict = broken.length === 0 ? { demo: 'ok' } : { demo: 'failed' };
  const reason = broken.length === 0 ? {} : { reason: broken.join(', ') };
  console.log(JSON.stringify({ ...verdict, ...outcome, ...reason, isolation }));
  return broken.length === 0 ? 0 : 1;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** Plays to the end, or until `stop`; nothing of the nodes is left then. Returns the exit code. */
async function play(rack: Rack, root: string, stop: AbortSignal): Promise<number> {
  const key = randomBytes(64);
  const node = (index: 0 | 1) =>
    new LabNode({ name: `controller-${index}`, index, root, key, ...SOURCES }, rack);
  const nodes = [node(0), node(1)] as const;
  const witness = new Witness(new Map(nodes.map(({ name, services }) => [name, services])));
  const stopped = aborted(stop).then(() => new Error(String(stop.reason)));
  const story = new Story({ rack, nodes, witness, tell, show });
  const told = story
    .tellAll()
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  const outcome = await Promise.race([stopped, told]);
  for (const each of nodes) await each.end();
  return conclude(rack.isolation, outcome);
}

/** Short, and without characters that would mean something in a definition. */
function makeDirectory(): string {
  const base = tmpdir();
  return mkdtempSync(join(/^[\w./-]{1,40}$/.test(base) ? base : '/tmp', 'sm-demo-'));
}

function removeDirectory(root: string): void {
  if (process.env.KEEP === '1') console.error(`kept: ${root}`);
  else rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** Process 1 of a rack. The end of stdin tells that whoever started us wants the end, or is gone. */
async function inside(root: string): Promise<number> {
  const stop = new AbortController();
  process.stdin.once('end', () => stop.abort('interrupted')).resume();
  // The terminal tells everybody; the one who started us decides.
  for (const signal of SIGNALS) process.on(signal, () => {});
  const code = await play(await NamespaceRack.make(), root, stop.signal);
  if (stop.signal.aborted) removeDirectory(root);
  return code;
}

/** Starts ourselves inside a rack and waits for the end. */
async function playInside(options: readonly string[], root: string, stop: AbortSignal): Promise<number> {
  const program = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), INSIDE, root];
  const child = enterRack(options, program);
  void aborted(stop).then(() => {
    child.stdin?.end();
    setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS).unref();
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code === 0 || code === 1) return code;
  return conclude('namespaces', new Error(`ended by ${signal ?? `exit code ${code}`}`));
}

async function outside(): Promise<number> {
  const stop = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => stop.abort('interrupted'));
  setTimeout(() => stop.abort(`took longer than ${LIMIT_MS / 1000} s`), LIMIT_MS).unref();
  const root = makeDirectory();
  try {
    const options = process.env.ISOLATION === 'loopback' ? null : rackOptions();
    console.log(
      'Two controllers on this machine, three links between them, five services on one of them at a time.',
    );
    if (options === null) {
      console.log(
        'They have no namespaces of their own here: they share the loopback network and the process table. Losing power is the end of all their processes, one after the other within milliseconds; no cable can be cut.',
      );
      return await play(new LoopbackRack(), root, stop.signal);
    }
    console.log(
      'Each has namespaces of its own: network, processes, mounts, host name. Losing power is SIGKILL to its process 1.',
    );
    return await playInside(options, root, stop.signal);
  } finally {
    removeDirectory(root);
  }
}

const [, , word, root] = process.argv;
// What still waits is of no interest any more.
process.exit(word === INSIDE && root !== undefined ? await inside(root) : await outside());
