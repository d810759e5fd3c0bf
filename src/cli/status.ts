/**
 * smctl status: one screen about this node and what it knows of the other one. It asks only the local `sm`; when that
 * does not answer at once, it shows what the database says and marks it as stale.
 */
import { duration, hasEnded, permissionInWords, policyInWords } from '../core/explain.ts';
import type { EngineView, LeftAlone } from '../core/view.ts';
import { StateReader } from '../shell/store/reader.ts';
import { type CommandSpec, type Context, failed, type Given, type Outcome } from './command.ts';
import { isAway, readView, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, columns, type Paint, type Tone, time } from './format.ts';

export const STATUS: CommandSpec = {
  name: 'status',
  summary: 'Show this node, its peer, the groups, and what is wrong',
  details: [
    'Comes from local state at once, also when the peer hangs. While sm is away the database is shown,',
    'marked as stale, and the exit code is 4.',
  ],
  run: status,
};

interface PlacedGroup {
  readonly name: string;
  /** State and status by node. */
  readonly on: Readonly<Record<string, string>>;
}

interface Status {
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

async function status(context: Context, given: Given): Promise<Outcome> {
  try {
    const view = await withDaemon(context, given, readView);
    return shown(fromView(view, context.wallMs()), context.paint);
  } catch (error) {
    if (!isAway(error)) throw error;
    const read = StateReader.read(given.settings.database, (reader) =>
      fromDatabase(reader, given.settings.node, error.message, context.wallMs()),
    );
    if (!read.ok)
      return { ...failed(read.error), exit: EXIT.away, problems: [error.message, read.error.message] };
    return shown(read.value, context.paint);
  }
}

function shown(found: Status, paint: Paint): Outcome {
  return { exit: found.stale === null ? EXIT.ok : EXIT.away, lines: screen(found, paint), json: found };
}

/* From sm */

function fromView(view: EngineView & ShellView, wallMs: number): Status {
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
    nodes: view.nodes.map((node) => nodeStatus(node, wallMs)),
    groups: placed([
      ...view.assignments,
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
    // The engine counts on a clock that only it has.
    alarms: view.alarms.map((alarm) => ({ ...alarm, since: time(wallMs - (view.now - alarm.since)) })),
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

function fromDatabase(reader: StateReader, node: string, reason: string, wallMs: number): Status {
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
    alarms: reader.alarms().map(({ raisedAt, ...alarm }) => ({ ...alarm, since: time(raisedAt) })),
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
    ? `until ${time(node.lockedUntil)} (${duration(node.lockedUntil - wallMs)})`
    : 'until it is unlocked';
  const lock = [node.lockReason, ends].filter((part) => part !== '').join(', ');
  return {
    name: node.name,
    state: parts.join('-'),
    ready: node.ready,
    lock: locked ? lock : '',
    lockedUntil: timed ? time(node.lockedUntil) : null,
  };
}

function aloneStatus({ service, reason, until }: LeftAlone): Status['alone'][number] {
  return { service, reason, until: until === 0 ? null : time(until) };
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
    what: `${operation.kind} ${operation.node}${group}, asked ${time(operation.requestedAt)}`,
    step: operation.step,
    actor: operation.actor,
    why: operation.why,
  };
}

/* The screen */

function screen(found: Status, paint: Paint): string[] {
  const { leader, name, number } = found.domain;
  const role = leader === '' ? 'no leader yet' : leader === found.node ? 'leads' : `${leader} leads`;
  const lines = found.stale === null ? [] : [paint('warn', `STALE, from the database: ${found.stale}`)];
  lines.push(
    ...columns(
      [
        ['node', { text: found.node, tone: 'strong' }],
        ['domain', `${name}: ${role}, number ${number}`],
        ['permission', found.permission],
        ['policy', found.policy],
        ['peer', found.peer],
        ...found.links.map((link): Cell[] => [
          link.role,
          link.good ? link.state : { text: link.state, tone: 'bad' },
        ]),
      ],
      paint,
    ),
  );
  lines.push('', ...columns(nodeRows(found), paint));
  lines.push('', ...columns(groupRows(found), paint));
  const section = (title: string, rows: readonly Cell[][]): void => {
    if (rows.length > 0)
      lines.push('', paint('strong', title), ...columns(rows, paint).map((line) => `  ${line}`));
  };
  section(
    'failures',
    found.failures.map((row) => [{ text: row.name, tone: 'bad' }, row.state, row.reason]),
  );
  section(
    'left alone',
    found.alone.map((row) => [
      row.service,
      row.reason,
      row.until === null ? 'until it is managed again' : `until ${row.until}`,
    ]),
  );
  section(
    'pending',
    found.pending.map((row) => [row.what, row.step, row.actor, row.why]),
  );
  section(
    'alarms',
    found.alarms.map((row) => [{ text: row.severity, tone: 'warn' }, row.id, row.entity, row.reason]),
  );
  section(
    'dropped datagrams',
    found.dropped.map((row) => [row.role, row.cause, String(row.total)]),
  );
  return lines;
}

function nodeRows(found: Status): Cell[][] {
  const dim = (text: string): Cell => ({ text, tone: 'dim' });
  return [
    ['node', 'state', 'ready', ''].map(dim),
    ...found.nodes.map((node): Cell[] => [
      node.name,
      {
        text: node.state,
        tone: /locked-|disabled|failed/.test(node.state.replace('unlocked', '')) ? 'warn' : 'good',
      },
      node.ready,
      node.lock,
    ]),
  ];
}

function groupRows(found: Status): Cell[][] {
  const nodes = [...new Set(found.groups.flatMap((group) => Object.keys(group.on)))].sort();
  const tone = (state: string): Tone =>
    state === 'active' ? 'good' : state === 'standby' || state === 'disabled' ? 'dim' : 'warn';
  return [
    ['group', ...nodes].map((text): Cell => ({ text, tone: 'dim' })),
    ...found.groups.map((group): Cell[] => [
      group.name,
      ...nodes.map((node): Cell => ({ text: group.on[node] ?? '-', tone: tone(group.on[node] ?? '') })),
    ]),
  ];
}
