/**
 * `sm-arbiter` as sm-watchdog runs it: started, told what to ask, and started again when it is gone or hangs. What an earlier
 * one told counts no more; whoever listens is told of each beginning and end (docs/ARCHITECTURE.md, "Arbiters").
 */
import type {
  ArbiterPlan,
  FromArbiter,
  PipeFromArbiter,
  PipeToArbiter,
  ToArbiter,
} from '../arbiter/messages.ts';
import { Channel } from '../pair/channel.ts';
import type { Started } from '../pair/programs.ts';
import type { Log, Time } from '../ports.ts';

const RESTART_BACKOFF_MS = [0, 100, 200, 400, 800, 1600] as const;
/** A restart is forgotten after this much good life. */
const RESTART_MEMORY_MS = 60_000;
/** So many questions for a sign of life, one a second, without any word: it hangs. */
const QUESTIONS_MAX = 4;
/** A start takes its time on a busy machine. */
const START_QUESTIONS_MAX = 15;

export interface ArbiterLinkOptions {
  readonly plan: ArbiterPlan;
  readonly start: () => Started;
  /** Before anything that it tells. */
  readonly connected: () => void;
  readonly told: (message: FromArbiter) => void;
  readonly gone: (reason: string) => void;
  readonly time: Pick<Time, 'now' | 'after'>;
  readonly log: Log;
}

interface Running {
  readonly channel: Channel<PipeFromArbiter, PipeToArbiter>;
  readonly started: Started;
  isReady: boolean;
  /** Since its last word. */
  questions: number;
}

export class ArbiterLink {
  readonly #options: ArbiterLinkOptions;
  #running: Running | null = null;
  #register: string;
  #starts = 0;
  #restarts = 0;
  #startedAt = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(options: ArbiterLinkOptions) {
    this.#options = options;
    this.#register = options.plan.knownRegister;
  }

  get starts(): number {
    return this.#starts;
  }

  start(): void {
    const { plan, start, time } = this.#options;
    const started = start();
    this.#starts += 1;
    this.#startedAt = time.now();
    const channel: Channel<PipeFromArbiter, PipeToArbiter> = new Channel(started.stream, {
      message: (message) => {
        if (this.#running?.channel === channel) this.#receive(this.#running, message);
      },
      closed: (reason) => {
        if (this.#running?.channel === channel) this.#gone(this.#running, reason);
      },
    });
    this.#running = { channel, started, isReady: false, questions: 0 };
    // What it knew of the register its predecessor has told meanwhile.
    channel.send({ type: 'plan', plan: { ...plan, knownRegister: this.#register } });
  }

  /** Lost where none is connected: each begins with what is told after `connected`. */
  send(message: ToArbiter): void {
    if (this.#running?.isReady === true) this.#running.channel.send(message);
  }

  /** About once a second. That we were away ourselves is no fault of its: words that wait are read between two calls. */
  look(): void {
    const running = this.#running;
    if (running === null) return;
    if (running.questions >= (running.isReady ? QUESTIONS_MAX : START_QUESTIONS_MAX))
      return running.channel.close('no sign of life');
    running.questions += 1;
    running.channel.send({ type: 'ping' });
  }

  /** Ends it, whatever it does. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
    const running = this.#running;
    this.#running = null;
    running?.started.end();
    running?.channel.close('the node ends');
  }

  #receive(running: Running, message: PipeFromArbiter): void {
    running.questions = 0;
    if (message.type === 'pong') return;
    if (message.type === 'ready') {
      running.isReady = true;
      return this.#options.connected();
    }
    if (message.type === 'fact' && message.fact.type === 'arbiter.numbers')
      this.#register = message.fact.register || this.#register;
    this.#options.told(message);
  }

  #gone(running: Running, reason: string): void {
    this.#running = null;
    running.started.end();
    if (this.#stopped) return;
    const { log, gone, time } = this.#options;
    if (time.now() - this.#startedAt > RESTART_MEMORY_MS) this.#restarts = 0;
    const backoffMs = RESTART_BACKOFF_MS[Math.min(this.#restarts, RESTART_BACKOFF_MS.length - 1)] ?? 0;
    this.#restarts += 1;
    log.error({ reason, againInMs: backoffMs }, 'sm-arbiter is gone: starting another');
    if (running.isReady) gone(`sm-arbiter is gone: ${reason}`);
    this.#cancel = time.after(backoffMs, () => this.start());
  }
}
