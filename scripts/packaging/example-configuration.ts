/** /etc/sm/sm.yaml.example: every key with its meaning, all of them commented out. */
import { ConfigFile, type KeyNotes } from '../../src/shell/config-schema.ts';

export function exampleConfiguration(): string {
  return [
    "# What is this node's alone, as sm.yaml(5) explains it. smctl init and smctl join write /etc/sm/sm.yaml;",
    '# whatever is not set there has the default that is named here.',
    ...lines('', ConfigFile.properties),
    '',
  ].join('\n');
}

function lines(indent: string, properties: object): string[] {
  return Object.entries(properties).flatMap(([key, notes]: [string, KeyNotes & { properties?: object }]) => {
    if (notes.properties !== undefined) {
      const heading = `#${indent}${key}:${hasDefaults(notes.properties) ? '' : ' # default: none'}`;
      return ['', heading, ...lines(`${indent}  `, notes.properties)];
    }
    const { description, rule, fallback } = notes;
    return [
      '',
      `# ${indent}${description}`,
      `# ${indent}Must be ${rule}.`,
      `#${indent}${key}: ${example(rule, fallback)}`,
    ];
  });
}

/** A mapping none of whose keys has a default is not there by default. */
function hasDefaults(properties: object): boolean {
  return Object.values(properties).some(
    ({ rule, fallback }: Partial<KeyNotes>) =>
      rule !== undefined && fallback !== undefined && !example(rule, fallback).startsWith('#'),
  );
}

/** A default that is a sentence, or no path where one is needed, can not be written down as a value. */
function example(rule: string, fallback: string): string {
  const isValue =
    rule === 'an absolute path' ? fallback.startsWith('/') : !fallback.includes(' ') && fallback !== 'none';
  return isValue ? fallback : `# default: ${fallback}`;
}
