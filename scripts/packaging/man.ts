/** Manual pages, made from the command trees, the schema of the configuration and the programs' own help. */
import { COMMON_OPTIONS, type CommandSpec, type OptionSpec, REMOTE_OPTIONS } from '../../src/cli/command.ts';
import { EXIT_MEANINGS } from '../../src/cli/exit-codes.ts';
import { type Leaf, REMOTE_EXAMPLE, remoteNames, runnable } from '../../src/cli/reference.ts';
import { CONFIG_PATH } from '../../src/shell/config.ts';
import { ConfigFile, type KeyNotes } from '../../src/shell/config-schema.ts';
import { VERSION } from '../../src/shell/version.ts';

/** Names of the pages that point to each other. */
const PAGES = ['sm(8)', 'smctl(8)', 'sm-dump(8)', 'sm-query(8)', 'sm-sim(1)', 'sm.yaml(5)'];

export function commandPage(program: CommandSpec): string {
  const leaves = runnable(program, []);
  const single = leaves.length === 1 && leaves[0]?.words.length === 1;
  return page(program.name, 8, program.summary, [
    ...section('SYNOPSIS', leaves.flatMap(synopsis)),
    ...section('DESCRIPTION', paragraphs([`${program.summary}.`, ...(program.details ?? [])])),
    ...(single ? leaves.flatMap(body) : section('COMMANDS', leaves.flatMap(command))),
    ...section('OPTIONS OF EVERY COMMAND', COMMON_OPTIONS.flatMap(option)),
    ...fromAfar(leaves),
    ...section(
      'EXIT STATUS',
      Object.entries(EXIT_MEANINGS).flatMap(([code, text]) => entry(code, text)),
    ),
    ...section('ENVIRONMENT', [
      ...entry('NO_COLOR', 'No colour, also on a terminal.'),
      ...entry('SM_CONFIG', `Another configuration than ${CONFIG_PATH}.`),
      ...(remoteNames(leaves).length === 0 ? [] : entry('SM_TOKEN', 'The token for --url.')),
    ]),
  ]);
}

function fromAfar(leaves: readonly Leaf[]): string[] {
  const names = remoteNames(leaves);
  if (names.length === 0) return [];
  return section('FROM ANOTHER MACHINE', [
    ...paragraphs([
      `By the REST server of a node, with a token or a certificate: ${names.join(', ')}.`,
      'The other commands need the node itself.',
    ]),
    ...REMOTE_OPTIONS.flatMap(option),
    ...['.PP', '.nf', '.RS', roff(REMOTE_EXAMPLE), '.RE', '.fi'],
  ]);
}

/** A page around what the program says with --help. */
export function helpPage(name: string, chapter: number, summary: string, help: string): string {
  return page(
    name,
    chapter,
    summary,
    section('DESCRIPTION', ['.nf', ...help.trimEnd().split('\n').map(roff), '.fi']),
  );
}

export function configurationPage(): string {
  const keys = (prefix: string, properties: object): string[] =>
    Object.entries(properties).flatMap(([key, notes]: [string, KeyNotes & { properties?: object }]) => {
      if (notes.properties !== undefined) return keys(`${prefix}${key}.`, notes.properties);
      return [
        ...entry(
          `${prefix}${key}`,
          `${notes.description} It must be ${notes.rule}; default: ${notes.fallback}.`,
        ),
        '.IP',
        roff(`To change it: ${notes.change}`),
      ];
    });
  return page('sm.yaml', 5, 'configuration of a node', [
    ...section('SYNOPSIS', [roff(CONFIG_PATH)]),
    ...section(
      'DESCRIPTION',
      paragraphs([
        "What is this node's alone; everything else is in the database. It is read at the start. Unknown keys and wrong",
        'values are refused, with their line. An empty file is valid: every key has a default.',
      ]),
    ),
    ...section('KEYS', keys('', ConfigFile.properties)),
  ]);
}

/** A page that is only another name of one. */
export function aliasPage(target: string): string {
  return `.so ${target}\n`;
}

function page(name: string, chapter: number, summary: string, body: readonly string[]): string {
  const own = `${name}(${chapter})`;
  return [
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} ${chapter} "" "sm ${VERSION}" "Service-group manager"`,
    ...section('NAME', [`${roff(name)} \\- ${roff(summary.charAt(0).toLowerCase() + summary.slice(1))}`]),
    ...body,
    ...section('SEE ALSO', [
      roff(`${PAGES.filter((other) => other !== own).join(', ')}; /usr/share/doc/sm-pair`),
    ]),
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function synopsis({ words, command: { arguments: args = [] } }: Leaf): string[] {
  const parts = [`\\fB${roff(words.join(' '))}\\fR`, ...args.map(({ syntax }) => `\\fI${roff(syntax)}\\fR`)];
  return [`${parts.join(' ')} [\\fIoption\\fR...]`, '.br'];
}

function command(leaf: Leaf): string[] {
  const { words, command: spec } = leaf;
  const title = [...words, ...(spec.arguments ?? []).map(({ syntax }) => syntax)].join(' ');
  return [`.SS ${roff(title)}`, ...paragraphs([`${spec.summary}.`, ...(spec.details ?? [])]), ...body(leaf)];
}

function body({ command: { arguments: args = [], options = [], examples = [] } }: Leaf): string[] {
  return [
    ...args.flatMap(({ syntax, text }) => entry(syntax, text)),
    ...options.flatMap(option),
    ...(examples.length === 0
      ? []
      : ['.PP', 'Example:', '.PP', '.nf', '.RS', ...examples.map(roff), '.RE', '.fi']),
  ];
}

function option({ flags, text, fallback }: OptionSpec): string[] {
  return entry(flags, fallback === undefined ? text : `${text} (default ${fallback})`);
}

function entry(term: string, text: string): string[] {
  return ['.TP', `\\fB${roff(term)}\\fR`, roff(text)];
}

function paragraphs(lines: readonly string[]): string[] {
  return lines.map(roff);
}

/** Text as troff prints it: its escape character, its requests at the beginning of a line, and real minus signs. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '')
    .replace(/^([.'])/, '\\&$1');
}
