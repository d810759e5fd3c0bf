/**
 * The record of a domain and the stamps of its nodes, as text: JSON with fixed keys, because people look at it with the
 * arbiter's own tools. Whatever is read may have been written by anybody. Source: docs/reference/arbiters.md.
 */
import { LIMITS } from '../kernel/limits.ts';
import type { LifeId } from '../link/types.ts';
import type { RecordedGroup } from './interface.ts';

export const RECORD_VERSION = 1;
/** The oldest version whose readers understand what is written here. */
export const RECORD_VERSION_MIN = 1;

/** `leased`: a quiet holder may be replaced by time. `sole`: only on proof of its death. */
export const RECORD_MODES = ['leased', 'sole'] as const;
export type RecordMode = (typeof RECORD_MODES)[number];

export interface DomainRecord {
  readonly number: number;
  readonly leader: string;
  readonly mode: RecordMode;
  readonly groups: readonly RecordedGroup[];
  /** Never used twice. */
  readonly nonce: string;
  /** The register that it was written to. */
  readonly register: string;
}

export interface Stamp {
  readonly kernelLife: LifeId;
  readonly nonce: string;
  /** P and S of the node that stamps (rule 4). */
  readonly permissionMs: number;
  readonly stopBoundMs: number;
}

/** What a node writes into its sector of a disk: its stamp, what it claims, and its part of the record. */
export interface Sector extends Stamp {
  readonly node: string;
  readonly number: number;
  readonly mode: RecordMode;
  /** The number under which it asks to replace the other; 0 = it does not. */
  readonly claim: number;
  readonly holds: readonly { readonly group: string; readonly activation: number }[];
}

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Longest text that is looked at: 4 KiB is a disk's largest sector. */
export const RECORD_CHARACTERS_MAX = 256 * 1024;
export const SECTOR_CHARACTERS_MAX = 3500;
const GROUPS_MAX = 4096;

export function recordText(record: DomainRecord): string {
  const { number, leader, mode, groups, nonce, register } = record;
  return JSON.stringify({ ...VERSIONS, number, leader, mode, groups, nonce, register });
}

export function stampText({ kernelLife, nonce, permissionMs, stopBoundMs }: Stamp): string {
  return JSON.stringify({ ...VERSIONS, kernelLife, nonce, permissionMs, stopBoundMs });
}

export function sectorText(sector: Sector): string {
  const { node, kernelLife, nonce, permissionMs, stopBoundMs, number, mode, claim, holds } = sector;
  const head = { ...VERSIONS, node, kernelLife, nonce, permissionMs, stopBoundMs, number, mode, claim };
  return JSON.stringify({ ...head, holds });
}

const VERSIONS = { version: RECORD_VERSION, readableBy: RECORD_VERSION_MIN } as const;

export function readRecord(text: string): Read<DomainRecord> {
  return read(text, RECORD_CHARACTERS_MAX, (fields) => ({
    number: fields.count('number'),
    leader: fields.name('leader'),
    mode: fields.word('mode', RECORD_MODES),
    groups: fields.list('groups', (each) => ({
      group: each.name('group'),
      holder: each.nameOrNone('holder'),
      activation: each.count('activation'),
    })),
    nonce: fields.id('nonce'),
    register: fields.id('register'),
  }));
}

export function readStamp(text: string): Read<Stamp> {
  return read(text, SECTOR_CHARACTERS_MAX, stampOf);
}

export function readSector(text: string): Read<Sector> {
  return read(text, SECTOR_CHARACTERS_MAX, (fields) => ({
    ...stampOf(fields),
    node: fields.name('node'),
    number: fields.count('number'),
    mode: fields.word('mode', RECORD_MODES),
    claim: fields.count('claim'),
    holds: fields.list('holds', (each) => ({
      group: each.name('group'),
      activation: each.count('activation'),
    })),
  }));
}

/** Reads what differs from what it read last: a record is asked for again and again, and seldom changes. */
export function remembering<T>(reader: (text: string) => Read<T>): (text: string) => Read<T> {
  let last: { readonly text: string; readonly read: Read<T> } | null = null;
  return (text) => {
    if (last?.text !== text) last = { text, read: reader(text) };
    return last.read;
  };
}

function stampOf(fields: Fields): Stamp {
  return {
    kernelLife: fields.id('kernelLife'),
    nonce: fields.id('nonce'),
    permissionMs: fields.count('permissionMs'),
    stopBoundMs: fields.count('stopBoundMs'),
  };
}

class Unreadable extends Error {}

function read<T>(text: string, charactersMax: number, build: (fields: Fields) => T): Read<T> {
  if (text.length > charactersMax) return { ok: false, reason: `longer than ${charactersMax} characters` };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not JSON' };
  }
  try {
    const fields = new Fields(content);
    const readableBy = fields.count('readableBy');
    if (readableBy > RECORD_VERSION)
      return {
        ok: false,
        reason: `needs a program of record version ${readableBy}, this one is ${RECORD_VERSION}`,
      };
    return { ok: true, value: build(fields) };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, reason: error.message };
    throw error;
  }
}

const NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,${LIMITS.nameCharactersMax - 1}}$`);
const ID = /^[A-Za-z0-9._:-]{1,64}$/;

class Fields {
  readonly #content: Readonly<Record<string, unknown>>;

  constructor(content: unknown) {
    if (typeof content !== 'object' || content === null || Array.isArray(content))
      throw new Unreadable('not an object');
    this.#content = content as Readonly<Record<string, unknown>>;
  }

  count(key: string): number {
    const value = this.#content[key];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new Unreadable(`${key} is not a whole number`);
  }

  name(key: string): string {
    return this.#text(key, NAME, 'a name');
  }

  nameOrNone(key: string): string {
    return this.#content[key] === '' ? '' : this.name(key);
  }

  id(key: string): string {
    return this.#text(key, ID, 'an id');
  }

  word<T extends string>(key: string, words: readonly T[]): T {
    const word = words.find((each) => each === this.#content[key]);
    if (word === undefined) throw new Unreadable(`${key} is not ${words.join(' or ')}`);
    return word;
  }

  list<T>(key: string, build: (fields: Fields) => T): readonly T[] {
    const value = this.#content[key];
    if (!Array.isArray(value) || value.length > GROUPS_MAX)
      throw new Unreadable(`${key} is not a list of at most ${GROUPS_MAX}`);
    return value.map((each) => build(new Fields(each)));
  }

  #text(key: string, pattern: RegExp, what: string): string {
    const value = this.#content[key];
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw new Unreadable(`${key} is not ${what}`);
  }
}
