/**
 * What ends with a start of `sm` anew while services run on: an upgrade, and a change of the set of nodes. Whether it can be
 * done is found out before anything is touched.
 */
import { execFile } from 'node:child_process';
import type { EngineEvent } from '../core/engine-interface.ts';
import { type CodedError, codedError } from '../core/kernel/errors.ts';
import { changeRefusal, type NodeChange } from '../core/membership.ts';
import type { EngineView } from '../core/view.ts';
import type { CommandResult } from './control-protocol.ts';
import { programPath } from './pair/programs.ts';
import type { Time } from './ports.ts';
import { changeNodes } from './store/nodes.ts';

/** How long a restart waits for scripts to end. */
const IDLE_LIMIT_MS = 10_000;
const IDLE_LOOK_MS = 20;
const CHECK_LIMIT_MS = 20_000;

export interface RenewalOptions {
  readonly node: string;
  readonly database: string;
  /** Path of the configuration. */
  readonly configPath: string;
  readonly view: () => EngineView;
  /** Why the newest commit failed; '' = it did not. */
  readonly storeFailure: () => string;
  /** Services of which a script runs that changes something. */
  readonly changing: () => readonly string[];
  readonly post: (event: EngineEvent) => void;
  readonly time: Time;
}

export class Renewal {
  readonly #options: RenewalOptions;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  async restart(actor: string, why: string): Promise<CommandResult> {
    const { configPath, post } = this.#options;
    const fault = await installationFault(configPath);
    if (fault !== null) return refused(codedError('SM_RESTART_REFUSED', { detail: fault }));
    const busy = await this.#idle();
    if (busy.length > 0)
      return refused(codedError('SM_RESTART_REFUSED', { detail: `scripts still run: ${busy.join(', ')}` }));
    post({ type: 'restart', actor, reason: why === '' ? `asked for by ${actor}` : why });
    return { ok: true, code: '', message: 'sm is started anew', operation: '' };
  }

  /** Judged, stored and on its way within one turn of the event loop: nothing can come in between. */
  async changeNodes(actor: string, why: string, change: NodeChange): Promise<CommandResult> {
    const { node, database, view, storeFailure, post } = this.#options;
    const refusal = storeFailure() || changeRefusal(view(), change);
    if (refusal !== null) return refused(codedError('SM_NODES_REFUSED', { detail: refusal }));
    const changed = changeNodes(database, node, change);
    if (!changed.ok) return refused(changed.error);
    const done = change.change === 'add' ? `${change.node} was added` : `${change.node} was removed`;
    post({ type: 'restart', actor, reason: why === '' ? done : `${done}: ${why}` });
    return { ok: true, code: '', message: `${done}; sm is started anew`, operation: '' };
  }

  /** A script that is in the middle of a change would be killed with its result. Returns whose did not end in time. */
  async #idle(): Promise<readonly string[]> {
    const { time, changing } = this.#options;
    const limitAt = time.now() + IDLE_LIMIT_MS;
    while (changing().length > 0 && time.now() < limitAt)
      await new Promise<void>((resolve) => void time.after(IDLE_LOOK_MS, resolve));
    return changing();
  }
}

function refused({ code, message }: CodedError): CommandResult {
  return { ok: false, code, message, operation: '' };
}

/** Why the programs that are installed now could not run on this configuration and database; null = they can. */
function installationFault(configPath: string): Promise<string | null> {
  const args = [...process.execArgv, programPath('sm'), '--check', '--config', configPath];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: CHECK_LIMIT_MS, killSignal: 'SIGKILL' }, (error, _out, err) =>
      resolve(error === null ? null : err.trim().split('\n').at(-1) || error.message),
    );
  });
}
