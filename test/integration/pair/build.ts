/** The programs as they are installed, made from the sources as they are now: a test never runs what was built of others. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
/** What is made of one state of the sources, under its sum: making it takes seconds, and ten files of tests need it. */
const MADE = join(PROJECT, 'node_modules', '.cache', 'sm-programs');

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
  const texts = [...sources(from)]
    .sort()
    .map((path) => [relative(from, path), readFileSync(path, 'utf8')] as const);
  const sum = createHash('sha256')
    .update(JSON.stringify([ts.version, COMPILER_OPTIONS, texts]))
    .digest('hex');
  const made = join(MADE, sum);
  if (!existsSync(made)) make(made, texts);
  cpSync(made, programs.dist, { recursive: true });
  return programs;
}

/** Complete, or not there. What was made of other states of the sources goes. */
function make(made: string, texts: readonly (readonly [string, string])[]): void {
  mkdirSync(MADE, { recursive: true });
  for (const name of readdirSync(MADE).filter((each) => !each.includes('.')))
    rmSync(join(MADE, name), { recursive: true, force: true });
  // Another run of the tests may be making the same.
  const unfinished = `${made}.${process.pid}`;
  for (const [path, text] of texts) compile(unfinished, path, text);
  renameSync(unfinished, made);
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
