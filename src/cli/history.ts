/** smctl history: the story of a time, from the databases of one node or of both. It needs no `sm`. */
import { duration } from '../core/explain.ts';
import type { Absence, Overlap } from '../core/story/activity.ts';
import type { Notice } from '../core/story/gaps.ts';
import type { Line } from '../core/story/lines.ts';
import { type Incident, type Story, tellStory } from '../core/story/story.ts';
import { StateReader, type StoredHistory } from '../shell/store/reader.ts';
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
import { type Paint, parseDuration, time } from './format.ts';
import { calendarDay, clockTime, parseWhen, zoneAt } from './when.ts';

const LAST_FALLBACK = '1h';
/** Scripts that went well and are told one by one; more are counted, and the slowest named. */
const SCRIPTS_TOLD_MAX = 8;
const SLOWEST = 3;
const NAMES = ['service', 'group', 'node'] as const;

export const HISTORY: CommandSpec = {
  name: 'history',
  summary: 'Tell the story of a time: what was first, what followed, for how long nobody was active',
  details: [
    'Reads databases only, so it answers while sm is away. Times of day are of this machine. With the database of the',
    'other node (a copy of it) given too, the two stories become one, in the clock of the first.',
  ],
  options: [
    { flags: '--from <time>', text: 'beginning: 03:10, 2026-01-31 03:10, or with a zone' },
    { flags: '--to <time>', text: 'end, likewise; left out: now' },
    { flags: '--last <duration>', text: 'instead of both: the last 10m, 2h...', fallback: LAST_FALLBACK },
    { flags: '--service <name>', text: 'only what this service has to do with' },
    { flags: '--group <name>', text: 'only what this group or its services have to do with' },
    { flags: '--node <name>', text: 'only what this node has to do with' },
    { flags: '--db <path...>', text: "databases instead of this node's own, for example one of each node" },
    { flags: '--full', text: 'every script and every event of what went well, too' },
  ],
  examples: [
    'smctl history --from 03:10 --to 03:15',
    'smctl history --last 10m --group web-services',
    'smctl history --db /var/lib/sm/sm.db --db controller-1.db',
  ],
  run: history,
};

async function history(context: Context, given: Given): Promise<Outcome> {
  const window = windowOf(given, context.wallMs());
  if (typeof window === 'string') return problem(EXIT.usage, 'usage', window);
  const asked = NAMES.map((name) => text(given, name)).filter((name) => name !== '');
  if (asked.length > 1) return problem(EXIT.usage, 'usage', 'one of --service, --group and --node at a time');
  const paths = (given.options.db as readonly string[] | undefined) ?? [given.settings.database];
  const histories: StoredHistory[] = [];
  const known = new Set<string>();
  for (const path of paths) {
    const fallback = paths.length === 1 ? given.settings.node : path;
    const read = StateReader.read(path, (reader) => {
      for (const { name } of [...reader.services(), ...reader.groups(), ...reader.nodes()]) known.add(name);
      return reader.history(fallback);
    });
    if (!read.ok) return failed(read.error);
    const twin = histories.find(({ node }) => node === read.value.node);
    if (twin !== undefined)
      return problem(EXIT.usage, 'usage', `two of the databases are of ${twin.node}; give one of each node`);
    histories.push(read.value);
  }
  const nodes = Math.max(...histories.map((one) => one.nodes));
  const question = { ...window, name: asked[0] ?? '', complete: histories.length >= nodes };
  const story = tellStory(histories, question);
  // What is gone by now may still have a story.
  if (story.incidents.length === 0 && question.name !== '' && !known.has(question.name))
    return problem(
      EXIT.failed,
      'unknown-name',
      `nothing here has the name ${question.name}, and nothing of that time is about it; smctl status and sm-dump show the names`,
    );
  return {
    exit: EXIT.ok,
    lines: printed(story, context.paint, given.options.full === true, question.complete),
    json: jsonOf(story),
  };
}

/** A text = what is wrong with the options. */
function windowOf(given: Given, nowMs: number): { fromMs: number; toMs: number } | string {
  const [from, to] = [text(given, 'from'), text(given, 'to')];
  const last = parseDuration(text(given, 'last', LAST_FALLBACK));
  if (last === null || last === 0) return '--last takes a duration like 10m, 2h or 1d';
  const fromMs = from === '' ? null : parseWhen(from, nowMs);
  const wrong = (option: string): string =>
    `${option} takes a time like 03:10, "2026-01-31 03:10" or 2026-01-31T03:10:00Z`;
  if (from !== '' && fromMs === null) return wrong('--from');
  const toMs = to === '' ? nowMs : parseWhen(to, fromMs ?? nowMs, fromMs !== null);
  if (toMs === null) return wrong('--to');
  const window = { fromMs: fromMs ?? toMs - last, toMs };
  return window.fromMs > window.toMs ? 'the end is before the beginning' : window;
}

/* For people */

function printed(story: Story, paint: Paint, full: boolean, complete: boolean): string[] {
  const { fromMs, toMs, nodes, notices, incidents } = story;
  const until = calendarDay(fromMs) === calendarDay(toMs) ? '' : `${calendarDay(toMs)} `;
  const lines = [
    `${calendarDay(fromMs)} ${clockTime(fromMs)} to ${until}${clockTime(toMs)} ${zoneAt(fromMs)}, as ${nodes.join(' and ')} wrote it down`,
    ...notices.map((notice) => paint('warn', `! ${noticeInWords(notice)}`)),
  ];
  let day = calendarDay(fromMs);
  for (const incident of incidents) {
    const today = calendarDay(incident.fromMs);
    if (today !== day) lines.push('', paint('dim', today));
    day = today;
    lines.push('', ...incidentLines(incident, paint, full, nodes.length > 1));
  }
  if (incidents.length === 0) lines.push('', 'Nothing happened that was written down.');
  if (!complete && incidents.length > 0)
    lines.push('', paint('dim', 'What the other node knows is not in this: add its database with --db.'));
  return lines;
}

function incidentLines(incident: Incident, paint: Paint, full: boolean, several: boolean): string[] {
  const { first, fromMs, toMs, times, lastMs } = incident;
  const again =
    times === 1 ? '' : `; the same ${times} times until ${clockTime(lastMs)}, this is the first of them`;
  const span = times === 1 && toMs > fromMs ? ` (${duration(toMs - fromMs)})` : '';
  const tone = first.bad ? 'bad' : 'strong';
  const where =
    several && first.kind !== 'operation' && !first.text.includes(first.node) ? ` (${first.node})` : '';
  const title = `${clockTime(fromMs)}${span}  ${first.text}${where}${again}`;
  const told = full ? incident.lines : shortened(incident.lines);
  return [
    paint(tone, title),
    ...incident.overlaps.map((overlap) => `  ${paint('bad', overlapInWords(overlap))}`),
    ...incident.absences.map((absence) => `  ${paint('bad', absenceInWords(absence))}`),
    ...told.map((line) => `  ${lineInWords(line, paint, several)}`),
  ];
}

function lineInWords(line: Line, paint: Paint, several: boolean): string {
  const from = several ? `${line.node}  ` : '';
  const words = sentenceOf(line);
  return `${paint('dim', `${clockTime(line.atMs)}  ${from}`)}${line.bad ? paint('bad', words) : words}`;
}

function sentenceOf({ kind, text: words, outcome, atMs, endMs }: Line): string {
  const lasted = endMs === null ? '' : duration(endMs - atMs);
  const more = outcome === '' ? '' : `: ${outcome}`;
  if (lasted === '') return `${words}${more}`;
  switch (kind) {
    case 'script':
      return `${words} took ${lasted}${more}`;
    case 'group':
      return `${words} in ${lasted}${more}`;
    case 'operation':
      return `${words}${more} after ${lasted}`;
    case 'alarm':
      return `${words}${more}; it stood ${lasted}`;
    default:
      return `${words}${more}; active again after ${lasted}`;
  }
}

/** Scripts that went well are many in a large system and say little: the slowest stand for all. */
function shortened(lines: readonly Line[]): Line[] {
  const well = lines.filter(({ kind, bad, outcome }) => kind === 'script' && !bad && outcome === '');
  if (well.length <= SCRIPTS_TOLD_MAX) return [...lines];
  const length = ({ atMs, endMs }: Line): number => (endMs ?? atMs) - atMs;
  const slowest = [...well].sort((a, b) => length(b) - length(a)).slice(0, SLOWEST);
  const [earliest] = well;
  const rest = well.length - slowest.length;
  return lines.flatMap((line): Line[] => {
    if (!well.includes(line)) return [line];
    const summary =
      line === earliest
        ? [{ ...line, endMs: null, text: `${rest} scripts went well; the slowest follow (--full tells all)` }]
        : [];
    return slowest.includes(line) ? [...summary, line] : summary;
  });
}

function absenceInWords({ group, fromMs, toMs, node, exact, by }: Absence): string {
  const where = node === '' ? 'active nowhere' : `not active on ${node}`;
  if (toMs === null) return `${group} has been ${where} since ${clockTime(fromMs)}`;
  const bound = exact ? '' : 'at most ';
  return `${group} was ${where} for ${bound}${duration(toMs - fromMs)}, until ${clockTime(toMs)}${by === '' || by === node ? '' : ` on ${by}`}`;
}

function overlapInWords({ group, fromMs, toMs, exact }: Overlap): string {
  const bound = exact ? '' : 'at least ';
  return `${group} was active on both nodes for ${bound}${duration(toMs - fromMs)}, from ${clockTime(fromMs)} to ${clockTime(toMs)} by their clocks: what both have written may not agree`;
}

function noticeInWords(notice: Notice): string {
  switch (notice.kind) {
    case 'empty':
      return `${notice.node} has written nothing down yet`;
    case 'trimmed':
      return `events of ${notice.node} before ${calendarDay(notice.toMs)} ${clockTime(notice.toMs)} were deleted to make room for newer ones`;
    case 'clock-back':
      return `the clock of ${notice.node} was set back by ${duration(notice.byMs)} at ${clockTime(notice.atMs)}: times before and after that do not compare`;
    case 'clocks-differ':
      return `the clock of ${notice.node} is ${duration(Math.abs(notice.byMs))} ${notice.byMs > 0 ? 'ahead of' : 'behind'} that of ${notice.than} (by ${notice.events} things that both told): its times are given in the clock of ${notice.than}`;
    case 'not-running':
      return absenceOfSm(notice);
  }
}

function absenceOfSm(notice: Extract<Notice, { kind: 'not-running' }>): string {
  const { node, fromMs, toMs, exact, boot } = notice;
  const reboot = boot ? ', and the kernel was started anew meanwhile' : '';
  if (toMs === null) return `sm has not run on ${node} since ${clockTime(fromMs)}, when it ended in order`;
  const to = clockTime(toMs);
  if (exact) return `sm was not running on ${node} from ${clockTime(fromMs)} to ${to}${reboot}`;
  return `sm on ${node} ended without a word: some time after ${clockTime(fromMs)}, its last event, it was not running until ${to}${reboot}`;
}

/* For programs: times as ISO 8601 in UTC, durations in ms */

function jsonOf(story: Story): object {
  const { fromMs, toMs, nodes, notices, incidents } = story;
  return {
    ok: true,
    from: time(fromMs),
    to: time(toMs),
    nodes,
    notices: notices.map((notice) => ({ ...timesOf(notice), text: noticeInWords(notice) })),
    incidents: incidents.map((incident) => ({
      from: time(incident.fromMs),
      to: time(incident.toMs),
      first: incident.first.text,
      times: incident.times,
      events: incident.events,
      absences: incident.absences.map((absence) => ({
        ...timesOf(absence),
        durationMs: absence.toMs === null ? null : absence.toMs - absence.fromMs,
      })),
      overlaps: incident.overlaps.map((overlap) => ({
        ...timesOf(overlap),
        durationMs: overlap.toMs - overlap.fromMs,
      })),
      lines: incident.lines.map(({ atMs, endMs, ...line }) => ({
        at: time(atMs),
        durationMs: endMs === null ? null : endMs - atMs,
        ...line,
      })),
    })),
  };
}

/** Members named `somethingMs` that are moments, as `something` in words. */
function timesOf(value: object): object {
  const moments = ['fromMs', 'toMs', 'atMs'];
  return Object.fromEntries(
    Object.entries(value).map(([key, cell]) =>
      moments.includes(key) ? [key.slice(0, -2), typeof cell === 'number' ? time(cell) : null] : [key, cell],
    ),
  );
}
