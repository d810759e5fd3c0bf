/** Times as people write them, and as they read them: this machine's own wall clock. */
import { parseDuration } from './format.ts';

const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/;
const DAY_MS = 86_400_000;

/**
 * `03:10`, `03:10:30`: the last such time that is not after `nearMs`, or, with `after`, the first that is not before it.
 * Anything else as a date and time of day; without a zone it is of this machine. null = no time.
 */
export function parseWhen(text: string, nearMs: number, after = false): number | null {
  const clock = CLOCK.exec(text);
  if (clock === null) {
    // Date.parse takes almost everything: "7" is a month to it.
    if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$/.test(text)) return null;
    const at = Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'));
    return Number.isNaN(at) ? null : at;
  }
  const [hours, minutes, seconds] = [1, 2, 3].map((part) => Number(clock[part] ?? 0));
  const ms = Number((clock[4] ?? '').padEnd(3, '0'));
  if (hours === undefined || minutes === undefined || seconds === undefined) return null;
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  const days = after ? [-1, 0, 1] : [1, 0, -1];
  for (const day of days) {
    const date = new Date(nearMs + day * DAY_MS);
    const at = new Date(date.setHours(hours, minutes, seconds, ms)).getTime();
    if (after ? at >= nearMs : at <= nearMs) return at;
  }
  return null;
}

/** A duration ago, or a time. */
export function parseSince(text: string, nowMs: number): number | null {
  const ago = parseDuration(text);
  return ago === null ? parseWhen(text, nowMs) : nowMs - ago;
}

export function clockTime(wallMs: number): string {
  const at = new Date(wallMs);
  const two = (part: number): string => String(part).padStart(2, '0');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

export function calendarDay(wallMs: number): string {
  const at = new Date(wallMs);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** `UTC`, `UTC+02:00`. */
export function zoneAt(wallMs: number): string {
  const minutes = -new Date(wallMs).getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}
