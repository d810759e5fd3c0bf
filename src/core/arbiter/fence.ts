/**
 * Fences one node: makes sure by our own readings that it has no power. Levels of devices are tried in turn; all devices
 * of a level have to be off. What a device says of its own success is never believed: two fresh readings of all devices
 * of the level, at least `gapMs` apart, are the proof (docs/SAFETY.md, rules 14a and 16). A node that reads off already
 * needs no shot. Pure.
 */
import { assert } from '../kernel/assert.ts';
import { lookup, type Table } from '../kernel/machine.ts';
import { Timers } from '../kernel/timers.ts';
import { withoutDevice } from './fence-audits.ts';
import type { Answer, ArbiterCause } from './interface.ts';
import type { ShotBudget, ShotWindow } from './shot-window.ts';

export type PowerAction = 'status' | 'off' | 'on';
export type PowerAnswer = 'on' | 'off' | 'done';

export interface FenceTargetDevice {
  readonly name: string;
  /** Longest time of one reading, and of one shot. */
  readonly statusLimitMs: number;
  readonly offLimitMs: number;
  /** After a shot a reading that begins later than this is not the first one that says off. */
  readonly verifyLimitMs: number;
}

export interface FenceTarget {
  readonly node: string;
  /** Devices by level; all of one level have to be off. */
  readonly levels: readonly (readonly FenceTargetDevice[])[];
  /** Why devices are left out (fence-audits.ts). */
  readonly doubts: readonly string[];
  /** Between two readings that count. */
  readonly gapMs: number;
}

/** The longest that a fencing takes from its start to its result by the limits of its devices, beside the wait for its shot, ms. */
export function fencingLimitMs({ levels, gapMs }: Pick<FenceTarget, 'levels' | 'gapMs'>): number {
  return levels.reduce((sum, level) => {
    const readingMs = longest(level, 'statusLimitMs') + gapMs;
    const shotMs = longest(level, 'offLimitMs') + longest(level, 'verifyLimitMs');
    // Off and on again before the shot, and two readings that begin when the time to verify ends.
    return sum + 2 * readingMs - gapMs + shotMs + 2 * readingMs;
  }, 0);
}

function longest(
  level: readonly FenceTargetDevice[],
  limit: 'statusLimitMs' | 'offLimitMs' | 'verifyLimitMs',
): number {
  return Math.max(0, ...level.map((device) => device[limit]));
}

export type FenceEvent =
  | { readonly type: 'answer'; readonly request: number; readonly answer: Answer<PowerAnswer> }
  /** A frame of the node: before the first shot it ends the run, after it nothing does. */
  | { readonly type: 'alive' }
  | { readonly type: 'timer'; readonly key: string; readonly generation: number };

export interface FenceAttempt {
  readonly device: string;
  readonly action: PowerAction;
  readonly said: PowerAnswer | ArbiterCause;
  readonly detail: string;
  readonly tookMs: number;
}

export interface FenceResult {
  readonly outcome: 'already-off' | 'fenced' | 'failed' | 'cancelled';
  /** Of a failure: what to mend first. */
  readonly cause: ArbiterCause | null;
  readonly reason: string;
  readonly attempts: readonly FenceAttempt[];
  readonly tookMs: number;
  /** Where it is proven: when the first of the two readings was asked for. What they prove holds as of then. */
  readonly provenAt: number | null;
  /** Where one shot was enough: of which devices, and how long after the order the readings that said off were there. */
  readonly off?: { readonly devices: readonly string[]; readonly tookMs: number };
}

export type FenceEffect =
  | {
      readonly type: 'power';
      readonly request: number;
      readonly device: string;
      readonly action: PowerAction;
      readonly limitMs: number;
    }
  | { readonly type: 'result'; readonly result: FenceResult }
  | {
      readonly type: 'timer';
      readonly key: string;
      readonly generation: number;
      readonly at: number | null;
    };

const STATES = ['idle', 'reading', 'waiting', 'shooting', 'verifying', 'pausing', 'over'] as const;
type State = (typeof STATES)[number];
type Input = 'start' | 'off' | 'on' | 'unknown' | 'done' | 'timer' | 'alive';
type Work = 'read' | 'proven' | 'pause' | 'aim' | 'shoot' | 'verify' | 'again' | 'nextLevel' | 'cancel';

/** `off`, `on`, `unknown`: what a whole round of readings comes to. `done`: every shot of the level has an answer. */
const TABLE: Table<State, Input, Work> = {
  idle: {
    start: 'read',
    off: 'never',
    on: 'never',
    unknown: 'never',
    done: 'never',
    timer: 'never',
    alive: 'ignore',
  },
  reading: {
    start: 'never',
    off: 'pause',
    on: 'aim',
    unknown: 'nextLevel',
    done: 'never',
    timer: 'ignore',
    alive: 'cancel',
  },
  waiting: {
    start: 'never',
    off: 'never',
    on: 'never',
    unknown: 'never',
    done: 'never',
    timer: 'shoot',
    alive: 'cancel',
  },
  shooting: {
    start: 'never',
    off: 'never',
    on: 'never',
    unknown: 'never',
    done: 'verify',
    timer: 'ignore',
    alive: 'never',
  },
  verifying: {
    start: 'never',
    off: 'pause',
    on: 'again',
    unknown: 'again',
    done: 'never',
    timer: 'ignore',
    alive: 'never',
  },
  pausing: {
    start: 'never',
    off: 'proven',
    on: 'aim',
    unknown: 'again',
    done: 'never',
    timer: 'read',
    alive: 'cancel',
  },
  over: {
    start: 'never',
    off: 'ignore',
    on: 'ignore',
    unknown: 'ignore',
    done: 'ignore',
    timer: 'ignore',
    alive: 'ignore',
  },
};

export class Fencing {
  readonly #target: FenceTarget;
  readonly #emit: (effect: FenceEffect) => void;
  readonly #timers: Timers;
  readonly #breaks: ReadonlySet<string>;
  #state: State = 'idle';
  #level = 0;
  #startedAt = 0;
  /** The other one can shoot back, and holds still meanwhile; null = it can not. */
  #window: ShotWindow | null = null;
  #shot = false;
  /** When the shots of this level were ordered. */
  #shotAt = 0;
  #levelsShot = 0;
  /** After the shot, when the first round that read off was there. */
  #offReadAt = 0;
  /** At the devices of this level. */
  #aimed = false;
  /** After this the level is given up. */
  #verifyUntil = 0;
  /** When a whole round was asked for that read off; the next one that does is the proof. */
  #offAt: number | null = null;
  #askedAt = 0;
  #requests = 0;
  /** Requests of the round that is under way. */
  readonly #open = new Map<
    number,
    { readonly device: string; readonly action: PowerAction; readonly askedAt: number }
  >();
  #said: (PowerAnswer | ArbiterCause)[] = [];
  readonly #attempts: FenceAttempt[] = [];
  /** Devices that said that they had switched off. */
  readonly #claimed = new Set<string>();

  constructor(
    target: FenceTarget,
    emit: (effect: FenceEffect) => void,
    breaks: ReadonlySet<string> = new Set(),
  ) {
    this.#target = target;
    this.#emit = emit;
    this.#timers = new Timers(emit);
    this.#breaks = breaks;
  }

  /** Begins to read at once; it shoots within the window alone, null = at any time. */
  start(window: ShotWindow | null, now: number): void {
    this.#startedAt = now;
    this.#window = window;
    const { node, levels, doubts } = this.#target;
    if (levels.length === 0) return this.#end('failed', 'unreachable', withoutDevice(node, doubts), now);
    this.#input('start', now);
  }

  step(event: FenceEvent, now: number): void {
    switch (event.type) {
      case 'answer':
        return this.#onAnswer(event.request, event.answer, now);
      case 'alive':
        if (!this.#shot) this.#input('alive', now);
        return;
      case 'timer':
        if (this.#timers.take(event)) this.#input('timer', now);
    }
  }

  get state(): State {
    return this.#state;
  }

  #onAnswer(request: number, answer: Answer<PowerAnswer>, now: number): void {
    const open = this.#open.get(request);
    if (open === undefined) return;
    this.#open.delete(request);
    const said = answer.kind === 'known' ? answer.value : answer.cause;
    const detail = answer.kind === 'known' ? '' : answer.detail;
    this.#attempts.push({
      device: open.device,
      action: open.action,
      said,
      detail,
      tookMs: now - open.askedAt,
    });
    if (open.action === 'off' && said === 'done') this.#claimed.add(open.device);
    this.#said.push(said);
    if (this.#open.size > 0) return;
    this.#input(this.#state === 'shooting' ? 'done' : this.#round(), now);
  }

  /** One device that is on keeps the node alive; one that can not be read may be what does. */
  #round(): 'off' | 'on' | 'unknown' {
    if (this.#said.includes('on')) return 'on';
    return this.#said.every((each) => each === 'off') ? 'off' : 'unknown';
  }

  #input(input: Input, now: number): void {
    const work = lookup('fence', TABLE, this.#state, input);
    if (work !== null) this.#work(work, now);
  }

  #work(work: Work, now: number): void {
    switch (work) {
      case 'read':
        this.#state = this.#offAt !== null ? 'pausing' : this.#aimed ? 'verifying' : 'reading';
        return this.#ask('status', now);
      case 'pause':
        this.#offAt = this.#askedAt;
        this.#offReadAt = now;
        this.#state = 'pausing';
        return this.#timers.set('fence', now + this.#target.gapMs);
      case 'proven':
        return this.#end(this.#shot ? 'fenced' : 'already-off', null, '', now);
      case 'aim':
        this.#offAt = null;
        if (this.#aimed) return this.#work('again', now);
        this.#state = 'waiting';
        return this.#timers.set('fence', Math.max(now, this.#window?.from ?? now));
      case 'shoot':
        if (now + this.#budgetMs('offMs') > this.#untilMs()) return this.#outOfTime(now);
        this.#shot = true;
        this.#aimed = true;
        this.#shotAt = now;
        this.#levelsShot += 1;
        this.#state = 'shooting';
        return this.#ask('off', now);
      case 'verify':
        if (this.#breaks.has('verify-off') && this.#said.includes('done'))
          return this.#end('fenced', null, '', now);
        this.#verifyUntil = now + longest(this.#devices(), 'verifyLimitMs');
        this.#offAt = null;
        return this.#work('read', now);
      case 'again':
        this.#offAt = null;
        if (!this.#aimed || now >= this.#verifyUntil) return this.#work('nextLevel', now);
        // Not off yet: look again after the same pause; a reading that came first counts no more.
        this.#state = 'pausing';
        return this.#timers.set('fence', now + this.#target.gapMs);
      case 'nextLevel':
        return this.#nextLevel(now);
      case 'cancel':
        return this.#end('cancelled', null, `${this.#target.node} is heard again`, now);
    }
  }

  #untilMs(): number {
    return this.#window?.until ?? Number.POSITIVE_INFINITY;
  }

  /** What the devices of this level need, as it was announced. */
  #budgetMs(part: Exclude<keyof ShotBudget, 'device'>): number {
    const limit = part === 'offMs' ? 'offLimitMs' : 'statusLimitMs';
    const budgets = new Map(this.#window?.budgets.map((budget) => [budget.device, budget[part]]));
    return Math.max(
      ...this.#devices().map((device) => Math.min(device[limit], budgets.get(device.name) ?? device[limit])),
    );
  }

  /** From here on the other one may shoot: who shoots now may be shot as well, and nobody would be left. */
  #outOfTime(now: number): void {
    const { node } = this.#target;
    const reason = `${node} is not shot: its devices answered too late for the time that was announced to it, the next one is waited for`;
    this.#end('failed', 'timeout', reason, now);
  }

  #nextLevel(now: number): void {
    this.#level += 1;
    this.#offAt = null;
    this.#aimed = false;
    if (this.#level < this.#target.levels.length) {
      this.#state = 'reading';
      this.#ask('status', now);
      return;
    }
    const cause = this.#failure();
    this.#end('failed', cause, this.#explain(cause), now);
  }

  /** The cause that says most: a device that lies is worse than one that is not there. */
  #failure(): ArbiterCause {
    const last = this.#lastAttempts();
    const lying = last.some(({ device, said }) => said === 'on' && this.#claimed.has(device));
    if (lying) return 'lying';
    const causes = this.#attempts.map(({ said }) => said).filter((said) => !isPower(said));
    return (causes.at(-1) as ArbiterCause | undefined) ?? 'refused';
  }

  /** The newest of each device. */
  #lastAttempts(): readonly FenceAttempt[] {
    return [...new Map(this.#attempts.map((attempt) => [attempt.device, attempt])).values()];
  }

  #explain(cause: ArbiterCause): string {
    const each = this.#lastAttempts().map(
      ({ device, action, said, detail }) =>
        `${device} ${action}: ${said}${detail === '' ? '' : ` (${detail})`}`,
    );
    return `${this.#target.node} is not proven off, ${cause}: ${each.join('; ')}`;
  }

  #devices(): readonly FenceTargetDevice[] {
    const devices = this.#target.levels[this.#level];
    assert(devices !== undefined && devices.length > 0, 'a level without devices');
    return devices;
  }

  /** Every device of the level, each within its own limit. All are open before the first may answer. */
  #ask(action: 'status' | 'off', now: number): void {
    this.#said = [];
    this.#askedAt = now;
    const limit = action === 'off' ? 'offLimitMs' : 'statusLimitMs';
    const within = this.#withinMs(action, now);
    const requests = this.#devices().map(({ name: device, [limit]: ownMs }) => {
      const limitMs = Math.min(ownMs, within);
      this.#requests += 1;
      this.#open.set(this.#requests, { device, action, askedAt: now });
      return { type: 'power', request: this.#requests, device, action, limitMs } as const;
    });
    for (const request of requests) this.#emit(request);
  }

  /** Before a shot a reading may take what was announced, and what is left of the wait; no shot outlasts the window. */
  #withinMs(action: 'status' | 'off', now: number): number {
    if (this.#window === null) return Number.POSITIVE_INFINITY;
    if (action === 'off') return this.#window.until - now;
    if (this.#aimed) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#window.from - now) + this.#budgetMs('readMs');
  }

  #end(outcome: FenceResult['outcome'], cause: ArbiterCause | null, reason: string, now: number): void {
    this.#state = 'over';
    this.#timers.clear('fence');
    this.#open.clear();
    const tookMs = now - this.#startedAt;
    const provenAt = outcome === 'fenced' || outcome === 'already-off' ? (this.#offAt ?? now) : null;
    const result = { outcome, cause, reason, attempts: this.#attempts, tookMs, provenAt };
    if (outcome !== 'fenced' || this.#levelsShot !== 1) return this.#emit({ type: 'result', result });
    const devices = this.#devices().map(({ name }) => name);
    const off = { devices, tookMs: this.#offReadAt - this.#shotAt };
    this.#emit({ type: 'result', result: { ...result, off } });
  }
}

function isPower(said: PowerAnswer | ArbiterCause): said is PowerAnswer {
  return said === 'on' || said === 'off' || said === 'done';
}
