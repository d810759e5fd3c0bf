/**
 * One incident in sentences: what has a beginning and an end is one line with its duration, and what says nothing that
 * another line does not say is left out.
 */
import { duration } from '../explain.ts';
import {
  isDisturbance,
  isGroupState,
  isOperationEnd,
  isServiceState,
  type RecordedEvent,
  stateOf,
} from './events.ts';

export const LINE_KINDS = [
  'operation',
  'order',
  'cause',
  'node',
  'daemon',
  'link',
  'domain',
  'group',
  'script',
  'alarm',
] as const;
export type LineKind = (typeof LINE_KINDS)[number];

export interface Line {
  readonly kind: LineKind;
  readonly node: string;
  readonly atMs: number;
  /** When what began at `atMs` was over; null = it was a moment, or is not over. */
  readonly endMs: number | null;
  /** Names of what it is about, for filters. */
  readonly about: readonly string[];
  /** What happened, without times. */
  readonly text: string;
  /** Why, or what came of it, or what the script said. */
  readonly outcome: string;
  /** It did not come out as it should. */
  readonly bad: boolean;
  readonly actor: string;
}

/** A line whose end is still to come. */
type Draft = { -readonly [Key in keyof Line]: Key extends 'about' ? string[] : Line[Key] };

const SCRIPTS: Readonly<Record<string, string>> = {
  enabling: 'enable',
  'enabled-go-active': 'go-active',
  'enabled-go-standby': 'go-standby',
  disabling: 'disable',
};
/** Links of a node that change within this time for the same reason are one line. */
const TOGETHER_MS = 250;

/** Alarms that are raised, with the time, by name and node. A start of `sm` raises its own anew. */
export type StandingAlarms = Map<string, Map<string, number>>;

/** `standing`: what was raised before; it is brought up to date. */
export function linesOf(events: readonly RecordedEvent[], standing: StandingAlarms): Line[] {
  const teller = new Teller(standing);
  for (const event of events) teller.tell(event);
  return teller.end();
}

/** The nearest reason of a chain. */
export function nearest(reason: string): string {
  return reason.split(' <- ')[0] ?? '';
}

class Teller {
  readonly #lines: Draft[] = [];
  /** Scripts, moves of groups, orders and alarms that have no end yet. */
  readonly #open = new Map<string, Draft>();
  /** By node: where the audits of a start found its services. */
  readonly #found = new Map<string, { readonly atMs: number; readonly states: Map<string, number> }>();
  readonly #audited = new Set<string>();
  /** Services that were active, and why they are not. */
  readonly #down = new Map<string, Draft>();
  readonly #standing: StandingAlarms;

  constructor(standing: StandingAlarms) {
    this.#standing = standing;
  }

  tell(event: RecordedEvent): void {
    switch (event.entity) {
      case 'service':
        return this.#service(event);
      case 'group':
        return this.#group(event);
      case 'node':
        return this.#node(event);
      case 'interface':
        return this.#link(event);
      case 'domain':
        return this.#domain(event);
      case 'operation':
        return this.#operation(event);
      case 'alarm':
        return this.#alarm(event);
      case 'daemon':
        return this.#daemon(event);
      default:
        this.#say('node', event, `${event.entity} ${event.name}: ${event.from} -> ${event.to}`, event.reason);
    }
  }

  end(): Line[] {
    for (const line of this.#open.values()) {
      if (line.kind === 'script' || line.kind === 'group') line.outcome = 'is not over';
    }
    for (const [node, { atMs, states }] of this.#found) {
      const counts = [...states].map(([state, count]) => `${count} ${state}`).join(', ');
      const text = `services were found as they are: ${counts}`;
      const line = { kind: 'daemon', node, atMs, endMs: null, text } as const;
      this.#lines.push({ ...line, about: [node], outcome: '', bad: false, actor: 'engine' });
    }
    return this.#lines.sort((a, b) => a.atMs - b.atMs);
  }

  #say(kind: LineKind, event: RecordedEvent, text: string, outcome = '', bad = false): Draft {
    const { node, wallMs: atMs, name, actor } = event;
    const line: Draft = { kind, node, atMs, endMs: null, about: [node, name], text, outcome, bad, actor };
    this.#lines.push(line);
    return line;
  }

  #service(event: RecordedEvent): void {
    const { node, name, from, to, actor, reason } = event;
    if (!isServiceState(event)) {
      const done = to === 'unmanaged' ? 'is left alone' : 'is managed again';
      this.#say(actor === 'engine' ? 'cause' : 'order', event, `${name} ${done}${by(actor)}`, reason);
      return;
    }
    const state = stateOf(to);
    const key = `${node} service ${name}`;
    this.#endScript(key, event);
    this.#audit(key, event);
    const disturbance = this.#disturbance(event);
    if (disturbance !== null && stateOf(from) === 'enabled-active') this.#down.set(key, disturbance);
    const action = SCRIPTS[state];
    if (action !== undefined) this.#open.set(key, this.#say('script', event, `${action} of ${name}`));
    if (state !== 'enabled-active') return;
    const down = this.#down.get(key);
    if (down !== undefined) down.endMs = event.wallMs;
    this.#down.delete(key);
  }

  /** Why a service changes, where nothing else says it. */
  #disturbance(event: RecordedEvent): Draft | null {
    const { name, from, to, actor, reason } = event;
    const [before, after, why] = [stateOf(from), stateOf(to), nearest(reason)];
    if (isDisturbance(event)) return this.#say('cause', event, `${name} failed`, why, true);
    if (actor !== 'engine' && before === 'enabled-active')
      return this.#say('order', event, `${name}: ${why.replace(/^restart( safe)? requested: /, '')}`);
    const worse = to !== after && SCRIPTS[after] === undefined;
    return worse ? this.#say('cause', event, `${name} is ${to}`, why, true) : null;
  }

  #endScript(key: string, event: RecordedEvent): void {
    const script = this.#open.get(key);
    if (script === undefined) return;
    this.#open.delete(key);
    script.endMs = event.wallMs;
    if (/-success$/.test(event.cause)) {
      const tries = /, (at try \d+: .*)$/.exec(nearest(event.reason));
      script.outcome = tries?.[1] ?? '';
    } else {
      script.outcome = `${event.cause}: ${nearest(event.reason)}`;
      script.bad = true;
    }
  }

  /** The first audit of a start: many services, and nothing to tell of each. */
  #audit(key: string, { node, wallMs, from, to }: RecordedEvent): void {
    if (stateOf(from) === 'initial' && stateOf(to) === 'unknown') this.#audited.add(key);
    if (stateOf(from) !== 'unknown' || !this.#audited.delete(key)) return;
    const found = this.#found.get(node) ?? { atMs: wallMs, states: new Map<string, number>() };
    found.states.set(to, (found.states.get(to) ?? 0) + 1);
    this.#found.set(node, found);
  }

  #group(event: RecordedEvent): void {
    const { node, name, from, to, cause, reason } = event;
    if (!isGroupState(event)) return this.#number(event);
    const key = `${node} group ${name}`;
    const way = this.#open.get(key);
    const [before, after] = [stateOf(from), stateOf(to)];
    if (before === after) {
      const bad = to !== after;
      this.#say('group', event, `${name} is ${to}`, bad ? nearest(reason) : '', bad);
      return;
    }
    const line = way ?? this.#say('group', event, '', whyWanted(reason));
    if (way === undefined) this.#open.set(key, line);
    line.text = `${name}: ${way === undefined ? before : firstState(way.text)} -> ${to}`;
    if (['go-active', 'go-standby', 'disabling'].includes(after)) return;
    this.#open.delete(key);
    if (way !== undefined) line.endMs = event.wallMs;
    if (cause === 'revoke') line.bad = true;
  }

  #number(event: RecordedEvent): void {
    const { name, to, cause, reason, from } = event;
    switch (cause) {
      case 'grant':
        this.#say('domain', event, `${name} is given to ${to.replace('held by ', '')}`, reason);
        return;
      case 'released':
        this.#say('domain', event, `${name} is taken from ${from.replace('held by ', '')}`, reason);
        return;
      case 'notification-failed':
        this.#say('cause', event, `a hook of ${name} failed`, reason, true);
        return;
      case 'notification-late':
        this.#say('cause', event, `${name} went on without its hooks`, reason, true);
        return;
      case 'revoke':
        this.#say('group', event, `${name} lost its permission`, reason, true);
    }
  }

  #node(event: RecordedEvent): void {
    const { name, to, cause, reason, actor } = event;
    if (cause === 'node-ready' && to === 'ready') return;
    const texts: Readonly<Record<string, string>> = {
      'not heard': `${name} fell silent`,
      heard: `${name} is heard`,
      dead: `${name} was started anew`,
      locked: `${name} is locked${by(actor)}`,
      unlocked: `${name} is unlocked${by(actor)}`,
      'may not act': `${name} lost its permission to act`,
      'not ready': `${name} is not ready`,
    };
    const bad = to === 'not heard' || to === 'may not act' || to === 'not ready';
    this.#say(
      'node',
      event,
      texts[to] ?? `${name}: ${event.from} -> ${to}`,
      reason === to ? '' : reason,
      bad,
    );
  }

  #link(event: RecordedEvent): void {
    const { node, name, to, reason, wallMs } = event;
    const last = this.#lines.findLast((line) => line.kind === 'link' && line.node === node);
    const outcome = reason === to || reason.startsWith('up, ') ? '' : reason;
    if (last?.text.endsWith(`: ${to}`) && wallMs - last.atMs <= TOGETHER_MS) {
      if (last.outcome === outcome && !last.about.includes(name)) {
        last.text = last.text.replace(/: /, `, ${name}: `);
        last.about.push(name);
        return;
      }
    }
    this.#say('link', event, `${name}: ${to}`, outcome, to !== 'up, peer heard');
  }

  #domain(event: RecordedEvent): void {
    const { node, name, from, to, reason } = event;
    const number = /^leader, number (\d+)$/.exec(to)?.[1];
    if (number !== undefined)
      this.#say('domain', event, `${node} leads domain ${name}, number ${number}`, reason);
    else if (to === 'announcing') this.#say('domain', event, `${node} announces that it takes over`, '');
    else if (from === 'announcing') this.#say('domain', event, `${node} takes its announcement back`, reason);
    else if (to === 'backup') this.#say('domain', event, `${node} follows in domain ${name}`, reason);
    else if (from !== to) this.#say('domain', event, `domain ${name}: ${from} -> ${to}`, reason);
  }

  #operation(event: RecordedEvent): void {
    const { name, to, cause, reason, actor } = event;
    const known = this.#open.get(`operation ${cause}`);
    const line =
      known ?? this.#say('operation', event, `${name}${by(actor)}${reason === '' ? '' : ` (${reason})`}`);
    if (known === undefined) {
      line.about.push(...name.split(' '));
      this.#open.set(`operation ${cause}`, line);
    }
    // The other node hears of its steps later, and tells of them too.
    if (line.endMs !== null && !isOperationEnd(event)) return;
    line.outcome =
      known === undefined || reason === '' || line.text.endsWith(`(${reason})`) ? to : `${to}: ${reason}`;
    if (!isOperationEnd(event)) return;
    line.endMs = event.wallMs;
    line.bad = to !== 'done';
  }

  /** Both nodes may tell of one alarm: it was raised by the first, and is cleared by the last. */
  #alarm(event: RecordedEvent): void {
    const { node, name, to, reason, wallMs } = event;
    const [id = '', ...entity] = name.split(' ');
    const raised = this.#standing.get(name) ?? new Map<string, number>();
    const since = Math.min(...raised.values());
    const line = this.#open.get(`alarm ${name}`);
    if (to === 'clear') {
      if (!raised.delete(node) || raised.size > 0) return;
      this.#open.delete(`alarm ${name}`);
      if (line !== undefined) line.endMs = wallMs;
      else this.#aboutAlarm(event, `alarm ${name} is cleared`, `it stood ${duration(wallMs - since)}`, false);
      return;
    }
    const text = `alarm ${id} ${to} ${entity.join(' ')}`;
    // Told before, by the other node or of another severity.
    if (line !== undefined) line.text = text;
    else if (raised.size === 0) this.#open.set(`alarm ${name}`, this.#aboutAlarm(event, text, reason, true));
    if (!raised.has(node)) raised.set(node, wallMs);
    this.#standing.set(name, raised);
  }

  #aboutAlarm(event: RecordedEvent, text: string, outcome: string, raised: boolean): Draft {
    const line = this.#say('alarm', event, text, outcome, raised && event.to !== 'minor');
    line.about.push(...event.name.split(/[ .=]/));
    return line;
  }

  #daemon(event: RecordedEvent): void {
    const { node, to, actor, reason } = event;
    if (to === 'running') for (const raised of this.#standing.values()) raised.delete(node);
    const texts: Readonly<Record<string, string>> = {
      running: `sm was started on ${node}`,
      leaving: `sm on ${node} is to stop in order${by(actor)}`,
      'not running': `sm has ended on ${node}`,
    };
    const kind = to === 'leaving' && actor !== 'engine' ? 'order' : 'daemon';
    this.#say(kind, event, texts[to] ?? `sm on ${node}: ${to}`, to === 'not running' ? '' : reason);
  }
}

function by(actor: string): string {
  return actor === 'engine' || actor === '' ? '' : ` by ${actor}`;
}

function firstState(text: string): string {
  return /^\S+: (\S+) -> /.exec(text)?.[1] ?? '';
}

/** `app wanted active: order of controller-1: swact away from controller-0`: what comes after the wish. */
function whyWanted(reason: string): string {
  const wish = reason.split(' <- ').find((part) => / wanted [a-z]+: /.test(part)) ?? nearest(reason);
  return wish.replace(/^\S+ wanted [a-z]+: /, '');
}
