/** Reads a JSON body that may be hostile: bounded in depth, strict in its encoding, and no member twice. */
import { problem } from './problem.ts';

/** Deeper than any body that this API takes. */
const DEPTH_MAX = 8;

/** Throws `SM_API_BODY`. An empty body is undefined. */
export function parseBody(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw problem('SM_API_BODY', { detail: 'it is not UTF-8' });
  }
  if (text.trim() === '') return undefined;
  const fault = structureFault(text);
  if (fault !== null) throw problem('SM_API_BODY', { detail: fault });
  try {
    return JSON.parse(text, (key, value: unknown) => {
      // A member of that name would become the prototype of what is made from it.
      if (key === '__proto__') throw new Error('it has a member __proto__');
      return value;
    });
  } catch (error) {
    const detail = error instanceof Error ? error.message.replace(/\p{Cc}/gu, '?') : 'it is not JSON';
    throw problem('SM_API_BODY', { detail: detail.slice(0, 160) });
  }
}

/**
 * What JSON.parse would let pass: depth, and members that stand twice, of which each reader may believe another. The text
 * need not be valid here; what is not is found by JSON.parse.
 */
function structureFault(text: string): string | null {
  const open: Set<string>[] = [];
  const strings = /"(?:[^"\\]|\\.)*"|[{}[\]]/gs;
  for (let token = strings.exec(text); token !== null; token = strings.exec(text)) {
    const [word] = token;
    if (word === '{' || word === '[') {
      open.push(new Set());
      if (open.length > DEPTH_MAX) return `it is more than ${DEPTH_MAX} levels deep`;
    } else if (word === '}' || word === ']') open.pop();
    else if (isFollowedByColon(text, strings.lastIndex)) {
      const name = unescaped(word);
      const members = open.at(-1);
      if (members?.has(name) === true) return `the member ${JSON.stringify(name.slice(0, 32))} stands twice`;
      members?.add(name);
    }
  }
  return null;
}

function isFollowedByColon(text: string, from: number): boolean {
  const colon = /\s*:/y;
  colon.lastIndex = from;
  return colon.test(text);
}

/** `"\u0061"` and `"a"` are the same name. */
function unescaped(word: string): string {
  try {
    return JSON.parse(word) as string;
  } catch {
    return word;
  }
}
