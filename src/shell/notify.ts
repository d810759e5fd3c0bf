/**
 * Notification hooks: every program in a directory is told of each change of a group's state on this node, one after the
 * other by name, each within its time. They are told after the change is stored, beside everything else: what they do wrong
 * is an event and an alarm, and nothing more. Groups that wait for them do so in the engine, which has the limit.
 * Source: docs/reference/notifications.md.
 */
import { join } from 'node:path';
import type { EngineEvent } from '../core/engine-interface.ts';
import { GROUP_STATES, type GroupState } from '../core/kernel/names.ts';
import type { AggregateView } from '../core/service/aggregate.ts';
import type { HistoryEffect } from '../core/service/interface.ts';
import type { Log, Time } from './ports.ts';
import { programsIn, runProgram } from './programs.ts';

const HOOKS_MAX = 32;
/** Changes of one group that wait to be told; of more the oldest are left out. */
export const WAITING_MAX = 16;
const PROBLEM_CHARACTERS_MAX = 800;

export interface NotifierOptions {
  readonly node: string;
  readonly directory: string;
  /** For one change and all hooks together. */
  readonly limitMs: number;
  /** As it is now on this node; null = the group belongs to none. */
  readonly aggregate: (group: string) => AggregateView | null;
  readonly post: (event: Extract<EngineEvent, { type: 'group.notified' }>) => void;
  readonly wallMs: () => number;
  readonly time: Pick<Time, 'now' | 'after'>;
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
    const { directory, limitMs, time, aggregate } = this.#options;
    const hooks = programsIn(directory, HOOKS_MAX);
    if (!hooks.ok) return hooks.reason;
    // No view of the node is made for nobody.
    if (hooks.names.length === 0) return '';
    const until = time.now() + limitMs;
    const input = `${JSON.stringify(notification)}\n`;
    const environment = {
      ...environmentOf(notification),
      ...aggregateEnvironment(aggregate(notification.group)),
    };
    const problems: string[] = [];
    for (const name of hooks.names) {
      const leftMs = until - time.now();
      const problem =
        leftMs <= 0
          ? 'there was no time left for it'
          : await runProgram(join(directory, name), { limitMs: leftMs, input, environment, time });
      if (problem !== '') problems.push(`${name} (${notification.to}): ${problem}`);
    }
    return problems.join('; ').slice(0, PROBLEM_CHARACTERS_MAX);
  }
}

function stateAndStatus(shown: string): readonly [string, string] {
  const match = /^(.*)-(warn|degraded|failed)$/.exec(shown);
  return match === null ? [shown, ''] : [match[1] ?? '', match[2] ?? ''];
}

function isState(word: string): word is GroupState {
  return (GROUP_STATES as readonly string[]).includes(word);
}

const WANTED: Readonly<Partial<Record<string, string>>> = {
  'go-active': 'active',
  'go-standby': 'standby',
  disabling: 'disabled',
};

/** The names are StarlingX's. */
function environmentOf({ sequence, group, from, to }: Notification): NodeJS.ProcessEnv {
  return {
    NOTIFICATION_SEQNUM: String(sequence),
    SERVICE_GROUP_NAME: group,
    SERVICE_GROUP_DESIRED_STATE: WANTED[to] ?? to,
    SERVICE_GROUP_STATE: from,
    SERVICE_GROUP_NOTIFICATION: to,
  };
}

function aggregateEnvironment(aggregate: AggregateView | null): NodeJS.ProcessEnv {
  if (aggregate === null) return {};
  return {
    SERVICE_GROUP_AGGREGATE_NAME: aggregate.name,
    SERVICE_GROUP_AGGREGATE_DESIRED_STATE: aggregate.desired,
    SERVICE_GROUP_AGGREGATE_STATE: aggregate.state,
  };
}
