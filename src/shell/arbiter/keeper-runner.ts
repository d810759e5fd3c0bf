/** Runs a keeper of the core on the real clock and a real arbiter. */
import type { Answer, ArbiterFact, KeeperEffect, KeeperEvent } from '../../core/arbiter/interface.ts';
import type { Time } from '../ports.ts';
import { TimerTable } from '../timer-table.ts';

export interface PureKeeper<Reply> {
  start(now: number): void;
  step(event: KeeperEvent<Reply>, now: number): void;
  retell(): void;
}

export interface KeeperRunnerOptions<Request, Reply> {
  readonly keeper: (emit: (effect: KeeperEffect<Request>) => void, now: number) => PureKeeper<Reply>;
  readonly ask: (request: Request, limitMs: number) => Promise<Answer<Reply>>;
  readonly tell: (fact: ArbiterFact) => void;
  readonly time: Time;
}

export class KeeperRunner<Request, Reply> {
  readonly #options: KeeperRunnerOptions<Request, Reply>;
  readonly #keeper: PureKeeper<Reply>;
  readonly #timers: TimerTable;
  #stopped = false;

  constructor(options: KeeperRunnerOptions<Request, Reply>) {
    this.#options = options;
    this.#timers = new TimerTable(options.time, () => this.#turn(() => {}));
    this.#keeper = options.keeper((effect) => this.#perform(effect), options.time.now());
  }

  start(): void {
    this.#turn(() => this.#keeper.start(this.#options.time.now()));
  }

  step(event: KeeperEvent<Reply>): void {
    this.#turn(() => this.#keeper.step(event, this.#options.time.now()));
  }

  retell(): void {
    this.#keeper.retell();
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.stop();
  }

  #turn(work: () => void): void {
    if (this.#stopped) return;
    const { time } = this.#options;
    for (const timer of this.#timers.takeDue(time.now())) this.#keeper.step(timer, time.now());
    work();
    this.#timers.arm();
  }

  #perform(effect: KeeperEffect<Request>): void {
    switch (effect.type) {
      case 'timer':
        return this.#timers.apply(effect);
      case 'fact':
        return this.#options.tell(effect.fact);
      case 'ask': {
        const { ask, time } = this.#options;
        const { request, body, limitMs } = effect;
        const askedAt = time.now();
        ask(body, limitMs).then(
          (answer) => this.step({ type: 'answer', request, answer }),
          (error: unknown) => {
            const dated = { askedAt, answeredAt: time.now(), cause: 'protocol' } as const;
            this.step({
              type: 'answer',
              request,
              answer: { kind: 'unknown', ...dated, detail: String(error) },
            });
          },
        );
      }
    }
  }
}
