/**
 * Carries out the engine's effects on scripts. Before a script of an exclusive group is spawned, sm-watchdog has to have
 * the service on its kill list; before an activating one, its token is checked once more against clock and verdict
 * (docs/SAFETY.md, rules 1 and 10).
 */
import type { EngineEvent } from '../core/engine-interface.ts';
import type { RunEffect, RunOutcome } from '../core/service/interface.ts';
import type { KillListPort, Log, PerformerPort, RunnerPort, RunResult, Time } from './ports.ts';

/** How long sm-watchdog may take to answer a listing, a restart of it included. */
export const LISTING_LIMIT_MS = 2000;

/** What sm-watchdog said last about this node's permission. */
export interface Verdict {
  readonly deadline: number;
  readonly lost: boolean;
}

export interface PerformerOptions {
  readonly runner: RunnerPort;
  readonly killList: KillListPort;
  readonly heartbeat: (service: string, on: boolean) => void;
  readonly verdict: () => Verdict;
  readonly post: (event: EngineEvent) => void;
  readonly time: Time;
  readonly log: Log;
}

interface OpenRun {
  readonly effect: RunEffect;
  state: 'listing' | 'running';
  cancelLimit: () => void;
}

export class Performer implements PerformerPort {
  readonly #options: PerformerOptions;
  readonly #open = new Map<number, OpenRun>();
  /** Results of runs that nobody waits for. */
  unknownRuns = 0;

  constructor(options: PerformerOptions) {
    this.#options = options;
  }

  /** Runs that have no result yet. */
  get open(): number {
    return this.#open.size;
  }

  /** Services of which a script runs that changes something; audits only look. */
  get changing(): readonly string[] {
    return [...this.#open.values()].flatMap(({ effect }) =>
      effect.action.startsWith('audit') ? [] : [effect.service],
    );
  }

  run(effect: RunEffect): void {
    const { killList, time, runner } = this.#options;
    const open: OpenRun = { effect, state: 'listing', cancelLimit: () => {} };
    this.#open.set(effect.run, open);
    // Stops and audits add nothing that would have to be killed, and stopping waits for nobody.
    if (!effect.exclusive || effect.token === null) {
      this.#spawn(open);
      return;
    }
    open.cancelLimit = time.after(LISTING_LIMIT_MS, () =>
      this.#refuseOpen(
        effect,
        `sm-watchdog did not put ${effect.service} on its kill list within ${LISTING_LIMIT_MS} ms`,
      ),
    );
    killList.list(effect.run, runner.killEntry(effect), true);
  }

  /** The answer of sm-watchdog to a listing. */
  listed(run: number, ok: boolean, reason: string): void {
    const open = this.#open.get(run);
    if (open === undefined) {
      this.unknownRuns += 1;
      return;
    }
    if (open.state !== 'listing') return;
    if (ok) this.#spawn(open);
    else this.#refuseOpen(open.effect, `sm-watchdog refused: ${reason}`);
  }

  refuse(effect: RunEffect, reason: string): void {
    this.#options.post({
      type: 'run.done',
      run: effect.run,
      outcome: { kind: 'refused', reason, transient: true },
      outputTail: '',
      durationMs: 0,
    });
  }

  kill(run: number, reason: string): void {
    const open = this.#open.get(run);
    if (open === undefined) return;
    if (open.state === 'listing') this.#finish(run, { kind: 'aborted' });
    else this.#options.runner.abort(run, reason);
  }

  killService(service: string, reason: string): void {
    this.#options.runner.killService(service, reason);
  }

  heartbeat(service: string, on: boolean): void {
    this.#options.heartbeat(service, on);
  }

  watch(service: string, pidFile: string | null): void {
    this.#options.runner.watch(service, pidFile);
  }

  #spawn(open: OpenRun): void {
    const { effect } = open;
    open.cancelLimit();
    const obstacle = this.obstacle(effect);
    if (obstacle !== null) {
      this.#refuseOpen(effect, obstacle);
      return;
    }
    open.state = 'running';
    this.#options.runner.start(effect, (result) => this.#done(effect.run, result));
  }

  /** Rule 1: why the script must not start any more. Asked here, and by the runner when the script's turn has come. */
  obstacle(effect: RunEffect): string | null {
    if (effect.token === null) return null;
    const now = this.#options.time.now();
    const verdict = this.#options.verdict();
    if (verdict.lost) return `permission to run ${effect.token.group} was lost`;
    if (now >= effect.token.deadline || now >= verdict.deadline) {
      return `permission to run ${effect.token.group} ran out before ${effect.action} could start`;
    }
    return null;
  }

  #done(run: number, result: RunResult): void {
    if (!this.#open.has(run)) {
      this.unknownRuns += 1;
      this.#options.log.warn({ run }, 'result of an unknown run dropped');
      return;
    }
    this.#finish(run, result.outcome, result.outputTail, result.durationMs);
  }

  #finish(run: number, outcome: RunOutcome, outputTail = '', durationMs = 0): void {
    const open = this.#open.get(run);
    if (open === undefined) return;
    open.cancelLimit();
    this.#open.delete(run);
    this.#options.post({ type: 'run.done', run, outcome, outputTail, durationMs });
  }

  /** None of these reasons says anything about the script: it is tried again and counts as no failure. */
  #refuseOpen(effect: RunEffect, reason: string): void {
    this.#finish(effect.run, { kind: 'refused', reason, transient: true });
  }
}
