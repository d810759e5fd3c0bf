/** The trace of a life of `sm`: the engine's input and sums over its output, into a ring of files (docs/reference/trace.md). */
import type { EngineEffect, EngineEvent, EngineOptions, GuardFact } from '../../core/engine-interface.ts';
import { RecordedEngine } from '../../core/trace/recorded-engine.ts';
import { beginningLine, brokenLine, stepLine } from '../../core/trace/step.ts';
import type { EngineView } from '../../core/view.ts';
import type { EnginePort } from '../ports.ts';
import { Cover } from './cover.ts';
import type { TraceRing } from './ring.ts';

/** The engine of `sm`. What is secret neither reaches the trace nor, from a script's output, the engine. */
export class TracedEngine implements EnginePort {
  readonly #cover = new Cover();
  readonly #engine: RecordedEngine;
  readonly #ring: TraceRing;
  readonly #options: EngineOptions;
  #startedAt = 0;
  #turn = 0;
  #isInTurn = false;

  constructor(options: EngineOptions, emit: (effect: EngineEffect) => void, ring: TraceRing) {
    this.#ring = ring;
    this.#options = options;
    this.#engine = new RecordedEngine(options, emit, {
      stepped: (record) => ring.add(stepLine({ ...record, turn: this.#turn })),
      broken: (now, event, more) => ring.add(brokenLine(this.#turn, now, event, more)),
    });
    ring.goesOn = () => this.#beginning(true);
  }

  start(now: number): void {
    this.#beginTurn();
    this.#startedAt = now;
    this.#ring.add(this.#beginning(false));
    this.#engine.start(now);
  }

  step(event: EngineEvent, now: number, more: boolean): void {
    this.#beginTurn();
    this.#engine.step(this.#cover.event(event), now, more);
  }

  isMereRenewal(fact: GuardFact, now: number): boolean {
    return this.#engine.isMereRenewal(fact, now);
  }

  view(now: number): EngineView {
    return this.#engine.view(now);
  }

  /** With a state it stands for everything before it, so that what came before may be thrown away. */
  #beginning(withState: boolean): string {
    const definitions = this.#cover.definitions(this.#options.definitions);
    const options = { ...this.#options, definitions };
    const begun = { startedAt: this.#startedAt, options };
    return beginningLine(withState ? { ...begun, state: this.#engine.state() } : begun);
  }

  /** A turn is never interrupted: it is over when what called us is. */
  #beginTurn(): void {
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    this.#turn += 1;
    queueMicrotask(() => {
      this.#isInTurn = false;
    });
  }
}
