/** A trace for people: one line per thing that happened, true time in seconds first. */
import type { Tracer } from './world.ts';

export function traceLine(...[atMs, node, kind, text]: Parameters<Tracer>): string {
  return `${(atMs / 1000).toFixed(3).padStart(8)} ${node.padEnd(12)} ${kind.padEnd(8)} ${text}`;
}
