/**
 * Runs a LocalEngine on a fake clock, with a world in which scripts do to services what they say. A script can be told
 * to behave otherwise. While it runs, the driver checks what must hold at all times.
 */
import { expect } from 'vitest';
import type { Token } from '../../src/core/cluster/token.ts';
import type { DefinitionSet } from '../../src/core/definitions/model.ts';
import type { ServiceAction } from '../../src/core/kernel/names.ts';
import type {
  HistoryEffect,
  LocalEffect,
  LocalEvent,
  RunEffect,
  RunOutcome,
} from '../../src/core/service/interface.ts';
import { LocalEngine, type LocalRestored } from '../../src/core/service/local.ts';

/** How a service really is. */
export type Truth = 'stopped' | 'standby' | 'active';

export interface Script {
  /** Exit code; or the outcome itself; `hang` = until killed or timed out; default: the truthful one. */
  readonly end?: number | RunOutcome | 'hang';
  readonly afterMs?: number;
  readonly tail?: string;
}

export type Behaviour = (run: RunEffect) => Script | undefined;

interface Running {
  readonly effect: RunEffect;
  readonly startedAt: number;
}

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** Tokens for tests only: in the project the one grant function makes them. */
export function testToken(group: string, activation = 1, deadline = Number.POSITIVE_INFINITY): Token {
  return { group, activation, deadline } as unknown as Token;
}

const OPPOSITE_FREE: LocalRestored = { groups: [], services: [], intents: [] };

export interface DriverOptions {
  readonly restored?: Partial<LocalRestored>;
  readonly maxRunning?: number;
  readonly barriers?: ReadonlyMap<string, number>;
  readonly behaviour?: Behaviour;
  readonly truth?: Readonly<Record<string, Truth>>;
  readonly scriptMs?: number;
}

export class LocalDriver {
  now = 1000;
  readonly engine: LocalEngine;
  readonly effects: LocalEffect[] = [];
  readonly runs: RunEffect[] = [];
  readonly truth = new Map<string, Truth>();
  readonly watched = new Map<string, string | null>();
  readonly running = new Map<number, Running>();
  behaviour: Behaviour;
  mostRunning = 0;
  readonly #definitions: DefinitionSet;
  readonly #timers = new Map<string, { at: number; generation: number; order: number }>();
  #pending: Pending[] = [];
  #order = 0;
  #scriptMs: number;

  constructor(definitions: DefinitionSet, options: DriverOptions = {}) {
    this.#definitions = definitions;
    this.behaviour = options.behaviour ?? (() => undefined);
    this.#scriptMs = options.scriptMs ?? 10;
    for (const [service, truth] of Object.entries(options.truth ?? {})) this.truth.set(service, truth);
    this.engine = new LocalEngine(
      {
        definitions,
        restored: { ...OPPOSITE_FREE, ...options.restored },
        maxRunning: options.maxRunning ?? 16,
        barriers: options.barriers ?? new Map(),
      },
      (effect) => this.#perform(effect),
    );
    this.engine.start(this.now);
  }

  step(event: LocalEvent): void {
    this.engine.step(event, this.now);
    const { tickets, ticketsMax } = this.engine.load;
    expect(tickets).toBeLessThanOrEqual(ticketsMax);
  }

  want(group: string, desired: 'active' | 'standby' | 'disabled', activation = 1): void {
    if (desired === 'active') {
      this.step({ type: 'group.want', group, desired, token: testToken(group, activation), reason: 'test' });
    } else this.step({ type: 'group.want', group, desired, reason: 'test' });
  }

  die(service: string, pid = 4711): void {
    this.truth.set(service, 'stopped');
    this.step({ type: 'process.died', service, pid });
  }

  /** Lets time pass; everything due on the way happens. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.#next(end));
    this.now = end;
  }

  /** Lets time pass until it is so; fails after the given time. */
  until(so: () => boolean, withinMs = 60_000, what = 'it'): void {
    const end = this.now + withinMs;
    while (!so()) {
      if (!this.#next(end)) {
        throw new Error(
          `${what} did not come within ${withinMs} ms: ${JSON.stringify(this.engine.services())}`,
        );
      }
    }
  }

  state(service: string): string {
    return this.engine.service(service).state;
  }

  untilState(service: string, state: string, withinMs = 60_000): void {
    this.until(() => this.state(service) === state, withinMs, `${service} ${state}`);
  }

  untilGroup(group: string, state: string, withinMs = 60_000): void {
    this.until(() => this.engine.group(group).state === state, withinMs, `${group} ${state}`);
  }

  /** Actions run so far, audits left out: `service action`. */
  actions(service?: string): string[] {
    return this.runs
      .filter((run) => !run.action.startsWith('audit') && (service === undefined || run.service === service))
      .map((run) => (service === undefined ? `${run.service} ${run.action}` : run.action));
  }

  history(name: string): HistoryEffect[] {
    return this.effects.filter(
      (effect): effect is HistoryEffect => effect.type === 'history' && effect.name === name,
    );
  }

  states(name: string): string[] {
    return this.history(name).map((effect) => effect.to);
  }

  /** Waits until it has been in that state since now, however shortly. */
  untilSeen(name: string, state: string, withinMs = 60_000): void {
    const before = this.history(name).length;
    this.until(() => this.states(name).slice(before).includes(state), withinMs, `${name} ${state}`);
  }

  #perform(effect: LocalEffect): void {
    this.effects.push(effect);
    switch (effect.type) {
      case 'timer':
        this.#order += 1;
        if (effect.at === null) this.#timers.delete(effect.key);
        else {
          this.#timers.set(effect.key, { at: effect.at, generation: effect.generation, order: this.#order });
        }
        break;
      case 'run':
        this.#start(effect);
        break;
      case 'kill':
        if (this.running.has(effect.run)) this.#end(effect.run, { kind: 'aborted' }, '', 5);
        break;
      case 'kill.service':
        this.truth.set(effect.service, 'stopped');
        break;
      case 'watch':
        this.watched.set(effect.service, effect.pidFile);
        break;
    }
  }

  #start(effect: RunEffect): void {
    this.runs.push(effect);
    for (const { effect: other } of this.running.values()) {
      expect(other.service, 'one script of a service at a time').not.toBe(effect.service);
    }
    this.running.set(effect.run, { effect, startedAt: this.now });
    this.mostRunning = Math.max(this.mostRunning, this.running.size);
    this.#checkPermission(effect);
    if (effect.killsInstead === true) {
      this.truth.set(effect.service, 'stopped');
      return this.#end(effect.run, { kind: 'killed', stopped: true, reason: 'killed' }, '', 5);
    }
    const script = this.behaviour(effect) ?? {};
    const afterMs = script.afterMs ?? this.#scriptMs;
    const tail = script.tail ?? '';
    if (script.end === 'hang' || afterMs > effect.timeoutMs) {
      this.#end(effect.run, { kind: 'timeout' }, tail, effect.timeoutMs);
    } else if (typeof script.end === 'number') {
      this.#end(effect.run, { kind: 'exit', code: script.end }, tail, afterMs);
    } else this.#end(effect.run, script.end ?? null, tail, afterMs);
  }

  #checkPermission(effect: RunEffect): void {
    const group = this.#definitions.services.get(effect.service)?.group ?? '';
    const exclusive = this.#definitions.groups.get(group)?.exclusive === true;
    const promotable = this.#definitions.services.get(effect.service)?.actions.has('go-active') === true;
    const activating = effect.action === (promotable ? 'go-active' : 'enable');
    expect(effect.exclusive).toBe(exclusive);
    expect(effect.token !== null, 'a token exactly where it is needed').toBe(exclusive && activating);
  }

  /** outcome null = what the truth says when it ends. */
  #end(run: number, outcome: RunOutcome | null, tail: string, afterMs: number): void {
    this.#later(afterMs, () => {
      const running = this.running.get(run);
      if (running === undefined) return;
      this.running.delete(run);
      const done = outcome ?? { kind: 'exit', code: this.#act(running.effect) };
      const durationMs = this.now - running.startedAt;
      this.step({ type: 'run.done', run, outcome: done, outputTail: tail, durationMs });
    });
  }

  #act(effect: RunEffect): number {
    const { service, action } = effect;
    const ocf = effect.pluginType === 'ocf-script';
    const promotable = this.#definitions.services.get(service)?.actions.has('go-active') === true;
    const becomes: Partial<Record<ServiceAction, Truth>> = {
      enable: promotable ? 'standby' : 'active',
      disable: 'stopped',
      'go-active': 'active',
      'go-standby': 'standby',
    };
    const truth = becomes[action];
    if (truth !== undefined) {
      this.truth.set(service, truth);
      return 0;
    }
    const now = this.truth.get(service) ?? 'stopped';
    if (now === 'stopped') return ocf ? 7 : 3;
    return now === 'active' && promotable ? 8 : 0;
  }

  #later(ms: number, fire: () => void): void {
    this.#order += 1;
    this.#pending.push({ at: this.now + ms, order: this.#order, fire });
  }

  #next(end: number): boolean {
    let due: Pending | null = null;
    for (const pending of this.#pending) due = earlier(due, pending);
    for (const [key, timer] of this.#timers) {
      const fire = () => {
        this.#timers.delete(key);
        this.step({ type: 'timer', key, generation: timer.generation });
      };
      due = earlier(due, { at: timer.at, order: timer.order, fire });
    }
    if (due === null || due.at > end) return false;
    this.#pending = this.#pending.filter((pending) => pending !== due);
    this.now = Math.max(this.now, due.at);
    due.fire();
    return true;
  }
}

function earlier(a: Pending | null, b: Pending): Pending {
  if (a === null || b.at < a.at || (b.at === a.at && b.order < a.order)) return b;
  return a;
}
