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
  readonly verdict: () => Verdict;
  readonly post: (event: EngineEvent) => void;
  readonly time: Time;
  readonly log: Log;
}

interface OpenRun {
  readonly effect: RunEffect;
  readonly since: number;
  state: 'listing' | 'running';
  cancelLimit: () => void;
}

export class Performer implements PerformerPort {
  readonly #options: PerformerOptions;
  readonly #open = new Map<number, OpenRun>();
  /** Services on the kill list only while one of their scripts runs: how many do. */
  readonly #briefly = new Map<string, number>();
  /** Results of runs that nobody waits for. */
  unknownRuns = 0;

  constructor(options: PerformerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#open.size;
  }

  run(effect: RunEffect): void {
    const { killList, time, runner } = this.#options;
    const open: OpenRun = { effect, since: time.now(), state: 'listing', cancelLimit: () => {} };
    this.#open.set(effect.run, open);
    if (!effect.exclusive) {
      this.#spawn(open);
      return;
    }
    const brief = effect.token === null && !this.#listedForGood(effect.service);
    if (brief) this.#briefly.set(effect.service, (this.#briefly.get(effect.service) ?? 0) + 1);
    else this.#briefly.delete(effect.service);
    killList.list(effect.run, runner.killEntry(effect), effect.token !== null);
    // A stopping script adds nothing that the list lacks, and stopping waits for nobody.
    if (effect.action === 'disable' || effect.action === 'go-standby') {
      this.#spawn(open);
      return;
    }
    open.cancelLimit = time.after(LISTING_LIMIT_MS, () =>
      this.#finish(effect.run, {
        kind: 'refused',
        reason: `sm-watchdog did not put ${effect.service} on its kill list within ${LISTING_LIMIT_MS} ms`,
      }),
    );
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
    else this.#finish(run, { kind: 'refused', reason: `sm-watchdog refused: ${reason}` });
  }

  refuse(effect: RunEffect, reason: string): void {
    this.#options.post({
      type: 'run.done',
      run: effect.run,
      outcome: { kind: 'refused', reason },
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

  watch(service: string, pidFile: string | null): void {
    this.#options.runner.watch(service, pidFile);
  }

  stateChanged(service: string, state: string): void {
    const { killList } = this.#options;
    if (state !== 'disabled' && state !== 'enabled-standby') return;
    if (!killList.has(service)) return;
    for (const { effect } of this.#open.values()) {
      if (effect.service === service && effect.exclusive) {
        // Taken off when that script has ended.
        this.#briefly.set(service, this.#openRuns(service));
        return;
      }
    }
    killList.unlist(service);
  }

  #openRuns(service: string): number {
    let count = 0;
    for (const { effect } of this.#open.values()) {
      if (effect.service === service && effect.exclusive) count += 1;
    }
    return count;
  }

  #listedForGood(service: string): boolean {
    return this.#options.killList.has(service) && !this.#briefly.has(service);
  }

  #spawn(open: OpenRun): void {
    const { effect } = open;
    open.cancelLimit();
    const obstacle = this.#obstacle(effect);
    if (obstacle !== null) {
      this.#finish(effect.run, { kind: 'refused', reason: obstacle });
      return;
    }
    open.state = 'running';
    this.#options.runner.start(effect, (result) => this.#done(effect.run, result));
  }

  /** Rule 1: the token is checked immediately before the spawn. */
  #obstacle(effect: RunEffect): string | null {
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
    this.#endBrief(open.effect);
    this.#options.post({ type: 'run.done', run, outcome, outputTail, durationMs });
  }

  #endBrief(effect: RunEffect): void {
    const count = this.#briefly.get(effect.service);
    if (!effect.exclusive || count === undefined) return;
    if (count > 1) {
      this.#briefly.set(effect.service, count - 1);
      return;
    }
    this.#briefly.delete(effect.service);
    this.#options.killList.unlist(effect.service);
  }
}
