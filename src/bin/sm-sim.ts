#!/usr/bin/env node
/** `sm-sim`: runs whole clusters in a simulated world and judges them; also its own worker thread. */
import { createHash, createSecretKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Command, InvalidArgumentError, Option } from 'commander';
import { buildDefinitions } from '../core/definitions/build.ts';
import type { DefinitionSet } from '../core/definitions/model.ts';
import { LIMITS } from '../core/kernel/limits.ts';
import { INTERFACE_ROLES, type ServiceAction } from '../core/kernel/names.ts';
import { admit } from '../core/link/admission.ts';
import { keyOf, type ScriptTimes, scriptTimes } from '../core/story/durations.ts';
import { StateReader } from '../shell/store/reader.ts';
import { loadRows } from '../shell/store/source.ts';
import { seal, signatureChecker } from '../shell/watchdog/sign.ts';
import {
  CampaignProgress,
  type CampaignRequest,
  describeOptions,
  findingsOf,
  summarize,
} from '../sim/campaign.ts';
import { drawPlan } from '../sim/faults.ts';
import type { Wire } from '../sim/network.ts';
import { BREAK_NAMES, type Break, WORLD_CLASSES, type WorldClass } from '../sim/options.ts';
import { runOnWorkers, type WorkerData } from '../sim/pool.ts';
import { runSeed, type SeedResult } from '../sim/run.ts';
import { runScenario } from '../sim/scenario.ts';
import { EXPECTATIONS, provoke } from '../sim/selftest.ts';
import { checkerOf, scenarioOf, shrink } from '../sim/shrink.ts';
import { drawOptions } from '../sim/swarm.ts';
import { traceLine } from '../sim/trace.ts';
import { replayAll } from '../sim/traces.ts';
import { type WhatIfEvent, whatIf } from '../sim/what-if.ts';
import { arbitersText, linesOf, summaryOf } from '../sim/what-if-report.ts';
import type { Tracer } from '../sim/world.ts';

interface RunArguments {
  readonly seed: number;
  readonly minutes: number;
  readonly class: WorldClass;
  readonly break: readonly Break[];
  readonly hmac?: true;
}

const WORLD_OPTIONS = [
  new Option('--seed <n>', 'first seed, decimal').argParser(wholeNumber).default(1),
  new Option('--minutes <n>', 'simulated minutes with faults, per seed')
    .argParser(positiveNumber)
    .default(10),
  new Option('--class <class>', 'all but the first break an assumption on purpose')
    .choices(WORLD_CLASSES)
    .default('default'),
  new Option('--break <rule...>', 'break a rule on purpose').choices(BREAK_NAMES).default([]),
  new Option('--hmac', 'encode, sign and verify every frame'),
];

/** A real key on a simulated wire; nobody else knows it, so it may be fixed. */
function signedWire(): Wire {
  const bytes = createHash('sha512').update('simulated').digest();
  const key = {
    name: 'simulated',
    id: createHash('sha512').update(bytes).digest('hex').slice(0, 8),
    secret: createSecretKey(bytes),
  };
  const check = signatureChecker([key]);
  return {
    seal: (frame) => seal(frame, key),
    open: (datagram, expected, replay) => admit(datagram, expected, check, replay),
  };
}

function runOne(request: CampaignRequest, seed: number, trace?: Tracer): SeedResult {
  const options = drawOptions({ ...request, seed });
  return runSeed(options, {
    ...(request.hmac ? { wire: signedWire() } : {}),
    ...(trace === undefined ? {} : { trace }),
  });
}

function requestOf(args: RunArguments, seeds: number, workers: number): CampaignRequest {
  return {
    firstSeed: args.seed,
    seeds,
    minutes: args.minutes,
    worldClass: args.class,
    breaks: args.break,
    hmac: args.hmac === true,
    workers,
  };
}

async function run(
  args: RunArguments & { seeds: number; workers: number; json?: true; trace?: true },
): Promise<void> {
  const request = requestOf(args, args.seeds, Math.min(args.workers, args.seeds));
  const say = (text: string) => void (args.json ? process.stderr : process.stdout).write(`${text}\n`);
  say(
    `seeds ${args.seed} to ${args.seed + args.seeds - 1}, ${args.minutes} minutes each, class ${args.class}`,
  );
  for (let seed = args.seed; seed < args.seed + args.seeds; seed++)
    say(describeOptions(drawOptions({ ...request, seed })));

  const started = performance.now();
  const progress = new CampaignProgress(request);
  const finished = (result: SeedResult) => {
    const words = progress.after(result, (performance.now() - started) / 1000);
    if (words !== '') process.stderr.write(`${words}\n`);
    for (const { checker, atMs, node, group, text, replay } of findingsOf(request, result)) {
      process.stderr.write(
        `seed ${result.seed}: ${checker} at ${atMs} ms ${node} ${group}: ${text}\n  ${replay}\n  ${replay.replace(' replay ', ' shrink ')}\n`,
      );
    }
  };
  const results = args.trace
    ? Array.from({ length: args.seeds }, (_, index) => runOne(request, args.seed + index, traceToStderr))
    : await runOnWorkers(new URL(import.meta.url), request, finished);
  if (args.trace) results.forEach(finished);
  const summary = summarize(request, results, (performance.now() - started) / 1000);
  say(
    `faults: ${Object.entries(summary.faults)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ')}`,
  );
  process.stdout.write(`${JSON.stringify(summary)}\n`);
  process.exitCode = summary.violations + summary.unconverged > 0 ? 1 : 0;
}

/** A failing seed as a scenario file that is as small as it gets. */
function shrinkSeed(args: RunArguments & { runs: number; out?: string }): void {
  const options = drawOptions({ ...requestOf(args, 1, 1), seed: args.seed });
  const plan = drawPlan(options);
  const parts = args.hmac ? { wire: signedWire() } : {};
  const checker = checkerOf(runSeed(options, { plan, ...parts }));
  if (checker === '') {
    process.stdout.write(`seed ${args.seed} breaks no rule: there is nothing to cut down\n`);
    return;
  }
  const smallest = shrink({ options, plan, checker, ...parts }, args.runs, (faults, runs) =>
    process.stderr.write(`${faults} faults after ${runs} runs\n`),
  );
  const { text, failures } = runScenario(scenarioOf(smallest, plan.length), parts.wire);
  const file = args.out ?? join(tmpdir(), `sm-sim-seed-${args.seed}.txt`);
  writeFileSync(file, text);
  process.stdout.write(`${text}\n${failures.length} findings; again with: npx sm-sim scenario ${file}\n`);
  process.exitCode = 1;
}

function replay(trace: string | undefined, args: RunArguments & { json?: true }): void {
  if (trace === undefined) replaySeed(args);
  else replayTrace(trace, args.json === true);
}

/** What a real `sm` recorded, in the same core. */
function replayTrace(path: string, json: boolean): void {
  const { lines, summary } = replayAll(path);
  for (const line of lines) (json ? process.stderr : process.stdout).write(`${line}\n`);
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  process.exitCode = summary.identical ? 0 : 1;
}

interface WhatIfArguments {
  readonly kill: readonly string[];
  readonly cut: readonly string[];
  readonly swact: readonly string[];
  readonly die: readonly string[];
  readonly arbiter: 'answers' | 'dead';
  readonly runs: number;
  readonly json?: true;
}

/** On definitions, or a database as it is, which is only read. */
function whatIfCommand(path: string, args: WhatIfArguments): void {
  const refuse = (message: string) => {
    process.stderr.write(`sm-sim: ${message}\n`);
    process.exitCode = 2;
  };
  const loaded = loadRows(path);
  if (!loaded.ok) return refuse(`${loaded.error.code}: ${loaded.error.message}`);
  const { set, problems } = buildDefinitions(loaded.value.rows);
  if (set === null) return refuse(problems.map(({ sentence }) => sentence).join('; '));
  const live = loaded.value.kind === 'database' ? liveStateOf(path) : NOTHING_LIVE;
  const asked = eventOf(set, live.active, args);
  if (typeof asked === 'string') return refuse(asked);
  const active = live.active ?? set.nodes[0] ?? '';
  const request = {
    definitions: set,
    scriptMs: (service: string, action: ServiceAction) => live.times.get(keyOf(service, action)) ?? null,
    active,
    locked: live.locked.filter((name) => set.nodes.includes(name)),
    event: asked,
  };
  const say = (line: string) => void (args.json ? process.stderr : process.stdout).write(`${line}\n`);
  const arbiters = arbitersText(set, asked.arbitersDie);
  if (asked.arbitersDie && arbiters === '')
    return refuse('no arbiter that decides is configured: none can be dead');
  if (arbiters !== '') say(arbiters);
  const summary = summaryOf(Array.from({ length: args.runs }, (_, index) => whatIf(request, index + 1)));
  for (const line of linesOf(summary)) say(line);
  if (args.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  process.exitCode = summary.ok ? 0 : 1;
}

interface LiveState {
  /** Where the exclusive groups are, most of them; null = unknown. */
  readonly active: string | null;
  readonly locked: readonly string[];
  readonly times: ScriptTimes;
}

const NOTHING_LIVE: LiveState = { active: null, locked: [], times: new Map() };

/** Another program's database may lack all of it. */
function liveStateOf(path: string): LiveState {
  const read = StateReader.read(path, (reader) => {
    const counts = new Map<string, number>();
    for (const { node, state } of reader.assignments())
      if (state === 'active') counts.set(node, (counts.get(node) ?? 0) + 1);
    return {
      active: [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null,
      locked: reader
        .nodes()
        .flatMap(({ name, administrative }) => (administrative === 'locked' ? [name] : [])),
      times: scriptTimes(reader.events({ limit: LIMITS.historyRowsMax })),
    };
  });
  return read.ok ? read.value : NOTHING_LIVE;
}

/** What was asked for in the words of the set; a sentence where a word is none of it. */
function eventOf(
  { nodes, groups, services, interfaces }: DefinitionSet,
  live: string | null,
  { kill, cut, swact, die, arbiter }: WhatIfArguments,
): WhatIfEvent | string {
  const arbitersDie = arbiter === 'dead';
  if (kill.length + cut.length + swact.length + die.length === 0 && !arbitersDie)
    return 'what shall happen? Name it with --kill, --cut, --swact, --die or --arbiter dead';
  const node = [...kill, ...swact].find((name) => !nodes.includes(name) && !groups.has(name));
  if (node !== undefined) return `${node} is neither a node (${nodes.join(', ')}) nor a group`;
  const service = die.find((name) => !services.has(name));
  if (service !== undefined) return `${service} is no provisioned service`;
  const links = INTERFACE_ROLES.slice(0, interfaces.length).map((role) => role.replace('-interface', ''));
  const cuts = cut.flatMap((name) =>
    name === 'all' ? links.map((_, index) => index) : [links.indexOf(name)],
  );
  if (cuts.includes(-1)) return `a link is one of ${links.join(', ')}, or all`;
  const groupless = kill.find((name) => !nodes.includes(name));
  if (groupless !== undefined) return `${groupless} is a group: power goes off at a node`;
  const from = swact.map((name) => (nodes.includes(name) ? name : (live ?? nodes[0] ?? name)));
  return { kill, cut: cuts, swact: [...new Set(from)], die, arbitersDie };
}

function replaySeed(args: RunArguments): void {
  const request = requestOf(args, 1, 1);
  process.stdout.write(`${JSON.stringify(drawOptions({ ...request, seed: args.seed }), null, 2)}\n`);
  const result = runOne(request, args.seed, (...line) => process.stdout.write(`${traceLine(...line)}\n`));
  for (const { checker, atMs, node, group, text } of findingsOf(request, result)) {
    process.stdout.write(`${checker} at ${atMs} ms ${node} ${group}: ${text}\n`);
  }
  process.stdout.write(`digest ${result.digest}\n`);
  process.exitCode = result.violations.length > 0 || result.unconverged !== '' ? 1 : 0;
}

function selftest(args: { seeds: number; break: readonly Break[] }): void {
  const names = args.break.length > 0 ? args.break : EXPECTATIONS.map(({ name }) => name);
  for (const name of names) {
    const { caught, checker, seeds } = provoke(name, args.seeds);
    process.stdout.write(
      caught
        ? `${name}: caught by ${checker} in ${seeds} seeds\n`
        : `${name}: NOT caught in ${seeds} seeds\n`,
    );
    if (!caught) process.exitCode = 1;
  }
}

function scenario(file: string): void {
  const { text, failures } = runScenario(readFileSync(file, 'utf8'), signedWire());
  process.stdout.write(text);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

function traceToStderr(...line: Parameters<Tracer>): void {
  process.stderr.write(`${traceLine(...line)}\n`);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a whole decimal number is expected');
  return Number(text);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0 is expected');
  return value;
}

/** A worker thread: one seed after the other until it is told that there are no more. */
function work(): void {
  const { request } = workerData as WorkerData;
  parentPort?.on('message', (seed: number | null) => {
    if (seed === null) parentPort?.close();
    else parentPort?.postMessage(runOne(request, seed));
  });
}

async function main(): Promise<void> {
  const program = new Command('sm-sim').description(
    'simulate the pair, with faults, and judge what really happened',
  );
  const runCommand = program
    .command('run', { isDefault: true })
    .description('many seeds; the last line is one JSON object')
    .option('--seeds <n>', 'how many', wholeNumber, 20)
    .option('--workers <n>', 'worker threads', wholeNumber, availableParallelism())
    .option('--json', 'nothing but the JSON object on stdout')
    .option('--trace', 'every event on stderr, in this thread')
    .action(run);
  const replayCommand = program
    .command('replay')
    .description(
      'a recorded trace, a file or a directory, in the same core; without one, a seed with its trace',
    )
    .argument('[trace]')
    .option('--json', 'the last line is one JSON object')
    .action(replay);
  const shrinkCommand = program
    .command('shrink')
    .description('cut a failing seed down to a scenario file')
    .option('--runs <n>', 'how many smaller worlds are tried', wholeNumber, 400)
    .option('--out <file>', 'where to write it (in the folder for temporary files)')
    .action(shrinkSeed);
  for (const option of WORLD_OPTIONS) {
    shrinkCommand.addOption(option);
    runCommand.addOption(option);
    replayCommand.addOption(option);
  }
  const many = (value: string, before: readonly string[]) => [...before, value];
  program
    .command('what-if')
    .description('what would happen to a domain: on a definition set, or a live database, which is only read')
    .argument('<set>', 'a database, or a folder of .sql files')
    .option('--kill <node>', 'it loses its power', many, [])
    .option('--cut <link>', 'management, oam or cluster-host, both directions; or all', many, [])
    .option(
      '--swact <node>',
      'its groups are ordered to the other one; of a group: those of its node',
      many,
      [],
    )
    .option('--die <service>', 'its process dies', many, [])
    .addOption(
      new Option('--arbiter <state>', 'etcd, shared disk and fence devices, from that moment on')
        .choices(['answers', 'dead'])
        .default('answers'),
    )
    .option('--runs <n>', 'worlds in which it happens: the times are over all of them', wholeNumber, 9)
    .option('--json', 'the last line is one JSON object')
    .action(whatIfCommand);
  program
    .command('selftest')
    .description('break each rule on purpose and see that a checker notices')
    .option('--seeds <n>', 'seeds tried per break', wholeNumber, 200)
    .addOption(new Option('--break <rule...>', 'only these').choices(BREAK_NAMES).default([]))
    .action(selftest);
  program
    .command('scenario')
    .description('run a scenario file and print its trace')
    .argument('<file>')
    .action(scenario);
  await program.parseAsync();
}

if (isMainThread) await main();
else work();
