/** Every module is used by a program, and every program of package.json exists. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, isModule, ROOT, readSources, type Source, trackedPaths } from './project.ts';

/** Programs, and what makes the reference pages for their tests. */
const isRoot = (path: string): boolean => /^(src\/bin|scripts)\/|reference\.ts$/.test(path);

function deadModules(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const reach = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || reached.has(path)) return;
    reached.add(path);
    for (const { to, own } of importsOf(source)) if (own) reach(to);
  };
  for (const { path } of sources) if (isRoot(path)) reach(path);
  return sources.map(({ path }) => path).filter((path) => !reached.has(path));
}

test('a module that no program imports is found, also when two import each other', () => {
  const module = (path: string, ...imports: string[]): Source => ({
    path,
    text: imports.map((to) => `import '${to}';\n`).join(''),
  });
  const used = [module('src/bin/sm.ts', '../shell/loop.ts'), module('src/shell/loop.ts')];
  expect(deadModules(used)).toEqual([]);
  const dead = [...used, module('src/core/a.ts', './b.ts'), module('src/core/b.ts', './a.ts')];
  expect(deadModules(dead)).toEqual(['src/core/a.ts', 'src/core/b.ts']);
});

test('every module is used by a program', () => {
  expect(deadModules(readSources(isModule))).toEqual([]);
});

test('package.json and src/bin name the same programs', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  const built = trackedPaths()
    .filter((path) => /^src\/bin\/[^/]+\.ts$/.test(path))
    .map((path) => path.slice('src/bin/'.length, -'.ts'.length));
  // A program may have more names than its own.
  const files = Object.values(manifest.bin).map((path) => path.replace(/^dist\/bin\/|\.js$/g, ''));
  expect([...new Set(files)].sort()).toEqual(built.sort());
  expect(Object.keys(manifest.bin)).toEqual(expect.arrayContaining(built));
});
