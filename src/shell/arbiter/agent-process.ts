/**
 * Runs one fence agent once: `key=value` lines on its stdin, nothing in its arguments, a limit after which its whole
 * process group is killed, whether or not we are there. Source: ClusterLabs' fence agent API, "Agent Operations and Return
 * Values".
 */
import { spawn } from 'node:child_process';

export interface AgentCall {
  readonly path: string;
  readonly input: readonly (readonly [key: string, value: string])[];
  readonly limitMs: number;
}

export type AgentEnd =
  | { readonly kind: 'exit'; readonly code: number; readonly stdout: string; readonly stderr: string }
  | { readonly kind: 'timeout'; readonly stderr: string }
  | { readonly kind: 'not-started'; readonly detail: string };

const OUTPUT_BYTES_MAX = 512 * 1024;
/** Output may come a moment after the exit; a grandchild that keeps the pipe open is not waited for. */
const DRAIN_MS = 50;

/** Agents that run now. */
const running = new Set<number>();

/** Ends all of them, with what they started. */
export function endAgents(): void {
  for (const pid of running) killGroup(pid);
}

export function runAgent({ path, input, limitMs }: AgentCall): Promise<AgentEnd> {
  const bad = input.find(([key, value]) => /[\n\r\0]/.test(key + value));
  if (bad !== undefined)
    return Promise.resolve({
      kind: 'not-started',
      detail: `${bad[0]} holds a line break, which no agent can be given`,
    });
  return new Promise((resolve) => {
    const child = spawn('setpriv', bounded(path, limitMs), {
      detached: true,
      stdio: 'pipe',
      env: ENVIRONMENT,
    });
    if (child.pid !== undefined) running.add(child.pid);
    const stdout = new Capture(child.stdout);
    const stderr = new Capture(child.stderr);
    let over = false;
    const end = (result: AgentEnd): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      if (child.pid !== undefined) running.delete(child.pid);
      killGroup(child.pid);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end({ kind: 'timeout', stderr: stderr.text() }), limitMs);
    child.on('error', (error) => end({ kind: 'not-started', detail: error.message }));
    const exited = (code: number | null): void =>
      end(
        code !== null && NOT_STARTED.has(code)
          ? { kind: 'not-started', detail: lastLine(stderr.text()) }
          : { kind: 'exit', code: code ?? 255, stdout: stdout.text(), stderr: stderr.text() },
      );
    child.on('close', exited);
    child.on('exit', (code) => setTimeout(() => exited(code), DRAIN_MS));
    // An agent that reads nothing: its exit code tells more than the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input.map(([key, value]) => `${key}=${value}\n`).join(''));
  });
}

/**
 * What setpriv runs so that a shot ends in time although nobody watches it. `timeout` kills its process group, which is the
 * agent's, at the limit; our death is its alarm, and so the limit. It takes the agent along if it is killed itself.
 */
function bounded(path: string, limitMs: number): string[] {
  const limit = String(Math.max(1, limitMs) / 1000);
  return [
    ...['--pdeathsig', 'ALRM', '--', 'timeout', '--signal', 'KILL', limit],
    ...['setpriv', '--pdeathsig', 'KILL', '--', path],
  ];
}

/** Exit codes of `timeout` and setpriv where the agent has not run. */
const NOT_STARTED: ReadonlySet<number> = new Set([125, 126, 127]);

/** The last line of an output, fit to be shown. */
export function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/[^\x20-\x7e]/g, ' ')
      .slice(0, 200) ?? ''
  );
}

/** Warnings of the agents' language are no word of the device. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', PYTHONWARNINGS: 'ignore' };

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it is gone.
  }
}

class Capture {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(stream: NodeJS.ReadableStream) {
    stream.on('data', (chunk: Buffer) => {
      if (this.#length >= OUTPUT_BYTES_MAX) return;
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    });
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8', 0, OUTPUT_BYTES_MAX);
  }
}
