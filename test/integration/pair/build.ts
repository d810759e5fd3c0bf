/** The programs as they are installed, made anew from the sources: a test never runs what was built earlier. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

function* sources(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Returns the directory in which `bin/sm.js` lies. The caller removes its parent. */
export function buildPrograms(): { readonly root: string; readonly dist: string } {
  const programs = emptyDirectory();
  const from = join(PROJECT, 'src');
  for (const path of sources(from)) compile(programs.dist, relative(from, path), readFileSync(path, 'utf8'));
  return programs;
}

/** The same with other texts for some modules, by their path below src. */
export function variantOf(
  { dist }: { readonly dist: string },
  instead: Readonly<Record<string, string>>,
): ReturnType<typeof buildPrograms> {
  const programs = emptyDirectory();
  cpSync(dist, programs.dist, { recursive: true });
  for (const [path, text] of Object.entries(instead)) compile(programs.dist, path, text);
  return programs;
}

function emptyDirectory(): { readonly root: string; readonly dist: string } {
  const root = mkdtempSync(join(tmpdir(), 'sm-pair-'));
  for (const name of ['node_modules', 'package.json', 'scripts', 'db']) {
    symlinkSync(join(PROJECT, name), join(root, name));
  }
  return { root, dist: join(root, 'dist') };
}

function compile(dist: string, path: string, text: string): void {
  const target = join(dist, path).replace(/\.ts$/, '.js');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, ts.transpileModule(text, { compilerOptions: COMPILER_OPTIONS }).outputText);
}
