/**
 * The record on a shared disk as `sm-arbiter` uses it: a child process for the device does the I/O. One that hangs can
 * not be ended before its I/O is over, and what it began may still land: until then nothing else is begun.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer, ArbiterCause, DiskReply, DiskRequest } from '../../core/arbiter/interface.ts';
import { isLabNode } from '../lab-node.ts';
import { LineSplitter } from '../lines.ts';
import { type DiskCall, LINE_BYTES_MAX, readDiskWord } from './disk-process.ts';

/**
 * The process `sm-disk` of this installation. Nodes of the lab share a kernel, and so a file: for them it may take the place of
 * a shared disk.
 */
export function startDisk(device: string, slot: 0 | 1, lockFile: string): ChildProcess {
  const program = fileURLToPath(new URL(`../../bin/sm-disk${extname(import.meta.url)}`, import.meta.url));
  const local = isLabNode(process.env) ? ['local'] : [];
  const args = [...process.execArgv, program, device, String(slot), lockFile, ...local];
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
}

export interface DiskOptions {
  /** Starts the child; its stdin and stdout are pipes. */
  readonly start: () => ChildProcess;
  readonly now: () => number;
}

interface Waiting {
  readonly id: number;
  readonly askedAt: number;
  /** null = given up: its answer is awaited by nobody, but nothing else may begin. */
  resolve: ((answer: Answer<DiskReply>) => void) | null;
}

export class DiskArbiter {
  readonly #options: DiskOptions;
  #child: ChildProcess | null = null;
  #lines = new LineSplitter(LINE_BYTES_MAX);
  #waiting: Waiting | null = null;
  #calls = 0;
  #closed = false;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  ask({ write }: DiskRequest, limitMs: number): Promise<Answer<DiskReply>> {
    const askedAt = this.#options.now();
    const hung = this.#waiting;
    if (hung !== null) {
      const since = Math.round(askedAt - hung.askedAt);
      return Promise.resolve(this.#unknown(askedAt, 'timeout', `the I/O of ${since} ms ago hangs still`));
    }
    const child = this.#running();
    this.#calls += 1;
    const call: DiskCall = { id: this.#calls, write };
    return new Promise((resolve) => {
      const waiting: Waiting = { id: call.id, askedAt, resolve: null };
      const timer = setTimeout(() => {
        waiting.resolve = null;
        resolve(this.#unknown(askedAt, 'timeout', `the disk did not answer within ${limitMs} ms`));
      }, limitMs);
      waiting.resolve = (answer) => {
        clearTimeout(timer);
        resolve(answer);
      };
      this.#waiting = waiting;
      child.stdin?.write(`${JSON.stringify(call)}\n`);
    });
  }

  /** The child ends by itself as soon as its I/O is over. */
  close(): void {
    this.#closed = true;
    this.#child?.stdin?.end();
    this.#child?.kill('SIGKILL');
  }

  #running(): ChildProcess {
    if (this.#child !== null) return this.#child;
    const child = this.#options.start();
    this.#child = child;
    this.#lines = new LineSplitter(LINE_BYTES_MAX);
    child.stdout?.on('data', (chunk: Buffer) => {
      const lines = this.#lines.push(chunk);
      if (lines === null) return this.#distrust();
      for (const line of lines) this.#receive(line);
    });
    child.stdin?.on('error', () => {});
    // Its exit is the proof that its I/O is over; not its closed pipes.
    child.on('exit', (code, signal) => this.#gone(child, `ended with ${signal ?? code}`));
    child.on('error', (error) => {
      if (child.pid === undefined) this.#gone(child, error.message);
    });
    return child;
  }

  #gone(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#closed) return;
    waiting?.resolve?.(this.#unknown(waiting.askedAt, 'unreachable', `the process of the disk ${why}`));
  }

  #receive(line: string): void {
    const waiting = this.#waiting;
    const word = readDiskWord(line);
    if (word === null) return this.#distrust();
    if (waiting === null || word.id !== waiting.id) return;
    this.#waiting = null;
    const { askedAt } = waiting;
    if (!word.ok) return waiting.resolve?.(this.#unknown(askedAt, word.cause, word.detail));
    const { own, peer } = word;
    waiting.resolve?.({ kind: 'known', askedAt, answeredAt: this.#options.now(), value: { own, peer } });
  }

  /** It says what no disk process says. Whoever waits is answered when it is gone: only then its I/O is over. */
  #distrust(): void {
    this.#child?.kill('SIGKILL');
  }

  #unknown(askedAt: number, cause: ArbiterCause, detail: string): Answer<DiskReply> {
    return { kind: 'unknown', askedAt, answeredAt: this.#options.now(), cause, detail };
  }
}
