/**
 * The judge of who was active when. Its only witnesses are the stamps that the services' own processes write while they
 * live (scripts/demo/sm-stamp): never a script, a daemon or a database.
 *
 * All times are CLOCK_MONOTONIC in ms, which every process of one kernel shares, in whatever namespace it lives.
 */

/** Interval in which a living process stamps. */
export const STAMP_INTERVAL_MS = 10;

/** One unbroken active life of one process: from its first active stamp to its last one. */
export interface ActiveRun {
  readonly node: string;
  readonly service: string;
  readonly pid: number;
  readonly activation: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

interface OpenRun extends ActiveRun {
  lastMs: number;
}

const LINE = /^(\d+) \S+ (\d+) (active|standby) (\d+)$/;

/** Collects stamps as they come, in pieces of any size. */
export class StampLog {
  readonly #runs: OpenRun[] = [];
  /** By node, service, process and activation. */
  readonly #open = new Map<string, OpenRun>();
  /** Beginnings of lines that are not complete yet, by node and service. */
  readonly #rests = new Map<string, string>();
  #damaged = 0;

  get runs(): readonly ActiveRun[] {
    return this.#runs;
  }

  /** Lines that are no stamps. A judgement with such lines is none. */
  get damaged(): number {
    return this.#damaged;
  }

  /** `text`: what came to the end of the stamp file of `service` on the disk of `node`. */
  add(node: string, service: string, text: string): void {
    const source = `${node} ${service}`;
    const lines = ((this.#rests.get(source) ?? '') + text).split('\n');
    this.#rests.set(source, lines.pop() ?? '');
    for (const line of lines) this.#line(node, service, line);
  }

  /** The node lost its power: what stamps from now on is another process, whatever its number. */
  restarted(node: string): void {
    for (const key of [...this.#open.keys()]) if (key.startsWith(`${node} `)) this.#open.delete(key);
  }

  #line(node: string, service: string, line: string): void {
    const [, ns, activation, role, pid] = LINE.exec(line) ?? [];
    if (ns === undefined) {
      this.#damaged += 1;
      return;
    }
    const key = `${node} ${service} ${pid} ${activation}`;
    if (role === 'standby') {
      this.#open.delete(key);
      return;
    }
    const atMs = Number(ns) / 1e6;
    const open = this.#open.get(key);
    if (open !== undefined) {
      // A process that was not scheduled for long was alive all the time: a gap ends no run.
      open.lastMs = atMs;
      return;
    }
    const run = {
      node,
      service,
      pid: Number(pid),
      activation: Number(activation),
      firstMs: atMs,
      lastMs: atMs,
    };
    this.#open.set(key, run);
    this.#runs.push(run);
  }
}

/** A time in which two nodes were active at once. */
export interface Overlap {
  readonly nodes: readonly [string, string];
  readonly fromMs: number;
  /** At least one stamp's resolution: a single stamp amid the other's proves that both lived. */
  readonly durationMs: number;
}

interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When any service of the group was active on the node, as separate intervals in order. */
function activity(runs: readonly ActiveRun[], node: string): Interval[] {
  const merged: { fromMs: number; toMs: number }[] = [];
  const own = runs.filter((run) => run.node === node).sort((a, b) => a.firstMs - b.firstMs);
  for (const { firstMs, lastMs } of own) {
    const last = merged.at(-1);
    if (last !== undefined && firstMs <= last.toMs) last.toMs = Math.max(last.toMs, lastMs);
    else merged.push({ fromMs: firstMs, toMs: lastMs });
  }
  return merged;
}

/**
 * Where the stamps of one exclusive group interleave between two nodes, whichever of its services they are of. `runs` are
 * those of the group's services alone.
 */
export function overlaps(runs: readonly ActiveRun[]): Overlap[] {
  const nodes = [...new Set(runs.map((run) => run.node))].sort();
  const found: Overlap[] = [];
  for (const [i, a] of nodes.entries()) {
    for (const b of nodes.slice(i + 1)) {
      for (const left of activity(runs, a)) {
        for (const right of activity(runs, b)) {
          const fromMs = Math.max(left.fromMs, right.fromMs);
          const durationMs = Math.min(left.toMs, right.toMs) - fromMs;
          if (durationMs < 0) continue;
          found.push({ nodes: [a, b], fromMs, durationMs: Math.max(durationMs, STAMP_INTERVAL_MS) });
        }
      }
    }
  }
  return found;
}

/** both_active_ms: total time in which two nodes were active at once. */
export function bothActiveMs(runs: readonly ActiveRun[]): number {
  return overlaps(runs).reduce((sum, { durationMs }) => sum + durationMs, 0);
}

/**
 * When the last of `services` became active on `node` after `sinceMs`: the last of their first new stamps. null = one of
 * them has not stamped yet.
 */
export function allActiveAt(
  runs: readonly ActiveRun[],
  services: readonly string[],
  node: string,
  sinceMs: number,
): number | null {
  const firsts = services.map((service) =>
    runs
      .filter((run) => run.node === node && run.service === service && run.firstMs >= sinceMs)
      .reduce((first, { firstMs }) => Math.min(first, firstMs), Number.POSITIVE_INFINITY),
  );
  const last = Math.max(...firsts);
  return Number.isFinite(last) ? last : null;
}
