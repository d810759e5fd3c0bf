/**
 * Notification hooks: every program in a directory is told of each change of a group's state on this node, one after the
 * other by name, each within its time. They are told after the change is stored, beside everything else: what they do wrong
 * is an event and an alarm, and nothing more. Groups that wait for them do so in the engine, which has the limit.
 * Source: docs/reference/notifications.md.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineEvent } from '../core/engine-interface.ts';
import { GROUP_STATES, type GroupState } from '../core/kernel/names.ts';
import type { HistoryEffect } from '../core/service/interface.ts';
import type { Log } from './ports.ts';

const HOOKS_MAX = 32;
/** Changes of one group that wait to be told; of more the oldest are left out. */
export const WAITING_MAX = 16;
const OUTPUT_CHARACTERS_MAX = 200;

export interface NotifierOptions {
  readonly node: string;
  readonly directory: string;
  /** For one change and all hooks together. */
  readonly limitMs: number;
  readonly post: (event: Extract<EngineEvent, { type: 'group.notified' }>) => void;
  readonly wallMs: () => number;
  readonly log: Log;
}

/** What a hook is told, on its standard input. */
export interface Notification {
  readonly sequence: number;
  readonly node: string;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly status: string;
  readonly cause: string;
  readonly actor: string;
  readonly reason: string;
  readonly time: string;
}

export class Notifier {
  readonly #options: NotifierOptions;
  /** By group, in order; the first is being told. Groups do not wait for one another. */
  readonly #waiting = new Map<string, Notification[]>();
  #sequence = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  /** Takes an entry of the history in; only changes of a group's state are told. */
  published({ entity, name: group, from: before, to: after, cause, actor, reason }: HistoryEffect): void {
    const [from] = stateAndStatus(before);
    const [to, status] = stateAndStatus(after);
    if (entity !== 'group' || !isState(to) || !isState(from) || from === to) return;
    this.#sequence += 1;
    const { node, wallMs } = this.#options;
    const time = new Date(wallMs()).toISOString();
    const sequence = this.#sequence;
    const notification = { sequence, node, group, from, to, status, cause, actor, reason, time };
    const waiting = this.#waiting.get(group);
    if (waiting === undefined) {
      this.#waiting.set(group, [notification]);
      void this.#tellAll(group);
      return;
    }
    waiting.push(notification);
    if (waiting.length > WAITING_MAX) {
      const [left] = waiting.splice(1, 1);
      this.#options.log.warn({ group, to: left?.to }, 'hooks are slow: a change is not told any more');
    }
  }

  async #tellAll(group: string): Promise<void> {
    const waiting = this.#waiting.get(group) ?? [];
    for (;;) {
      const [notification] = waiting;
      if (notification === undefined) break;
      const problem = await this.#tell(notification);
      waiting.shift();
      if (problem !== '') this.#options.log.warn({ group, to: notification.to, problem }, 'notification');
      // A newer change waits: nobody waits for this one any more.
      const state = waiting.length === 0 ? (notification.to as GroupState) : 'initial';
      this.#options.post({ type: 'group.notified', group, state, problem });
    }
    this.#waiting.delete(group);
  }

  /** '' = every hook has done its work. One that fails does not keep the others from theirs. */
  async #tell(notification: Notification): Promise<string> {
    const { directory, limitMs } = this.#options;
    const hooks = hooksIn(directory);
    if (typeof hooks === 'string') return hooks;
    const until = performance.now() + limitMs;
    const problems: string[] = [];
    for (const name of hooks) {
      const leftMs = until - performance.now();
      const problem =
        leftMs <= 0
          ? 'there was no time left for it'
          : await runHook(join(directory, name), notification, leftMs);
      if (problem !== '') problems.push(`${name} (${notification.to}): ${problem}`);
    }
    return problems.join('; ').slice(0, 4 * OUTPUT_CHARACTERS_MAX);
  }
}

function stateAndStatus(shown: string): readonly [string, string] {
  const match = /^(.*)-(warn|degraded|failed)$/.exec(shown);
  return match === null ? [shown, ''] : [match[1] ?? '', match[2] ?? ''];
}

function isState(word: string): word is GroupState {
  return (GROUP_STATES as readonly string[]).includes(word);
}

/** A text = why nothing in it is run. No directory: there are no hooks. */
function hooksIn(directory: string): readonly string[] | string {
  try {
    if ((statSync(directory).mode & 0o022) !== 0)
      return `others may write to ${directory}, so nothing in it is run: run chmod go-w on it`;
    const names = readdirSync(directory).sort();
    const hooks = names.filter((name) => !name.startsWith('.') && isProgram(join(directory, name)));
    return hooks.length <= HOOKS_MAX ? hooks : `${directory} holds more than ${HOOKS_MAX} hooks`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? [] : `${directory} can not be read (${code})`;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const WANTED: Readonly<Partial<Record<string, string>>> = {
  'go-active': 'active',
  'go-standby': 'standby',
  disabling: 'disabled',
};

/** The names are StarlingX's. */
function environmentOf({ sequence, group, from, to }: Notification): NodeJS.ProcessEnv {
  return {
    PATH: '/sbin:/usr/sbin:/bin:/usr/bin:/usr/local/sbin:/usr/local/bin',
    LANG: 'C',
    NOTIFICATION_SEQNUM: String(sequence),
    SERVICE_GROUP_NAME: group,
    SERVICE_GROUP_DESIRED_STATE: WANTED[to] ?? to,
    SERVICE_GROUP_STATE: from,
    SERVICE_GROUP_NOTIFICATION: to,
  };
}

/** '' = it ended with 0 in time. What takes longer is killed with all that it started. */
function runHook(path: string, notification: Notification, limitMs: number): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(path, [], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environmentOf(notification),
    });
    let output = '';
    const take = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    // One that does not read what it is told is none of our business.
    child.stdin.on('error', () => {});
    child.stdin.end(`${JSON.stringify(notification)}\n`);
    const end = (how: string): void => {
      clearTimeout(limit);
      // What it left running must not hold our end of its pipes.
      child.stdout.destroy();
      child.stderr.destroy();
      const said = output.trim().split('\n').at(-1) ?? '';
      resolve(how === '' || said === '' ? how : `${how}: ${said}`);
    };
    const limit = setTimeout(() => {
      if (child.pid !== undefined) killGroup(child.pid);
      end(`it did not end within ${Math.round(limitMs)} ms and was killed`);
    }, limitMs);
    child.once('error', (error) => end(`it can not be run (${error.message})`));
    child.once('exit', (code, signal) =>
      end(code === 0 ? '' : `it ended with ${signal ?? `exit code ${code}`}`),
    );
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
