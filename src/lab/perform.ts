/**
 * Runs a program that works with a rack: inside namespaces of its own where the system allows it, so that everything
 * ends with it, else on loopback addresses. Everything is ended and removed when it ends, also when it is interrupted.
 * KEEP=1 keeps the directory with the nodes' files and logs; ISOLATION=loopback does without namespaces.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enterRack, rackOptions } from './enter.ts';
import { type Isolation, LoopbackRack, NamespaceRack, type Rack } from './rack.ts';

/** How long an interrupted program may take to clean up. */
const END_LIMIT_MS = 10_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Says to the program that it is inside; followed by the directory. */
const INSIDE = '--inside';

export interface Performance<R extends Rack> {
  /** Path of the program that calls `perform`: it is started again inside. */
  readonly program: string;
  /** Beginning of the name of its directory. */
  readonly prefix: string;
  readonly limitMs: number;
  /** Keeps the directory also where it fails. */
  readonly keepFailed?: true;
  /** Called first, outside. A reason why it can not be done there ends it. */
  begin(isolation: Isolation): string | null;
  /** Plays to the end, or until `stop`; no node has power then. Returns the exit code. */
  play(rack: R, root: string, stop: AbortSignal): Promise<number>;
  /** Tells that there is no result. Returns the exit code. */
  failed(isolation: Isolation, reason: string): number;
}

/** Resolves with the reason when the signal comes. */
export async function aborted(signal: AbortSignal): Promise<Error> {
  if (!signal.aborted) await once(signal, 'abort');
  return new Error(String(signal.reason));
}

/** Ends this process. `loopback` = it can be played without namespaces too. */
export async function perform(performance: Performance<NamespaceRack>, loopback: false): Promise<never>;
export async function perform(performance: Performance<Rack>, loopback: true): Promise<never>;
export async function perform(performance: Performance<never>, loopback: boolean): Promise<never> {
  // The overloads say which racks there can be.
  const any = performance as unknown as Performance<Rack>;
  const [, , word, root] = process.argv;
  const code = word === INSIDE && root !== undefined ? await inside(any, root) : await outside(any, loopback);
  // What still waits is of no interest any more.
  process.exit(code);
}

/** Process 1 of a rack. The end of stdin tells that whoever started us wants the end, or is gone. */
async function inside(performance: Performance<Rack>, root: string): Promise<number> {
  const stop = new AbortController();
  process.stdin.once('end', () => stop.abort('interrupted')).resume();
  // The terminal tells everybody; the one who started us decides.
  for (const signal of SIGNALS) process.on(signal, () => {});
  const code = await performance.play(await NamespaceRack.make(), root, stop.signal);
  if (stop.signal.aborted) removeDirectory(root);
  return code;
}

/** Starts ourselves inside a rack and waits for the end. */
async function playInside(
  performance: Performance<Rack>,
  options: readonly string[],
  root: string,
  stop: AbortSignal,
): Promise<number> {
  const program = [process.execPath, ...process.execArgv, performance.program, INSIDE, root];
  const child = enterRack(options, program);
  void aborted(stop).then(() => {
    child.stdin?.end();
    setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS).unref();
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code === 0 || code === 1) return code;
  return performance.failed('namespaces', `ended by ${signal ?? `exit code ${code}`}`);
}

async function outside(performance: Performance<Rack>, loopback: boolean): Promise<number> {
  const stop = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => stop.abort('interrupted'));
  const { limitMs } = performance;
  setTimeout(() => stop.abort(`took longer than ${limitMs / 1000} s`), limitMs).unref();
  const options = loopback && process.env.ISOLATION === 'loopback' ? null : rackOptions();
  const isolation = options === null ? 'loopback' : 'namespaces';
  const refusal =
    options === null && !loopback
      ? 'no namespaces of network, mounts and processes can be made here: run it as root'
      : performance.begin(isolation);
  if (refusal !== null) return performance.failed(isolation, refusal);
  const root = makeDirectory(performance.prefix);
  let code = 1;
  try {
    code =
      options !== null
        ? await playInside(performance, options, root, stop.signal)
        : await performance.play(new LoopbackRack(), root, stop.signal);
    return code;
  } finally {
    if (code === 0 || stop.signal.aborted || performance.keepFailed !== true) removeDirectory(root);
  }
}

/** Short, and without characters that would mean something in a definition. */
function makeDirectory(prefix: string): string {
  const base = tmpdir();
  return mkdtempSync(join(/^[\w./-]{1,40}$/.test(base) ? base : '/tmp', prefix));
}

function removeDirectory(root: string): void {
  if (process.env.KEEP === '1') console.error(`kept: ${root}`);
  else rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
