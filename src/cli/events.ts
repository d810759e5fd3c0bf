/** smctl events: the history of every state change, from the database. */
import { StateReader, type StoredEvent } from '../shell/store/reader.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, columns, parseDuration, time } from './format.ts';

const LIMIT_FALLBACK = 50;
const LIMIT_MAX = 10_000;
/** How often --follow looks, ms. */
const FOLLOW_MS = 250;

export const EVENTS: CommandSpec = {
  name: 'events',
  summary: 'Show what happened, why, and by whom, oldest first',
  options: [
    {
      flags: '--since <when>',
      text: 'from so long ago (10m, 2h) or from that time (2026-01-31T12:00:00Z) on',
    },
    {
      flags: '--entity <name>',
      text: 'only of one kind (node, group, service, interface...) or of one name',
    },
    { flags: '--limit <count>', text: 'at most so many, the newest', fallback: String(LIMIT_FALLBACK) },
    { flags: '--follow', text: 'go on with what happens next, until stopped' },
  ],
  examples: ['smctl events --since 10m --entity web-services', 'smctl events --follow --json'],
  run: events,
};

async function events(context: Context, given: Given): Promise<Outcome> {
  const limit = Number(text(given, 'limit'));
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX)
    return problem(EXIT.usage, 'usage', `--limit takes a whole number from 1 to ${LIMIT_MAX}`);
  const sinceMs = since(text(given, 'since'), context.wallMs());
  if (sinceMs === null)
    return problem(
      EXIT.usage,
      'usage',
      '--since takes a duration like 10m or a time like 2026-01-31T12:00:00Z',
    );
  const entity = text(given, 'entity');
  const read = StateReader.read(given.settings.database, (reader) =>
    reader.events({ sinceMs, entity, limit }),
  );
  if (!read.ok) return failed(read.error);
  if (given.options.follow === true) return follow(context, given, { sinceMs, entity }, read.value);
  return {
    exit: EXIT.ok,
    lines: columns(read.value.map(row), context.paint),
    json: { events: read.value.map(jsonOf) },
  };
}

/** Wall-clock ms; null = neither a duration nor a time. */
function since(words: string, wallMs: number): number | null {
  if (words === '') return 0;
  const ago = parseDuration(words);
  if (ago !== null) return wallMs - ago;
  const at = Date.parse(words);
  return Number.isNaN(at) ? null : at;
}

/** Each event is a line of its own as it comes, so that a pipe can read on. */
async function follow(
  context: Context,
  given: Given,
  filter: { readonly sinceMs: number; readonly entity: string },
  first: readonly StoredEvent[],
): Promise<Outcome> {
  let pending = first;
  let afterId = 0;
  for (;;) {
    for (const event of pending) {
      context.out(
        given.options.json === true
          ? JSON.stringify(jsonOf(event))
          : columns([row(event)], context.paint).join(''),
      );
      afterId = event.id;
    }
    if (context.stopped()) return { exit: EXIT.ok, json: { ok: true } };
    await context.pause(FOLLOW_MS);
    const read = StateReader.read(given.settings.database, (reader) =>
      reader.events({ ...filter, afterId, limit: LIMIT_MAX }),
    );
    if (!read.ok) return failed(read.error);
    pending = read.value;
  }
}

function row(event: StoredEvent): Cell[] {
  const change = event.from === '' && event.to === '' ? '' : `${event.from} -> ${event.to}`;
  return [
    { text: time(event.wallMs), tone: 'dim' },
    event.entity,
    { text: event.name, tone: 'strong' },
    change,
    event.cause,
    event.actor,
    event.reason,
  ];
}

function jsonOf(event: StoredEvent): object {
  const { wallMs, ...rest } = event;
  return { time: time(wallMs), ...rest };
}
