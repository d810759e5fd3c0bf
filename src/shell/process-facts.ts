/** The process behind a pid file, for people to read: its number and the name that they know it by. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

export interface ProcessFacts {
  /** null = no pid file, or no number in it. */
  readonly pid: number | null;
  /** '' = no such process. */
  readonly name: string;
}

/** The kernel cuts names to this length. */
const COMM_CHARACTERS_MAX = 15;

export function processFacts(pidFile: string): ProcessFacts {
  const first = pidFile === '' ? null : read(pidFile)?.split('\n')[0]?.trim();
  if (first === null || first === undefined || !/^\d{1,10}$/.test(first)) return { pid: null, name: '' };
  const pid = Number(first);
  return { pid, name: processName(pid) };
}

/** A script run by python is known by the script's name; a cut name is completed from the command line. */
function processName(pid: number): string {
  const comm = read(`/proc/${pid}/comm`)?.trimEnd();
  if (comm === undefined) return '';
  const [program = '', script = ''] = (read(`/proc/${pid}/cmdline`) ?? '').split('\0');
  if (/^python[\d.]*$/.test(comm) && script !== '') return basename(script);
  const whole = basename(program);
  return comm.length === COMM_CHARACTERS_MAX && whole.startsWith(comm) ? whole : comm;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
