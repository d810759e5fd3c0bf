/** Which installation this process was started from: after an upgrade the files are others, and what runs is the old one. */
import { statSync } from 'node:fs';
import { VERSION } from '../version.ts';
import { programPath } from './programs.ts';

/** Version, and the file of the program as it was when this process began: one that took its place has another number. */
export const INSTALLATION = identify();

function identify(): string {
  const file = statSync(programPath('sm-watchdog'), { throwIfNoEntry: false });
  return file === undefined ? VERSION : `${VERSION} (${file.ino}, ${Math.round(file.mtimeMs)})`;
}
