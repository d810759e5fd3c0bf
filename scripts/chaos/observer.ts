/**
 * Who was active when, by what services and neighbours show: stamps of a service's own process, and answers for the floating
 * address. It knows nothing of what the nodes believe.
 */
import { type AnswerLog, doubleAnswers } from '../../src/lab/answers.ts';
import { monotonicMs } from '../../src/lab/machine.ts';
import { type ActiveRun, overlaps } from '../../src/lab/stamps.ts';
import type { Witness } from '../../src/lab/witness.ts';
import { type Double, merged } from './report.ts';

/** The last service of the group: it stamps when all others are active. */
const LAST = 'lab-worker';
/** A living process has stamped within this, on a machine that is not overloaded. */
const FRESH_MS = 300;
/** Nobody can move the address there and back within this. */
const RETURN_MS = 100;

export class Observer {
  readonly #witness: Witness;
  readonly #answers: AnswerLog;

  constructor(witness: Witness, answers: AnswerLog) {
    this.#witness = witness;
    this.#answers = answers;
  }

  /** Nodes on which the group was active just now. */
  active(): string[] {
    const sinceMs = monotonicMs() - FRESH_MS;
    return [
      ...new Set(
        this.#runs()
          .filter(({ lastMs }) => lastMs >= sinceMs)
          .map(({ node }) => node),
      ),
    ];
  }

  /** The only node with an activity since then, the address and the web server; null = there is none, or more than one. */
  wholeOn(sinceMs: number): string | null {
    const answers = this.#answers.look();
    const [node, another] = this.active();
    if (node === undefined || another !== undefined) return null;
    const answered = answers.answeredAt(node, sinceMs);
    return answered !== null && answers.acceptedAt(answered) !== null ? node : null;
  }

  /** What stamps on the node from now on is another life: its processes lost power, or were all stopped. */
  interrupted(node: string): void {
    this.#witness.restarted(node);
  }

  doubles(): Double[] {
    const stamps = overlaps(this.#runs()).map((found) => ({ ...found, seenBy: ['stamps'] as const }));
    const answers = doubleAnswers(this.#answers.look().tenures, RETURN_MS);
    return merged([...stamps, ...answers.map((found) => ({ ...found, seenBy: ['neighbour'] as const }))]);
  }

  /** Times without an active node since then. */
  gaps(sinceMs = 0): { fromMs: number; durationMs: number }[] {
    const found: { fromMs: number; durationMs: number }[] = [];
    let untilMs = Number.NaN;
    for (const { firstMs, lastMs } of this.#runs().toSorted((a, b) => a.firstMs - b.firstMs)) {
      if (firstMs > untilMs && firstMs >= sinceMs)
        found.push({ fromMs: untilMs, durationMs: firstMs - untilMs });
      untilMs = Math.max(untilMs || 0, lastMs);
    }
    return found;
  }

  /** Lines that can not be read: with such ones nothing can be judged. */
  get damaged(): number {
    return this.#witness.log.damaged + this.#answers.damaged;
  }

  get questions(): { readonly count: number; readonly widestMs: number } {
    return this.#answers.asked;
  }

  #runs(): readonly ActiveRun[] {
    return this.#witness.look().runs.filter(({ service }) => service === LAST);
  }
}
