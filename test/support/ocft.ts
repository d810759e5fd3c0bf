/**
 * Runs the test cases that the package resource-agents ships for its agents (`ocft`, /usr/share/resource-agents/ocft/README
 * describes the files), with our runner in the place of theirs. What a case says is done by bash, as it is there.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const OCFT = '/usr/share/resource-agents/ocft';
/** The helpers keep their notes here. */
const NOTES = '/run/resource-agents';
/** What ocft gives an action where the file does not say (HangTimeout). */
const HANG_TIMEOUT_S = 20;

export type Environment = Readonly<Record<string, string>>;

/** Runs one action of the agent with these variables (OCF_RESKEY_..., OCF_CHECK_LEVEL); answers its exit code and words. */
export type RunAgent = (command: string, environment: Environment, timeoutMs: number) => Promise<string>;

export interface OcftFailure {
  readonly case: string;
  readonly step: string;
  readonly found: string;
}

export interface OcftResult {
  readonly cases: number;
  /** Agent runs whose result is stated. */
  readonly stated: number;
  readonly failures: readonly OcftFailure[];
}

interface Section {
  readonly kind: string;
  readonly name: string;
  readonly lines: string[];
}

const CODES: Readonly<Record<string, string>> = {
  OCF_SUCCESS: '0',
  OCF_ERR_GENERIC: '1',
  OCF_ERR_ARGS: '2',
  OCF_ERR_UNIMPLEMENTED: '3',
  OCF_ERR_PERM: '4',
  OCF_ERR_INSTALLED: '5',
  OCF_ERR_CONFIGURED: '6',
  OCF_NOT_RUNNING: '7',
  OCF_RUNNING_MASTER: '8',
};
const RUNS = ['0', '8'];
const RUNS_NOT = ['7'];

const codeOf = (found: string): string => found.split(' ')[0]!;

/** The cases of one file. `fill` gives values that the file leaves open ("put here your IP"). */
export class Ocft {
  readonly #sections: readonly Section[];
  readonly #run: RunAgent;
  readonly #timeoutMs: number;

  constructor(file: string, run: RunAgent, fill: Environment = {}) {
    this.#sections = parse(readFileSync(join(OCFT, 'configs', file), 'utf8'), fill);
    this.#run = run;
    const hang = this.#lines('CONFIG').find((line) => line.startsWith('HangTimeout'));
    this.#timeoutMs = Number(hang?.split(/\s+/)[1] ?? HANG_TIMEOUT_S) * 1000;
  }

  /** What the agent drives. */
  get packages(): readonly string[] {
    const statements = this.#lines('CONFIG').map((line) => line.split(/\s+/));
    return statements.flatMap(([word, ...names]) => (word === 'InstallPackage' ? names : []));
  }

  /** All cases, or those with these names. */
  async runAll(names?: ReadonlySet<string>): Promise<OcftResult> {
    const failures: OcftFailure[] = [];
    let stated = 0;
    const cases = this.#sections.filter(({ kind, name }) => kind === 'CASE' && (names?.has(name) ?? true));
    const path = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HA_RSCTMP: NOTES };
    const base = await evaluate(this.#lines('VARIABLE'), path);
    const aside = async (kind: string): Promise<void> => {
      const error = await bash(this.#lines(kind).join('\n'), base);
      if (error !== null) failures.push({ case: kind, step: kind, found: error });
    };
    await aside('SETUP-AGENT');
    try {
      for (const { name, lines } of cases) {
        stated += await this.#runCase(this.#expand(lines), base, (step, found) => {
          failures.push({ case: name, step, found });
        });
      }
    } finally {
      await aside('CLEANUP-AGENT');
    }
    return { cases: cases.length, stated, failures };
  }

  #lines(kind: string): string[] {
    return this.#sections.filter((section) => section.kind === kind).flatMap(({ lines }) => lines);
  }

  #expand(lines: readonly string[]): string[] {
    return lines.flatMap((line) => {
      const included = /^Include\s+(\S+)$/.exec(line)?.[1];
      if (included === undefined) return [line];
      const block = this.#sections.find(({ kind, name }) => kind === 'CASE-BLOCK' && name === included);
      if (block === undefined) throw new Error(`no CASE-BLOCK ${included}`);
      return this.#expand(block.lines);
    });
  }

  /** Ends at the first step that goes wrong, as ocft does. Answers how many results were stated and looked at. */
  async #runCase(
    lines: readonly string[],
    base: Environment,
    fail: (step: string, found: string) => void,
  ): Promise<number> {
    let environment = base;
    let stated = 0;
    const atExit: string[] = [];
    for (const line of lines) {
      const [word, rest] = /^(\S+)\s*([\s\S]*)$/.exec(line)!.slice(1) as [string, string];
      let error: string | null = null;
      if (word === 'Env') environment = await evaluate([rest], environment);
      else if (word === 'Unenv') environment = await evaluate([`unset ${rest}`], environment);
      else if (word === 'BashAtExit') atExit.push(rest);
      else if (word === 'Bash') error = await bash(rest, environment);
      else if (word === 'AgentRun') {
        const [command, expected] = rest.replace(/#.*/, '').trim().split(/\s+/) as [string, string?];
        if (expected !== undefined) stated++;
        error =
          expected === undefined
            ? await this.#bring(command, environment)
            : await this.#expect(command, environment, [CODES[expected]!]);
      } else throw new Error(`${line}: not known`);
      if (error === null) continue;
      fail(line, error);
      break;
    }
    for (const code of atExit.reverse()) await bash(code, environment);
    return stated;
  }

  /** Null when the action ends with one of these codes, else what it said. */
  async #expect(command: string, environment: Environment, codes: readonly string[]): Promise<string | null> {
    const found = await this.#run(command, environment, this.#timeoutMs);
    return codes.includes(codeOf(found)) ? null : found;
  }

  /** An action without a stated result: a start or a stop only where a monitor finds it necessary, and then it must succeed. */
  async #bring(command: string, environment: Environment): Promise<string | null> {
    if (command === 'start' || command === 'stop') {
      const found = await this.#run('monitor', environment, this.#timeoutMs);
      const [done, necessary] = command === 'start' ? [RUNS, RUNS_NOT] : [RUNS_NOT, RUNS];
      if (done.includes(codeOf(found))) return null;
      if (!necessary.includes(codeOf(found))) return found;
    }
    const anything = command === 'monitor' ? Object.values(CODES) : ['0'];
    return this.#expect(command, environment, anything);
  }
}

function parse(text: string, fill: Environment): Section[] {
  const sections: Section[] = [];
  for (const line of text.split('\n')) {
    const statement = line.trim();
    if (statement === '' || statement.startsWith('#')) continue;
    const head = /^([A-Z-]+)(?:\s+(.*))?$/.exec(line);
    if (head !== null) {
      sections.push({ kind: head[1]!, name: (head[2] ?? '').replace(/^"|"$/g, ''), lines: [] });
      continue;
    }
    const open = /^Env (\w+)= *#/.exec(statement)?.[1];
    const value = open === undefined ? undefined : fill[open];
    sections.at(-1)!.lines.push(value === undefined ? statement : `Env ${open}=${value}`);
  }
  return sections;
}

export interface Ended {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for the process and not for its pipes: what it starts for good keeps them open. */
export async function ended(program: string, words: string[], environment: Environment): Promise<Ended> {
  const directory = mkdtempSync(join(tmpdir(), 'sm-ocft-'));
  const files = ['out', 'err'].map((name) => join(directory, name));
  const [out, err] = files.map((file) => openSync(file, 'w')) as [number, number];
  try {
    const child = spawn(program, words, { env: environment, stdio: ['ignore', out, err] });
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('exit', resolve);
    });
    const [stdout, stderr] = files.map((file) => readFileSync(file, 'utf8')) as [string, string];
    return { status, stdout, stderr };
  } finally {
    for (const file of [out, err]) closeSync(file);
    rmSync(directory, { recursive: true });
  }
}

/** The environment after bash has executed these lines. */
async function evaluate(lines: readonly string[], environment: Environment): Promise<Environment> {
  const script = [`. ${OCFT}/helpers.sh`, 'set -a', ...lines, '/usr/bin/env -0'].join('\n');
  const { status, stdout, stderr } = await ended('bash', ['-c', script], environment);
  if (status !== 0) throw new Error(`${lines.join('; ')}: ${status} ${stderr}`);
  const entries = stdout.split('\0').filter((entry) => entry.includes('='));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** Null when it went well, else what it said. */
async function bash(code: string, environment: Environment): Promise<string | null> {
  const script = `. ${OCFT}/helpers.sh\n${code}`;
  const { status, stderr } = await ended('bash', ['-c', script], environment);
  return status === 0 ? null : `${status} ${stderr}`.trim();
}
