/**
 * The journal of the services' scripts, which is the witness of every time: no daemon is asked when something happened.
 * Each start and stop is a line that the script writes itself. Its times are the wall clock's, which bash reads without
 * another process; that this clock was not set meanwhile is checked against CLOCK_MONOTONIC.
 */
import { closeSync, openSync, readdirSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../../src/lab/machine.ts';
import { eventually } from '../../src/lab/node.ts';

const LIMIT_MS = 60_000;
/** Far below the spread of what is measured; a clock that is only slewed stays within. */
const CLOCK_STEP_MS = 5;
const CLOCK_READINGS = 5;

/** A node whose services have journal and pid files there. */
export interface Journaled {
  readonly name: string;
  readonly services: string;
}

/** One start or stop, in ms since 1970. */
export interface Entry {
  readonly node: string;
  readonly service: string;
  readonly command: 'start' | 'stop';
  readonly beginMs: number;
  readonly endMs: number;
}

export class Journal<N extends Journaled> {
  readonly nodes: readonly N[];
  /** When which node lost its power, in ms since 1970. */
  readonly #offs: { readonly node: string; readonly atMs: number }[] = [];
  readonly #clockOffsetMs = clockOffsetMs();
  readonly #read: readonly NodeJournal[];

  constructor(nodes: readonly N[]) {
    this.nodes = nodes;
    for (const { services } of nodes) writeFileSync(join(services, 'journal'), '');
    this.#read = nodes.map(({ name, services }) => new NodeJournal(name, join(services, 'journal')));
  }

  /** Call it with the moment when a node lost its power, in ms since 1970. */
  lostPower(node: N, atMs: number): void {
    // On a machine they lie in memory.
    for (const name of readdirSync(node.services))
      if (name.endsWith('.pid')) rmSync(join(node.services, name));
    this.#offs.push({ node: node.name, atMs });
  }

  entries(): Entry[] {
    return this.#read.flatMap((journal) => journal.entries());
  }

  /** Waits until each of the services was started on the node after that moment; returns when the last start had ended. */
  async allStarted(services: readonly string[], node: N, sinceMs: number): Promise<number> {
    return this.#allStarted(`${services.length} services started on ${node.name}`, services, [node], sinceMs);
  }

  /** The same on any one node. */
  async allStartedSomewhere(services: readonly string[], sinceMs: number): Promise<number> {
    return this.#allStarted(`${services.length} services started`, services, this.nodes, sinceMs);
  }

  async #allStarted(what: string, services: readonly string[], nodes: readonly N[], sinceMs: number) {
    const at = await eventually(what, LIMIT_MS, () => {
      const entries = this.entries();
      const ends = nodes.map(({ name }) => lastStart(entries, services, name, sinceMs));
      return ends.find((end) => end !== null) ?? null;
    });
    const stepMs = Math.abs(clockOffsetMs() - this.#clockOffsetMs);
    if (stepMs > CLOCK_STEP_MS)
      throw new Error(`the wall clock was set by ${stepMs.toFixed(0)} ms meanwhile`);
    return at;
  }

  /** For how long any service was active on both nodes. */
  bothActiveMs(): number {
    return bothActiveMs(this.entries(), this.#offs);
  }
}

/** Reads what is new: it is looked at every few milliseconds, on the cores on which the work is measured that it tells of. */
class NodeJournal {
  readonly #node: string;
  readonly #path: string;
  readonly #entries: Entry[] = [];
  #position = 0;

  constructor(node: string, path: string) {
    this.#node = node;
    this.#path = path;
  }

  entries(): readonly Entry[] {
    const file = openSync(this.#path, 'r');
    try {
      for (;;) {
        const read = readSync(file, buffer, 0, buffer.length, this.#position);
        // A line that is not complete yet is read again.
        const complete = buffer.subarray(0, read).lastIndexOf(0x0a) + 1;
        if (complete === 0) return this.#entries;
        this.#position += complete;
        this.#entries.push(...parseJournal(this.#node, buffer.toString('utf8', 0, complete)));
      }
    } finally {
      closeSync(file);
    }
  }
}

const buffer = Buffer.alloc(64 * 1024);

/** By how much the wall clock is ahead of CLOCK_MONOTONIC. */
function clockOffsetMs(): number {
  // Between the two readings others may have run: the reading counts that took the least time.
  const readings = Array.from({ length: CLOCK_READINGS }, () => {
    const before = monotonicMs();
    const wall = Date.now();
    const after = monotonicMs();
    return { offset: wall - (before + after) / 2, took: after - before };
  });
  return readings.reduce((best, each) => (each.took < best.took ? each : best)).offset;
}

/** Lines of scripts/bench/service. One that is not complete yet is left out. */
export function parseJournal(node: string, text: string): Entry[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [service = '', command = '', begin, end] = line.split(' ');
      const entry = { node, service, command: command as Entry['command'] };
      return { ...entry, beginMs: Number(begin) * 1000, endMs: Number(end) * 1000 };
    });
}

/** End of the last of the services' first starts on the node since then; null = one has not started. */
export function lastStart(
  entries: readonly Entry[],
  services: readonly string[],
  node: string,
  sinceMs: number,
): number | null {
  const ends = new Map<string, number>();
  for (const entry of entries) {
    if (entry.node !== node || entry.command !== 'start' || entry.endMs < sinceMs) continue;
    if (!ends.has(entry.service)) ends.set(entry.service, entry.endMs);
  }
  return services.every((name) => ends.has(name)) ? Math.max(...ends.values()) : null;
}

/** For how long any service was active on two nodes: from the begin of a start to the end of the stop or of the power. */
export function bothActiveMs(
  entries: readonly Entry[],
  offs: readonly { readonly node: string; readonly atMs: number }[],
): number {
  const lives = livesOf(entries, offs);
  let both = 0;
  for (const a of lives) {
    for (const b of lives) {
      if (a.service !== b.service || a.node >= b.node) continue;
      both += Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));
    }
  }
  return both;
}

function livesOf(
  entries: readonly Entry[],
  offs: readonly { readonly node: string; readonly atMs: number }[],
) {
  return entries
    .filter(({ command }) => command === 'start')
    .map(({ node, service, beginMs }) => {
      const stop = entries.find(
        (entry) =>
          entry.node === node &&
          entry.service === service &&
          entry.command === 'stop' &&
          entry.endMs > beginMs,
      );
      const off = offs.find((each) => each.node === node && each.atMs > beginMs);
      const toMs = Math.min(stop?.endMs ?? Number.POSITIVE_INFINITY, off?.atMs ?? Number.POSITIVE_INFINITY);
      return { service, node, fromMs: beginMs, toMs };
    });
}
