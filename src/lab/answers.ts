/**
 * The judge of who has the floating address: what a neighbour on its network was answered (scripts/lab/arp-watch). Never
 * what a node says of itself. All times are CLOCK_MONOTONIC in ms.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Overlap } from './stamps.ts';

/** Interval in which the neighbour asks. */
export const ASK_INTERVAL_MS = 10;

/** Answers of one node without one of another node between them. */
export interface Tenure {
  readonly node: string;
  readonly firstMs: number;
  readonly lastMs: number;
}

interface OpenTenure extends Tenure {
  lastMs: number;
}

const LINE = /^(\d+) (ask|tcp|arp ([0-9a-f:]{17}))$/;
const STRANGER = 'a stranger';

export class AnswerLog {
  readonly #file: string;
  /** Nodes by hardware address. */
  readonly #owners: ReadonlyMap<string, string>;
  readonly #tenures: OpenTenure[] = [];
  readonly #accepted: number[] = [];
  #read = 0;
  #rest = '';
  #asked = { count: 0, lastMs: Number.NaN, widestMs: 0 };
  #damaged = 0;

  constructor(file: string, owners: ReadonlyMap<string, string>) {
    this.#file = file;
    this.#owners = owners;
  }

  get tenures(): readonly Tenure[] {
    return this.#tenures;
  }

  /** Lines that are none of arp-watch's. A judgement with such lines is none. */
  get damaged(): number {
    return this.#damaged;
  }

  /** How often it was asked, and the longest time in which it was not. */
  get asked(): { readonly count: number; readonly widestMs: number } {
    return this.#asked;
  }

  /** First answer of the node since then; null = none yet. */
  answeredAt(node: string, sinceMs: number): number | null {
    const found = this.#tenures.find((tenure) => tenure.node === node && tenure.lastMs >= sinceMs);
    return found === undefined ? null : Math.max(found.firstMs, sinceMs);
  }

  /** First connection to the address since then that somebody accepted; null = none yet. */
  acceptedAt(sinceMs: number): number | null {
    return this.#accepted.find((atMs) => atMs >= sinceMs) ?? null;
  }

  /** Reads what is new. */
  look(): this {
    if (!existsSync(this.#file)) return this;
    const file = openSync(this.#file, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#read));
      const count = readSync(file, bytes, 0, bytes.length, this.#read);
      this.#read += count;
      this.add(bytes.toString('latin1', 0, count));
    } finally {
      closeSync(file);
    }
    return this;
  }

  /** `text`: what came to the end of the file, in pieces of any size. */
  add(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    const [, ns, word, mac] = LINE.exec(line) ?? [];
    if (ns === undefined) {
      this.#damaged += 1;
      return;
    }
    const atMs = Number(ns) / 1e6;
    if (word === 'tcp') this.#accepted.push(atMs);
    else if (mac !== undefined) this.#answer(this.#owners.get(mac) ?? STRANGER, atMs);
    else {
      const widestMs = Math.max(this.#asked.widestMs, atMs - this.#asked.lastMs || 0);
      this.#asked = { count: this.#asked.count + 1, lastMs: atMs, widestMs };
    }
  }

  #answer(node: string, atMs: number): void {
    const last = this.#tenures.at(-1);
    if (last?.node === node) last.lastMs = atMs;
    else this.#tenures.push({ node, firstMs: atMs, lastMs: atMs });
  }
}

/**
 * Where two nodes answered for the address at once: a node's answer comes within one interval after another's, or its
 * answers resume after another's within `returnMs`, so that both had it all the time. A planned move takes longer than
 * the one, and nobody can move it there and back within the other.
 */
export function doubleAnswers(tenures: readonly Tenure[], returnMs: number): Overlap[] {
  const found: Overlap[] = [];
  for (const [i, tenure] of tenures.entries()) {
    const next = tenures[i + 1];
    if (next === undefined) break;
    const nodes = [tenure.node, next.node].sort() as [string, string];
    const gapMs = next.firstMs - tenure.lastMs;
    const resumed = tenures[i + 2];
    const isReturn = resumed?.node === tenure.node && resumed.firstMs - tenure.lastMs < returnMs;
    if (gapMs >= ASK_INTERVAL_MS && !isReturn) continue;
    const untilMs = isReturn ? resumed.firstMs : next.firstMs;
    found.push({
      nodes,
      fromMs: tenure.lastMs,
      durationMs: Math.max(untilMs - tenure.lastMs, ASK_INTERVAL_MS),
    });
  }
  return found;
}
