/**
 * `modules.ts DIRECTORY`: copies what the programs need of node_modules there: the packages that package.json names and
 * those that they need in turn, without sources, types, maps and what served only to compile.
 */
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** Needed by the installation of a package, never by its work. */
const INSTALLERS = new Set(['prebuild-install']);
const LEFT_OUT =
  /\.([cm]?ts|map|md|markdown|gyp|yml)$|^\.|^(test|tests|benchmarks?|docs|examples?|bin|tap-snapshots)$/i;
/** Of the SQLite addon only the one file that is loaded. */
const ADDON = /^better-sqlite3\/(deps|src|build)(\/|$)/;
const ADDON_FILE = 'better-sqlite3/build/Release/better_sqlite3.node';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Directories of all packages, each once. */
function packages(directory: string, found = new Set<string>()): ReadonlySet<string> {
  const text = readFileSync(join(directory, 'package.json'), 'utf8');
  for (const name of Object.keys((JSON.parse(text) as Manifest).dependencies ?? {})) {
    const place = resolve(name, directory);
    if (INSTALLERS.has(name) || found.has(place)) continue;
    found.add(place);
    packages(place, found);
  }
  return found;
}

/** As node looks for it: in the nearest node_modules upwards. */
function resolve(name: string, from: string): string {
  for (let directory = from; ; directory = dirname(directory)) {
    const place = join(directory, 'node_modules', name);
    if (existsSync(join(place, 'package.json'))) return place;
    if (directory === dirname(directory)) throw new Error(`${name} is not installed: run make setup`);
  }
}

function isWanted(path: string): boolean {
  if (ADDON.test(path)) return path === ADDON_FILE || ADDON_FILE.startsWith(`${path}/`);
  if (/^licen[cs]e|^copying|^notice/i.test(basename(path))) return true;
  return !LEFT_OUT.test(basename(path)) && basename(path) !== 'node_modules';
}

const target = process.argv[2];
if (target === undefined) throw new Error('usage: modules.ts DIRECTORY');
for (const place of packages(PROJECT)) {
  const path = relative(join(PROJECT, 'node_modules'), place);
  mkdirSync(join(target, path), { recursive: true });
  const filter = (source: string) =>
    source === place || isWanted(relative(join(PROJECT, 'node_modules'), source));
  cpSync(place, join(target, path), { recursive: true, filter });
}
