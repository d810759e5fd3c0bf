/**
 * What sm-watchdog keeps outside of itself while its node holds something: one file in the run directory, on a memory file
 * system, so that the kernel has it as long as it has what services hold. Whoever is started after both processes died goes on
 * from it, as from the copy of a living `sm` (docs/SAFETY.md, rule 10).
 *
 * The first STATE_BYTES are the permission, written over at each renewal by one pwrite. Below it stands whose it is, and then
 * one line for each change of the kill list and of the peer's lives.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { KillEntry, PermissionProof, Remains } from '../../core/guard/interface.ts';
import type { AnnouncedTimes, OwnTimes } from '../../core/guard/times.ts';
import { same } from '../../core/kernel/same.ts';
import type { LifeId } from '../../core/link/types.ts';
import type { Config } from '../config.ts';
import { toJson } from '../json.ts';
import { type KnownLives, NO_LIVES } from '../pair/messages.ts';
import type { Log } from '../ports.ts';

export function remainsPath(runDirectory: string): string {
  return join(runDirectory, 'remains');
}

const VERSION = 1;
/** With its end of line. The longest is half of it. */
const STATE_BYTES = 1024;
/** Below this nothing is written anew only because much of it is out of date. */
const REWRITE_BYTES_MIN = 256 * 1024;
const READ_BYTES_MAX = 16 * 1024 * 1024;

const UNKEPT =
  'what a successor needs if both processes die can not be kept, everything would be stopped then: make room in the run directory';

/** Whose it is, and what has to be known before anything else is read. */
export interface RemainsOwner {
  /** Absolute path of the configuration with which the node was started. */
  readonly config: string;
  readonly kernelLifeFile: string;
  readonly kernelLife: LifeId;
  readonly selfFence: Config['selfFence'];
  readonly stopGraceMs: number;
  readonly killVerifyMs: number;
}

/** Times are CLOCK_MONOTONIC, ms. */
export interface Kept extends Omit<Remains, 'entries'> {
  /** How far /proc/uptime, which counts suspensions, is ahead of that clock; null = it can not be read. */
  readonly aheadMs: number | null;
}

export interface Found extends Kept {
  readonly runDirectory: string;
  readonly owner: RemainsOwner;
  readonly entries: readonly KillEntry[];
  readonly lives: KnownLives;
}

type Change = { readonly add: KillEntry } | { readonly remove: string } | { readonly lives: KnownLives };

/** The writer. What can not be written is not there: a file that is out of date would be believed. */
export class RemainsFile {
  readonly #path: string;
  readonly #owner: RemainsOwner;
  readonly #log: Log;
  readonly #entries = new Map<string, KillEntry>();
  #lives: KnownLives = NO_LIVES;
  #file: number | null = null;
  #written: Omit<Kept, 'aheadMs'> | null = null;
  #bytes = 0;
  #bytesWhenNew = 0;
  /** Of this process, or of one before it. */
  #mayBeThere = true;
  #isBroken = false;

  constructor(runDirectory: string, owner: RemainsOwner, log: Log) {
    this.#path = remainsPath(runDirectory);
    this.#owner = owner;
    this.#log = log;
  }

  add(entry: KillEntry): void {
    this.#entries.set(entry.service, entry);
    this.#append({ add: entry });
  }

  remove(service: string): void {
    if (this.#entries.delete(service)) this.#append({ remove: service });
  }

  /** Nothing is held any more: what was listed counts no longer. */
  clear(): void {
    this.#entries.clear();
    this.#close();
  }

  lives(lives: KnownLives): void {
    this.#lives = lives;
    this.#append({ lives });
  }

  /** Returns when it is with the kernel. `aheadMs` is asked for only if something has changed. null = nothing remains. */
  keep(remains: Omit<Kept, 'aheadMs'> | null, aheadMs: () => number | null): void {
    if (remains === null) {
      if (this.#mayBeThere) this.forget();
      return;
    }
    const { deadline, proof, lost } = remains;
    const state = { deadline, proof, lost };
    if (same(state, this.#written)) return;
    this.#try(() => {
      const line = stateLine({ ...state, aheadMs: aheadMs() });
      if (this.#file === null) this.#write(line);
      else writeWhole(this.#file, line, 0);
      this.#written = state;
    });
  }

  /** The node has ended itself, or in order. */
  forget(): void {
    this.#close();
    this.#mayBeThere = false;
    try {
      unlinkSync(this.#path);
    } catch {
      // There is none.
    }
  }

  /** Whole or not at all. */
  #write(state: Buffer): void {
    const lines = [
      { version: VERSION, ...this.#owner },
      { lives: this.#lives },
      ...[...this.#entries.values()].map((entry) => ({ add: entry })),
    ];
    const text = Buffer.concat([state, Buffer.from(lines.map((line) => `${toJson(line)}\n`).join(''))]);
    const { O_CREAT, O_TRUNC, O_WRONLY, O_NOFOLLOW } = constants;
    this.#close();
    this.#file = openSync(`${this.#path}.new`, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW, 0o600);
    writeWhole(this.#file, text, 0);
    renameSync(`${this.#path}.new`, this.#path);
    this.#mayBeThere = true;
    this.#bytes = text.length;
    this.#bytesWhenNew = text.length;
  }

  #append(change: Change): void {
    const file = this.#file;
    if (file === null) return;
    this.#try(() => {
      const line = Buffer.from(`${toJson(change)}\n`);
      writeWhole(file, line, this.#bytes);
      this.#bytes += line.length;
      // Written anew with the next permission, which is a fraction of a second away.
      if (this.#bytes > Math.max(REWRITE_BYTES_MIN, 4 * this.#bytesWhenNew)) this.#close();
    });
  }

  #try(work: () => void): void {
    try {
      work();
      this.#isBroken = false;
    } catch (error) {
      this.forget();
      if (this.#isBroken) return;
      this.#isBroken = true;
      const detail = error instanceof Error ? error.message : String(error);
      this.#log.error({ path: this.#path, detail }, UNKEPT);
    }
  }

  #close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    this.#written = null;
  }
}

/** A file system without room takes a part, and says so only by the number. */
function writeWhole(file: number, bytes: Buffer, at: number): void {
  const written = writeSync(file, bytes, 0, bytes.length, at);
  if (written < bytes.length) throw new Error(`${written} of ${bytes.length} bytes were written`);
}

function stateLine(kept: Kept): Buffer {
  const text = toJson(kept);
  if (text.length >= STATE_BYTES) throw new Error(`a permission of ${text.length} bytes`);
  return Buffer.from(`${text.padEnd(STATE_BYTES - 1)}\n`, 'latin1');
}

/** null = nothing is there that could be gone on with. */
export function readRemains(runDirectory: string): Found | null {
  const text = readPlainFile(remainsPath(runDirectory));
  if (text === null) return null;
  const [state, owner, ...changes] = text.split('\n').map(objectOf);
  if (!isKept(state) || !isOwner(owner)) return null;
  const entries = new Map<string, KillEntry>();
  let lives = NO_LIVES;
  // A line that is not whole was being written: what it says had not been answered yet.
  for (const change of changes) {
    if (change === null) continue;
    if (isEntry(change.add)) entries.set(change.add.service, change.add);
    else if (typeof change.remove === 'string') entries.delete(change.remove);
    else if (areLives(change.lives)) lives = change.lives;
  }
  return { ...state, runDirectory, owner, entries: [...entries.values()], lives };
}

/** null = it is not there, is no plain file, or larger than any that was written here. */
function readPlainFile(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const found = fstatSync(file);
    return found.isFile() && found.size <= READ_BYTES_MAX ? readFileSync(file, 'utf8') : null;
  } catch {
    return null;
  } finally {
    closeSync(file);
  }
}

const OWN_TIMES: readonly (keyof OwnTimes)[] = [
  'helloIntervalMs',
  'deadIntervalMs',
  'stopBoundMs',
  'stopGraceMs',
  'killVerifyMs',
  'linkDownDetectMs',
];

type Fields = Readonly<Record<string, unknown>>;

function objectOf(line: string): Fields | null {
  try {
    const value: unknown = JSON.parse(line);
    return fieldsOf(value);
  } catch {
    return null;
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null ? (value as Fields) : null;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);
const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

function isKept(fields: unknown): fields is Kept {
  const { deadline, proof, lost, aheadMs } = fieldsOf(fields) ?? {};
  return (
    isNumber(deadline) &&
    typeof lost === 'boolean' &&
    (aheadMs === null || isNumber(aheadMs)) &&
    isProof(proof)
  );
}

function isProof(fields: unknown): fields is PermissionProof {
  const { deadline, links, sole, announced } = fieldsOf(fields) ?? {};
  return (
    isNumber(deadline) &&
    areTexts(links) &&
    (sole === undefined || typeof sole === 'boolean') &&
    (announced === undefined || areAnnounced(announced))
  );
}

function areAnnounced(fields: unknown): fields is AnnouncedTimes {
  const { peer, own } = fieldsOf(fields) ?? {};
  const { permissionMs, stopBoundMs } = fieldsOf(peer) ?? {};
  const times = fieldsOf(own) ?? {};
  return [permissionMs, stopBoundMs, ...OWN_TIMES.map((name) => times[name])].every(isNumber);
}

function isOwner(fields: unknown): fields is RemainsOwner {
  const { version, config, kernelLifeFile, kernelLife, selfFence, stopGraceMs, killVerifyMs } =
    fieldsOf(fields) ?? {};
  return (
    version === VERSION &&
    areTexts([config, kernelLifeFile, kernelLife, selfFence]) &&
    isNumber(stopGraceMs) &&
    isNumber(killVerifyMs)
  );
}

function isEntry(fields: unknown): fields is KillEntry {
  const { service, cgroup, pidFile, marker, kernelState, enabledAt } = fieldsOf(fields) ?? {};
  return (
    areTexts([service, pidFile, marker]) &&
    (cgroup === null || typeof cgroup === 'string') &&
    typeof kernelState === 'boolean' &&
    (enabledAt === null || isNumber(enabledAt))
  );
}

function areLives(fields: unknown): fields is KnownLives {
  const { own, peer } = fieldsOf(fields) ?? {};
  const { ended, current } = fieldsOf(peer) ?? {};
  const { life, sequence } = fieldsOf(current) ?? {};
  const isKnown = current === null || (typeof life === 'string' && isNumber(sequence));
  return areTexts(own) && areTexts(ended) && isKnown;
}
