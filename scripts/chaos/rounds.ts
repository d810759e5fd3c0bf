/** Plays rounds of faults on the site until the time is over, each followed by the pair's recovery, and keeps the account. */
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/machine.ts';
import { FAULTS } from './faults.ts';
import type { PastRound } from './report.ts';
import type { Fault, Kind, Round } from './schedule.ts';
import type { Site } from './site.ts';

/** How long the pair may take to be whole after the last fault of a round is undone. */
export const RECOVERY_LIMIT_MS = 60_000;
const LOOK_INTERVAL_MS = 50;
/** Power and service managers are looked after again in this interval, should a node end itself while it recovers. */
const HEAL_INTERVAL_MS = 3000;

export interface Play {
  readonly past: readonly PastRound[];
  /** '' = the pair was whole at the end. */
  readonly reason: string;
}

export class Rounds {
  readonly #site: Site;
  readonly #past: PastRound[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  get past(): readonly PastRound[] {
    return this.#past;
  }

  /** Begins no round after `untilMs`. Returns why the pair did not recover; '' = it did. */
  async play(rounds: Iterator<Round, unknown>, untilMs: number, stop: AbortSignal): Promise<string> {
    while (monotonicMs() < untilMs && !stop.aborted) {
      const { value } = rounds.next();
      const reason = await this.#round(value as Round);
      if (reason !== '') return reason;
    }
    return '';
  }

  /** Waits until the pair is whole. Returns the active node, or null and tells what is missing. */
  async recovered(sinceMs: number): Promise<string | null> {
    const site = this.#site;
    const end = performance.now() + RECOVERY_LIMIT_MS;
    for (let healAt = 0; performance.now() < end; await sleep(LOOK_INTERVAL_MS)) {
      if (performance.now() >= healAt) {
        await site.heal();
        healAt = performance.now() + HEAL_INTERVAL_MS;
      }
      const active = await site.whole(sinceMs);
      if (active !== null) return active;
    }
    return null;
  }

  async #round({ number, faults }: Round): Promise<string> {
    const { tell, observer } = this.#site;
    const fromMs = monotonicMs();
    const before = observer.doubles().length;
    const done: { kind: Kind; atMs: number }[] = [];
    const missed: Kind[] = [];
    tell(`round ${number}`);
    await Promise.all(faults.map((fault) => this.#fault(fault, done, missed)));
    const healedMs = monotonicMs();
    const active = await this.recovered(healedMs);
    const untilMs = monotonicMs();
    this.#past.push({ fromMs, untilMs, done, missed });
    for (const { durationMs, seenBy } of observer.doubles().slice(before))
      tell(`   TWO ACTIVE for ${Math.round(durationMs)} ms, seen by ${seenBy.join(' and ')}`);
    if (active === null) {
      const reason = `round ${number}: the pair was not whole ${RECOVERY_LIMIT_MS / 1000} s after the last fault`;
      tell(`   ${reason}`);
      return reason;
    }
    const gap = Math.max(0, ...observer.gaps(fromMs).map(({ durationMs }) => durationMs));
    tell(
      `   whole ${seconds(untilMs - healedMs)} after the last one, ${active} is active; without service for ${seconds(gap)}`,
    );
    return '';
  }

  async #fault(fault: Fault, done: { kind: Kind; atMs: number }[], missed: Kind[]): Promise<void> {
    const site = this.#site;
    await sleep(fault.afterMs);
    const target = site.controller(fault.on);
    const where = `${target.node.name} (${fault.on})`;
    const atMs = monotonicMs();
    let isDone = false;
    try {
      const found = await FAULTS[fault.kind](site, fault, target);
      if (found === null) return site.tell(`   ${fault.kind}: nothing to do it to at ${where}`);
      isDone = true;
      done.push({ kind: fault.kind, atMs });
      site.tell(`   ${fault.kind} at ${where}: ${found.words}`);
      await sleep(fault.forMs);
      await found.undo?.();
    } catch (error) {
      // A machine that loses its power in the middle of it takes its cables and processes along.
      site.tell(`   ${fault.kind} at ${where}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      if (!isDone) missed.push(fault.kind);
    }
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
