/**
 * smctl alarms: what is wrong now, since when, and what to do. `sm` is asked, for it alone knows of a database that can not
 * be written; while it is away the database tells what stood last.
 */
import { StateReader, type StoredAlarm } from '../shell/store/reader.ts';
import { mostSevereFirst, standingAlarms } from '../shell/store/status.ts';
import { type CommandSpec, type Context, failed, type Given, type Outcome } from './command.ts';
import { isAway, readView, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, columns, time } from './format.ts';
import type { Rest } from './rest.ts';

export const ALARMS: CommandSpec = {
  name: 'alarms',
  summary: 'Show the alarms that stand: since when, how severe, why, and what to do',
  details: [
    'The most severe come first. While sm is away those that stood last are shown, and the exit code is 4.',
  ],
  examples: ['smctl alarms', 'smctl alarms --json'],
  run: alarms,
  remote: alarmsAfar,
};

async function alarms(context: Context, given: Given): Promise<Outcome> {
  try {
    const view = await withDaemon(context, given, readView);
    return shown(context, standingAlarms(view, context.wallMs()));
  } catch (error) {
    if (!isAway(error)) throw error;
    const read = StateReader.read(given.settings.database, (reader) => reader.alarms());
    if (!read.ok)
      return { ...failed(read.error), exit: EXIT.away, problems: [error.message, read.error.message] };
    const problems = [`what stood last, from the database: ${error.message}`];
    return { ...shown(context, mostSevereFirst(read.value)), exit: EXIT.away, problems };
  }
}

async function alarmsAfar(context: Context, _given: Given, rest: Rest): Promise<Outcome> {
  const { alarms: found } = await rest.call('listAlarms', {});
  const rows = found.map(({ raised_at: raisedAt, ...alarm }) => ({
    ...alarm,
    raisedAt: Date.parse(raisedAt),
  }));
  return shown(context, mostSevereFirst(rows));
}

function shown(context: Context, rows: readonly StoredAlarm[]): Outcome {
  const lines = rows.length === 0 ? ['no alarms'] : alarmLines(rows, context);
  return { exit: EXIT.ok, lines, json: { alarms: rows.map(jsonOf) } };
}

/** As smctl status --json has them. */
function jsonOf({ raisedAt, ...alarm }: StoredAlarm): object {
  return { ...alarm, since: time(raisedAt) };
}

/** Each with why it stands and what to do. */
export function alarmLines(rows: readonly StoredAlarm[], { paint }: Context): string[] {
  return columns(rows.flatMap(described), paint);
}

function described({ raisedAt, severity, id, entity, reason, repair }: StoredAlarm): Cell[][] {
  const tone = severity === 'minor' ? 'warn' : 'bad';
  return [
    [time(raisedAt), { text: severity, tone }, id, entity],
    ['', '', '', reason],
    ['', '', '', { text: `to do: ${repair}`, tone: 'dim' }],
  ];
}
