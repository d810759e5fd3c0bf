/**
 * The pure layers know no clock, no chance, no timer, no process and no waiting: same state and event, same result. That
 * is what lets one engine run a node and a thousand simulated years.
 */
import ts from 'typescript';
import { expect, test } from 'vitest';
import { at, parse, readSources, type Source, walk } from './project.ts';

const IMPURE = new Set([
  'AbortController',
  'Atomics',
  'Buffer',
  'console',
  'crypto',
  'Date',
  'eval',
  'fetch',
  'Function',
  'global',
  'globalThis',
  'performance',
  'process',
  'Promise',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
  'WeakRef',
]);

function impurities(source: Source): string[] {
  const file = parse(source);
  const found: string[] = [];
  const add = (node: ts.Node, what: string): void => {
    found.push(`${at(file, node)}: ${what}`);
  };
  walk(file, (node) => {
    if (ts.isIdentifier(node) && IMPURE.has(node.text) && !isMemberName(node)) add(node, node.text);
    else if (node.kind === ts.SyntaxKind.AsyncKeyword) add(node, 'async');
    else if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier))
      add(node, 'await');
    else if (isMathRandom(node)) add(node, 'Math.random');
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, 'import()');
    else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
      add(node, 'import.meta');
  });
  return found;
}

/** `wait.process` and `{ process: 1 }` name a member, not the global. `{ process }` uses the global. */
function isMemberName(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent)) &&
    parent.name === node
  );
}

/** `Math.random`, `Math['random']` and `const { random } = Math`. */
function isMathRandom(node: ts.Node): boolean {
  if (!ts.isIdentifier(node) || node.text !== 'Math') return false;
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent))
    return parent.expression === node && parent.name.text === 'random';
  return true;
}

const fixture = (text: string): string[] => impurities({ path: 'src/core/fixture.ts', text });

test.each([
  'const a = Date.now();',
  'const a = new Date(0);',
  'const a = Math.random();',
  `const a = Math['random']();`,
  'const { random } = Math;',
  'setTimeout(() => {}, 1);',
  'const later = setInterval;',
  'const a = performance.now();',
  'const a = process.env;',
  'const a = { process };',
  'const a = globalThis;',
  'async function f(): void {}',
  'const f = async () => 1;',
  'let p: Promise<number>;',
  'for await (const x of y) {}',
  `const m = import('./x.ts');`,
  'const u = import.meta.url;',
  'console.log(1);',
])('finds %s', (text) => {
  expect(fixture(text)).not.toEqual([]);
});

test('strings, comments and members of that name are no impurity', () => {
  expect(
    fixture(
      `// Date.now()\nconst a = { type: 'process.died', process: 1, b: Math.max(1, 2) };\na.process;\n`,
    ),
  ).toEqual([]);
});

test('the pure layers are pure', () => {
  const sources = readSources((path) => /^src\/(core|host)\/.*\.ts$/.test(path));
  expect(sources.length).toBeGreaterThan(10);
  expect(sources.flatMap(impurities)).toEqual([]);
});
