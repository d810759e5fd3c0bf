/** The programs as they are installed, made anew from the sources: a test never runs what was built earlier. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

function* sources(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Returns the directory in which `bin/sm.js` lies. The caller removes its parent. */
export function buildPrograms(): { readonly root: string; readonly dist: string } {
  const root = mkdtempSync(join(tmpdir(), 'sm-pair-'));
  for (const name of ['node_modules', 'package.json', 'scripts', 'db']) {
    symlinkSync(join(PROJECT, name), join(root, name));
  }
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  };
  const from = join(PROJECT, 'src');
  for (const path of sources(from)) {
    const target = join(root, 'dist', relative(from, path)).replace(/\.ts$/, '.js');
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions }).outputText);
  }
  return { root, dist: join(root, 'dist') };
}
