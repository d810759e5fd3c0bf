/** The REST server's line to `sm`: kept open, opened again when it ends; views are shared by all who ask at once. */

import type { EngineView } from '../core/view.ts';
import { type ControlClient, ControlError, connect } from '../shell/client.ts';
import type { CommandResult } from '../shell/control-protocol.ts';

const RETRY_MS = 500;
/** A view costs `sm` and `sm-watchdog` work: clients of the API get one that is at most so old. */
const VIEW_AGE_MS_MAX = 200;
const ANSWER_MS_MAX = 5000;

export interface DaemonPorts {
  readonly socket: string;
  /** Monotonic ms. */
  readonly now: () => number;
}

export class Daemon {
  readonly #ports: DaemonPorts;
  #client: ControlClient | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;
  #fault = 'it was not asked yet';
  #awaySince: number | null;
  #view: { readonly at: number; readonly value: Promise<EngineView> } | null = null;
  /** Called after each change of state that `sm` has stored. */
  onChange: () => void = () => {};

  constructor(ports: DaemonPorts) {
    this.#ports = ports;
    this.#awaySince = ports.now();
  }

  /** Resolves after the first attempt, whatever came of it. */
  async start(): Promise<void> {
    if (this.#closed) return;
    try {
      const client = await connect(this.#ports.socket);
      if (this.#closed) return client.close();
      client.onEvent = () => this.onChange();
      client.onClose = () => this.#lost('it closed the connection');
      this.#client = client;
      await client.request('subscribe', {}, ANSWER_MS_MAX);
      this.#awaySince = null;
      this.onChange();
    } catch (error) {
      this.#lost(error instanceof Error ? error.message : String(error));
    }
  }

  /** How long `sm` has been away, ms; null = it answers. */
  awayMs(): number | null {
    return this.#awaySince === null ? null : this.#ports.now() - this.#awaySince;
  }

  /** Why it is away. */
  get fault(): string {
    return this.#fault;
  }

  /** Rejects with a ControlError. */
  view(): Promise<EngineView> {
    const now = this.#ports.now();
    if (this.#view !== null && now - this.#view.at < VIEW_AGE_MS_MAX) return this.#view.value;
    const value = this.#ask('view', {}) as Promise<EngineView>;
    this.#view = { at: now, value };
    value.catch(() => {
      this.#view = null;
    });
    return value;
  }

  /** Rejects with a ControlError; a refusal is a result. */
  async command(actor: string, command: object): Promise<CommandResult> {
    const result = (await this.#ask('command', { actor, command })) as CommandResult;
    // Who follows the order must not see a view from before it.
    this.#view = null;
    return result;
  }

  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#client?.close();
  }

  #ask(method: string, params: object): Promise<unknown> {
    if (this.#client === null) return Promise.reject(new ControlError('not-running', this.#fault));
    return this.#client.request(method, params, ANSWER_MS_MAX);
  }

  #lost(reason: string): void {
    this.#client?.close();
    this.#client = null;
    this.#view = null;
    this.#fault = reason;
    this.#awaySince ??= this.#ports.now();
    if (this.#closed || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.start();
    }, RETRY_MS);
    this.#retry.unref();
  }
}
