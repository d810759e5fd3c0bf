/** Watches which scripts of services run on a machine: in its list of processes, not in what its manager tells. */
import type { Machine } from './machine.ts';

/** Scripts of services take longer than this. */
const LOOK_INTERVAL_MS = 15;
const SCRIPT = /\/(?:resource\.d|init\.d)\/(?:.*\/)?([^/]+)$/;
/** What only looks, at its fixed intervals. */
const AUDITS: ReadonlySet<string> = new Set(['monitor', 'status']);

/** Scripts that run now and change something, or try to: `nginx stop`. Also what they have left in the background. */
export function changingScripts(machine: Machine): string[] {
  return machine.commandLines().flatMap((words) => {
    const action = words.at(-1) ?? '';
    const script = SCRIPT.exec(words.at(-2) ?? '')?.[1];
    return script === undefined || AUDITS.has(action) ? [] : [`${script} ${action}`];
  });
}

export class ScriptWatch {
  readonly #machine: Machine;
  readonly #seen = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  /** The machine must keep its power until `end`. */
  constructor(machine: Machine) {
    this.#machine = machine;
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  /** Ends it. Returns the scripts that ran, each once. */
  end(): string[] {
    clearInterval(this.#timer);
    return [...this.#seen].sort();
  }

  #look(): void {
    for (const script of changingScripts(this.#machine)) this.#seen.add(script);
  }
}
