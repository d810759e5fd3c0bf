/**
 * The story of a time: what happened, what was first, what followed from it, who ordered what, and for how long nobody
 * was active. Pure, over histories as they are stored; the tools print it.
 */
import { type Absence, absencesOf, type Overlap, overlapsOf } from './activity.ts';
import type { NodeHistory, RecordedEvent } from './events.ts';
import { concerns, type Notice, noticesOf } from './gaps.ts';
import { incidentsOf } from './incidents.ts';
import { LINE_KINDS, type Line, linesOf, type StandingAlarms } from './lines.ts';
import { mergeHistories } from './merge.ts';

export interface Incident {
  readonly fromMs: number;
  readonly toMs: number;
  /** What it began with. */
  readonly first: Line;
  readonly lines: readonly Line[];
  readonly absences: readonly Absence[];
  /** Those that began in it. */
  readonly overlaps: readonly Overlap[];
  readonly events: number;
  /** Incidents that went the same way, right after each other: how many, and the beginning of the last of them. */
  readonly times: number;
  readonly lastMs: number;
}

export interface Story {
  readonly fromMs: number;
  readonly toMs: number;
  readonly nodes: readonly string[];
  readonly notices: readonly Notice[];
  readonly incidents: readonly Incident[];
}

export interface StoryQuestion {
  readonly fromMs: number;
  readonly toMs: number;
  /** '' = every one. A group is its services, too; an incident is told whole if anything in it is about the name. */
  readonly name: string;
  /** The histories are those of all nodes of the domain. */
  readonly complete: boolean;
}

export function tellStory(histories: readonly NodeHistory[], question: StoryQuestion): Story {
  const { fromMs, toMs, name } = question;
  const merged = mergeHistories(histories);
  const absences = absencesOf(merged.histories, question.complete);
  const overlaps = overlapsOf(merged.histories);
  const names = namesOf(merged.histories, name);
  const standing: StandingAlarms = new Map();
  const incidents = incidentsOf(merged.events)
    // All of them: what was raised before the time in question is cleared in it.
    .map((events) => ({
      events,
      incident: incidentOf(events, linesOf(events, standing), { absences, overlaps }),
    }))
    .filter(({ events }) => events.some(({ wallMs }) => wallMs >= fromMs && wallMs <= toMs))
    .flatMap(({ incident }) => (incident === null ? [] : [incident]))
    .filter(({ lines }) => name === '' || lines.some(({ about }) => about.some((word) => names.has(word))));
  const notices = [...merged.histories.flatMap(noticesOf), ...merged.notices];
  return {
    fromMs,
    toMs,
    nodes: histories.map(({ node }) => node),
    notices: notices.filter((notice) => concerns(notice, fromMs, toMs)),
    incidents: folded(incidents),
  };
}

/** null = nothing in it is worth a line. */
function incidentOf(
  events: readonly RecordedEvent[],
  lines: readonly Line[],
  { absences, overlaps }: Pick<Incident, 'absences' | 'overlaps'>,
): Incident | null {
  const [earliest] = lines;
  if (earliest === undefined) return null;
  const times = events.map(({ wallMs }) => wallMs);
  const [fromMs, toMs] = [Math.min(...times), Math.max(...times)];
  const within = (ms: number): boolean => ms >= fromMs && ms <= toMs;
  return {
    fromMs,
    toMs,
    first: firstOf(lines, earliest),
    lines,
    absences: absences.filter((absence) => within(absence.toMs ?? absence.fromMs)),
    overlaps: overlaps.filter((overlap) => within(overlap.fromMs)),
    events: events.length,
    times: 1,
    lastMs: fromMs,
  };
}

/** Of what was told at the same moment as the earliest, what is nearest to a cause. */
function firstOf(lines: readonly Line[], earliest: Line): Line {
  const candidates = lines.filter(({ atMs }) => atMs - earliest.atMs <= SAME_MOMENT_MS);
  return candidates.reduce((best, line) => (rankOf(line) < rankOf(best) ? line : best), earliest);
}

/** One turn of the loop writes all that follows at once. */
const SAME_MOMENT_MS = 10;

function rankOf({ kind }: Line): number {
  return LINE_KINDS.indexOf(kind);
}

function namesOf(histories: readonly NodeHistory[], name: string): ReadonlySet<string> {
  const names = new Set([name]);
  for (const { members } of histories)
    for (const [service, group] of members) if (group === name) names.add(service);
  return names;
}

/** What happens again and again is told once, with its number. */
const FOLDED_MIN = 3;

function folded(incidents: readonly Incident[]): Incident[] {
  const result: Incident[] = [];
  let run: Incident[] = [];
  const flush = (): void => {
    const last = run.at(-1);
    if (last !== undefined && run.length >= FOLDED_MIN)
      result.push({ ...run[0]!, toMs: last.toMs, times: run.length, lastMs: last.fromMs });
    else result.push(...run);
    run = [];
  };
  for (const incident of incidents) {
    if (run[0] !== undefined && shapeOf(run[0]) !== shapeOf(incident)) flush();
    run.push(incident);
  }
  flush();
  return result;
}

function shapeOf({ lines }: Incident): string {
  return lines.map(({ kind, text }) => `${kind} ${text.replace(/\d+/g, '#')}`).join('\n');
}
