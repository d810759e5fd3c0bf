/**
 * The texts of a trace: lines of JSON that lose nothing. JSON has no maps and no endless numbers, and the engine's input
 * has both. Source: docs/reference/trace.md.
 */

/** Version of the format: a reader refuses a greater one. */
export const TRACE_FORMAT = 3;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bits, over UTF-16 code units. Tells different texts apart by accident, and signs nothing. */
export function fnv1a32(text: string, hash: number = FNV_OFFSET): number {
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

/** Maps and numbers without end become objects whose only key begins with `$`. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part instanceof Map) return { $map: [...part] };
    if (typeof part === 'number' && !Number.isFinite(part)) return { $number: String(part) };
    return part;
  });
}

/** @throws SyntaxError where the text is no JSON. */
export function decode(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) => {
    if (part === null || typeof part !== 'object') return part;
    if ('$number' in part) return Number(part.$number);
    if ('$map' in part && Array.isArray(part.$map)) return new Map(part.$map as [unknown, unknown][]);
    return part;
  });
}
