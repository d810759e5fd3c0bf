/**
 * Keeps V8 from compiling for speed what runs often for a moment only. A switch-over is over in less than a second, and much of
 * its code runs some hundred times: to optimize that takes V8's threads a quarter of all that `sm` costs then, on the cores
 * that the scripts need, and is seldom over in time to be of use. What runs all day is optimized all the same.
 */
import { setFlagsFromString } from 'node:v8';
import type { Time } from './ports.ts';

/** Bytes of bytecode that a function runs through before V8 thinks of optimizing it: as Node 20 has it, and fifteen times that. */
const INTERRUPT_BUDGET = { usual: 67_584, late: 1_000_000 } as const;
/** So many scripts are no audits: a group starts, stops, or moves. */
const SCRIPTS_MANY = 4;
/** After the last one: the other node goes on, and tells what it does. */
const CALM_MS = 1000;

export class LateCompilation {
  readonly #time: Pick<Time, 'after'>;
  #isLate = false;
  #cancelUsual = () => {};

  constructor(time: Pick<Time, 'after'>) {
    this.#time = time;
  }

  /** Tell it whenever that changes: how many scripts run or wait. */
  scripts(open: number): void {
    if (open < SCRIPTS_MANY && !this.#isLate) return;
    if (open >= SCRIPTS_MANY) this.#set(true);
    this.#cancelUsual();
    if (open === 0) this.#cancelUsual = this.#time.after(CALM_MS, () => this.#set(false));
  }

  #set(isLate: boolean): void {
    if (this.#isLate === isLate) return;
    this.#isLate = isLate;
    setFlagsFromString(`--interrupt-budget=${isLate ? INTERRUPT_BUDGET.late : INTERRUPT_BUDGET.usual}`);
  }
}
