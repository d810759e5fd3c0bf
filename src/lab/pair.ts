/** What is asked again and again of two nodes of the lab and their witness. */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded } from '../core/explain.ts';
import { monotonicMs } from './machine.ts';
import type { LabNode, NodeView } from './node.ts';
import type { ActiveRun } from './stamps.ts';

/** A living process has stamped within this, also on a busy machine. */
const STAMP_LATE_MS = 500;
/** A machine that lets a process wait for longer than this is none to judge on. */
const LOOKS_MAX = 5;

/** Waits until both nodes know each other, are where they should be, and no script runs any more. */
export async function settled(
  active: LabNode,
  standby: LabNode,
  group: string,
  limitMs: number,
): Promise<NodeView> {
  const isIn = (state: string) => (view: NodeView) =>
    view.peer?.exchanged === true &&
    view.groups.some(({ name, state: found }) => name === group && found === state) &&
    view.services.every(({ running, wait }) => running === null && wait === null) &&
    view.operations.every(({ step }) => hasEnded(step));
  await standby.until(`${group} is standby`, limitMs, isIn('standby'));
  return active.until(`${group} is active`, limitMs, isIn('active'));
}

/**
 * How many of the services' lives began or ended since then, on one node or on both. A life that ended stays so; a process
 * that the machine let wait stamps again: it is looked again before an end is believed. `look` reads what is new.
 */
export async function changesSince(
  look: () => readonly ActiveRun[],
  sinceMs: number,
  node?: string,
): Promise<number> {
  for (let looks = 1; ; looks += 1) {
    const changes = changedLives(look(), sinceMs, node);
    if (changes === 0 || looks === LOOKS_MAX) return changes;
    await sleep(STAMP_LATE_MS);
  }
}

/** The same at one moment. */
export function changedLives(
  runs: readonly ActiveRun[],
  sinceMs: number,
  node?: string,
  nowMs: number = monotonicMs(),
): number {
  const lives = runs.filter((run) => node === undefined || run.node === node);
  const begun = lives.filter(({ firstMs }) => firstMs >= sinceMs).length;
  const ended = lives.filter(({ lastMs }) => lastMs >= sinceMs && lastMs < nowMs - STAMP_LATE_MS).length;
  return begun + ended;
}

/** A line of the history, as the control socket tells it. */
export function sentence(event: unknown): string {
  const { entity, name, from, to, reason } = event as Record<string, unknown>;
  return `${entity} ${name}: ${from} -> ${to} (${reason})`;
}
