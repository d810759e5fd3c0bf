/**
 * When each of two nodes that can shoot each other may do so (docs/SAFETY.md, rule 16). A node announces in its report how
 * long its shots take at most, and holds to that: none begins that could end later. So the other one, if it has less to
 * lose, knows how long to wait without knowing what the devices need. Pure.
 */

import type { FenceDeviceDefinition } from '../definitions/arbiter-model.ts';
import { STATE } from '../kernel/state.ts';
import { fencingLimitMs } from './fence.ts';
import type { FenceAudits } from './fence-audits.ts';

/** What one device gets of the time of a window, ms. */
export interface ShotBudget {
  readonly device: string;
  /** For the reading before the shot. */
  readonly readMs: number;
  /** From the order to the end of its power. */
  readonly offMs: number;
}

/** On the clock of `sm` and `sm-arbiter`, CLOCK_MONOTONIC; a late message is late, and moves nothing. */
export interface ShotWindow {
  /** No shot begins earlier. */
  readonly from: number;
  /** Every shot is over. */
  readonly until: number;
  readonly budgets: readonly ShotBudget[];
}

/** A machine may be busier when it matters than it was at an audit: it starts an agent, and everything else fails over. */
const READ_FACTOR = 2;
const READ_SPARE_MS = 200;
/** A device may be slower than the one time that it was seen to switch off. */
const OFF_FACTOR = 3;
const OFF_SPARE_MS = 2000;
/** Announced in steps, so that reports do not change with every audit. */
const STEP_MS = 100;

/** By the slowest reading of an audit, and the slowest fencing that was verified; by the limits where there was none. */
export function shotBudget(
  { name: device, statusLimitMs, offLimitMs }: FenceDeviceDefinition,
  readMs: number | null,
  offMs: number | null,
): ShotBudget {
  return {
    device,
    readMs: readMs === null ? statusLimitMs : Math.min(statusLimitMs, READ_FACTOR * readMs + READ_SPARE_MS),
    offMs:
      offMs === null ? offLimitMs : Math.min(offLimitMs, Math.max(OFF_FACTOR * offMs, offMs + OFF_SPARE_MS)),
  };
}

type Levels = readonly (readonly FenceDeviceDefinition[])[];

/** The shots of all levels: every one but the last may fail first, its readings after the shot included. 0 = no device. */
export function shotsMs(levels: Levels, gapMs: number, budgets: readonly ShotBudget[]): number {
  const of = new Map(budgets.map((budget) => [budget.device, budget]));
  const timed = levels.map((level) =>
    level.map((device) => {
      const { readMs, offMs } = of.get(device.name) ?? shotBudget(device, null, null);
      return { ...device, statusLimitMs: readMs, offLimitMs: offMs };
    }),
  );
  const last = timed.at(-1);
  if (last === undefined) return 0;
  const readMs = Math.max(...last.map(({ statusLimitMs }) => statusLimitMs));
  const offMs = Math.max(...last.map(({ offLimitMs }) => offLimitMs));
  const wholeMs = fencingLimitMs({ levels: timed.slice(0, -1), gapMs }) + readMs + offMs;
  return Math.ceil(wholeMs / STEP_MS) * STEP_MS;
}

/** The times of two nodes that can shoot each other. Equal on both, as far as each knows what the other one announced. */
export interface Rounds {
  /** When this node began to count. */
  readonly base: number;
  /** How long it waits in each round for the other one; 0 = it is the first. */
  readonly delayMs: number;
  /** What it has announced. */
  readonly ownMs: number;
  /** From round to round: both had their time, and nobody is in the other's by what they disagree on when it began. */
  readonly roundMs: number;
}

/** The next time for a shot that needs so long; `now` may be in it. */
export function nextWindow(
  { base, delayMs, ownMs, roundMs }: Rounds,
  needsMs: number,
  now: number,
): Pick<ShotWindow, 'from' | 'until'> {
  const passed = Math.max(0, now + needsMs - base - delayMs - ownMs);
  const from = base + Math.ceil(passed / roundMs) * roundMs + delayMs;
  return { from, until: from + ownMs };
}

/**
 * How long the slowest fencing with each device took from the order to the first reading that said off. Of a device as it
 * is defined: another address or agent is another one.
 */
export class OffTimes {
  readonly #times: Map<string, { readonly of: string; readonly offMs: number }>;

  get [STATE]() {
    return {
      times: this.#times,
    };
  }

  /** `text`: what an earlier process has stored; what is none counts as nothing. */
  constructor(text: string) {
    this.#times = new Map(readTimes(text));
  }

  msOf(device: FenceDeviceDefinition): number | null {
    const known = this.#times.get(device.name);
    return known?.of === identityOf(device) ? known.offMs : null;
  }

  /** True if that is news. */
  note(device: FenceDeviceDefinition, offMs: number): boolean {
    if (offMs <= (this.msOf(device) ?? -1)) return false;
    this.#times.set(device.name, { of: identityOf(device), offMs: Math.ceil(offMs) });
    return true;
  }

  get text(): string {
    return JSON.stringify([...this.#times]);
  }
}

function identityOf({ agent, parameters }: FenceDeviceDefinition): string {
  return [agent, ...parameters.map(([name, value]) => `${name}=${value}`)].join(' ');
}

type Stored = [device: string, time: { of: string; offMs: number }];

function readTimes(text: string): Stored[] {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  return Array.isArray(value) ? value.filter(isStored) : [];
}

function isStored(entry: unknown): entry is Stored {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false;
  const { of, offMs } = (entry[1] ?? {}) as { of?: unknown; offMs?: unknown };
  return typeof of === 'string' && typeof offMs === 'number' && offMs >= 0 && offMs <= 600_000;
}

/** What each device of these levels gets, by what is known of it. */
export function budgetsOf(levels: Levels, audits: FenceAudits, offTimes: OffTimes): readonly ShotBudget[] {
  return levels
    .flat()
    .map((device) => shotBudget(device, audits.slowestReadingMs(device.name), offTimes.msOf(device)));
}
