/** Watches which scripts of services run on a machine: in its list of processes, not in what its manager tells. */
import type { Machine, MachineProcess } from './machine.ts';

/** Scripts of services take longer than this. */
const LOOK_INTERVAL_MS = 15;
const SCRIPT = /\/(?:resource\.d|init\.d)\/(?:.*\/)?([^/]+)$/;
/** What only looks, at its fixed intervals. */
const AUDITS: ReadonlySet<string> = new Set(['monitor', 'status']);

export interface RunningScript {
  readonly process: MachineProcess;
  readonly script: string;
  readonly action: string;
}

/** Scripts of services that run now. Also what they have left in the background. */
export function serviceScripts(machine: Machine): RunningScript[] {
  return machine.processes().flatMap((process) => {
    const { words } = process;
    const script = SCRIPT.exec(words.at(-2) ?? '')?.[1];
    return script === undefined ? [] : [{ process, script, action: words.at(-1) ?? '' }];
  });
}

/** Those that change something, or try to: `nginx stop`. */
export function changingScripts(machine: Machine): string[] {
  return serviceScripts(machine).flatMap(({ script, action }) =>
    AUDITS.has(action) ? [] : [`${script} ${action}`],
  );
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
