/** smctl alarms: what is wrong now, since when, and what to do. From the database: it answers while sm is away, too. */
import { StateReader, type StoredAlarm } from '../shell/store/reader.ts';
import { type CommandSpec, type Context, failed, type Given, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, columns, time } from './format.ts';
import type { Rest } from './rest.ts';

export const ALARMS: CommandSpec = {
  name: 'alarms',
  summary: 'Show the alarms that stand: since when, how severe, why, and what to do',
  examples: ['smctl alarms', 'smctl alarms --json'],
  run: alarms,
  remote: alarmsAfar,
};

async function alarms(context: Context, given: Given): Promise<Outcome> {
  const read = StateReader.read(given.settings.database, (reader) => reader.alarms());
  if (!read.ok) return failed(read.error);
  return shown(context, read.value);
}

async function alarmsAfar(context: Context, _given: Given, rest: Rest): Promise<Outcome> {
  const { alarms: found } = await rest.call('listAlarms', {});
  return shown(
    context,
    found.map(({ raised_at: raisedAt, ...alarm }) => ({ ...alarm, raisedAt: Date.parse(raisedAt) })),
  );
}

function shown(context: Context, rows: readonly StoredAlarm[]): Outcome {
  const lines = rows.length === 0 ? ['no alarms'] : columns(rows.flatMap(described), context.paint);
  return { exit: EXIT.ok, lines, json: { alarms: rows.map(jsonOf) } };
}

/** As smctl status --json has them. */
function jsonOf({ raisedAt, ...alarm }: StoredAlarm): object {
  return { ...alarm, since: time(raisedAt) };
}

function described({ raisedAt, severity, id, entity, reason, repair }: StoredAlarm): Cell[][] {
  const tone = severity === 'minor' ? 'warn' : 'bad';
  return [
    [time(raisedAt), { text: severity, tone }, id, entity],
    ['', '', '', reason],
    ['', '', '', { text: `to do: ${repair}`, tone: 'dim' }],
  ];
}
