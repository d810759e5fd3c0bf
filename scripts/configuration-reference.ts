/** docs/reference/configuration.md, made from the schema; a test compares. */

import { CONFIG_PATH } from '../src/shell/config.ts';
import { ConfigFile, type KeyNotes } from '../src/shell/config-schema.ts';

export function configurationReference(): string {
  return [
    '# Configuration of a node',
    '',
    `\`${CONFIG_PATH}\` holds what is this node's alone; everything else is in the database. The file is read once, at the`,
    'start. Unknown keys and wrong values are refused, with their line. An empty file is valid: every key has a default.',
    '',
    '<!-- Made from src/shell/config-schema.ts by `npx vitest run test/unit/config -u`. -->',
    '',
    '| Key | Meaning | Must be | Default | What it costs to change |',
    '|---|---|---|---|---|',
    ...rows('', ConfigFile.properties),
    '',
  ].join('\n');
}

function rows(prefix: string, properties: object): string[] {
  return Object.entries(properties).flatMap(([key, schema]: [string, KeyNotes & { properties?: object }]) => {
    if (schema.properties !== undefined) return rows(`${prefix}${key}.`, schema.properties);
    const { description, rule, fallback, change } = schema;
    return [`| \`${prefix}${key}\` | ${description} | ${rule} | ${fallback} | ${change} |`];
  });
}
