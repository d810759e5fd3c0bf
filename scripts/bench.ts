/**
 * `make bench [ONLY=name] [REPEAT=n]`: measures real pairs on this machine. stdout: one line of JSON for each figure, and a
 * last one with all of them; stderr: progress. KEEP=1 keeps the directory with the nodes' files and logs.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { enterRack, rackOptions } from '../src/lab/enter.ts';
import { NamespaceRack } from '../src/lab/rack.ts';
import * as benchmarks from './bench/benchmarks.ts';
import type { Result } from './bench/result.ts';

const LIMIT_MS = 30 * 60_000;
const REPEAT = 5;
/** Says to the program that it is inside; followed by the directory. */
const INSIDE = '--inside';

const started = performance.now();
const { failover, swact, restart, idle, start, load, simulator } = benchmarks;
const ALL = { failover, swact, restart, idle, start, load, simulator };
type Name = keyof typeof ALL;

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

/** Null = a word that is no benchmark or no number was said. */
function request(): { names: Name[]; repeat: number } | null {
  const only = process.env.ONLY ?? '';
  const repeat = Number(process.env.REPEAT || REPEAT);
  const names = (Object.keys(ALL) as Name[]).filter((name) => only === '' || only.split(',').includes(name));
  return names.length === 0 || !Number.isInteger(repeat) || repeat < 1 ? null : { names, repeat };
}

/** Process 1 of a rack. The end of stdin tells that whoever started us wants the end, or is gone. */
async function inside(root: string): Promise<number> {
  process.stdin.once('end', () => process.exit(1)).resume();
  const wanted = request();
  if (wanted === null) return 64;
  const before = machine();
  const rack = await NamespaceRack.make();
  const results: Result[] = [];
  const failures: string[] = [];
  const add = (result: Result): void => {
    results.push(result);
    console.log(JSON.stringify(result));
  };
  for (const name of wanted.names) {
    const own = join(root, name);
    mkdirSync(own);
    try {
      await ALL[name]({ rack, root: own, repeat: wanted.repeat, add, tell });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures.push(`${name}: ${reason}`);
      tell(`${name} FAILED: ${reason}`);
    }
  }
  const bench = failures.length === 0 ? 'ok' : 'failed';
  console.log(JSON.stringify({ bench, date: new Date().toISOString(), machine: before, failures, results }));
  return failures.length === 0 ? 0 : 1;
}

async function outside(): Promise<number> {
  if (request() === null) {
    console.error(`ONLY is one of ${Object.keys(ALL).join(', ')}; REPEAT is a whole number from 1`);
    return 64;
  }
  const options = rackOptions();
  if (options === null) {
    console.error('This system lets us make no namespaces: run it as root, or permit user namespaces.');
    return 69;
  }
  const root = mkdtempSync('/tmp/sm-bench-');
  const program = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), INSIDE, root];
  const child = enterRack(options, program);
  const end = (): void => void child.kill('SIGKILL');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
  setTimeout(end, LIMIT_MS).unref();
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    if (process.env.KEEP === '1') console.error(`kept: ${root}`);
    else rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

const [, , word, root] = process.argv;
process.exit(word === INSIDE && root !== undefined ? await inside(root) : await outside());
