/**
 * smctl status: one screen about this node and what it knows of the other one. It asks only the local `sm`; when that
 * does not answer at once, it shows what the database says and marks it as stale.
 */
import { StateReader } from '../shell/store/reader.ts';
import { type Status, statusOf, storedStatus } from '../shell/store/status.ts';
import { type CommandSpec, type Context, failed, type Given, type Outcome } from './command.ts';
import { isAway, readView, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, columns, type Paint, type Tone } from './format.ts';

export const STATUS: CommandSpec = {
  name: 'status',
  summary: 'Show this node, its peer, the groups, and what is wrong',
  details: [
    'Comes from local state at once, also when the peer hangs. While sm is away the database is shown,',
    'marked as stale, and the exit code is 4.',
  ],
  run: status,
  remote: async (context, _given, rest) => shown(await rest.call('getStatus', {}), context.paint),
};

async function status(context: Context, given: Given): Promise<Outcome> {
  try {
    const view = await withDaemon(context, given, readView);
    return shown(statusOf(view, context.wallMs()), context.paint);
  } catch (error) {
    if (!isAway(error)) throw error;
    const read = StateReader.read(given.settings.database, (reader) =>
      storedStatus(reader, given.settings.node, error.message, context.wallMs()),
    );
    if (!read.ok)
      return { ...failed(read.error), exit: EXIT.away, problems: [error.message, read.error.message] };
    return shown(read.value, context.paint);
  }
}

function shown(found: Status, paint: Paint): Outcome {
  return { exit: found.stale === null ? EXIT.ok : EXIT.away, lines: screen(found, paint), json: found };
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
