/**
 * Runs the test cases that the package resource-agents ships for its agents (`ocft`, /usr/share/resource-agents/ocft/README
 * describes the files), with our runner in the place of theirs. What a case says is done by bash, as it is there.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = '/usr/share/resource-agents/ocft';
/** The helpers keep their notes here. */
const NOTES = '/run/resource-agents';

type Environment = Readonly<Record<string, string>>;

/** Runs one action of the agent with these variables (OCF_RESKEY_..., OCF_CHECK_LEVEL); answers its exit code. */
export type RunAgent = (command: string, environment: Environment) => Promise<string>;

export interface OcftFailure {
  readonly case: string;
  readonly step: string;
  readonly found: string;
}

export interface OcftResult {
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
};

/** The cases of one file. `fill` gives values that the file leaves open ("put here your IP"). */
export class Ocft {
  readonly #sections: readonly Section[];
  readonly #run: RunAgent;
  /** Environment of this process with the file's variables. */
  readonly #base: Environment;

  constructor(file: string, run: RunAgent, fill: Environment = {}) {
    this.#sections = parse(readFileSync(join(DIRECTORY, 'configs', file), 'utf8'), fill);
    this.#run = run;
    const base = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HA_RSCTMP: NOTES };
    const variables = this.#sections.filter(({ kind }) => kind === 'VARIABLE').flatMap(({ lines }) => lines);
    this.#base = evaluate(variables, base);
  }

  /** All cases, or those with these names. */
  async runAll(names?: ReadonlySet<string>): Promise<OcftResult> {
    const failures: OcftFailure[] = [];
    let stated = 0;
    const cases = this.#sections.filter(({ kind, name }) => kind === 'CASE' && (names?.has(name) ?? true));
    this.#bash('SETUP-AGENT');
    try {
      for (const { name, lines } of cases) {
        stated += await this.#runCase(this.#expand(lines), (step, found) => {
          failures.push({ case: name, step, found });
        });
      }
    } finally {
      this.#bash('CLEANUP-AGENT');
    }
    return { stated, failures };
  }

  #bash(kind: string): void {
    for (const section of this.#sections) {
      if (section.kind === kind) bash(section.lines.join('\n'), this.#base);
    }
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
  async #runCase(lines: readonly string[], fail: (step: string, found: string) => void): Promise<number> {
    let environment: Environment = this.#base;
    let stated = 0;
    const atExit: string[] = [];
    for (const line of lines) {
      const [word, rest] = /^(\S+)\s*([\s\S]*)$/.exec(line)!.slice(1) as [string, string];
      if (word === 'Env') environment = evaluate([rest], environment);
      else if (word === 'Unenv') environment = evaluate([`unset ${rest}`], environment);
      else if (word === 'BashAtExit') atExit.push(rest);
      else if (word === 'Bash') {
        const error = bash(rest, environment);
        if (error !== null) {
          fail(line, error);
          break;
        }
      } else if (word === 'AgentRun') {
        const [command, expected] = rest.split(/\s+/) as [string, string?];
        const found = await this.#run(command, environment);
        if (expected === undefined) continue;
        stated++;
        if (!found.startsWith(`${CODES[expected]} `)) {
          fail(line, found);
          break;
        }
      } else throw new Error(`${line}: not known`);
    }
    for (const code of atExit.reverse()) bash(code, environment);
    return stated;
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

/** The environment after bash has executed these lines. */
function evaluate(lines: readonly string[], environment: Environment): Environment {
  const script = [`. ${DIRECTORY}/helpers.sh`, 'set -a', ...lines, '/usr/bin/env -0'].join('\n');
  const output = execFileSync('bash', ['-c', script], { env: environment, encoding: 'utf8' });
  const entries = output.split('\0').filter((entry) => entry.includes('='));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** Null when it went well, else what it said. */
function bash(code: string, environment: Environment): string | null {
  try {
    execFileSync('bash', ['-c', `. ${DIRECTORY}/helpers.sh\n${code}`], { env: environment, stdio: 'pipe' });
    return null;
  } catch (error) {
    const { status, stderr } = error as { status?: number; stderr?: Buffer };
    return `${status ?? error} ${stderr?.toString() ?? ''}`.trim();
  }
}
