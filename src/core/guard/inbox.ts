/**
 * Puts the parts of one report version together. Only the newest version counts; frames come here only when they carry
 * the highest sequence seen on any link, so an older report can not come back (docs/SAFETY.md, rule 2).
 */
import { LIMITS } from '../kernel/limits.ts';
import type { Frame } from '../link/types.ts';

export class ReportInbox {
  #version = 0;
  #parts: (Uint8Array | null)[] = [];
  #done = false;

  clear(): void {
    this.#version = 0;
    this.#parts = [];
    this.#done = false;
  }

  /** The whole report when this frame completes it for the first time, else null. */
  add(frame: Frame): Uint8Array | null {
    const { header, part, parts, body } = frame;
    if (parts === 0 || parts > LIMITS.reportPartsMax || part >= parts) return null;
    if (header.reportVersion < this.#version) return null;
    if (header.reportVersion > this.#version || parts !== this.#parts.length) {
      this.#version = header.reportVersion;
      this.#parts = new Array<Uint8Array | null>(parts).fill(null);
      this.#done = false;
    }
    this.#parts[part] = body;
    if (this.#done || this.#parts.includes(null)) return null;
    this.#done = true;
    return concatenate(this.#parts as Uint8Array[]);
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
