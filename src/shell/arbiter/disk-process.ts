/** The process that does the I/O of one disk: a line in, a line out. It may hang; nobody waits for it without a limit. */
import type { Readable, Writable } from 'node:stream';
import { ARBITER_CAUSES, type ArbiterCause, type DiskReply } from '../../core/arbiter/interface.ts';
import { LineSplitter } from '../lines.ts';
import type { LockResult } from '../lock.ts';
import { SectorError, type SectorOptions, Sectors } from './disk-sectors.ts';

export interface DiskCall {
  readonly id: number;
  readonly write: string | null;
}

export type DiskWord =
  | ({ readonly id: number; readonly ok: true } & DiskReply)
  | { readonly id: number; readonly ok: false; readonly cause: ArbiterCause; readonly detail: string };

/** null = nothing that a disk process says. */
export function readDiskWord(line: string): DiskWord | null {
  let word: Partial<Record<string, unknown>>;
  try {
    word = (JSON.parse(line) ?? {}) as Partial<Record<string, unknown>>;
  } catch {
    return null;
  }
  const { id, ok, own, peer, detail } = word;
  if (typeof id !== 'number') return null;
  if (ok === true && typeof own === 'string' && typeof peer === 'string') return { id, ok, own, peer };
  const cause = ARBITER_CAUSES.find((each) => each === word.cause);
  return ok === false && cause !== undefined && typeof detail === 'string' ? { id, ok, cause, detail } : null;
}

export const LINE_BYTES_MAX = 64 * 1024;

export interface DiskServer {
  readonly sectors: SectorOptions;
  /**
   * Asked for before the first write, until it is given: a process that was killed in the middle of one may be there still,
   * and what it began land at any time.
   */
  readonly lock: () => LockResult;
  readonly input: Readable;
  readonly output: Writable;
  readonly end: () => void;
}

export function serveDisk({ sectors: options, lock, input, output, end }: DiskServer): void {
  const lines = new LineSplitter(LINE_BYTES_MAX);
  let sectors: Sectors | null = null;
  let mayWrite = false;
  const serve = ({ id, write }: DiskCall): DiskWord => {
    try {
      sectors ??= new Sectors(options);
      if (write !== null && !mayWrite) {
        const locked = lock();
        if (!locked.ok) return { id, ok: false, cause: 'timeout', detail: `${HELD}: ${locked.reason}` };
        mayWrite = true;
      }
      return { id, ok: true, ...sectors.exchange(write) };
    } catch (error) {
      // Opened anew for the next one: a path that failed may be another one by then.
      sectors?.close();
      sectors = null;
      return { id, ok: false, ...faultOf(error) };
    }
  };
  input.on('data', (chunk: Buffer) => {
    for (const line of lines.push(chunk) ?? [])
      output.write(`${JSON.stringify(serve(JSON.parse(line) as DiskCall))}\n`);
  });
  input.on('end', end);
}

const HELD = 'an earlier I/O on this disk is not over';

function faultOf(error: unknown): { readonly cause: ArbiterCause; readonly detail: string } {
  if (error instanceof SectorError) return { cause: error.cause, detail: error.message };
  return { cause: 'unreachable', detail: error instanceof Error ? error.message : String(error) };
}
