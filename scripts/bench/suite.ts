/**
 * What `make bench` and `make bench-peers` share: which measurements are wanted (ONLY, REPEAT), a rack to make them in, one
 * line of JSON on stdout for each figure and a last one with all of them, progress on stderr, and an end that leaves nothing.
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { aborted, perform } from '../../src/lab/perform.ts';
import type { NamespaceRack } from '../../src/lab/rack.ts';
import type { Add, Result } from './result.ts';

const REPEAT = 5;

export interface Bench {
  readonly rack: NamespaceRack;
  /** A directory of the benchmark's own. */
  readonly root: string;
  readonly repeat: number;
  readonly add: Add;
  readonly tell: (line: string) => void;
  /** Ends the pair after `use`, and also when everything is to end meanwhile. */
  readonly during: <P extends { end(): Promise<void> }, T>(
    pair: P,
    use: (pair: P) => Promise<T>,
  ) => Promise<T>;
}

export interface Suite<Name extends string> {
  /** Key of the last line: `"bench":"ok"`. */
  readonly name: string;
  /** Path of the program that calls. */
  readonly program: string;
  readonly limitMs: number;
  /** In the order in which they run. */
  readonly benchmarks: Readonly<Record<Name, (bench: Bench) => Promise<void>>>;
  /** Said before anything starts: a reason why it can not be done here. */
  readonly refuse?: () => string | null;
  /** Why a figure is no matter of speed but a failure; null = it is none. */
  readonly fault: (result: Result) => string | null;
  /** What the last line says besides. */
  readonly conclude?: (results: readonly Result[]) => object;
}

interface Request<Name> {
  readonly names: readonly Name[];
  readonly repeat: number;
}

const started = performance.now();

function tell(line: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${line}`);
}

function machine() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: loadavg()[0],
  };
}

/** By the environment. Null = a word that is no benchmark, or no number. */
export function requestOf<Name extends string>(
  all: readonly Name[],
  { ONLY: only = '', REPEAT: times = '' }: Readonly<Record<string, string | undefined>>,
): Request<Name> | null {
  const words = only.split(',').filter((word) => word !== '');
  const repeat = times === '' ? REPEAT : Number(times);
  const isKnown = words.every((word) => (all as readonly string[]).includes(word));
  if (!isKnown || !Number.isInteger(repeat) || repeat < 1) return null;
  return { names: all.filter((name) => words.length === 0 || words.includes(name)), repeat };
}

/** Ends this process. */
export async function runSuite<Name extends string>(suite: Suite<Name>): Promise<never> {
  const all = Object.keys(suite.benchmarks) as Name[];
  const request = requestOf(all, process.env);
  const words = `ONLY takes ${all.join(', ')}; REPEAT a whole number from 1`;
  return perform(
    {
      program: suite.program,
      prefix: `sm-${suite.name}-`,
      limitMs: suite.limitMs,
      begin: () => (request === null ? words : (suite.refuse?.() ?? null)),
      play: (rack, root, stop) => play(suite, request ?? { names: all, repeat: REPEAT }, rack, root, stop),
      failed: (_, reason) => {
        console.log(JSON.stringify({ [suite.name]: 'failed', reason }));
        return 1;
      },
    },
    false,
  );
}

async function play<Name extends string>(
  suite: Suite<Name>,
  { names, repeat }: Request<Name>,
  rack: NamespaceRack,
  root: string,
  stop: AbortSignal,
): Promise<number> {
  const before = machine();
  const results: Result[] = [];
  const failures: string[] = [];
  const pairs = new Set<{ end(): Promise<void> }>();
  const add = (result: Result): void => {
    results.push(result);
    console.log(JSON.stringify(result));
    const fault = suite.fault(result);
    if (fault !== null) failures.push(fault);
  };
  const during: Bench['during'] = async (pair, use) => {
    pairs.add(pair);
    try {
      return await use(pair);
    } finally {
      await pair.end();
      pairs.delete(pair);
    }
  };
  for (const name of names) {
    const own = join(root, name);
    mkdirSync(own);
    const done = suite.benchmarks[name]({ rack, root: own, repeat, add, tell, during });
    const failure = await Promise.race([aborted(stop), done.then(() => null, asError)]);
    if (failure !== null) {
      failures.push(`${name}: ${failure.message}`);
      tell(`${name} FAILED: ${failure.message}`);
    }
    if (stop.aborted) break;
  }
  for (const pair of pairs) await pair.end().catch(() => {});
  const verdict = failures.length === 0 ? 'ok' : 'failed';
  const facts = { date: new Date().toISOString(), machine: { ...before, loadAtEnd: loadavg()[0] }, failures };
  console.log(JSON.stringify({ [suite.name]: verdict, ...facts, ...suite.conclude?.(results), results }));
  return failures.length === 0 ? 0 : 1;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
