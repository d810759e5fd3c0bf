/**
 * One screen about a node and what it knows of the other one, as data: what `smctl status` shows and `GET /v1/status` answers.
 * From a view of the running `sm`; while it does not answer, from the database: what it said last, marked as stale.
 */
import { duration, hasEnded, isOutOfDate, permissionInWords, policyInWords } from '../../core/explain.ts';
import type { EngineView, LeftAlone } from '../../core/view.ts';
import type { StateReader, StoredAlarm } from './reader.ts';

export interface PlacedGroup {
  readonly name: string;
  /** State and status by node. */
  readonly on: Readonly<Record<string, string>>;
}

export interface Status {
  /** Why this may be out of date; null = `sm` itself says so. */
  readonly stale: string | null;
  readonly node: string;
  readonly domain: { readonly name: string; readonly leader: string; readonly number: number };
  readonly permission: string;
  readonly policy: string;
  readonly peer: string;
  readonly links: readonly { readonly role: string; readonly state: string; readonly good: boolean }[];
  readonly nodes: readonly {
    readonly name: string;
    readonly state: string;
    readonly ready: string;
    /** Why, and for how long; '' = it is not locked. */
    readonly lock: string;
    readonly lockedUntil: string | null;
  }[];
  readonly groups: readonly PlacedGroup[];
  readonly failures: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
  readonly alone: readonly {
    readonly service: string;
    readonly reason: string;
    readonly until: string | null;
  }[];
  readonly pending: readonly {
    readonly what: string;
    readonly step: string;
    readonly actor: string;
    readonly why: string;
  }[];
  readonly alarms: readonly {
    readonly severity: string;
    readonly id: string;
    readonly entity: string;
    readonly reason: string;
    readonly repair: string;
    readonly since: string;
  }[];
  /** Datagrams that were not believed, since sm-watchdog started. */
  readonly dropped: readonly Drop[];
}

interface Drop {
  readonly role: string;
  readonly cause: string;
  readonly total: number;
}

/** What `sm` adds to the engine's view; null and missing while sm-watchdog is away. */
interface ShellView {
  readonly shell?: {
    readonly watchdog?: { readonly counters: { readonly drops: readonly Drop[] } | null } | null;
  };
}

const SEVERITIES = ['critical', 'major', 'minor'];

/** Otherwise in their order, which is that of time. */
export function mostSevereFirst<T extends { readonly severity: string }>(alarms: readonly T[]): T[] {
  const rank = ({ severity }: T) => SEVERITIES.indexOf(severity);
  return [...alarms].sort((a, b) => rank(a) - rank(b));
}

/** Those of a running `sm`, which counts on a clock that only it has. */
export function standingAlarms({ alarms, now }: EngineView, wallMs: number): StoredAlarm[] {
  return mostSevereFirst(alarms).map(({ id, entity, severity, reason, repair, since }) => ({
    id,
    entity,
    severity,
    reason,
    repair,
    raisedAt: wallMs - (now - since),
  }));
}

function alarmStatus({ raisedAt, ...alarm }: StoredAlarm): Status['alarms'][number] {
  return { ...alarm, since: isoTime(raisedAt) };
}

/* From sm */

export function statusOf(view: EngineView & ShellView, wallMs: number): Status {
  return {
    stale: null,
    node: view.node,
    domain: view.domain,
    permission: permissionInWords(view),
    policy: policyInWords(view.domain.policy),
    peer: peerInWords(view),
    links: view.links.map((link) => ({
      role: link.role,
      state:
        link.up && link.heard
          ? 'up, peer heard'
          : `${link.up ? 'up, peer not heard' : 'down'}${link.reason === '' ? '' : ` (${link.reason})`}`,
      good: link.up && link.heard,
    })),
    nodes: view.nodes.map((node) =>
      nodeStatus(isOutOfDate(view, node.name) ? { ...node, ready: 'unknown' } : node, wallMs),
    ),
    groups: placed([
      // Nobody shall read of two nodes that are active, of which one has been off for an hour.
      ...view.assignments.map((row) =>
        isOutOfDate(view, row.node) ? { ...row, state: `unknown (was ${row.state})`, status: '' } : row,
      ),
      ...view.groups.map((group) => ({ ...group, group: group.name, node: view.node })),
    ]),
    failures: view.services
      .filter((service) => service.status !== '')
      .map((service) => ({
        name: service.name,
        state: `${service.state}${service.status === '' ? '' : `, ${service.status}`}${service.managed ? '' : ', unmanaged'}`,
        reason: service.reason,
      })),
    pending: view.operations.filter((operation) => !hasEnded(operation.step)).map(pendingStatus),
    alone: view.alone.map(aloneStatus),
    alarms: standingAlarms(view, wallMs).map(alarmStatus),
    dropped: view.shell?.watchdog?.counters?.drops ?? [],
  };
}

function peerInWords(view: EngineView): string {
  const { peer } = view;
  if (peer === null) return 'none: this node is alone';
  const parts = [
    peer.heard
      ? 'heard'
      : peer.silentSince === null
        ? 'not heard since this node started'
        : `silent for ${duration(view.now - peer.silentSince)}`,
  ];
  if (peer.heard && !peer.exchanged) parts.push('not exchanged yet');
  if (peer.managerDownMs > 0) parts.push(`its sm away for ${duration(peer.managerDownMs)}`);
  if (peer.leaving) parts.push('stops in order');
  return `${peer.name}: ${parts.join(', ')}`;
}

/* From the database */

/** @param reason why `sm` could not be asked */
export function storedStatus(reader: StateReader, node: string, reason: string, wallMs: number): Status {
  const domain = reader.domain();
  const assignments = reader.assignments();
  return {
    stale: reason,
    node,
    domain: domain ?? { name: '', leader: '', number: 0 },
    permission: 'not known: sm does not answer',
    policy: policyInWords(domain?.policy ?? ''),
    peer: 'not known: sm does not answer',
    links: reader.links().map((link) => ({ ...link, good: link.state === 'enabled' })),
    nodes: reader.nodes().map((row) => nodeStatus(row, wallMs)),
    groups: placed([
      ...assignments.map((row) => ({ ...row, group: row.name })),
      ...(assignments.length > 0 ? [] : reader.groups().map((row) => ({ ...row, group: row.name, node }))),
    ]),
    failures: reader
      .services()
      .filter((service) => service.status !== '' && service.status !== 'none')
      .map((service) => ({
        name: service.name,
        state: `${service.state}, ${service.status}`,
        reason: service.condition,
      })),
    pending: reader
      .operations()
      .filter((operation) => !hasEnded(operation.step))
      .map(pendingStatus),
    alone: reader.alone().map(aloneStatus),
    alarms: mostSevereFirst(reader.alarms()).map(alarmStatus),
    dropped: [],
  };
}

/* Both */

function nodeStatus(
  node: {
    readonly name: string;
    readonly administrative: string;
    readonly operational: string;
    readonly availability: string;
    readonly ready: string;
    readonly lockedUntil: number;
    readonly lockReason: string;
  },
  wallMs: number,
): Status['nodes'][number] {
  const parts = [node.administrative, node.operational, node.availability].filter((part) => part !== '');
  const locked = node.administrative === 'locked';
  const timed = locked && node.lockedUntil > 0;
  const ends = timed
    ? `until ${isoTime(node.lockedUntil)} (${duration(node.lockedUntil - wallMs)})`
    : 'until it is unlocked';
  const lock = [node.lockReason, ends].filter((part) => part !== '').join(', ');
  return {
    name: node.name,
    state: parts.join('-'),
    ready: node.ready,
    lock: locked ? lock : '',
    lockedUntil: timed ? isoTime(node.lockedUntil) : null,
  };
}

function aloneStatus({ service, reason, until }: LeftAlone): Status['alone'][number] {
  return { service, reason, until: until === 0 ? null : isoTime(until) };
}

function placed(
  rows: readonly {
    readonly group: string;
    readonly node: string;
    readonly state: string;
    readonly status: string;
  }[],
): PlacedGroup[] {
  const groups = new Map<string, Record<string, string>>();
  for (const { group, node, state, status: health } of rows) {
    const on = groups.get(group) ?? {};
    on[node] = health === '' || health === 'none' ? state : `${state}, ${health}`;
    groups.set(group, on);
  }
  return [...groups].map(([name, on]) => ({ name, on }));
}

function pendingStatus(operation: {
  readonly kind: string;
  readonly node: string;
  readonly group: string;
  readonly step: string;
  readonly actor: string;
  readonly why: string;
  readonly requestedAt: number;
}): Status['pending'][number] {
  const group = operation.group === '' ? '' : ` ${operation.group}`;
  return {
    what: `${operation.kind} ${operation.node}${group}, asked ${isoTime(operation.requestedAt)}`,
    step: operation.step,
    actor: operation.actor,
    why: operation.why,
  };
}

function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
