import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { titleLine } from '../../../src/core/trace/step.ts';
import { decode, encode } from '../../../src/core/trace/text.ts';
import { replayLife } from '../../../src/sim/replay.ts';
import { recordLife, SECOND_AT, SECRET, textOf } from './record.ts';

const { lines, history, second: state } = recordLife();
const replay = (...texts: readonly string[]) =>
  replayLife(texts.map((text, index) => ({ name: `file ${index + 1}`, text })));
/** The same life with one line changed. */
const changed = (index: number, change: (line: string) => string): string =>
  textOf(lines.map((line, at) => (at === index ? change(line) : line)));
/** Of the first step in which something happened to this effect. */
const lineWith = (word: string): number => lines.findIndex((line, at) => at > 1 && line.includes(word));

describe('a recorded life', () => {
  it('replays to the same effects', () => {
    expect(replay(textOf(lines))).toMatchObject({
      node: 'controller-0',
      difference: null,
      problem: '',
      end: 'whole',
      events: lines.length - 3,
    });
    expect(lines.some((line) => line.includes('run 3 oam-ip enable'))).toBe(true);
  });

  it('is read on over the ends of files', () => {
    const title = titleLine({ version: '1', node: 'controller-0', life: 1, file: 2 });
    const first = textOf(lines.slice(0, SECOND_AT));
    const second = textOf([title, state, ...lines.slice(SECOND_AT)]);
    expect(replay(first, second)).toMatchObject({ difference: null, problem: '', turnsBefore: 0 });
    expect(replay(first, second, second).problem).toContain('file 3 of the life is missing');
  });

  it('goes on from the state with which a later file begins, when what was before is gone', () => {
    const title = titleLine({ version: '1', node: 'controller-0', life: 1, file: 2 });
    const whole = replay(textOf(lines));
    const second = replay(textOf([title, state, ...lines.slice(SECOND_AT)]));
    expect(second).toMatchObject({ difference: null, problem: '', end: 'whole', lastMs: whole.lastMs });
    expect(second.events).toBe(lines.length - SECOND_AT);
    expect(second.turnsBefore + second.turns).toBe(whole.turns);
    expect(replay(textOf([title, state]))).toMatchObject({
      difference: null,
      problem: '',
      turns: 0,
      fromState: true,
    });
    // As it was written before states were.
    expect(replay(textOf([title, ...lines.slice(SECOND_AT)])).problem).toContain('has been overwritten');
  });

  it('has the state at the end of one file that the next one begins with', () => {
    const title = titleLine({ version: '1', node: 'controller-0', life: 1, file: 2 });
    const other = textOf([title, state.replace('["lastRun",', '["lastRun",1'), ...lines.slice(SECOND_AT)]);
    const { difference } = replay(textOf(lines.slice(0, SECOND_AT)), other);
    expect(difference?.expected).toContain('a state with');
    expect(difference?.expected).toContain('lastRun');
    expect(
      replay(textOf([title, state.replace('["lastRun",', '["lastRun",1'), ...lines.slice(SECOND_AT)])),
    ).toMatchObject({
      difference: { event: expect.stringContaining('') },
    });
    expect(replay(textOf([title, state.replace('"of":"Cluster"', '"of":"Clusters"')])).problem).toContain(
      'is no state of an engine: the engine made from the options has no such Clusters',
    );
  });

  it('holds no parameter that is a secret, and the reason of a failure neither', () => {
    expect(`${lines.join('\n')}${state}`).not.toContain(SECRET);
    expect(lines.join('\n')).toContain('ip=10.0.0.1,password=[secret]');
    expect(history.join('\n')).not.toContain(SECRET);
    expect(history.join('\n')).toContain('can not log in with [secret]');
  });

  it('is cut by a power-off in the middle of a line: what is there replays', () => {
    for (const cut of [1, 20, 200]) {
      const { difference, end, problem } = replay(textOf(lines).slice(0, -cut));
      expect({ difference, end, problem }).toEqual({ difference: null, end: 'torn', problem: '' });
    }
  });
});

describe('what was changed is found at its turn', () => {
  it('an event', () => {
    const at = lines.findIndex((line) => line.includes('"code":1'));
    const { difference } = replay(changed(at, (line) => line.replace('"code":1', '"code":0')));
    expect(difference).toMatchObject({ line: at + 1, turn: (decode(lines[at] as string) as [number])[0] });
    expect(difference?.event).toContain('run.done');
    expect(difference?.expected).not.toBe(difference?.found);
  });

  it('a time', () => {
    const at = lineWith('timer ');
    const later = (line: string): string => {
      const [turn, now, ...rest] = decode(line) as [number, number];
      return encode([turn, now + 1, ...rest]);
    };
    expect(replay(changed(at, later)).difference?.line).toBe(at + 1);
  });

  it('an effect, by its word or by the sum over its contents', () => {
    const at = lineWith('oam-ip enable');
    const word = replay(changed(at, (line) => line.replace('oam-ip enable', 'oam-ip disable')));
    expect(word.difference).toMatchObject({ line: at + 1 });
    expect(word.difference?.expected).toMatch(/^run \d+ oam-ip disable \(effect \d+ of \d+\)$/);
    expect(word.difference?.found).toMatch(/^run \d+ oam-ip enable \(effect \d+ of \d+\)$/);
    const sum = replay(changed(at, (line) => line.replace(/\d\]$/, (end) => (end === '1]' ? '2]' : '1]'))));
    expect(sum.difference?.found).toContain('the same with other contents: [{');
  });

  it('a broken invariant that does not break, and one that was none', () => {
    const broken = changed(10, (line) => encode([...(decode(line) as unknown[]).slice(0, 3), null, null]));
    expect(replay(broken).difference).toMatchObject({ line: 11, expected: 'a broken invariant' });
    const bad = encode([9, 5000, { type: 'run.done', run: 1, outcome: null }, 'nothing', 1]);
    expect(replay(changed(10, () => bad)).difference?.found).toContain('a broken invariant: ');
  });

  it.each([2, 4])('another format: %i', (format) => {
    const { problem } = replay(changed(0, (line) => line.replace('"trace":3', `"trace":${format}`)));
    expect(problem).toBe(`file 1 line 1 is of format ${format}, this program knows format 3`);
  });
});

it('no text makes it throw', () => {
  const whole = textOf(lines);
  const place = fc.nat(whole.length - 1);
  fc.assert(
    fc.property(place, place, fc.string({ maxLength: 8 }), (from, length, text) => {
      const other = whole.slice(0, from) + text + whole.slice(from + (length % 40));
      expect(replay(other).turns).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 60 },
  );
  for (const text of ['', '\n', '{}\n', '[]\n', 'null\nnull\n', '{"trace":1,"life":1,"file":1}\n{}\n'])
    expect(replay(text).turns).toBe(0);
});

it('texts lose no map and no number without end', () => {
  const value = {
    a: new Map([['k', { n: Number.NEGATIVE_INFINITY }]]),
    b: [Number.POSITIVE_INFINITY, 0.1, null],
  };
  expect(decode(encode(value))).toEqual(value);
});
