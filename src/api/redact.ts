/** Definitions may hold secrets, in the parameters of scripts: they are never shown. */
import { isSecretName, parametersIn } from '../core/kernel/secret-names.ts';
import type { Row } from '../shell/store/live-reader.ts';

export const HIDDEN = '(hidden)';
const PARAMETERS = ['INSTANCE_PARAMETERS', 'PLUGIN_PARAMETERS'];

/** `a=b,password=x` without x. */
export function redactParameters(text: string): string {
  return parametersIn(text)
    .map(({ name, value }) => {
      if (value === null) return name;
      return `${name}=${isSecretName(name.trim()) ? HIDDEN : value}`;
    })
    .join(',');
}

export function redactRow(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (typeof value !== 'string') return [column, value];
      if (PARAMETERS.includes(column)) return [column, redactParameters(value)];
      // CONFIGURATION: the name of the value stands beside it.
      if (column === 'VALUE' && isSecretName(String(row.KEY))) return [column, HIDDEN];
      return [column, value];
    }),
  );
}
