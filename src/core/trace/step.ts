/**
 * What a trace keeps of one step of the engine: the event that went in, and of what came out a word for each effect and one
 * sum over everything. So a replay is compared with every byte of every effect, and no effect is stored.
 */
import type { EngineEffect, EngineEvent, EngineOptions } from '../engine-interface.ts';
import type { GroupReport } from '../link/types.ts';
import type { Snapshot } from './snapshot.ts';
import { encode, fnv1a32, TRACE_FORMAT } from './text.ts';

/** First line of each file. */
export interface TraceTitle {
  /** TRACE_FORMAT. */
  readonly trace: number;
  /** Version of the `sm` that wrote it. */
  readonly version: string;
  readonly node: string;
  /** Counts the starts of `sm` on this node, as far as there are traces of them. */
  readonly life: number;
  /** Counts the files of a life, from 1. */
  readonly file: number;
}

/** Second line of each file: what the engine was made from, when it was started, and what had become of it by then. */
export interface TraceBeginning {
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly options: EngineOptions;
  /** Missing in the first file of a life. */
  readonly state?: Snapshot;
}

export interface StepRecord {
  /** Turn of the loop, from 1: several events may go into one. */
  readonly turn: number;
  /** Monotonic ms. */
  readonly now: number;
  /** null = the start. */
  readonly event: EngineEvent | null;
  /** One word for each effect, in order. */
  readonly words: readonly string[];
  /** Sum over all effects. */
  readonly sum: number;
  /** Another event of the turn followed, with which the pair was looked at. */
  readonly more: boolean;
}

export const WORD_SEPARATOR = ' | ';
/** Behind a step that another one of its turn follows. */
export const MORE = 1;

export function titleLine(title: Omit<TraceTitle, 'trace'>): string {
  return encode({ trace: TRACE_FORMAT, ...title });
}

export function beginningLine(beginning: TraceBeginning): string {
  return encode(beginning);
}

export function stepLine({ turn, now, event, words, sum, more }: StepRecord): string {
  return encode([turn, now, event, words.join(WORD_SEPARATOR), sum, ...(more ? [MORE] : [])]);
}

/** An event whose step did not end: the engine broke an invariant. */
export function brokenLine(turn: number, now: number, event: EngineEvent | null, more: boolean): string {
  return encode([turn, now, event, null, null, ...(more ? [MORE] : [])]);
}

/** What an effect is about, for people; the sum tells the rest. */
export function wordOf(effect: EngineEffect): string {
  switch (effect.type) {
    case 'run':
      return `run ${effect.run} ${effect.service} ${effect.action}`;
    case 'kill':
      return `kill ${effect.run}`;
    case 'timer':
      return `timer ${effect.key}${effect.at === null ? ' off' : ''}`;
    case 'history':
      return `${effect.entity} ${effect.name}: ${effect.from} -> ${effect.to}`;
    case 'guard.send':
      return `report ${effect.version}`;
    case 'persist.service':
      return `${effect.type} ${effect.service} ${effect.state}`;
    case 'persist.group':
      return `${effect.type} ${effect.group} ${effect.state}`;
    case 'persist.operation':
      return `${effect.type} ${effect.operation.id} ${effect.operation.step}`;
    case 'persist.intent':
      return `${effect.type} ${effect.run}${effect.ended ? ' ended' : ''}`;
    case 'reply':
      return `reply ${effect.request} ${effect.ok ? 'ok' : effect.code}`;
    default:
      return effect.type;
  }
}

/**
 * The sum goes on with each effect. What a script is called with is left out: parameters are secrets at times, and a trace
 * has them covered (docs/reference/trace.md).
 */
export function addToSum(sum: number | undefined, effect: EngineEffect): number {
  return fnv1a32(JSON.stringify(summed(effect)), sum);
}

function summed(effect: EngineEffect): object {
  if (effect.type === 'run') return { ...effect, environment: null };
  if (effect.type !== 'guard.send') return effect;
  // Of all groups in a report few have changed since the one before, and the others are the objects that they were.
  return { ...effect, report: { ...effect.report, groups: effect.report.groups.map(sumOf) } };
}

const groupSums = new WeakMap<object, number>();

function sumOf(group: GroupReport): number {
  let sum = groupSums.get(group);
  if (sum === undefined) {
    sum = fnv1a32(JSON.stringify(group));
    groupSums.set(group, sum);
  }
  return sum;
}
