/**
 * Which scripts run, in the run-time directory: so that a restarted `sm` knows what its predecessor left behind. One file
 * for each life of `sm`, to which each begin and each end adds a line; a file for each script would cost several times
 * what a line costs, and there are hundreds of scripts in a switch-over.
 */
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface RunRecord {
  readonly service: string;
  readonly run: number;
  /** The value of SM_RUN; unique over restarts of `sm`. */
  readonly mark: string;
  /** Name of its control group below the service's; '' = it has none. */
  readonly group: string;
}

/** A record of an earlier `sm`. */
export interface LeftRecord extends RunRecord {
  readonly file: string;
}

/** When nothing runs, a file that is longer begins anew. */
const FILE_BYTES_MAX = 64 * 1024;
const END = '-';

export class RunRecords {
  readonly #directory: string;
  readonly #life: string;
  #fd: number | null = null;
  #bytes = 0;
  #open = 0;

  /** `life`: of this `sm`. */
  constructor(directory: string, life: string) {
    this.#directory = directory;
    this.#life = life;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** @throws Error when the file system takes no more. */
  begin(record: RunRecord): void {
    this.#open += 1;
    this.#add(`${JSON.stringify(record)}\n`);
  }

  /** A line that could not be written costs only that the next `sm` looks for what has ended. */
  end(mark: string): void {
    this.#open -= 1;
    try {
      this.#add(`${END}${mark}\n`);
      if (this.#open > 0 || this.#bytes < FILE_BYTES_MAX || this.#fd === null) return;
      ftruncateSync(this.#fd, 0);
      this.#bytes = 0;
    } catch {
      // See above.
    }
  }

  /** Scripts of earlier lives that began and did not end. Files in which there are none go. */
  left(): LeftRecord[] {
    return readdirSync(this.#directory).flatMap((name) => {
      if (name === this.#life) return [];
      const file = join(this.#directory, name);
      const records = readRecords(file);
      if (records.length === 0) rmSync(file, { force: true });
      return records.map((record) => ({ ...record, file }));
    });
  }

  /** Nothing of it is left. */
  forget({ file, mark }: LeftRecord): void {
    try {
      appendFileSync(file, `\n${END}${mark}\n`);
      if (readRecords(file).length === 0) rmSync(file, { force: true });
    } catch {
      // It is looked for again, and not found.
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #add(line: string): void {
    this.#fd ??= openSync(join(this.#directory, this.#life), 'a', 0o600);
    this.#bytes += writeSync(this.#fd, line);
  }
}

function readRecords(file: string): RunRecord[] {
  const records = new Map<string, RunRecord>();
  for (const line of readLines(file)) {
    if (line.startsWith(END)) records.delete(line.slice(END.length));
    const record = parse(line);
    if (record !== null) records.set(record.mark, record);
  }
  return [...records.values()];
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** Null = no record: the end of one, or a line that was cut off with its writer, before the script was started. */
function parse(line: string): RunRecord | null {
  try {
    const { service, run, mark, group = mark } = (JSON.parse(line) ?? {}) as Partial<RunRecord>;
    if (typeof service !== 'string' || typeof mark !== 'string' || typeof run !== 'number') return null;
    return { service, run, mark, group: String(group) };
  } catch {
    return null;
  }
}
