/** Where a script lies, and why it can not be run: everything that can be known before anything is forked. */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RunEffect } from '../../core/service/interface.ts';

export interface PluginDirectories {
  /** LSB init scripts: /etc/init.d. */
  readonly lsb: string;
  /** OCF_ROOT: agents lie in resource.d/<provider>/ below it: /usr/lib/ocf. */
  readonly ocfRoot: string;
}

type Plugin = Pick<RunEffect, 'pluginType' | 'pluginClass' | 'pluginName'>;

export function pluginPath(directories: PluginDirectories, plugin: Plugin): string {
  return plugin.pluginType === 'lsb-script'
    ? join(directories.lsb, plugin.pluginName)
    : join(directories.ocfRoot, 'resource.d', plugin.pluginClass, plugin.pluginName);
}

/** The interpreters that scripts name, and the inode and change of it in which that was read: to read it again costs as much as all the rest. */
const interpreters = new Map<string, { readonly stamp: string; readonly interpreter: string }>();

/** Null when the script can be run, else a sentence that says why not and what to do. */
export function pluginProblem(path: string): string | null {
  let stamp: string;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return `${path} is a directory (EISDIR): name the script in it`;
    if (!stat.isFile()) return `${path} is not a regular file: put the script there`;
    if (stat.size === 0) return `${path} is empty: install the script again`;
    stamp = `${stat.dev} ${stat.ino} ${stat.ctimeMs} ${stat.size}`;
  } catch (error) {
    return fileProblem(path, error);
  }
  if (!isExecutable(path)) return `${path} is not executable (EACCES): chmod 755 it`;
  let known = interpreters.get(path);
  if (known?.stamp !== stamp) {
    known = { stamp, interpreter: interpreterOf(path) };
    interpreters.set(path, known);
  }
  const { interpreter } = known;
  // A missing one would be told as if the script itself were missing.
  return interpreter === '' || isExecutable(interpreter)
    ? null
    : `${path} names the interpreter ${interpreter}, which is not there: install it`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function fileProblem(path: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return code === 'ENOENT'
    ? `${path} does not exist (ENOENT): install it, or deprovision the service`
    : `${path} can not be used: ${code}`;
}

/** '' = it names none, or can be executed and not read, as a binary may be. */
function interpreterOf(path: string): string {
  const buffer = Buffer.alloc(256);
  try {
    const fd = openSync(path, 'r');
    try {
      const head = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
      return /^#![ \t]*([^ \t\r\n]+)/.exec(head)?.[1] ?? '';
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
