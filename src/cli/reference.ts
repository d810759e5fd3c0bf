/** docs/reference/smctl.md and the like, made from the command trees; a test compares. */
import { COMMON_OPTIONS, type CommandSpec, type OptionSpec, REMOTE_OPTIONS } from './command.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';

/** One page for one program. */
export function commandReference(program: CommandSpec): string {
  return page([
    `# ${program.name}`,
    '',
    MADE,
    '',
    `${program.summary}.`,
    ...(program.details ?? []),
    '',
    ...runnable(program, []).flatMap(({ words, command }) => section(words, command)),
    ...ends(runnable(program, [])),
  ]);
}

/** One page for programs that belong together. */
export function toolsReference(
  title: string,
  intro: readonly string[],
  programs: readonly CommandSpec[],
): string {
  return page([
    `# ${title}`,
    '',
    MADE,
    '',
    ...intro,
    '',
    ...programs.flatMap((program) => [
      ...(program.details ?? []),
      ...(program.details === undefined ? [] : ['']),
      ...runnable(program, []).flatMap(({ words, command }) => section(words, command)),
    ]),
    ...ends([]),
  ]);
}

const MADE = '<!-- Made from the command tree in src/cli by `npx vitest run test/cli/reference -u`. -->';
const page = (lines: readonly string[]): string => lines.join('\n');

/** What holds for every command. */
function ends(leaves: readonly Leaf[]): string[] {
  return [
    '## Options of every command',
    '',
    ...optionTable(COMMON_OPTIONS),
    '',
    ...fromAfar(leaves),
    '## Exit codes',
    '',
    '| Code | Meaning |',
    '|---|---|',
    ...Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    'Colour is used on terminals only, and never when `NO_COLOR` is set or `TERM` is `dumb`. Answers go to stdout,',
    'progress and problems to stderr.',
    '',
  ];
}

function fromAfar(leaves: readonly Leaf[]): string[] {
  const names = remoteNames(leaves);
  if (names.length === 0) return [];
  return [
    '## From another machine',
    '',
    `By the REST server of a node, with a token or a certificate: ${names.map((name) => `\`${name}\``).join(', ')}.`,
    'The other commands need the node itself.',
    '',
    ...optionTable(REMOTE_OPTIONS),
    '',
    '```',
    REMOTE_EXAMPLE,
    '```',
    '',
  ];
}

export const REMOTE_EXAMPLE =
  'smctl swact --url https://controller-0:7777 --ca ca.pem --token-file ~/sm-token --why "kernel update"';

/** Names of the commands that can be given from afar. */
export function remoteNames(leaves: readonly Leaf[]): string[] {
  return leaves
    .filter(({ command }) => command.remote !== undefined)
    .map(({ words }) => words.slice(1).join(' '));
}

/** A command that people call, with the words that call it. */
export interface Leaf {
  readonly words: readonly string[];
  readonly command: CommandSpec;
}

export function runnable(command: CommandSpec, above: readonly string[]): Leaf[] {
  if (command.hidden === true) return [];
  const words = [...above, command.name];
  const below = (command.commands ?? []).flatMap((sub) => runnable(sub, words));
  return command.run === undefined ? below : [{ words, command }, ...below];
}

function section(words: readonly string[], command: CommandSpec): string[] {
  const args = command.arguments ?? [];
  const options = command.options ?? [];
  return [
    `## \`${[...words, ...args.map((argument) => argument.syntax)].join(' ')}\``,
    '',
    `${command.summary}.`,
    ...(words.length > 1 ? (command.details ?? []) : []),
    '',
    ...(args.length === 0 ? [] : [...args.map(({ syntax, text }) => `- \`${syntax}\`: ${text}`), '']),
    ...(options.length === 0 ? [] : [...optionTable(options), '']),
    ...((command.examples ?? []).length === 0 ? [] : ['```', ...(command.examples ?? []), '```', '']),
  ];
}

function optionTable(options: readonly OptionSpec[]): string[] {
  return [
    '| Option | Meaning |',
    '|---|---|',
    ...options.map(({ flags, text, fallback }) => {
      const usual = fallback === undefined ? '' : ` (default ${fallback})`;
      return `| \`${flags}\` | ${text}${usual} |`;
    }),
  ];
}
