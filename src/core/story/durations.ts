/** How long scripts have taken, from the history: each success of an action names its time. */
import type { ServiceAction } from '../kernel/names.ts';

/** By `service action`: the median, ms. */
export type ScriptTimes = ReadonlyMap<string, number>;

const SUCCESS = /^([a-z-]+) success after (\d+) ms/;

export function scriptTimes(
  events: readonly { readonly entity: string; readonly name: string; readonly reason: string }[],
): ScriptTimes {
  const found = new Map<string, number[]>();
  for (const { entity, name, reason } of events) {
    const match = entity === 'service' ? SUCCESS.exec(reason) : null;
    if (match === null) continue;
    const key = keyOf(name, match[1] as ServiceAction);
    found.set(key, [...(found.get(key) ?? []), Number(match[2])]);
  }
  return new Map([...found].map(([key, times]) => [key, median(times)]));
}

export function keyOf(service: string, action: ServiceAction): string {
  return `${service} ${action}`;
}

/** @throws RangeError of an empty list. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('nothing has no median');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}
