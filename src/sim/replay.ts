/**
 * Replays the trace of a real `sm` in the same core: the recorded events go into a new engine at their recorded times, and
 * everything that comes out must be what came out then. Source: docs/reference/trace.md.
 */
import type { EngineEffect, EngineEvent, EngineOptions } from '../core/engine-interface.ts';
import { RecordedEngine } from '../core/trace/recorded-engine.ts';
import type { Snapshot } from '../core/trace/snapshot.ts';
import { MORE, type StepRecord, WORD_SEPARATOR } from '../core/trace/step.ts';
import { decode, encode, TRACE_FORMAT } from '../core/trace/text.ts';

/** One life of `sm`: its files, in order, as text. */
export interface TraceText {
  readonly name: string;
  readonly text: string;
}

export interface Difference {
  readonly file: string;
  readonly line: number;
  readonly turn: number;
  /** Ms since the start of this life of `sm`. */
  readonly atMs: number;
  /** The event that went in, as recorded. */
  readonly event: string;
  readonly expected: string;
  readonly found: string;
}

export interface ReplayResult {
  readonly node: string;
  readonly life: number;
  /** Of the `sm` that wrote it. */
  readonly version: string;
  /** Turns of its life before the first one that was replayed, which began from a recorded state. */
  readonly turnsBefore: number;
  /** What was before the state with which it begins is gone. */
  readonly fromState: boolean;
  readonly turns: number;
  readonly events: number;
  /** What was recorded last, ms since the start of this life. */
  readonly lastMs: number;
  readonly difference: Difference | null;
  /** Why it can not be replayed, or not to its end: '' = it was. */
  readonly problem: string;
  /** How it ends: behind a line, within one (power-off), or with a broken invariant that was broken again. */
  readonly end: 'whole' | 'torn' | 'broken';
}

const TEXT_MAX = 2000;
/** Characters shown before and behind a difference of two states. */
const STATE_CONTEXT = 100;
export const OVERWRITTEN =
  'is not of the first file of its life: what was before has been overwritten, and nothing can be replayed without it';

/** The files of one life, the first one first. Never throws. */
export function replayLife(files: Iterable<TraceText>): ReplayResult {
  const replay = new Replay();
  for (const { name, text } of files) if (!replay.take(name, text)) break;
  return replay.result();
}

class Replay {
  #node = '';
  #life = 0;
  #version = '';
  /** Number of the newest file. */
  #file = 0;
  #isWhole = true;
  #engine: RecordedEngine | null = null;
  #startedAt = 0;
  #lastNow = 0;
  #firstTurn = 0;
  #fromState = false;
  #lastTurn = 0;
  #turns = 0;
  #events = 0;
  #difference: Difference | null = null;
  #problem = '';
  #end: ReplayResult['end'] = 'whole';
  /** What the last step gave. */
  #effects: EngineEffect[] = [];
  #found: Pick<StepRecord, 'words' | 'sum'> = { words: [], sum: 0 };
  #place = { file: '', line: 0 };

  result(): ReplayResult {
    return {
      node: this.#node,
      life: this.#life,
      version: this.#version,
      turnsBefore: Math.max(0, this.#firstTurn - 1),
      fromState: this.#fromState,
      turns: this.#turns,
      events: this.#events,
      lastMs: this.#lastNow - this.#startedAt,
      difference: this.#difference,
      problem: this.#problem,
      end: this.#end,
    };
  }

  /** False: it goes no further. */
  take(file: string, text: string): boolean {
    if (this.#end !== 'whole') {
      this.#problem = `${this.#place.file} is not whole, and ${file} follows it`;
      return false;
    }
    const lines = text.split('\n');
    // Behind the last newline is nothing, or what a power-off left of a line.
    const torn = lines.pop() !== '';
    for (const [index, line] of lines.entries()) {
      this.#place = { file, line: index + 1 };
      if (!this.#line(line, index)) return false;
    }
    if (torn) this.#end = 'torn';
    return true;
  }

  #line(line: string, index: number): boolean {
    let content: unknown;
    try {
      content = decode(line);
    } catch {
      return this.#stop('is no line of a trace');
    }
    if (index === 0) return this.#title(content);
    if (index === 1 && objectOf(content).state !== undefined) return this.#goesOn(content);
    if (this.#engine === null) return this.#isWhole ? this.#beginning(content) : this.#stop(OVERWRITTEN);
    const record = stepOf(content);
    return record === null ? this.#stop('is no line of a trace') : this.#step(record);
  }

  #stop(what: string): false {
    this.#problem = `${this.#place.file} line ${this.#place.line} ${what}`;
    return false;
  }

  #title(content: unknown): boolean {
    const { trace, version, node, life, file } = objectOf(content);
    if (typeof trace !== 'number' || typeof life !== 'number') return this.#stop('is no title of a trace');
    if (trace !== TRACE_FORMAT)
      return this.#stop(`is of format ${trace}, this program knows format ${TRACE_FORMAT}`);
    this.#node = String(node);
    this.#life = life;
    this.#version = String(version);
    if (typeof file !== 'number') return this.#stop('is no title of a trace');
    const expected = this.#file + 1;
    if (this.#file > 0 && file !== expected)
      return this.#stop(`is of file ${file}: file ${expected} of the life is missing`);
    this.#isWhole &&= file === expected;
    this.#file = file;
    return true;
  }

  #beginning(content: unknown): boolean {
    const { startedAt, options } = objectOf(content);
    if (typeof startedAt !== 'number' || typeof options !== 'object' || options === null)
      return this.#stop('does not say what the engine was made from');
    this.#startedAt = startedAt;
    this.#lastNow = startedAt;
    try {
      this.#engine = new RecordedEngine(
        // A line that somebody changed makes the engine throw, which is caught.
        options as EngineOptions,
        (effect) => void this.#effects.push(effect),
        {
          stepped: (found) => {
            this.#found = found;
          },
          broken: () => {},
        },
      );
      return true;
    } catch (error) {
      return this.#stop(`is nothing that an engine can be made from: ${String(error)}`);
    }
  }

  /** The state at the end of one file is that at the beginning of the next: replayed so far, it has to be the same. */
  #goesOn(content: unknown): boolean {
    const { state } = objectOf(content);
    try {
      if (this.#engine !== null) {
        const found = encode(this.#engine.state());
        const recorded = encode(state);
        return found === recorded || this.#isInAnotherState(recorded, found);
      }
      if (!this.#beginning(content)) return false;
      (this.#engine as RecordedEngine | null)?.goOn(state as Snapshot);
      this.#fromState = true;
      return true;
    } catch (error) {
      return this.#stop(
        `is no state of an engine: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #isInAnotherState(recorded: string, found: string): false {
    let at = 0;
    while (recorded[at] === found[at]) at += 1;
    const part = (text: string) => text.slice(Math.max(0, at - STATE_CONTEXT), at + STATE_CONTEXT);
    const step = { turn: this.#lastTurn, now: this.#lastNow, event: null };
    return this.#differs(step, `a state with ${part(recorded)}`, part(found));
  }

  #step({ turn, now, event, words, sum, more }: RecordedStep): boolean {
    if (this.#firstTurn === 0) this.#firstTurn = turn;
    if (turn !== this.#lastTurn) this.#turns += 1;
    this.#lastTurn = turn;
    this.#events += event === null ? 0 : 1;
    this.#lastNow = now;
    this.#effects = [];
    let broken = '';
    try {
      if (event === null) this.#engine?.start(now);
      else this.#engine?.step(event, now, more);
    } catch (error) {
      broken = error instanceof Error ? error.message : String(error);
    }
    const step = { turn, now, event };
    if (words === null) {
      if (broken === '') return this.#differs(step, 'a broken invariant', this.#said());
      this.#end = 'broken';
      this.#problem = `sm broke an invariant here, and does so again: ${broken}`;
      return false;
    }
    if (broken !== '') return this.#differs(step, words, `a broken invariant: ${broken}`);
    if (this.#found.words.join(WORD_SEPARATOR) !== words) {
      const [expected, found] = firstUnequal(words, this.#found.words);
      return this.#differs(step, expected, found);
    }
    if (this.#found.sum !== sum)
      return this.#differs(
        step,
        `${words} (sum ${sum})`,
        `the same with other contents: ${this.#contents()}`,
      );
    return true;
  }

  #said(): string {
    return this.#found.words.join(WORD_SEPARATOR) || 'nothing';
  }

  #contents(): string {
    return JSON.stringify(this.#effects).slice(0, TEXT_MAX);
  }

  #differs(step: Pick<RecordedStep, 'turn' | 'now' | 'event'>, expected: string, found: string): false {
    this.#difference = {
      ...this.#place,
      turn: step.turn,
      atMs: step.now - this.#startedAt,
      event: JSON.stringify(step.event ?? 'start').slice(0, TEXT_MAX),
      expected: expected || 'nothing',
      found,
    };
    return false;
  }
}

/** The first effect that is another one, and its place among those of the step. */
function firstUnequal(recorded: string, found: readonly string[]): [expected: string, found: string] {
  const expected = recorded === '' ? [] : recorded.split(WORD_SEPARATOR);
  let index = 0;
  while (expected[index] === found[index]) index += 1;
  const told = (words: readonly string[]) =>
    `${words[index] ?? 'no more'} (effect ${index + 1} of ${words.length})`;
  return [told(expected), told(found)];
}

type InputEvent = Exclude<EngineEvent, { type: 'group.want' }>;

interface RecordedStep {
  readonly turn: number;
  readonly now: number;
  readonly event: InputEvent | null;
  /** null = the step was not completed: an invariant broke. */
  readonly words: string | null;
  readonly sum: number | null;
  readonly more: boolean;
}

function stepOf(content: unknown): RecordedStep | null {
  if (!Array.isArray(content) || content.length < 5 || content.length > 6) return null;
  const [turn, now, event, words, sum, more] = content as unknown[];
  if (typeof turn !== 'number' || typeof now !== 'number') return null;
  const { type } = objectOf(event);
  // With it goes a token, which only one function makes: it is said within the engine, and no input of it.
  if (event !== null && (typeof type !== 'string' || type === 'group.want')) return null;
  if (words !== null && typeof words !== 'string') return null;
  if (more !== undefined && more !== MORE) return null;
  const isMore = more === MORE;
  return { turn, now, event: event as InputEvent | null, words, sum: sum as number | null, more: isMore };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
