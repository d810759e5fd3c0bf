/** What is asked again and again of two nodes of the lab and their witness. */
import { hasEnded } from '../core/explain.ts';
import { monotonicMs } from './machine.ts';
import type { LabNode, NodeView } from './node.ts';
import type { ActiveRun } from './stamps.ts';

/** A living process has stamped within this, also on a busy machine. */
const STAMP_LATE_MS = 500;

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

/** How many of the services' lives began or ended since then, on one node or on both. */
export function changedLives(runs: readonly ActiveRun[], sinceMs: number, node?: string): number {
  const now = monotonicMs();
  const lives = runs.filter((run) => node === undefined || run.node === node);
  const begun = lives.filter(({ firstMs }) => firstMs >= sinceMs).length;
  const ended = lives.filter(({ lastMs }) => lastMs >= sinceMs && lastMs < now - STAMP_LATE_MS).length;
  return begun + ended;
}

/** A line of the history, as the control socket tells it. */
export function sentence(event: unknown): string {
  const { entity, name, from, to, reason } = event as Record<string, unknown>;
  return `${entity} ${name}: ${from} -> ${to} (${reason})`;
}
