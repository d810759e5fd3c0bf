/**
 * Runs the scripts of services: exactly as LSB and OCF expect (`argv = [path, command]`, no shell in between that could
 * interpret anything), a bounded number at a time, each with a time-out, an end that is really one, and the tail of its
 * output. Every way of failing is an outcome of that one run; nothing here throws.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codedError } from '../../core/kernel/errors.ts';
import { LIMITS } from '../../core/kernel/limits.ts';
import type { RunEffect, RunOutcome } from '../../core/service/interface.ts';
import type { Containment, Log } from './containment.ts';
import { KILL_BOUND_MS, type KillHandle, type KillResult, killEntries } from './kill-entry.ts';
import { type Output, OutputDirectory } from './output.ts';
import { type PluginDirectories, pluginPath, pluginProblem } from './plugin.ts';
import { ticksNow } from './procfs.ts';

export interface RunnerOptions {
  readonly directories: PluginDirectories & {
    /** Run-time directory: /var/run/sm. */
    readonly run: string;
  };
  /** Monotonic ms, the same clock as tokens' deadlines. */
  readonly clock: { now(): number };
  readonly containment: Containment;
  readonly onDone: (run: number, outcome: RunOutcome, outputTail: string, durationMs: number) => void;
  readonly log?: Log;
  /**
   * Asked immediately before a script is spawned, also after it has waited its turn: null = go on, else the reason why it
   * must not start any more. A token's deadline is checked here already.
   */
  readonly admit?: (effect: RunEffect) => string | null;
  /** Between SIGTERM and SIGKILL of a script that exceeded its time or is to end. */
  readonly graceMs?: number;
}

/** Actions that take activity away: they wait neither for a turn nor behind others (docs/SAFETY.md, rule 9). */
const REMOVING: ReadonlySet<string> = new Set(['disable', 'go-standby']);
/** Actions after which a service's pid file names another process. */
const STARTING: ReadonlySet<string> = new Set(['enable', 'go-active', 'go-standby']);
const BASE_ENVIRONMENT = {
  PATH: '/sbin:/usr/sbin:/bin:/usr/bin:/usr/local/sbin:/usr/local/bin',
  LANG: 'C',
  HOME: '/',
} as const;
const LAUNCHER = fileURLToPath(new URL('../../../scripts/sm-launch', import.meta.url));
/** While scripts run: cutting back output, looking at what they start. */
const TICK_MS = 20;
/** Cutting back what daemons write into their script's output. */
const SWEEP_MS = 5000;
const GRACE_MS = 500;

interface Run {
  readonly effect: RunEffect;
  readonly start: number;
  readonly child: ChildProcess;
  readonly output: Output;
  timer: NodeJS.Timeout | null;
  /** Set when the run is being ended by force. */
  ending: 'timeout' | 'aborted' | null;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #log: Log;
  readonly #outputs: OutputDirectory;
  readonly #runs = new Map<number, Run>();
  readonly #queue: RunEffect[] = [];
  /** Kills that are under way, by service. */
  readonly #kills = new Map<string, number>();
  readonly #sweeper: NodeJS.Timeout;
  #ticker: NodeJS.Timeout | null = null;

  /** @throws Error when scripts/sm-launch is missing: the installation is broken, no script could ever run. */
  constructor(options: RunnerOptions) {
    if (!existsSync(LAUNCHER)) throw new Error(`${LAUNCHER} is missing: install sm again`);
    this.#options = options;
    this.#log = options.log ?? (() => {});
    this.#outputs = new OutputDirectory(join(options.directories.run, 'output'));
    this.#sweeper = setInterval(() => this.#outputs.sweep(), SWEEP_MS).unref();
  }

  /** Starts the script, or puts it in the queue when too many run. Always answered by one `onDone`, never at once. */
  run(effect: RunEffect): void {
    if (REMOVING.has(effect.action)) return this.#start(effect);
    this.#queue.push(effect);
    this.#startNext();
  }

  /**
   * Ends a script and everything that this run has started: SIGTERM, and SIGKILL after `graceMs`. Answered by `onDone`
   * with `aborted` when nothing of it is left. Without effect on a run that has ended.
   */
  abort(run: number, reason: string, graceMs = this.#options.graceMs ?? GRACE_MS): void {
    const queued = this.#queue.findIndex((effect) => effect.run === run);
    if (queued >= 0) {
      this.#queue.splice(queued, 1);
      return this.#later(run, { kind: 'aborted' }, `not started: ${reason}`);
    }
    const running = this.#runs.get(run);
    if (running === undefined) return;
    this.#log('info', `ending a script: ${reason}`, { service: running.effect.service, run });
    void this.#end(running, 'aborted', graceMs);
  }

  /** Scripts running now; those in the queue are not. */
  running(): number {
    return this.#runs.size;
  }

  /**
   * Kills everything that the service ever started, with a script of it that runs now (its outcome is `aborted`), and
   * verifies that nothing is left. A stop script that is begun meanwhile goes on; others wait.
   */
  async killService(service: string, reason: string, boundMs = KILL_BOUND_MS): Promise<KillResult> {
    const spared = { sm: process.pid, since: ticksNow() };
    this.#kills.set(service, (this.#kills.get(service) ?? 0) + 1);
    const waiting = this.#queue.filter((effect) => effect.service === service);
    for (const effect of waiting) this.abort(effect.run, reason);
    for (const running of this.#runs.values()) {
      if (running.effect.service === service) void this.#end(running, 'aborted', 0);
    }
    const result = await this.#options.containment.kill(service, boundMs, spared).finally(() => {
      const kills = this.#kills.get(service)! - 1;
      if (kills > 0) this.#kills.set(service, kills);
      else this.#kills.delete(service);
      this.#startNext();
    });
    const level = result.left.length === 0 ? 'info' : 'error';
    this.#log(level, `killed everything of the service: ${reason}`, { ...result });
    return result;
  }

  /** Stops looking after scripts; kills nothing, for services outlive `sm`, and reports nothing any more. */
  stop(): void {
    clearInterval(this.#sweeper);
    if (this.#ticker !== null) clearInterval(this.#ticker);
    for (const running of this.#runs.values()) {
      if (running.timer !== null) clearTimeout(running.timer);
      running.child.removeAllListeners();
      running.child.unref();
      running.output.finish();
    }
    this.#runs.clear();
    this.#kills.clear();
    this.#queue.length = 0;
  }

  #startNext(): void {
    let running = 0;
    for (const { effect } of this.#runs.values()) if (!REMOVING.has(effect.action)) running++;
    for (; running < LIMITS.actionsRunningMax; running++) {
      const next = this.#queue.findIndex(({ service }) => !this.#kills.has(service));
      if (next < 0) return;
      this.#start(this.#queue.splice(next, 1)[0]!);
    }
  }

  #start(effect: RunEffect): void {
    const path = pluginPath(this.#options.directories, effect);
    const problem = pluginProblem(path);
    if (effect.action === 'disable' && (problem !== null || effect.killsInstead === true))
      return void this.#killInstead(effect, problem ?? `${path} ${effect.command} has failed`);
    const refusal = this.#refusal(effect) ?? problem;
    if (refusal !== null) return this.#later(effect.run, { kind: 'refused', reason: refusal }, '');
    const { containment } = this.#options;
    const output = this.#outputs.open(effect.service, effect.action);
    try {
      const group = containment.enter(effect);
      // Making the group and the files may have taken long, and permission is only now made use of.
      const late = this.#refusal(effect);
      if (late !== null) {
        output.finish();
        void containment.ended(effect.run);
        return this.#later(effect.run, { kind: 'refused', reason: late }, '');
      }
      const child = spawn('/bin/sh', [LAUNCHER, group ?? '', path, effect.command], {
        cwd: '/',
        env: this.#environment(effect),
        stdio: ['ignore', output.fd ?? 'ignore', output.fd ?? 'ignore'],
        detached: true,
      });
      this.#follow(effect, child, output);
    } catch (error) {
      output.finish();
      void containment.ended(effect.run);
      this.#later(effect.run, notStarted(path, error), '');
    }
  }

  /** What has to be stopped and has no script that could: what it started is known, and can be killed. */
  async #killInstead({ run, service, kernelState }: RunEffect, detail: string): Promise<void> {
    const start = this.#options.clock.now();
    const { left } = await this.killService(service, detail);
    const stopped = left.length === 0 && !kernelState;
    const processes = left.map(({ pid }) => `process ${pid}`);
    const holds = kernelState ? ['what outlives processes'] : [];
    const { code, message } = stopped
      ? codedError('SM_STOP_SCRIPT', { detail, service })
      : codedError('SM_STOP_SCRIPT_NEEDED', { detail, service, left: [...processes, ...holds].join(', ') });
    const outcome: RunOutcome = { kind: 'killed', stopped, reason: `${code}: ${message}` };
    this.#options.onDone(run, outcome, '', this.#options.clock.now() - start);
  }

  #refusal(effect: RunEffect): string | null {
    if (effect.token !== null && this.#options.clock.now() >= effect.token.deadline) {
      return 'permission to act ran out before the script could start';
    }
    return this.#options.admit?.(effect) ?? null;
  }

  #environment(effect: RunEffect): Record<string, string> {
    return {
      ...BASE_ENVIRONMENT,
      ...effect.environment,
      ...(effect.pluginType === 'ocf-script' ? { OCF_ROOT: this.#options.directories.ocfRoot } : {}),
      ...(effect.token === null ? {} : { SM_ACTIVATION: String(effect.token.activation) }),
      ...this.#options.containment.environment(effect.service, effect.run),
    };
  }

  #follow(effect: RunEffect, child: ChildProcess, output: Output): void {
    const running: Run = {
      effect,
      start: this.#options.clock.now(),
      child,
      output,
      timer: null,
      ending: null,
    };
    this.#runs.set(effect.run, running);
    child.once('error', (error) => this.#finish(running, notStarted('the script', error)));
    if (child.pid === undefined) return;
    this.#options.containment.started(effect.run, child.pid);
    running.timer = setTimeout(
      () => void this.#end(running, 'timeout', this.#options.graceMs ?? GRACE_MS),
      effect.timeoutMs,
    );
    // `exit`, not `close`: what the script leaves running may hold its output open for ever.
    child.once('exit', (code, signal) => {
      if (running.ending !== null) return;
      this.#finish(running, signal === null ? { kind: 'exit', code: code ?? 0 } : { kind: 'signal', signal });
    });
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    for (const running of this.#runs.values()) {
      running.output.trim();
      this.#options.containment.sample(running.effect.run);
    }
  }

  /** SIGTERM to the whole tree of the run, SIGKILL to what is left after the grace, and only then the outcome. */
  async #end(running: Run, outcome: 'timeout' | 'aborted', graceMs: number): Promise<void> {
    if (running.ending !== null) return;
    running.ending = outcome;
    if (running.timer !== null) clearTimeout(running.timer);
    const handle = this.#options.containment.running(running.effect.run);
    if (handle === null) return this.#finish(running, { kind: outcome });
    if (graceMs > 0) {
      handle.signal('SIGTERM');
      await allGone(handle, graceMs);
    }
    const [result] = await killEntries([handle]);
    if (result!.left.length > 0) {
      const pids = result!.left.map(({ pid }) => pid).join(', ');
      this.#log('error', `processes of a script can not be killed: ${pids}`, {
        service: running.effect.service,
      });
    }
    this.#finish(running, { kind: outcome });
  }

  #finish(running: Run, outcome: RunOutcome): void {
    const { run } = running.effect;
    if (this.#runs.get(run) !== running) return;
    this.#runs.delete(run);
    if (running.timer !== null) clearTimeout(running.timer);
    if (this.#runs.size === 0 && this.#ticker !== null) {
      clearInterval(this.#ticker);
      this.#ticker = null;
    }
    const tail = running.output.finish();
    const { action } = running.effect;
    const disabled = action === 'disable' && outcome.kind === 'exit' && outcome.code === 0;
    void this.#options.containment.ended(run, STARTING.has(action), disabled);
    this.#options.onDone(run, outcome, tail, this.#options.clock.now() - running.start);
    this.#startNext();
  }

  /** An answer that needs no process still comes after the caller's turn has ended. */
  #later(run: number, outcome: RunOutcome, tail: string): void {
    setImmediate(() => this.#options.onDone(run, outcome, tail, 0));
  }
}

/** The system could not fork: too many processes, no memory. That says nothing of the script. */
function notStarted(what: string, error: unknown): RunOutcome {
  const cause = error instanceof Error ? error.message : String(error);
  return { kind: 'refused', reason: `${what} can not be started: ${cause}`, transient: true };
}

async function allGone(handle: KillHandle, boundMs: number): Promise<void> {
  const end = performance.now() + boundMs;
  while (performance.now() < end && !handle.isGone()) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}
