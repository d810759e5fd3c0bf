/**
 * Prints the machines of the local engine as docs/machines/*.md: `npx tsx scripts/print-machines.ts`.
 * A test fails when the printed pages and the tables differ.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GROUP_TABLE, GROUP_WORKS } from '../src/core/service/group-table.ts';
import { DRIVE_TABLE, SERVICE_TABLE, SERVICE_WORKS } from '../src/core/service/service-table.ts';

type Rows = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

/** One table: a row for each event, a column for each state that an event can meet. */
function grid(rows: Rows): string {
  const states = Object.keys(rows).filter((state) =>
    Object.values(rows[state] ?? {}).some((cell) => cell !== 'never'),
  );
  const events = Object.keys(Object.values(rows)[0] ?? {});
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const cellText = (cell: string | null | undefined) =>
    cell === null || cell === 'ignore' ? '·' : cell === 'never' ? '' : (cell ?? '');
  return [
    line(['event', ...states]),
    line(['---', ...states.map(() => '---')]),
    ...events.map((event) => line([event, ...states.map((state) => cellText(rows[state]?.[event]))])),
  ].join('\n');
}

function legend(works: Readonly<Record<string, string>>): string {
  return Object.entries(works)
    .map(([work, meaning]) => `- **${work}**: ${meaning}`)
    .join('\n');
}

const HOW_TO_READ = `A word is the work that is done, \`·\` means that the event is ignored, an empty cell that it can not happen there
(the engine asserts that).`;

export function pages(): Readonly<Record<string, string>> {
  const printed = '<!-- Printed by scripts/print-machines.ts from the tables in src/core/service. -->';
  return {
    'service.md': `${printed}
# The service machine

${HOW_TO_READ}

${grid(SERVICE_TABLE)}

${legend(SERVICE_WORKS)}

## What is asked of a service

By its state and by where it shall be. \`·\`: it is there, or it is left alone.

${grid(DRIVE_TABLE).replace('| event |', '| wanted |')}
`,
    'group.md': `${printed}
# The group machine

${HOW_TO_READ}

${grid(GROUP_TABLE)}

${legend(GROUP_WORKS)}
`,
  };
}

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'machines');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(pages())) writeFileSync(join(folder, name), text);
}
