/**
 * The two sectors of a shared disk, read and written past every cache: O_DIRECT needs memory, place and length on page
 * boundaries, and node's own buffers are not, so the buffer is a WebAssembly memory. Synchronous: it runs in a process of
 * its own, which may hang as long as the disk does. Source: open(2), "O_DIRECT".
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename } from 'node:path';

/** Not in the types of a program without a browser. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

/** One node's sector. 4 KiB are whole on disks with sectors of 512 bytes and of 4096. */
export const SECTOR_BYTES = 4096;
const SECTORS = 2;
const MAGIC = 'sm-disk1';
const DIGEST_BYTES = 16;
const HEAD_BYTES = MAGIC.length + 4 + DIGEST_BYTES;
export const SECTOR_TEXT_BYTES_MAX = SECTOR_BYTES - HEAD_BYTES;

export class SectorError extends Error {
  /** `refused`: this device must not be used. `protocol`: what is on it is not ours. */
  override readonly cause: 'refused' | 'protocol' | 'unreachable';

  constructor(cause: SectorError['cause'], message: string) {
    super(message);
    this.cause = cause;
  }
}

export interface SectorOptions {
  readonly path: string;
  /** Which of the two sectors is ours. */
  readonly slot: 0 | 1;
  /** Takes a plain file or a loop device too: for tests and the lab, where both nodes are on one machine. */
  readonly isLocal: boolean;
}

export class Sectors {
  readonly #slot: 0 | 1;
  readonly #file: number;
  /** One WebAssembly page: 64 KiB, aligned to a page of memory. */
  readonly #memory = Buffer.from(new WebAssembly.Memory({ initial: 1 }).buffer);

  /** Throws a SectorError that says why the device is refused. */
  constructor(options: SectorOptions) {
    this.#slot = options.slot;
    const fault = deviceFault(options.path, options.isLocal);
    if (fault !== '') throw new SectorError('refused', fault);
    try {
      this.#file = openSync(options.path, constants.O_RDWR | constants.O_DIRECT | constants.O_DSYNC);
    } catch (error) {
      throw new SectorError('unreachable', error instanceof Error ? error.message : String(error));
    }
  }

  /** Writes our sector, if there is a text, and only then reads both. Each either is done or throws. */
  exchange(text: string | null): { readonly own: string; readonly peer: string } {
    if (text !== null) {
      // What is there and is not ours is never written over.
      if (!this.#looked) this.#read();
      this.#write(text);
    }
    const [first, second] = this.#read();
    return this.#slot === 0 ? { own: first, peer: second } : { own: second, peer: first };
  }

  close(): void {
    closeSync(this.#file);
  }

  #looked = false;
  #read(): readonly [string, string] {
    const whole = this.#memory.subarray(0, SECTORS * SECTOR_BYTES);
    const length = readSync(this.#file, whole, 0, whole.length, 0);
    if (length !== whole.length)
      throw new SectorError('refused', `the device has less than ${whole.length} bytes`);
    const texts = [decode(whole.subarray(0, SECTOR_BYTES)), decode(whole.subarray(SECTOR_BYTES))] as const;
    this.#looked = true;
    return texts;
  }

  #write(text: string): void {
    const sector = this.#memory.subarray(0, SECTOR_BYTES);
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > SECTOR_TEXT_BYTES_MAX)
      throw new SectorError(
        'protocol',
        `${bytes.length} bytes do not fit into a sector: fewer exclusive groups`,
      );
    sector.fill(0);
    sector.write(MAGIC, 0, 'latin1');
    sector.writeUInt32BE(bytes.length, MAGIC.length);
    digest(bytes).copy(sector, MAGIC.length + 4);
    bytes.copy(sector, HEAD_BYTES);
    writeSync(this.#file, sector, 0, SECTOR_BYTES, this.#slot * SECTOR_BYTES);
  }
}

/** '' = never written: all zeros. */
function decode(sector: Buffer): string {
  if (sector.every((byte) => byte === 0)) return '';
  if (sector.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new SectorError(
      'refused',
      'the device holds something else: fill its first 8192 bytes with zeros if it is meant',
    );
  const length = sector.readUInt32BE(MAGIC.length);
  const bytes = sector.subarray(HEAD_BYTES, HEAD_BYTES + length);
  if (
    length > SECTOR_TEXT_BYTES_MAX ||
    !timingSafeEqual(digest(bytes), sector.subarray(MAGIC.length + 4, HEAD_BYTES))
  )
    throw new SectorError('protocol', 'a sector is damaged or half written');
  return bytes.toString('utf8');
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, DIGEST_BYTES);
}

/** A file or loop device is on this machine alone: the other node would never see what is written there. */
function deviceFault(path: string, isLocal: boolean): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return `${path} does not exist`;
  if (isLocal) return '';
  if (!stats.isBlockDevice())
    return `${path} is no block device: a local file system is not shared, name a disk that both nodes see`;
  const device = basename(realpathSync(path));
  return existsSync(`/sys/block/${device}/loop`)
    ? `${path} is a loop device: its file is on this machine, name a disk that both nodes see`
    : '';
}
