/** Traces as files: finds the lives in a directory, replays each, and says what came of it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { OVERWRITTEN, type ReplayResult, replayLife, type TraceText } from './replay.ts';

const NAME = /^(\d{6})-\d{6}\.trace(\.gz)?$/;

export interface ReplaySummary {
  /** All that could be replayed came out as recorded, and there was something. */
  readonly identical: boolean;
  readonly turns: number;
  readonly events: number;
  readonly lives: readonly ReplayResult[];
  /** Why nothing could be read; '' = something could. */
  readonly problem: string;
}

/** `path` is a file of a trace, or a directory with the files of several lives. Never throws. */
export function replayAll(path: string): {
  readonly lines: readonly string[];
  readonly summary: ReplaySummary;
} {
  const none = { identical: false, turns: 0, events: 0, lives: [] };
  let groups: readonly (readonly string[])[];
  try {
    groups = statSync(path).isDirectory() ? livesIn(path) : [[path]];
  } catch (error) {
    return { lines: [String(error)], summary: { ...none, problem: String(error) } };
  }
  if (groups.length === 0) {
    const problem = `${path} holds no file of a trace`;
    return { lines: [problem], summary: { ...none, problem } };
  }
  const lives = groups.map((files) => replayLife(textsOf(files)));
  const good = lives.filter((life) => (life.turns > 0 || life.fromState) && isIdentical(life));
  const bad = lives.filter((life) => !isIdentical(life) && !isBeheaded(life));
  const turns = sum(good.map((life) => life.turns));
  const events = sum(good.map((life) => life.events));
  const identical = good.length > 0 && bad.length === 0;
  const lines = lives.flatMap(linesOf);
  if (identical) lines.push(`identical: ${turns} turns, ${events} events, ${good.length} lives of sm`);
  return { lines, summary: { identical, turns, events, lives, problem: '' } };
}

/** A broken invariant that breaks again is a trace that replays as it was. */
function isIdentical({ difference, problem, end }: ReplayResult): boolean {
  return difference === null && (problem === '' || end === 'broken');
}

/** Of an `sm` that wrote no states, and its first files made room for newer ones: that says nothing against the rest. */
function isBeheaded({ turns, difference, problem }: ReplayResult): boolean {
  return turns === 0 && difference === null && problem.includes(OVERWRITTEN);
}

function linesOf(life: ReplayResult): string[] {
  const { difference, problem, turnsBefore, fromState, turns, events, lastMs, end } = life;
  const who = `${life.node || 'unknown'}, life ${life.life} of sm ${life.version}`;
  if (difference !== null) {
    const { turn, atMs, file, line, event, expected, found } = difference;
    return [
      `${who}: differs at turn ${turn}, ${atMs.toFixed(3)} ms after its start (${file} line ${line})`,
      `  event     ${event}`,
      `  expected  ${expected}`,
      `  found     ${found}`,
    ];
  }
  const length = `${turns} turns, ${events} events, ${(lastMs / 1000).toFixed(1)} s`;
  if (problem !== '' && end !== 'broken')
    return [`${who}: not replayed from there on: ${problem} (${length})`];
  if (turns === 0)
    return [
      `${who}: ${fromState ? 'only its newest state is left, and no turn was written after it' : 'ended before its first turn was written'}`,
    ];
  const tail = end === 'torn' ? '; its last line is torn, as by a power-off' : problem && `; ${problem}`;
  const from = turnsBefore === 0 ? '' : ` from a recorded state, its turn ${turnsBefore + 1}, on`;
  return [`${who}: identical${from}, ${length}${tail}`];
}

function livesIn(directory: string): string[][] {
  const lives = new Map<string, string[]>();
  const names = readdirSync(directory).sort();
  for (const name of names) {
    const life = NAME.exec(name)?.[1];
    // Right after the packing both are there.
    if (life !== undefined && !names.includes(`${name}.gz`))
      lives.set(life, [...(lives.get(life) ?? []), join(directory, name)]);
  }
  return [...lives.values()];
}

/** One after the other: a life may be larger than the memory likes at once. */
function* textsOf(paths: readonly string[]): Generator<TraceText> {
  for (const path of paths) yield { name: basename(path), text: textOf(path) };
}

function textOf(path: string): string {
  const bytes = readFileSync(path);
  if (!path.endsWith('.gz')) return bytes.toString('utf8');
  // As much as there is of a file that was copied only in part.
  return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString('utf8');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
