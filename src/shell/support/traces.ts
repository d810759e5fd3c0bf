/** The newest files of the traces of `sm`, unpacked, for a bundle. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export interface TraceFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** As many as fit, the newest one first; a sentence when there are none. */
export function newestTraces(directory: string, bytesMax: number): readonly TraceFile[] | string {
  const found: TraceFile[] = [];
  let bytes = 0;
  try {
    const names = readdirSync(directory).filter((name) => /\.trace(\.gz)?$/.test(name));
    for (const name of names.sort().reverse()) {
      const path = join(directory, name);
      const content = readFileSync(path);
      const plain = name.endsWith('.gz') ? gunzipSync(content, { maxOutputLength: bytesMax }) : content;
      bytes += plain.length;
      if (bytes > bytesMax) break;
      found.push({ name: name.replace(/\.gz$/, ''), path, text: plain.toString('utf8') });
    }
  } catch (error) {
    if (found.length === 0) return error instanceof Error ? error.message : String(error);
  }
  return found.length === 0 ? 'there is none' : found;
}
