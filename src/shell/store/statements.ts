/** Splitting a file of SQL into its statements, so that a fault is named by file and line. */

export interface Statement {
  /** Line of its first word, from 1. */
  readonly line: number;
  readonly sql: string;
}

/** Beginnings of things that hold no end of a statement, each with the text that ends it. */
const QUOTES: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '[': ']' };

/** Comments between statements are dropped, those within are kept. A doubled quote reopens its text at once. */
export function splitStatements(text: string): readonly Statement[] {
  const statements: Statement[] = [];
  let start = -1;
  let line = 1;
  let counted = 0;
  const add = (end: number): void => {
    line += text.slice(counted, start).split('\n').length - 1;
    counted = start;
    statements.push({ line, sql: text.slice(start, end).trim() });
  };
  for (let i = 0; i < text.length; ) {
    const end = skipEnd(text, i);
    const comment = text.startsWith('--', i) || text.startsWith('/*', i);
    if (start < 0 && !comment && !/[\s;]/.test(text.charAt(i))) start = i;
    if (start >= 0 && text.charAt(i) === ';') {
      add(i);
      start = -1;
    }
    i = end;
  }
  if (start >= 0) add(text.length);
  return statements;
}

/** Where to go on after the character, comment or quoted text at `i`. */
function skipEnd(text: string, i: number): number {
  const after = (mark: string, from: number): number => {
    const found = text.indexOf(mark, from);
    return found < 0 ? text.length : found + mark.length;
  };
  if (text.startsWith('--', i)) return after('\n', i);
  if (text.startsWith('/*', i)) return after('*/', i + 2);
  const quote = QUOTES[text.charAt(i)];
  return quote === undefined ? i + 1 : after(quote, i + 1);
}
