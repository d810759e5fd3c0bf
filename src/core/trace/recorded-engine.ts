/**
 * An engine that tells what goes into it and what comes out: around the real one in `sm`, around the same one in a replay.
 * The caller says when a turn has ended; the lines know nothing of files.
 */
import { Engine } from '../engine.ts';
import type { EngineEffect, EngineEvent, EngineOptions, GuardFact } from '../engine-interface.ts';
import type { EngineView } from '../view.ts';
import { capture, restore, type Snapshot } from './snapshot.ts';
import { addToSum, type StepRecord, wordOf } from './step.ts';

export interface StepWatcher {
  /** A step is over. `record.turn` is counted by whoever listens. */
  readonly stepped: (record: Omit<StepRecord, 'turn'>) => void;
  /** A step has thrown; the error goes on to the caller. */
  readonly broken: (now: number, event: EngineEvent | null, more: boolean) => void;
}

export class RecordedEngine {
  readonly #engine: Engine;
  readonly #options: EngineOptions;
  readonly #watcher: StepWatcher;
  #words: string[] = [];
  #sum: number | undefined;

  constructor(options: EngineOptions, emit: (effect: EngineEffect) => void, watcher: StepWatcher) {
    this.#watcher = watcher;
    this.#options = options;
    this.#engine = new Engine(options, (effect) => {
      this.#words.push(wordOf(effect));
      this.#sum = addToSum(this.#sum, effect);
      emit(effect);
    });
  }

  start(now: number): void {
    this.#watched(null, now, false, () => this.#engine.start(now));
  }

  step(event: EngineEvent, now: number, more = false): void {
    this.#watched(event, now, more, () => this.#engine.step(event, now, more));
  }

  /** Changes nothing, and so is not recorded. */
  isMereRenewal(fact: GuardFact, now: number): boolean {
    return this.#engine.isMereRenewal(fact, now);
  }

  view(now: number): EngineView {
    return this.#engine.view(now);
  }

  /** Between two steps. */
  state(): Snapshot {
    return capture(this.#engine, this.#options);
  }

  /** In place of `start`. @throws Error where it is no state of an engine made from these options. */
  goOn(state: Snapshot): void {
    restore(this.#engine, this.#options, state);
  }

  #watched(event: EngineEvent | null, now: number, more: boolean, work: () => void): void {
    this.#words = [];
    this.#sum = undefined;
    try {
      work();
    } catch (error) {
      this.#watcher.broken(now, event, more);
      throw error;
    }
    this.#watcher.stepped({ now, event, words: this.#words, sum: this.#sum ?? 0, more });
  }
}
