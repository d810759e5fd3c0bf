/**
 * Writing and reading of fixed-width fields in network order. A writer asserts (what we send is our own doing); a reader
 * never throws: it keeps the first fault, and everything read after it is zero or empty.
 */
import { assert } from '../kernel/assert.ts';

export const U8_MAX = 0xff;
export const U16_MAX = 0xffff;
export const U32_MAX = 0xffff_ffff;
/** Counters, sequences, health and wall-clock times: below 2^53, so an ordinary number holds them exactly. */
export const U48_MAX = 0xffff_ffff_ffff;

const TWO_TO_32 = 0x1_0000_0000;
const HEX = /^(?:[0-9a-f]{2})*$/;
/** Its characters are its bytes, and nearly every text is such a one. */
const ASCII = /^[ -~]*$/;

const encoder = new TextEncoder();
// A byte order mark is a character like any other here: nothing may vanish between two nodes.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX_OF_BYTE[byte];
  return text;
}

/** Of a lower-case hex digit. */
function digitOf(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

export function utf8Of(text: string): Uint8Array {
  return encoder.encode(text);
}

export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#integer(value, U8_MAX);
    // Taken first: a writer that grows has another view afterwards.
    const at = this.#take(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    this.#integer(value, U16_MAX);
    const at = this.#take(2);
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    this.#integer(value, U32_MAX);
    const at = this.#take(4);
    this.#view.setUint32(at, value);
  }

  u48(value: number): void {
    this.#integer(value, U48_MAX);
    const at = this.#take(6);
    this.#view.setUint16(at, Math.floor(value / TWO_TO_32));
    this.#view.setUint32(at + 2, value % TWO_TO_32);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Exactly `length` bytes, given as lower-case hex digits. */
  hex(text: string, length: number): void {
    assert(text.length === length * 2 && HEX.test(text), () => `not ${length} bytes in hex: ${text}`);
    const at = this.#take(length);
    for (let i = 0; i < length; i += 1) {
      this.#bytes[at + i] = 16 * digitOf(text.charCodeAt(2 * i)) + digitOf(text.charCodeAt(2 * i + 1));
    }
  }

  /** UTF-8 in a field of fixed width, filled up with zeros; at least one zero remains. */
  padded(text: string, width: number): void {
    const end = this.#length + width;
    this.#characters(text);
    assert(this.#length < end, () => `too long for a field of ${width} bytes: ${text}`);
    this.#take(end - this.#length);
  }

  /** UTF-8 after its length in bytes as u16. */
  text(text: string): void {
    const at = this.#take(2);
    this.#characters(text);
    const bytes = this.#length - at - 2;
    this.#integer(bytes, U16_MAX);
    this.#view.setUint16(at, bytes);
  }

  /** The position of a word in its ordered enumeration. */
  word<T extends string>(order: readonly T[], value: T): void {
    const index = order.indexOf(value);
    assert(index >= 0, () => `unknown word: ${value}`);
    this.u8(index);
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #characters(text: string): void {
    if (!ASCII.test(text)) return this.raw(utf8Of(text));
    const at = this.#take(text.length);
    for (let i = 0; i < text.length; i += 1) this.#bytes[at + i] = text.charCodeAt(i);
  }

  #integer(value: number, max: number): void {
    assert(
      Number.isInteger(value) && value >= 0 && value <= max,
      () => `not a whole number of 0..${max}: ${value}`,
    );
  }

  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #fault: string | null = null;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The first thing that was wrong; null = nothing so far. */
  get fault(): string | null {
    return this.#fault;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  fail(reason: string): void {
    this.#fault ??= reason;
  }

  u8(): number {
    const at = this.#take(1);
    return at === null ? 0 : this.#view.getUint8(at);
  }

  u16(): number {
    const at = this.#take(2);
    return at === null ? 0 : this.#view.getUint16(at);
  }

  u32(): number {
    const at = this.#take(4);
    return at === null ? 0 : this.#view.getUint32(at);
  }

  u48(): number {
    const at = this.#take(6);
    return at === null ? 0 : this.#view.getUint16(at) * TWO_TO_32 + this.#view.getUint32(at + 2);
  }

  /** A copy (the slice of a Node buffer would not be one): the datagram's buffer may be used again. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return at === null ? new Uint8Array(0) : new Uint8Array(this.#bytes.subarray(at, at + count));
  }

  hex(length: number): string {
    const at = this.#take(length);
    return at === null ? '00'.repeat(length) : hexOf(this.#bytes.subarray(at, at + length));
  }

  padded(width: number): string {
    const field = this.raw(width);
    const end = field.indexOf(0);
    if (end < 0) {
      this.fail('a field has no terminator');
      return '';
    }
    if (field.subarray(end).some((byte) => byte !== 0)) this.fail('a field has bytes after its terminator');
    return this.#decode(field.subarray(0, end));
  }

  text(charactersMax: number): string {
    const length = this.u16();
    const text = this.#decode(this.raw(length));
    if (text.length > charactersMax) this.fail(`a text is longer than ${charactersMax} characters`);
    return text;
  }

  word<T extends string>(order: readonly [T, ...T[]]): T {
    const index = this.u8();
    const value = order[index];
    if (value !== undefined) return value;
    this.fail(`unknown word ${index}`);
    return order[0];
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.fail(`not a yes or no: ${value}`);
    return value === 1;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left > 0) this.fail(`${this.left} bytes too many`);
  }

  #decode(bytes: Uint8Array): string {
    try {
      return decoder.decode(bytes);
    } catch {
      this.fail('a text is not UTF-8');
      return '';
    }
  }

  #take(count: number): number | null {
    if (this.#fault !== null) return null;
    if (count > this.left) {
      this.fail('too short');
      return null;
    }
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
