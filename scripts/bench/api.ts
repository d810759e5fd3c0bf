/**
 * What the REST server gives and takes: requests with the definitions of StarlingX, and what callers of all kinds leave of
 * the time of the manager that it belongs to.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually, type LabNode } from '../../src/lab/node.ts';
import { createToken } from '../../src/shell/credentials/tokens.ts';
import type { LoadAnswer, LoadRequest } from './api-load.ts';
import { copyStarlingxSet } from './definitions.ts';
import { stubEverything } from './idle.ts';
import { BenchPair, PROGRAMS } from './pair.ts';
import { resultOf, round } from './result.ts';
import type { Bench } from './suite.ts';
import { parseUsage, type Usage } from './usage.ts';

const CLIENT = fileURLToPath(new URL('./api-load.ts', import.meta.url));
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const PORT = 7777;
const WARM_MS = 3000;
const WINDOW_MS = 10_000;
const CALM_MS = 3000;
const LIMIT_MS = 30_000;
/** The manager is looked at so often, ms: more often than heartbeats are sent. */
const LOOK_MS = 25;
const TARGETS = { requestUs: 200, p99Ms: 20, rssMb: 120 } as const;

export async function api(bench: Bench): Promise<void> {
  const folder = join(bench.root, 'set');
  copyStarlingxSet(folder);
  await bench.during(new BenchPair(bench.rack, join(bench.root, 'pair'), folder), async (pair) => {
    for (const node of pair.nodes) stubEverything(node, folder);
    await pair.start();
    const node = await pair.settled();
    await sleep(CALM_MS);
    const server = await serve(node);
    await speed(bench, node, server);
    await beside(bench, node, server);
  });
}

interface Served {
  readonly token: string;
  readonly pid: number;
}

/** Starts the server on the node's machine, on one core where there are several. */
async function serve(node: LabNode): Promise<Served> {
  const tokensFile = join(node.directory, 'tokens');
  const wanted = {
    name: 'bench',
    role: 'operator',
    expiresAt: 0,
    createdBy: 'bench',
    now: Date.now(),
  } as const;
  const token = createToken(tokensFile, wanted);
  if (!token.ok) throw new Error(token.error.message);
  const config = join(node.directory, 'api.yaml');
  const keys = { tokensFile, auditFile: join(node.directory, 'audit.log'), port: PORT };
  writeFileSync(
    config,
    `${readFileSync(join(node.directory, 'sm.yaml'), 'utf8')}\napi: ${JSON.stringify(keys)}\n`,
  );
  const pidFile = join(node.directory, 'api.pid');
  // By itself, not by node: its first line says with how much memory.
  const program = [join(PROGRAMS, 'bin', 'sm-api.js'), '--config', config];
  const shell = 'echo $$ > "$1"; shift; exec "$@"';
  node.machine.start(
    ['sh', '-c', shell, 'sh', pidFile, ...onCore(0), ...program],
    join(node.directory, 'api.log'),
  );
  const curl = ['curl', '-sf', `http://127.0.0.1:${PORT}/v1/health/ready`];
  await eventually('the REST server is ready', LIMIT_MS, () => node.machine.run(curl).catch(() => null));
  return { token: token.value, pid: Number(readFileSync(pidFile, 'utf8')) };
}

const onCore = (core: number): readonly string[] =>
  availableParallelism() > 1 ? ['taskset', '-c', String(core)] : [];

async function loaded(node: LabNode, { token }: Served, given: Partial<LoadRequest>): Promise<LoadAnswer> {
  const all = {
    kind: 'flood',
    port: PORT,
    token,
    path: '/v1/services',
    connections: 200,
    ms: WINDOW_MS,
    ...given,
  };
  const client = [process.execPath, '--import', join(PROJECT, 'node_modules/tsx/dist/esm/index.mjs'), CLIENT];
  const words = [...onCore(1), ...client, JSON.stringify(all)];
  return JSON.parse(await node.machine.run(words, 2 * LIMIT_MS)) as LoadAnswer;
}

async function usageOf(node: LabNode, { pid }: Served): Promise<Usage> {
  return parseUsage(await node.machine.run(['cat', `/proc/${pid}/stat`, `/proc/${pid}/status`]));
}

async function speed(bench: Bench, node: LabNode, server: Served): Promise<void> {
  await loaded(node, server, { ms: WARM_MS });
  const answers: LoadAnswer[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < bench.repeat; i += 1) {
    const before = await usageOf(node, server);
    const answer = await loaded(node, server, {});
    const after = await usageOf(node, server);
    cpu.push((1000 * (after.cpuMs - before.cpuMs)) / answer.requests);
    answers.push(answer);
    bench.tell(
      `api ${i + 1}/${bench.repeat}: ${(answer.requests / (answer.elapsedMs / 1000)).toFixed(0)} requests/s`,
    );
    if (answer.failures > 0) throw new Error(`${answer.failures} requests failed`);
  }
  const perRequest = answers.map(({ requests, elapsedMs }) => (1000 * elapsedMs) / requests);
  const perSecond = answers.map(({ requests, elapsedMs }) => Math.round((1000 * requests) / elapsedMs));
  const facts = { connections: 200, path: '/v1/services', requestsPerSecond: perSecond };
  const cost = { name: 'api-request', values: perRequest, unit: 'µs', target: TARGETS.requestUs, facts };
  bench.add(resultOf(cost));
  const p99 = answers.map((answer) => answer.p99);
  bench.add(resultOf({ name: 'api-p99', values: p99, unit: 'ms', target: TARGETS.p99Ms }));
  // What a request costs however many others share the cores.
  bench.add(resultOf({ name: 'api-request-cpu', values: cpu, unit: 'µs', target: TARGETS.requestUs }));
  const rss = [(await usageOf(node, server)).rssMb];
  bench.add(resultOf({ name: 'api-rss', values: rss, unit: 'MB', target: TARGETS.rssMb }));
}

const LOADS: Readonly<Record<string, Partial<LoadRequest>>> = {
  flood: {},
  streams: { kind: 'stream', connections: 500 },
  bodies: { kind: 'body', connections: 1 },
};

/** The manager of the active node while callers do their worst, and while there are none. */
async function beside(bench: Bench, node: LabNode, server: Served): Promise<void> {
  const idle = await watched(node, sleep(WINDOW_MS, null));
  add(bench, 'idle', idle, idle, {});
  for (const [name, load] of Object.entries(LOADS)) {
    const answer = loaded(node, server, load);
    const seen = await watched(node, answer);
    const { requests, failures } = await answer;
    add(bench, name, seen, idle, { requests, failures, rssMb: round((await usageOf(node, server)).rssMb) });
    await sleep(CALM_MS);
  }
}

interface Seen {
  /** Between sending one heartbeat that the peer confirmed and the next one, ms. */
  readonly gaps: readonly number[];
  /** From asking `sm` for its view to having it: a turn, and what it waits for, ms. */
  readonly turns: readonly number[];
}

function add(bench: Bench, load: string, seen: Seen, idle: Seen, facts: object): void {
  for (const [what, values, without] of [
    ['heartbeat-gap', seen.gaps, idle.gaps],
    ['turn', seen.turns, idle.turns],
  ] as const) {
    const more = { ...facts, max: round(Math.max(...values)), maxIdle: round(Math.max(...without)) };
    const besides = load === 'idle' ? {} : { beside: { what: 'idle', values: without } };
    bench.add(
      resultOf({ name: `api-${what}-${load}`, values, unit: 'ms', target: null, ...besides, facts: more }),
    );
  }
}

/**
 * Looks at the manager until `during` is over. The deadline of the permission moves with each heartbeat that the peer
 * confirms, by as much as lay between it and the one before.
 */
async function watched(node: LabNode, during: Promise<unknown>): Promise<Seen> {
  let over = false;
  void during.finally(() => {
    over = true;
  });
  const deadlines = new Set<number>();
  const turns: number[] = [];
  while (!over) {
    const from = performance.now();
    const { permission } = (await node.request('view')) as { permission: { deadline: number } };
    turns.push(performance.now() - from);
    deadlines.add(permission.deadline);
    await sleep(LOOK_MS);
  }
  const sorted = [...deadlines].sort((a, b) => a - b);
  return { gaps: sorted.slice(1).map((at, i) => at - (sorted[i] ?? at)), turns };
}
