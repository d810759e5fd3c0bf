/** Text for terminals and for pipes: columns, colours, times. */
import { styleText } from 'node:util';

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'strong';
export type Paint = (tone: Tone, text: string) => string;

const STYLES = { good: 'green', warn: 'yellow', bad: 'red', dim: 'dim', strong: 'bold' } as const;

export const plain: Paint = (_tone, text) => text;
export const coloured: Paint = (tone, text) => styleText(STYLES[tone], text, { validateStream: false });

/** One cell: its text, and how it is painted. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

/** Columns two blanks apart, as wide as their widest cell, without trailing blanks. */
export function columns(rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text);
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries())
      widths[index] = Math.max(widths[index] ?? 0, textOf(cell).length);
  return rows.map((row) => {
    let line = '';
    let gap = '';
    for (const [index, cell] of row.entries()) {
      const text = textOf(cell);
      if (text !== '') {
        line += gap + (typeof cell === 'string' ? text : paint(cell.tone, text));
        gap = '';
      }
      gap += ' '.repeat((widths[index] ?? 0) - text.length + 2);
    }
    return line;
  });
}

export function time(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `2h`, `1h30m`, `500ms`, `1d` in ms; null when it is none of these. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(ms|s|min|m|h|d))+$/.test(text)) return null;
  let total = 0;
  for (const [, count = '', unit = ''] of text.matchAll(/(\d+)(ms|s|min|m|h|d)/g))
    total += Number(count) * (UNITS[unit] ?? 0);
  return Number.isSafeInteger(total) ? total : null;
}
