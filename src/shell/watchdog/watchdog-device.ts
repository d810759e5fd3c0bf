/**
 * A watchdog device of the kernel: it resets the machine when nobody has written to it for its time-out, whatever hangs here.
 * Source: Linux, Documentation/watchdog/watchdog-api.rst.
 */
import { closeSync, constants, openSync, readFileSync, realpathSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import type { Log } from '../ports.ts';

/** It is written to once a second; one that waits for less could reset a machine that is only busy. */
const TIMEOUT_S_MIN = 5;
const KEEP_ALIVE = Buffer.from('\0');
/** The magic character: the close that follows is meant, and the device is switched off. */
const GOOD_BYE = Buffer.from('V');

export class WatchdogDevice {
  readonly #path: string;
  readonly #log: Log;
  #file: number | null = null;
  #isAbandoned = false;
  #complaint = '';

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Starts it. '' = it runs; else why it does not. */
  open(): string {
    const timeout = this.#attribute('timeout');
    if (timeout !== '' && Number(timeout) < TIMEOUT_S_MIN)
      return `its time-out is ${timeout} s, and must be at least ${TIMEOUT_S_MIN} s`;
    try {
      this.#file = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.#log.info({ path: this.#path, timeout }, 'self-fence armed: watchdog device');
    if (this.#attribute('nowayout') === '1')
      this.#log.warn({ path: this.#path }, 'this watchdog device resets the machine after every stop of sm');
    return '';
  }

  /** From now on it is left to run out. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  pet(): void {
    if (this.#isAbandoned) return;
    const fault = this.#file === null ? this.open() : this.#write(KEEP_ALIVE);
    if (fault !== '' && fault !== this.#complaint)
      this.#log.error(
        { path: this.#path, fault },
        'the watchdog device can not be written to: it may reset the machine',
      );
    this.#complaint = fault;
  }

  /** Switches it off, unless it is to run out. */
  close(): void {
    if (this.#file === null || this.#isAbandoned) return;
    this.#isAbandoned = true;
    this.#write(GOOD_BYE);
    closeSync(this.#file);
    this.#file = null;
  }

  #write(bytes: Buffer): string {
    if (this.#file === null) return '';
    try {
      writeSync(this.#file, bytes);
      return '';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** '' = it has none: not a device, or an older kernel. */
  #attribute(name: string): string {
    try {
      const device = basename(realpathSync(this.#path)).replace(/^watchdog$/, 'watchdog0');
      return readFileSync(`/sys/class/watchdog/${device}/${name}`, 'latin1').trim();
    } catch {
      return '';
    }
  }
}
