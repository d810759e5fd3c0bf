import type { Time } from './ports.ts';

/** Longest delay that a timer of Node takes; longer ones fire at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The real clock: `process.hrtime` is CLOCK_MONOTONIC. */
export const realTime: Time = {
  now: () => Number(process.hrtime.bigint()) / 1e6,
  defer: (work) => void setImmediate(work),
  after: (delayMs, work) => {
    const timer = setTimeout(work, Math.min(delayMs, DELAY_MS_MAX));
    return () => clearTimeout(timer);
  },
};
