/**
 * Rules broken on purpose at the seams of the core: what a frame says when it is taken in, what a report says when it goes
 * out, what a starting `sm` reads, what its watchdog tells it. The core itself stays as it is. `sm-sim selftest` shows that
 * a checker notices each; the other breaks are where the world does the wrong thing (`world.breaks`).
 */
import type { EngineEffect, GuardFact, Restored } from '../core/engine-interface.ts';
import type { Frame, FrameHeader, LifeId, Report } from '../core/link/types.ts';
import type { Break } from './options.ts';

type ReportEffect = Extract<EngineEffect, { type: 'guard.send' }>;

/** What a receiver would have to know to take a frame for another than it is. */
export interface Receiver {
  readonly processLife: LifeId;
  readonly lastSequence: number;
  readonly deadIntervalMs: number;
  readonly stopBoundMs: number;
}

type FrameSpoiler = (header: FrameHeader, receiver: Receiver) => Partial<FrameHeader>;

const FRAMES: Readonly<Partial<Record<Break, FrameSpoiler>>> = {
  // Whatever it echoes counts as an echo of what was sent last.
  'echo-date': (_, { processLife, lastSequence }) => ({
    echoLife: processLife,
    echoSequence: lastSequence,
  }),
  // The other side is taken to have the own P and S.
  'announced-bound': (_, { deadIntervalMs, stopBoundMs }) => ({ permissionMs: deadIntervalMs, stopBoundMs }),
  // Who does not hear us is not obeyed.
  'deaf-announcer': () => ({ announceNumber: 0 }),
};

const REPORTS: Readonly<Partial<Record<Break, (report: Report) => Report>>> = {
  // "Stopped" is said as soon as it is wanted, not when it is verified.
  'verified-stop': (report) => ({
    ...report,
    groups: report.groups.map((group) =>
      group.desired === 'active'
        ? group
        : { ...group, runs: 0, inactive: true, stopped: Math.max(group.stopped, group.runs) },
    ),
  }),
};

const STORES: Readonly<Partial<Record<Break, (restored: Restored, kernelLife: LifeId) => Restored>>> = {
  // A reboot voids nothing.
  'boot-void': (restored, kernelLife) => ({ ...restored, kernelLife }),
};

const FACTS: Readonly<Partial<Record<Break, (fact: GuardFact) => GuardFact | null>>> = {
  'boot-void': (fact) =>
    fact.type === 'guard.hello'
      ? { ...fact, fresh: false, holding: true, lost: false, deadline: Number.POSITIVE_INFINITY }
      : fact,
  'lost-told': (fact) => (fact.type === 'guard.lost' ? null : fact),
};

/** Applies those of a table whose breaks are on. */
function applied<F>(table: Readonly<Partial<Record<Break, F>>>, breaks: ReadonlySet<string>): F[] {
  return Object.entries(table).flatMap(([name, spoil]) => (breaks.has(name) ? [spoil as F] : []));
}

export class Sabotage {
  readonly #frames: readonly FrameSpoiler[];
  readonly #reports: readonly ((report: Report) => Report)[];
  readonly #stores: readonly ((restored: Restored, kernelLife: LifeId) => Restored)[];
  readonly #facts: readonly ((fact: GuardFact) => GuardFact | null)[];

  constructor(breaks: ReadonlySet<string>) {
    this.#frames = applied(FRAMES, breaks);
    this.#reports = applied(REPORTS, breaks);
    this.#stores = applied(STORES, breaks);
    this.#facts = applied(FACTS, breaks);
  }

  frame(frame: Frame, receiver: () => Receiver): Frame {
    if (this.#frames.length === 0) return frame;
    const to = receiver();
    let { header } = frame;
    for (const spoil of this.#frames) header = { ...header, ...spoil(header, to) };
    return { ...frame, header };
  }

  report(effect: ReportEffect): ReportEffect {
    if (this.#reports.length === 0) return effect;
    return { ...effect, report: this.#reports.reduce((report, spoil) => spoil(report), effect.report) };
  }

  restored(restored: Restored, kernelLife: LifeId): Restored {
    return this.#stores.reduce((store, spoil) => spoil(store, kernelLife), restored);
  }

  /** null = it is not told. */
  fact(fact: GuardFact): GuardFact | null {
    return this.#facts.reduce<GuardFact | null>((told, spoil) => (told === null ? null : spoil(told)), fact);
  }
}
