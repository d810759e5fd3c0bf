import { describe, expect, test } from 'vitest';
import { AnswerLog, doubleAnswers } from '../../../src/lab/answers.ts';

const A = '02:00:00:00:02:01';
const B = '02:00:00:00:02:02';
const RETURN_MS = 100;

function logOf(...lines: readonly (readonly [ms: number, words: string])[]): AnswerLog {
  const log = new AnswerLog(
    '/nonexistent',
    new Map([
      [A, 'a'],
      [B, 'b'],
    ]),
  );
  log.add(lines.map(([ms, words]) => `${ms * 1e6} ${words}\n`).join(''));
  return log;
}

const answers = (...pairs: readonly (readonly [ms: number, mac: string])[]) =>
  logOf(...pairs.map(([ms, mac]) => [ms, `arp ${mac}`] as const));

describe('answers become tenures', () => {
  test('one node after the other', () => {
    const { tenures } = answers([10, A], [20, A], [500, B], [510, B]);
    expect(tenures).toEqual([
      { node: 'a', firstMs: 10, lastMs: 20 },
      { node: 'b', firstMs: 500, lastMs: 510 },
    ]);
  });

  test('a piece may end within a line', () => {
    const log = new AnswerLog('/nonexistent', new Map([[A, 'a']]));
    const text = `10000000 ask\n11000000 arp ${A}\n`;
    for (const character of text) log.add(character);
    expect(log.tenures).toEqual([{ node: 'a', firstMs: 11, lastMs: 11 }]);
    expect(log.damaged).toBe(0);
  });

  test('questions are counted, with the longest time without one', () => {
    expect(logOf([10, 'ask'], [20, 'ask'], [55, 'ask'], [60, 'ask']).asked).toMatchObject({
      count: 4,
      widestMs: 35,
    });
  });

  test('when somebody answered, and accepted a connection', () => {
    const log = logOf([10, `arp ${A}`], [30, `arp ${A}`], [40, 'tcp'], [500, `arp ${B}`], [520, 'tcp']);
    expect(log.answeredAt('b', 20)).toBe(500);
    expect(log.answeredAt('a', 20)).toBe(20);
    expect(log.answeredAt('a', 31)).toBeNull();
    expect(log.acceptedAt(41)).toBe(520);
    expect(log.acceptedAt(521)).toBeNull();
  });

  test('a line that is none is told', () => {
    expect(logOf([10, 'arp nobody']).damaged).toBe(1);
  });
});

describe('two who answer at once', () => {
  test('a move is none', () => {
    expect(doubleAnswers(answers([10, A], [40, B], [50, B]).tenures, RETURN_MS)).toEqual([]);
  });

  test('both to one question', () => {
    const found = doubleAnswers(answers([10, A], [10.2, B], [1000, B]).tenures, RETURN_MS);
    expect(found).toEqual([{ nodes: ['a', 'b'], fromMs: 10, durationMs: 10 }]);
  });

  test('in turn', () => {
    const found = doubleAnswers(answers([10, A], [30, B], [50, A], [70, B]).tenures, RETURN_MS);
    expect(found.map(({ fromMs }) => fromMs)).toEqual([10, 30]);
  });

  test('a stranger', () => {
    const found = doubleAnswers(answers([10, A], [11, '02:00:00:00:02:09']).tenures, RETURN_MS);
    expect(found[0]?.nodes).toEqual(['a', 'a stranger']);
  });

  test('there and back later is none', () => {
    expect(doubleAnswers(answers([10, A], [400, B], [900, A]).tenures, RETURN_MS)).toEqual([]);
  });
});
