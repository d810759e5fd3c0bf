/**
 * A report in datagrams: cut into parts by its sender, put together by its receiver. Every part is sent again and again,
 * so a lost one is waited for, never asked for.
 */
import { assert } from '../kernel/assert.ts';
import { LIMITS } from '../kernel/limits.ts';
import { PART_BYTES_MAX } from './frame.ts';
import type { LifeId } from './types.ts';

/** `spareBytes`: what may still be put behind the last part (`withTail`). */
export function splitReport(
  bytes: Uint8Array,
  partBytesMax: number = PART_BYTES_MAX,
  spareBytes = 0,
): Uint8Array[] {
  assert(bytes.length > 0 && partBytesMax > 0, 'nothing to split');
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += partBytesMax) {
    parts.push(new Uint8Array(bytes.subarray(at, at + partBytesMax)));
  }
  const last = parts.at(-1);
  if (last !== undefined && last.length > partBytesMax - spareBytes)
    parts.splice(-1, 1, last.slice(0, -spareBytes), last.slice(-spareBytes));
  assert(parts.length <= LIMITS.reportPartsMax, () => `a report of ${parts.length} parts`);
  return parts;
}

/** The same number of parts, with something behind the last one. */
export function withTail(parts: readonly Uint8Array[], tail: Uint8Array): readonly Uint8Array[] {
  const last = parts.at(-1);
  if (last === undefined || tail.length === 0) return parts;
  const longer = new Uint8Array(last.length + tail.length);
  longer.set(last);
  longer.set(tail, last.length);
  return [...parts.slice(0, -1), longer];
}

/** One part of an authentic frame. */
export interface ReportPart {
  /** Process life of the sender; its versions rise only within it. */
  readonly life: LifeId;
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  readonly body: Uint8Array;
}

export type PartResult =
  /** The last missing part: the whole report. Told once per version. */
  | { readonly kind: 'complete'; readonly version: number; readonly bytes: Uint8Array }
  | { readonly kind: 'pending'; readonly missing: number }
  /** This part is there already, or the report is complete. */
  | { readonly kind: 'known' }
  /** A part of an older version than the newest seen of this life. */
  | { readonly kind: 'old' }
  /** It contradicts what was received of the same version. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** Holds the newest version of one life, nothing else: at most reportPartsMax parts. */
export class ReportAssembler {
  #life: LifeId = '';
  #version = 0;
  #missing = 0;
  #parts: (Uint8Array | undefined)[] = [];

  /** A part of another life starts anew; the caller lets only lives pass that have not ended. */
  add(piece: ReportPart): PartResult {
    const fault = partFault(piece);
    if (fault !== null) return { kind: 'malformed', reason: fault };
    if (piece.life === this.#life && piece.version < this.#version) return { kind: 'old' };
    if (piece.life !== this.#life || piece.version > this.#version) this.#begin(piece);
    if (piece.parts !== this.#parts.length) {
      return { kind: 'malformed', reason: `${piece.parts} parts, ${this.#parts.length} were said before` };
    }
    const present = this.#parts[piece.part];
    if (present !== undefined) {
      if (equal(present, piece.body)) return { kind: 'known' };
      return { kind: 'malformed', reason: `part ${piece.part} differs from the one before` };
    }
    this.#parts[piece.part] = piece.body;
    this.#missing -= 1;
    if (this.#missing > 0) return { kind: 'pending', missing: this.#missing };
    return { kind: 'complete', version: this.#version, bytes: this.#join() };
  }

  #begin(piece: ReportPart): void {
    this.#life = piece.life;
    this.#version = piece.version;
    this.#missing = piece.parts;
    this.#parts = new Array<Uint8Array | undefined>(piece.parts).fill(undefined);
  }

  #join(): Uint8Array {
    const parts = this.#parts.map((part) => part ?? new Uint8Array(0));
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

function partFault({ version, part, parts, body }: ReportPart): string | null {
  if (!Number.isInteger(parts) || parts < 1 || parts > LIMITS.reportPartsMax) return `${parts} parts`;
  if (!Number.isInteger(part) || part < 0 || part >= parts) return `part ${part} of ${parts}`;
  if (version < 1) return `version ${version}`;
  return body.length < 1 || body.length > PART_BYTES_MAX ? `a part of ${body.length} bytes` : null;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
