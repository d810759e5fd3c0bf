/** Small rules on the text of the project: nothing skipped, nothing invisible, nothing that only one machine has. */
import ts from 'typescript';
import { expect, test } from 'vitest';
import { at, parse, readSources, type Source, walk } from './project.ts';

const FUNCTION_LINES_MAX = 70;

const isText = (path: string): boolean => path !== 'package-lock.json' && !/\.(png|db|pcap|gz)$/.test(path);

/** `test.only`, `it.skip`, `describe.todo`, `xit` and friends. */
function unevenTests(source: Source): string[] {
  const file = parse(source);
  const found: string[] = [];
  walk(file, (node) => {
    if (!ts.isCallExpression(node)) return;
    const called = node.expression.getText(file);
    if (/^x(it|test|describe)$|^(it|test|describe)\b[\s\S]*\.(only|skip|todo|fails)$/.test(called))
      found.push(`${at(file, node)}: ${called}`);
  });
  return found;
}

/** Anything but printable text, newline and, where the format asks for it, tab. */
function invisible(source: Source): string[] {
  return source.text.split('\n').flatMap((line, index) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060\ufeff]/.test(line)
      ? [`${source.path}:${index + 1}: control or invisible character`]
      : [],
  );
}

/** Built from parts, so that the rule does not find itself. */
const WORKPLACE = new RegExp(['/wor', 'k/|\\.\\./sha', 'red|/tmp/br', 'ief|/ro', 'ot/'].join(''));

function workplaces(source: Source): string[] {
  return source.text
    .split('\n')
    .flatMap((line, index) => (WORKPLACE.test(line) ? [`${source.path}:${index + 1}: ${line.trim()}`] : []));
}

function unfinished(source: Source): string[] {
  const words = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX\\b'].join(''));
  return source.text
    .split('\n')
    .flatMap((line, index) => (words.test(line) ? [`${source.path}:${index + 1}: ${line.trim()}`] : []));
}

function longFunctions(source: Source): string[] {
  const file = parse(source);
  const found: string[] = [];
  walk(file, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const line = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
    const lines = line(node.getEnd()) - line(node.getStart(file)) + 1;
    if (lines > FUNCTION_LINES_MAX) found.push(`${at(file, node)}: ${lines} lines`);
  });
  return found;
}

const source = (text: string): Source => ({ path: 'src/fixture.ts', text });

test('the rules find what they are for', () => {
  for (const text of [
    'test.only("a", f);',
    'it.skip("a", f);',
    'describe.todo("a");',
    'xit("a", f);',
    'test.each([]).skip("a");',
  ])
    expect(unevenTests(source(text)), text).toHaveLength(1);
  expect(unevenTests(source('test("only skip", f); test.each([1])("a", f);'))).toEqual([]);
  expect(invisible(source('a\u0000b\n\tfine\n\u202eabc'))).toHaveLength(2);
  expect(workplaces(source(`const a = '/wor${'k/main'}';`))).toHaveLength(1);
  expect(unfinished(source(`// TO${'DO'}: later`))).toHaveLength(1);
  const body = (lines: number): string => `function f() {\n${'  g();\n'.repeat(lines - 2)}}\n`;
  expect(longFunctions(source(body(FUNCTION_LINES_MAX)))).toEqual([]);
  expect(longFunctions(source(body(FUNCTION_LINES_MAX + 1)))).toHaveLength(1);
});

test('no test is skipped, focused or left for later', () => {
  const sources = readSources((path) => /^test\/.*\.ts$/.test(path));
  expect(sources.length).toBeGreaterThan(3);
  expect(sources.flatMap(unevenTests)).toEqual([]);
});

test('no invisible characters', () => {
  expect(readSources(isText).flatMap(invisible)).toEqual([]);
});

test('no path of one machine', () => {
  expect(readSources(isText).flatMap(workplaces)).toEqual([]);
});

test('nothing is left unfinished in what is shipped', () => {
  expect(readSources((path) => /^(src|api|ocf|lsb|db|scripts)\//.test(path)).flatMap(unfinished)).toEqual([]);
});

test(`functions fit on a screen (${FUNCTION_LINES_MAX} lines)`, () => {
  expect(readSources((path) => /^(src|api)\/.*\.ts$/.test(path)).flatMap(longFunctions)).toEqual([]);
});
