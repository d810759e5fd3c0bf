/**
 * Keeps V8 from compiling for speed what runs often for a moment only. A switch-over is over in less than a second, and much of
 * its code runs some hundred times: to optimize that takes V8's threads a quarter of all that a node's daemons cost then, on the cores
 * that the scripts need, and is seldom over in time to be of use. What runs all day is optimized all the same.
 */
import { setFlagsFromString } from 'node:v8';
import type { Time } from './ports.ts';

/**
 * How many times a function runs through V8's budget before it is optimized, and the bytes of those for which once is enough:
 * as Node 20 has it, and while groups start, stop or move. The budget itself stays: functions would keep another one after that.
 */
const FLAGS = {
  usual: '--ticks-before-optimization=3 --max-bytecode-size-for-early-opt=81',
  late: '--ticks-before-optimization=45 --max-bytecode-size-for-early-opt=0',
} as const;
/** Where the numbers above are V8's own: another one would be left with them, in place of its own, for good. */
export const IS_KNOWN = process.versions.v8.startsWith('11.');
/** After the last piece of work. */
const CALM_MS = 1000;

export class LateCompilation {
  readonly #time: Pick<Time, 'after'>;
  #isLate = false;
  #cancelCalm = () => {};

  constructor(time: Pick<Time, 'after'>) {
    this.#time = time;
  }

  /** For each piece of work of which an idle node has hardly any and a switch-over many: scripts that change something, reports. */
  noteWork(): void {
    this.#set(true);
    this.#cancelCalm();
    this.#cancelCalm = this.#time.after(CALM_MS, () => this.#set(false));
  }

  #set(isLate: boolean): void {
    if (this.#isLate === isLate || !IS_KNOWN) return;
    this.#isLate = isLate;
    for (const flag of FLAGS[isLate ? 'late' : 'usual'].split(' ')) setFlagsFromString(flag);
  }
}
