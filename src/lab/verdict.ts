/** The last line of a program with a rack, and its exit code. */
import { availableParallelism, loadavg } from 'node:os';

export interface Verdict {
  /** JSON. */
  readonly line: string;
  readonly code: 0 | 1;
}

/** Load average of the last minute, when the program began and now: the greater one is what it had to live with. */
const loadAtBegin = loadavg()[0] ?? 0;
const isBroken = (value: number, bound: number): boolean => !(value <= bound);
/** What takes longer on a busy machine, by name. Two active nodes are no matter of load. */
const isTime = (name: string): boolean => name.endsWith('_ms') && name !== 'both_active_ms';

/** The figures as they are; a `reason` after them where one is above its bound, or where there are no others. */
export function judged(
  figures: Readonly<Record<string, number | string>>,
  bounds: Readonly<Record<string, number>> | Error,
  load: number = Math.max(loadAtBegin, loadavg()[0] ?? 0),
): Verdict {
  const { line, code } =
    bounds instanceof Error
      ? failure('lab', bounds, {}, load)
      : verdictOn('lab', figures as Record<string, number>, bounds, {}, load);
  if (code === 0) return { line: JSON.stringify(figures), code };
  const { reason } = JSON.parse(line) as { readonly reason: string };
  return { line: JSON.stringify({ ...figures, reason }), code };
}

/** `figures`: each is fine up to its bound. `more` ends the line. */
export function verdictOn(
  program: string,
  figures: Readonly<Record<string, number>>,
  bounds: Readonly<Record<string, number>>,
  more: object = {},
  load: number = Math.max(loadAtBegin, loadavg()[0] ?? 0),
): Verdict {
  const broken = Object.entries(bounds).filter(([name, bound]) =>
    isBroken(figures[name] ?? Number.NaN, bound),
  );
  if (broken.length === 0) return { line: JSON.stringify({ [program]: 'ok', ...figures, ...more }), code: 0 };
  const words = broken.map(([name, bound]) => `${name} is above ${bound}`).join(', ');
  const reason = broken.some(([name]) => isTime(name)) ? `${words} (${busyness(load)})` : words;
  return { line: JSON.stringify({ [program]: 'failed', ...figures, reason, ...more }), code: 1 };
}

/** There are no figures. */
export function failure(
  program: string,
  { message }: Error,
  more: object = {},
  load: number = Math.max(loadAtBegin, loadavg()[0] ?? 0),
): Verdict {
  const reason = message.startsWith('not within') ? `${message} (${busyness(load)})` : message;
  return { line: JSON.stringify({ [program]: 'failed', reason, ...more }), code: 1 };
}

function busyness(load: number): string {
  const cores = availableParallelism();
  const words = `load average ${load.toFixed(1)} on ${cores} cores`;
  return load > cores ? `${words}: this machine was busy with other work too` : words;
}
