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

/** Null when the script can be run, else a sentence that says why not and what to do. */
export function pluginProblem(path: string): string | null {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return `${path} is a directory (EISDIR): name the script in it`;
    if (!stat.isFile()) return `${path} is not a regular file: put the script there`;
    if (stat.size === 0) return `${path} is empty: install the script again`;
  } catch (error) {
    return fileProblem(path, error);
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return `${path} is not executable (EACCES): chmod 755 it`;
  }
  return interpreterProblem(path);
}

function fileProblem(path: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return code === 'ENOENT'
    ? `${path} does not exist (ENOENT): install it, or deprovision the service`
    : `${path} can not be used: ${code}`;
}

/** A missing interpreter would be told as if the script itself were missing. */
function interpreterProblem(path: string): string | null {
  const buffer = Buffer.alloc(256);
  let head: string;
  try {
    const fd = openSync(path, 'r');
    try {
      head = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Executable, but not readable: a binary may be so.
    return null;
  }
  const interpreter = /^#![ \t]*([^ \t\r\n]+)/.exec(head)?.[1];
  if (interpreter === undefined) return null;
  try {
    accessSync(interpreter, constants.X_OK);
    return null;
  } catch {
    return `${path} names the interpreter ${interpreter}, which is not there: install it`;
  }
}
