/** The process `sm`: the engine with its loop, store, scripts, control socket and the pipe to sm-watchdog. */
import { join } from 'node:path';
import type { DefinitionSet } from '../core/definitions/model.ts';
import { Engine } from '../core/engine.ts';
import type { EngineEvent, EngineOptions } from '../core/engine-interface.ts';
import type { LifeId } from '../core/link/types.ts';
import { aggregateOf } from '../core/service/aggregate.ts';
import type { RunEffect } from '../core/service/interface.ts';
import { titleLine } from '../core/trace/step.ts';
import type { LinkView } from '../core/view.ts';
import { type Beginning, giveUp, type Prepared } from './begin.ts';
import type { Config } from './config.ts';
import { ControlServer } from './control.ts';
import { Containment } from './exec/containment.ts';
import { KillList } from './exec/kill-list.ts';
import { POLL_MS, ProcessWatch } from './exec/process-watch.ts';
import { Runner } from './exec/runner.ts';
import { EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE } from './exit-codes.ts';
import { GivenWord } from './given-word.ts';
import { type GoEnabledOptions, goEnabled, initialObstacle } from './go-enabled.ts';
import { GuardClient } from './guard-client.ts';
import { LateCompilation } from './late-compilation.ts';
import { Loop, type LoopOptions } from './loop.ts';
import { isVirtualMachine, kernelLife } from './node-facts.ts';
import { Notifier } from './notify.ts';
import { hasMore } from './pair/channel.ts';
import { PULSE_NUMBERS } from './pair/messages.ts';
import { makePage } from './pair/page.ts';
import { startProgram } from './pair/programs.ts';
import { Performer } from './perform.ts';
import type { Log, RunnerPort, RunResult } from './ports.ts';
import { Renewal } from './renewal.ts';
import { ServiceHeartbeats } from './service-heartbeat.ts';
import { tellMainProcess } from './systemd.ts';
import { realTime } from './time.ts';
import { TracedEngine } from './trace/recorder.ts';
import { TraceRing } from './trace/ring.ts';
import { VERSION } from './version.ts';
import { basisOf } from './watchdog/plan.ts';

export interface EngineProcessOptions extends Omit<Beginning, 'smArguments'> {
  /** Path of the configuration. */
  readonly configPath: string;
  readonly prepared: Prepared;
}

/** Resolves when everything runs; the process ends by itself. */
export async function runEngine(options: EngineProcessOptions): Promise<void> {
  const { config, log, begins, stream, prepared } = options;
  const life = kernelLife(config.kernelLifeFile);
  if (life === null) {
    giveUp(log, EXIT_CONFIG, `${config.kernelLifeFile} can not be read`);
    return;
  }

  const containment = new Containment({
    node: config.node,
    run: config.runDirectory,
    cgroups: config.containment === 'marker' ? 'off' : 'auto',
    log: (level, message, facts = {}) => log[level](facts, message),
  });
  // Scripts that an earlier `sm` left behind: their results are lost, and nothing may run twice.
  for (const { service, killed } of await containment.killOrphans()) {
    log.warn({ service, killed }, 'script of an earlier sm killed');
  }

  const { store, definitions } = prepared;
  const word = new GivenWord(config.runDirectory, life, log);
  const restored = { ...store.begin({ node: config.node, kernelLife: life }), wordLife: word.found };
  const parts = new EngineParts(options, containment, definitions);
  parts.heartbeats = heartbeatsOf(definitions, parts, log);
  const entrance = entranceOf(config, life, parts, log);
  const notReady = initialObstacle(entrance);
  const { notifier, barriers } = notifications(config, definitions, parts, log);
  const { node } = config;
  const startedWallMs = Date.now();
  const virtualMachine = isVirtualMachine(config.virtualMachine);
  const facts = {
    node,
    definitions,
    kernelLife: life,
    virtualMachine,
    restored,
    startedWallMs,
    notReady,
    barriers,
  };
  const loop: Loop = new Loop({
    engine: engineOf(facts, config, log),
    store: word.endingWith({ commit: (effects) => store.commit(effects, Date.now()) }),
    word,
    performer: parts.performer,
    guard: parts.guard,
    time: realTime,
    log,
    reply: (reply) => parts.control.answered(reply.request, reply),
    published: (entry) => {
      const { entity, name, from, to, cause, actor, reason } = entry;
      const machine = `${entity} ${name}`;
      log.info({ machine, from, to, event: cause, actor, reason }, `${machine}: ${from} -> ${to}`);
      parts.control.publish({ wallMs: Date.now(), ...entry });
      notifier.published(entry);
    },
    ...endings(parts, () => store.close(), log),
  });
  parts.loop = loop;
  await parts.control.listen(config.controlSocket);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => parts.shutdown(signal));
  // By its first word the watchdog has killed what an earlier life left over.
  if (begins && !(await hasMore(stream))) process.exit(EXIT_UNAVAILABLE);
  parts.guard.start();
  loop.start();
  if (notReady !== '') void goEnabled(entrance);
}

/** With its trace, unless none is wanted or possible. */
function engineOf(options: EngineOptions, { node, trace }: Config, log: Log): LoopOptions['engine'] {
  if (trace.bytesMax === 0) return (emit) => new Engine(options, emit);
  const title = (life: number, file: number) => titleLine({ version: VERSION, node, life, file });
  const ring = new TraceRing({ ...trace, title, time: realTime, log });
  if (!ring.isOpen) return (emit) => new Engine(options, emit);
  process.on('exit', () => ring.close());
  return (emit) => new TracedEngine(options, emit, ring);
}

/** The ways in which `sm` ends. */
function endings(
  parts: EngineParts,
  closeStore: () => void,
  log: Log,
): Pick<LoopOptions, 'exit' | 'restart' | 'fatal'> {
  return {
    exit: (reason) => {
      log.info({ reason }, 'sm ends');
      void parts.end().finally(() => {
        closeStore();
        process.exit(0);
      });
    },
    restart: (reason) => {
      log.info({ reason }, 'sm ends, and sm-watchdog starts it anew');
      parts.control.close();
      closeStore();
      process.exit(0);
    },
    fatal: (error, recent) => {
      const stack = error instanceof Error ? error.stack : String(error);
      log.fatal({ error: stack, recent }, 'broken invariant: sm ends, sm-watchdog starts it again');
      process.exit(EXIT_SOFTWARE);
    },
  };
}

function heartbeatsOf({ services }: DefinitionSet, parts: EngineParts, log: Log): ServiceHeartbeats {
  return new ServiceHeartbeats({
    definitions: services,
    level: (service, level, missed) => parts.post({ type: 'service.heartbeat', service, level, missed }),
    time: realTime,
    log,
  });
}

function entranceOf(config: Config, life: LifeId, parts: EngineParts, log: Log): GoEnabledOptions {
  return {
    directory: config.goEnabledDirectory,
    runDirectory: config.runDirectory,
    kernelLife: life,
    verdict: (reason) => parts.post({ type: 'node.ready', ready: reason === '', reason }),
    time: realTime,
    log,
  };
}

/** The hooks, and the groups that wait for them. A name that is none is said to be; it keeps nothing from running. */
function notifications(
  { node, notifications: { directory, limitMs, barrier } }: Config,
  { groups }: DefinitionSet,
  parts: EngineParts,
  log: Log,
): { readonly notifier: Notifier; readonly barriers: ReadonlyMap<string, number> } {
  for (const group of barrier) {
    if (!groups.has(group)) log.warn({ group }, 'notifications.barrier names no group that is provisioned');
  }
  const notifier = new Notifier({
    node,
    directory,
    limitMs,
    aggregate: (group) => aggregateOf(group, groups, parts.loop?.view().groups ?? []),
    post: (event) => parts.post(event),
    wallMs: () => Date.now(),
    time: realTime,
    log,
  });
  return { notifier, barriers: new Map(barrier.map((group) => [group, limitMs])) };
}

/** The parts around the loop, which post to it. */
class EngineParts {
  readonly performer: Performer;
  readonly guard: GuardClient;
  readonly control: ControlServer;
  loop: Loop | null = null;
  heartbeats: ServiceHeartbeats | null = null;
  readonly #runner: ScriptRunner;
  readonly #log: Log;
  readonly #basis: string;
  readonly #renewal: Renewal;
  readonly #startedWallMs = Date.now();
  readonly #compilation = new LateCompilation(realTime);

  constructor(options: EngineProcessOptions, containment: Containment, definitions: DefinitionSet) {
    const { log, config } = options;
    const basis = basisOf(options.prepared.plan);
    const watchdogArguments = ['--plan', options.prepared.planFile, '--adopt'];
    this.#renewal = new Renewal({
      node: config.node,
      database: config.database,
      configPath: options.configPath,
      view: () => this.#running().view(),
      storeFailure: () => this.#running().statistics().storeFailure,
      changing: () => this.performer.changing,
      post: (event) => this.post(event),
      time: realTime,
    });
    this.#log = log;
    this.#basis = basis;
    this.guard = new GuardClient({
      stream: options.stream,
      permissionMs: definitions.domain.deadIntervalMs,
      startWatchdog: () => startProgram('sm-watchdog', watchdogArguments),
      page: makePage(join(config.runDirectory, 'sm.page'), PULSE_NUMBERS),
      looked: () => {
        this.loop?.idle();
        this.#runner.look();
      },
      basis,
      takesOver: (pid) => tellMainProcess(process.env, pid),
      post: (fact) => {
        if (fact.type === 'guard.report') this.#compilation.noteWork();
        this.post(fact);
      },
      listed: (run, ok, reason) => this.performer.listed(run, ok, reason),
      stop: (reason) => this.shutdown(reason),
      killList: new KillList(),
      killVerifyMs: definitions.domain.killVerifyMs,
      time: realTime,
      log,
    });
    this.#runner = new ScriptRunner(config, containment, log, {
      post: (event) => this.post(event),
      obstacle: (effect) => this.performer.obstacle(effect),
      noteWork: () => this.#compilation.noteWork(),
      awake: () => this.guard.glance(POLL_MS),
    });
    this.performer = new Performer({
      runner: this.#runner,
      killList: this.guard,
      heartbeat: (service, on) => this.heartbeats?.set(service, on),
      verdict: () => this.guard.verdict(),
      post: (event) => this.post(event),
      time: realTime,
      log,
    });
    this.control = new ControlServer(
      {
        view: () => this.#view(),
        command: (request, actor, command) =>
          this.post({ type: 'command', request, actor, wallMs: Date.now(), command }),
        shutdown: (actor, reason) => this.post({ type: 'shutdown', actor, reason }),
        restart: (actor, why) => this.#renewal.restart(actor, why),
        nodes: (actor, why, change) => this.#renewal.changeNodes(actor, why, change),
      },
      log,
    );
  }

  post(event: EngineEvent): void {
    this.loop?.post(event);
  }

  #running(): Loop {
    if (this.loop === null) throw new Error('asked before the loop was there');
    return this.loop;
  }

  shutdown(reason: string): void {
    this.#log.info({ reason }, 'asked to end in order');
    this.post({ type: 'shutdown', actor: 'system', reason });
  }

  async end(): Promise<void> {
    this.control.close();
    this.heartbeats?.stop();
    this.#runner.stop();
    await this.guard.bye();
  }

  /** The engine's view, and beside it what the shell knows. */
  async #view(): Promise<object> {
    const watchdog = await this.guard.status();
    const view = this.loop?.view();
    return {
      ...view,
      links: view?.links.map((link) => explained(link, watchdog?.silence[link.role] ?? '')),
      shell: {
        pid: process.pid,
        basis: this.#basis,
        startedWallMs: this.#startedWallMs,
        loop: this.loop?.statistics(),
        runsOpen: this.performer.open,
        runsUnknown: this.performer.unknownRuns,
        watchdogRestarts: this.guard.restarts,
        clients: this.control.clients,
        clientsDropped: this.control.clientsDropped,
        watchdog,
      },
    };
  }
}

/** A link that was silent from the start was told before anything was dropped on it. */
function explained(link: LinkView, silence: string): LinkView {
  return link.up && !link.heard && silence !== '' ? { ...link, reason: silence } : link;
}

/** The runner and the process watch behind the performer's port. */
class ScriptRunner implements RunnerPort {
  readonly #containment: Containment;
  readonly #runner: Runner;
  readonly #watch: ProcessWatch;
  readonly #noteWork: () => void;
  readonly #waiting = new Map<number, (result: RunResult) => void>();

  constructor(
    config: Config,
    containment: Containment,
    log: Log,
    loop: {
      post: (event: EngineEvent) => void;
      obstacle: (effect: RunEffect) => string | null;
      noteWork: () => void;
      awake: () => void;
    },
  ) {
    this.#noteWork = loop.noteWork;
    this.#containment = containment;
    this.#runner = new Runner({
      directories: { lsb: config.lsbDirectory, ocfRoot: config.ocfRoot, run: config.runDirectory },
      clock: realTime,
      containment,
      admit: loop.obstacle,
      log: (level, message, facts = {}) => log[level](facts, message),
      onDone: (run, outcome, outputTail, durationMs) => {
        const done = this.#waiting.get(run);
        this.#waiting.delete(run);
        done?.({ outcome, outputTail, durationMs });
      },
    });
    this.#watch = new ProcessWatch({
      onDied: (service, pid) => loop.post({ type: 'process.died', service, pid }),
      doubt: (service, named) => containment.doubt(service, named),
      awake: loop.awake,
      log: (level, message, facts = {}) => log[level](facts, message),
    });
  }

  start(effect: RunEffect, done: (result: RunResult) => void): void {
    this.#waiting.set(effect.run, done);
    // Audits only look, and come all the time.
    if (!effect.action.startsWith('audit')) this.#noteWork();
    this.#runner.run(effect);
  }

  abort(run: number, reason: string): void {
    this.#runner.abort(run, reason);
  }

  killService(service: string, reason: string): void {
    void this.#runner.killService(service, reason);
  }

  watch(service: string, pidFile: string | null): void {
    if (pidFile === null) this.#watch.unwatch(service);
    else this.#watch.watch(service, pidFile);
  }

  /** At the processes, in a wake-up for something else. */
  look(): void {
    this.#watch.look();
  }

  killEntry(effect: RunEffect): ReturnType<Containment['entry']> {
    return this.#containment.entryOf(effect);
  }

  stop(): void {
    this.#runner.stop();
    this.#watch.stop();
  }
}
