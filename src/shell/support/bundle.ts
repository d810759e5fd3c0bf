/**
 * A bundle of files for whoever helps: collected in a directory beside its place, packed by tar, and there under its name
 * only when it is whole. Nobody but its owner can read it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type CodedError, codedError } from '../../core/kernel/errors.ts';

/** Of all files together, before they are packed. */
export const BUNDLE_BYTES_MAX = 64 * 1024 * 1024;
const TAR_LIMIT_MS = 60_000;

export interface BundleEntry {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Where it is from: a command, a file, a question to `sm`. */
  readonly source: string;
  /** What is missing in it and why; '' = nothing. */
  readonly note: string;
}

/** Something that could not be had at all. */
export interface BundleGap {
  readonly source: string;
  readonly reason: string;
}

/** The bundle can not be written: an error of ERRORS. */
export class BundleError extends Error {
  readonly coded: CodedError;

  constructor(coded: CodedError) {
    super(coded.message);
    this.coded = coded;
  }
}

export class Bundle {
  readonly entries: BundleEntry[] = [];
  readonly gaps: BundleGap[] = [];
  readonly #path: string;
  readonly #work: string;
  readonly #content: string;
  #bytes = 0;

  /** @throws BundleError when there is such a file already, or the place can not be written. */
  constructor(path: string) {
    this.#path = path;
    this.#work = join(dirname(path), `.${basename(path)}.${process.pid}`);
    this.#content = join(this.#work, basename(path).replace(/\.(tar\.gz|tgz)$/, ''));
    if (existsSync(path)) throw new BundleError(codedError('SM_COLLECT_EXISTS', { path }));
    this.#writing(() => {
      mkdirSync(this.#work, { mode: 0o700 });
      mkdirSync(this.#content, { mode: 0o700 });
    });
  }

  /** What does not fit any more is a gap. @throws BundleError when it can not be written. */
  add(path: string, text: string, source: string, note = ''): void {
    const bytes = Buffer.from(text);
    if (this.#bytes + bytes.length > BUNDLE_BYTES_MAX) {
      this.missing(source, `no room: the bundle has at most ${BUNDLE_BYTES_MAX} bytes`);
      return;
    }
    this.#bytes += bytes.length;
    const target = join(this.#content, path);
    this.#writing(() => {
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      writeFileSync(target, bytes, { flag: 'wx', mode: 0o600 });
    });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.entries.push({ path, bytes: bytes.length, sha256, source, note });
  }

  missing(source: string, reason: string): void {
    this.gaps.push({ source, reason });
  }

  /** Writes the manifest and packs everything. Returns the size of the file. @throws BundleError */
  async finish(facts: object): Promise<number> {
    const manifest = { ...facts, files: this.entries, missing: this.gaps };
    this.#writing(() =>
      writeFileSync(join(this.#content, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, {
        mode: 0o600,
      }),
    );
    const packed = join(this.#work, 'packed');
    const fault = await pack(this.#work, basename(this.#content), packed);
    if (fault !== null) throw this.#failed(fault);
    this.#writing(() => {
      chmodSync(packed, 0o600);
      const file = openSync(packed, 'r');
      try {
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      // Unlike a renaming, a link never replaces what somebody has put there meanwhile.
      linkSync(packed, this.#path);
    });
    const { size } = statSync(this.#path);
    this.discard();
    return size;
  }

  /** Leaves nothing behind; a finished bundle stays. */
  discard(): void {
    rmSync(this.#work, { recursive: true, force: true });
  }

  #writing(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  #failed(detail: string): BundleError {
    this.discard();
    return new BundleError(codedError('SM_COLLECT_WRITE', { path: this.#path, detail }));
  }
}

/** null = done. */
function pack(directory: string, name: string, target: string): Promise<string | null> {
  return new Promise((resolve) => {
    const args = ['--create', '--gzip', '--file', target, '--directory', directory, '--', name];
    const child = spawn('tar', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C' },
      timeout: TAR_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-500);
    });
    child.once('error', (error) => resolve(`tar could not be run: ${error.message}`));
    child.once('close', (code, signal) =>
      resolve(code === 0 ? null : `tar ended with ${signal ?? code}: ${said.trim().replace(/\n/g, ' | ')}`),
    );
  });
}
