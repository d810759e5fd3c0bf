/** Who may import whom (docs/ARCHITECTURE.md, "The arrows"). */
import { expect, test } from 'vitest';
import { importsOf, isModule, readSources, type Source } from './project.ts';

const READERS = [
  'core/view',
  'core/explain',
  'core/story/',
  'core/kernel/',
  'core/definitions/',
  'shell/client',
  'shell/store/',
  'shell/credentials/',
];

/** What each layer may import besides itself: beginnings of paths below src. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: ['core/'],
  shell: ['core/', 'host/'],
  sim: ['core/', 'host/'],
  // `smctl key` makes key files with the key ring's own code, `smctl init` and `join` make a node, `collect` asks the
  // machine.
  cli: [
    ...READERS,
    'shell/watchdog/keyring',
    'shell/setup/',
    'shell/support/',
    'shell/json',
    'shell/version',
  ],
  api: READERS,
  // Real nodes on one machine, for the demo, tests and measurements.
  lab: ['core/', 'shell/'],
  bin: ['core/', 'host/', 'shell/', 'sim/', 'cli/', 'api/'],
  scripts: ['core/', 'host/', 'shell/', 'sim/', 'cli/', 'api/', 'lab/'],
};

/** The tools share one composition root, which gives them their ports. */
const TOOL_ROOT = 'src/cli/context.ts';

/** Layers whose modules use no package and no part of node. */
const PURE = ['core', 'host'];
/** Types carry no behaviour: readers may name any type below them. */
const READING = ['cli', 'api'];

const layerOf = (path: string): string => path.replace(/^src\//, '').split('/')[0] ?? '';

function layerProblems(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const { from, to, own, typeOnly, place } of sources.flatMap(importsOf)) {
    const layer = layerOf(from);
    const allowed = ALLOWED[layer];
    if (allowed === undefined) problems.push(`${place}: ${layer} is no known layer`);
    else if (!own && PURE.includes(layer))
      problems.push(`${place}: ${layer} imports nothing from outside, not ${to}`);
    else if (own) {
      const target = to.replace(/^src\//, '');
      if (layerOf(target) === layer && layer !== 'bin') continue;
      if (typeOnly && READING.includes(layer) && /^(core|shell)\//.test(target)) continue;
      if (from === TOOL_ROOT && target.startsWith('shell/')) continue;
      if (!allowed.some((beginning) => target.startsWith(beginning)))
        problems.push(`${place}: ${layer} must not import ${target}`);
    }
  }
  return problems;
}

const fixture = (path: string, specifier: string, clause = '{ x }'): string[] =>
  layerProblems([{ path, text: `import ${clause} from '${specifier}';\n` }]);

test.each([
  ['src/core/engine.ts', '../shell/loop.ts'],
  ['src/core/engine.ts', 'node:fs'],
  ['src/core/engine.ts', 'yaml'],
  ['src/host/planner.ts', '../shell/loop.ts'],
  ['src/host/planner.ts', 'node:os'],
  ['src/shell/loop.ts', '../sim/world.ts'],
  ['src/shell/loop.ts', '../cli/status.ts'],
  ['src/sim/world.ts', '../shell/loop.ts'],
  ['src/shell/loop.ts', '../lab/node.ts'],
  ['src/cli/status.ts', '../core/engine.ts'],
  ['src/cli/status.ts', '../shell/loop.ts'],
  ['src/cli/status.ts', '../shell/config.ts'],
  ['src/cli/status.ts', '../bin/smctl.ts'],
  ['src/bin/sm.ts', './smctl.ts'],
  ['src/other/new.ts', '../core/view.ts'],
])('%s must not import %s', (path, specifier) => {
  expect(fixture(path, specifier)).toHaveLength(1);
});

test.each([
  ['src/core/engine.ts', './kernel/names.ts'],
  ['src/host/planner.ts', '../core/kernel/names.ts'],
  ['src/shell/loop.ts', 'better-sqlite3'],
  ['src/cli/status.ts', '../core/view.ts'],
  ['src/cli/status.ts', '../shell/store/reader.ts'],
  ['src/cli/context.ts', '../shell/config.ts'],
  ['src/bin/sm.ts', '../shell/loop.ts'],
  ['scripts/demo.ts', '../src/shell/client.ts'],
])('%s may import %s', (path, specifier) => {
  expect(fixture(path, specifier)).toEqual([]);
});

test('a reader may name types of the core, but not use its values; dynamic imports and re-exports count', () => {
  expect(fixture('src/cli/status.ts', '../core/link/types.ts', 'type { X }')).toEqual([]);
  expect(fixture('src/cli/status.ts', '../core/link/types.ts', '{ type X, type Y }')).toEqual([]);
  expect(fixture('src/cli/status.ts', '../core/link/types.ts', '{ type X, y }')).toHaveLength(1);
  for (const text of [
    `const m = import('../shell/loop.ts');`,
    `export * from '../shell/loop.ts';`,
    `import '../shell/loop.ts';`,
  ])
    expect(layerProblems([{ path: 'src/core/engine.ts', text }])).toHaveLength(1);
});

test('every import of the project follows the arrows', () => {
  const sources = readSources(isModule);
  expect(sources.length).toBeGreaterThan(10);
  expect(layerProblems(sources)).toEqual([]);
});
