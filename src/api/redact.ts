/** Definitions may hold secrets, in the parameters of scripts: they are never shown. */
import type { Row } from '../shell/store/live-reader.ts';

const SECRET = /pass|secret|token|credential|private|api[-_]?key|auth[-_]?key/i;
export const HIDDEN = '(hidden)';
const PARAMETERS = ['INSTANCE_PARAMETERS', 'PLUGIN_PARAMETERS'];

/** `a=b,password=x` without x. A value may itself hold commas: up to the next `name=` it belongs to the name before. */
export function redactParameters(text: string): string {
  return text
    .split(/,(?=[A-Za-z_][A-Za-z0-9_.-]*=)/)
    .map((part) => {
      const [name = ''] = part.split('=', 1);
      return SECRET.test(name) && part.includes('=') ? `${name}=${HIDDEN}` : part;
    })
    .join(',');
}

export function redactRow(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (typeof value !== 'string') return [column, value];
      if (PARAMETERS.includes(column)) return [column, redactParameters(value)];
      // CONFIGURATION: the name of the value stands beside it.
      if (column === 'VALUE' && SECRET.test(String(row.KEY))) return [column, HIDDEN];
      return [column, value];
    }),
  );
}
