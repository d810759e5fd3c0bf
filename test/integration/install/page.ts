/** docs/OPERATING.md as what it tells to type. */

/** A fence whose first line says where its content is typed. */
export interface Block {
  readonly section: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly where: string;
  readonly text: string;
}

const FENCE = '`'.repeat(3);

/** The blocks that name a machine, or both; others are not typed. */
export function blocksOf(page: string): Block[] {
  const lines = page.split('\n');
  const blocks: Block[] = [];
  let section = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line.startsWith('## ')) section = line.slice(3);
    if (!line.startsWith(FENCE)) continue;
    const end = lines.indexOf(FENCE, at + 1);
    if (end === -1) throw new Error(`line ${at + 1}: the block does not end`);
    const where = line.split(' ')[1] ?? '';
    if (where !== '') {
      blocks.push({ section, line: at + 2, where, text: lines.slice(at + 1, end).join('\n') });
    }
    at = end;
  }
  return blocks;
}

/** `scp -p FILE HOST:FILE`, which the test carries out: between fresh machines nobody trusts anybody yet. */
export function parseCopy(
  line: string,
): { readonly file: string; readonly host: string; readonly to: string } | null {
  const match = /^scp -p (\S+) ([\w-]+):(\S+)$/.exec(line.trim());
  return match === null ? null : { file: match[1]!, host: match[2]!, to: match[3]! };
}
