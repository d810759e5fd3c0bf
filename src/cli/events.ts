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
import { type Rest, RestError } from './rest.ts';
import type { Change } from './rest-types.ts';

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
  remote: eventsAfar,
};

interface Wanted {
  readonly sinceMs: number;
  readonly entity: string;
  readonly limit: number;
}

function wanted(context: Context, given: Given): Wanted | Outcome {
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
  return { sinceMs, entity: text(given, 'entity'), limit };
}

async function events(context: Context, given: Given): Promise<Outcome> {
  const filter = wanted(context, given);
  if ('exit' in filter) return filter;
  const read = StateReader.read(given.settings.database, (reader) => reader.events(filter));
  if (!read.ok) return failed(read.error);
  if (given.options.follow === true) return follow(context, given, filter, read.value);
  return listed(context, read.value);
}

function listed(context: Context, found: readonly StoredEvent[]): Outcome {
  return {
    exit: EXIT.ok,
    lines: found.length === 0 ? ['no events'] : columns(found.map(row), context.paint),
    json: { events: found.map(jsonOf) },
  };
}

/* From afar */

async function eventsAfar(context: Context, given: Given, rest: Rest): Promise<Outcome> {
  const filter = wanted(context, given);
  if ('exit' in filter) return filter;
  const { sinceMs, entity, limit } = filter;
  if (limit > REST_LIMIT_MAX)
    return problem(EXIT.usage, 'usage', `--limit with --url is at most ${REST_LIMIT_MAX}`);
  const query = {
    since: String(Math.round(sinceMs)),
    limit: String(limit),
    ...(entity === '' ? {} : { about: entity }),
  };
  if (given.options.follow !== true)
    return listed(context, (await rest.call('listEvents', { query })).events.map(stored));
  const newest = (await rest.call('listEvents', { query: { limit: '1' } })).events.at(-1)?.id ?? 0;
  const found = (await rest.call('listEvents', { query })).events.map(stored);
  for (const event of found) tell(context, given, event);
  return followAfar(context, given, rest, entity, Math.max(newest, found.at(-1)?.id ?? 0));
}

const REST_LIMIT_MAX = 1000;

function stored({ time: at, ...change }: Change): StoredEvent {
  return { ...change, wallMs: Date.parse(at) };
}

/** By the stream; where it ends, it is opened again after the last event that came. */
async function followAfar(
  context: Context,
  given: Given,
  rest: Rest,
  entity: string,
  afterId: number,
): Promise<Outcome> {
  const stop = new AbortController();
  const ended = setInterval(() => context.stopped() && stop.abort(), FOLLOW_MS);
  let lastId = afterId;
  try {
    for (let failures = 0; !context.stopped(); ) {
      try {
        for await (const { event, data } of rest.follow(String(lastId), stop.signal)) {
          failures = 0;
          if (event !== 'change') continue;
          const change = stored(JSON.parse(data) as Change);
          lastId = change.id;
          if (entity === '' || entity === change.entity || entity === change.name)
            tell(context, given, change);
        }
      } catch (error) {
        if (!(error instanceof RestError) || error.exit !== EXIT.away || failures >= AGAIN_MAX) throw error;
        if (failures === 0) context.err(error.message);
        failures += 1;
      }
      await context.pause(AGAIN_MS);
    }
    return { exit: EXIT.ok, json: { ok: true } };
  } finally {
    clearInterval(ended);
  }
}

/** Before a stream that ended is opened again, ms. */
const AGAIN_MS = 1000;
/** A server that is away for longer is given up. */
const AGAIN_MAX = 60;

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
  { sinceMs, entity }: Wanted,
  first: readonly StoredEvent[],
): Promise<Outcome> {
  let pending = first;
  let afterId = 0;
  for (;;) {
    for (const event of pending) {
      tell(context, given, event);
      afterId = event.id;
    }
    if (context.stopped()) return { exit: EXIT.ok, json: { ok: true } };
    await context.pause(FOLLOW_MS);
    const read = StateReader.read(given.settings.database, (reader) =>
      reader.events({ sinceMs, entity, afterId, limit: LIMIT_MAX }),
    );
    if (!read.ok) return failed(read.error);
    pending = read.value;
  }
}

function tell(context: Context, given: Given, event: StoredEvent): void {
  const line =
    given.options.json === true
      ? JSON.stringify(jsonOf(event))
      : columns([row(event)], context.paint).join('');
  context.out(line);
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
