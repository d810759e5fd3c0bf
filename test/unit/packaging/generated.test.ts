import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bashCompletion } from '../../../scripts/packaging/completion.ts';
import { exampleConfiguration } from '../../../scripts/packaging/example-configuration.ts';
import { commandPage, configurationPage, helpPage, roff } from '../../../scripts/packaging/man.ts';
import type { CommandSpec } from '../../../src/cli/command.ts';
import { SM_DUMP } from '../../../src/cli/dump.ts';
import { SM_QUERY } from '../../../src/cli/query.ts';
import { runnable } from '../../../src/cli/reference.ts';
import { SMCTL } from '../../../src/cli/smctl.ts';
import { TOOLS } from '../../../src/cli/tools.ts';
import { parseConfig } from '../../../src/shell/config.ts';

const TREES = [SMCTL, SM_DUMP, SM_QUERY, ...TOOLS];
const directory = mkdtempSync(join(tmpdir(), 'sm-generated-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** What bash offers at the end of the words; the names of the node are what `names` says. */
function offered(program: CommandSpec, words: readonly string[], names = 'node-names'): string[] {
  const file = join(directory, 'completion');
  writeFileSync(file, bashCompletion(program));
  const script = `smctl() { [ "$1" = __complete ] && echo "$2-of-node ${names}"; }
compopt() { COMPREPLY=(a-file); }
source ${file}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_${program.name.replaceAll('-', '_')}
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', program.name, ...words], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion', () => {
  test.each(TREES)('of $name is sound bash', (program) => {
    const { status, stderr } = spawnSync('bash', ['-n'], {
      input: bashCompletion(program),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('offers every command that people call, and those below a command', () => {
    const commands = new Set(runnable(SMCTL, []).map(({ words }) => words[1]));
    expect(new Set(offered(SMCTL, ['']))).toEqual(commands);
    expect(offered(SMCTL, ['key', ''])).toEqual(['new', 'list', 'accept', 'use']);
    expect(offered(SMCTL, ['swa'])).toEqual(['swact', 'swact-force']);
  });

  test('offers names of the node where an argument is one, also after options with values', () => {
    expect(offered(SMCTL, ['lock', ''])).toContain('node-of-node');
    expect(offered(SMCTL, ['lock', '--why', 'new disk', '--for', '2h', ''])).toContain('node-of-node');
    expect(offered(SMCTL, ['restart', 'serv'])).toEqual(['service-of-node']);
    expect(offered(SMCTL, ['explain', ''])).toEqual(['service', 'group', 'node', 'daemon']);
    expect(offered(SMCTL, ['explain', 'group', 'gr'])).toEqual(['group-of-node']);
    expect(offered(SMCTL, ['recover', 'g', '--node', 'node-of'])).toEqual(['node-of-node']);
    expect(offered(SMCTL, ['key', 'use', 'ke'])).toEqual(['key-of-node']);
    expect(offered(SM_QUERY, ['service-group', 'a', 'b', 'gr'])).toEqual(['group-of-node']);
  });

  test('offers options, files, and nothing where nothing is known', () => {
    expect(offered(SMCTL, ['lock', '--w'])).toEqual(['--why', '--wait']);
    expect(offered(SM_DUMP, ['--verbose', '--im'])).toEqual(['--impact']);
    expect(offered(SMCTL, ['check', ''])).toEqual(['a-file']);
    expect(offered(SMCTL, ['join', '--bundle', ''])).toEqual(['a-file']);
    expect(offered(SMCTL, ['lock', '--why', ''])).toEqual([]);
    expect(offered(SMCTL, ['lock', 'a', ''])).toEqual([]);
    expect(offered(SMCTL, ['status', ''])).toEqual([]);
  });
});

describe('manual pages', () => {
  const HELP = "Usage: x [-y]\n\n.hidden\n'quoted\n\\backslash `code`\n";
  const pages = [
    ...TREES.map((program) => [program.name, commandPage(program)] as const),
    ['sm.yaml', configurationPage()] as const,
    ['x', helpPage('x', 8, 'Something', HELP)] as const,
  ];
  const groff = spawnSync('groff', ['--version']).status === 0;

  test.runIf(groff).each(pages)('%s is rendered without a warning', (_name, page) => {
    const { stdout, stderr } = spawnSync('groff', ['-man', '-Tascii', '-P-cbou', '-ww', '-rLL=100n'], {
      input: page,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('NAME');
  });

  test.runIf(groff)('nothing of a text is taken for a request', () => {
    const { stdout } = spawnSync('groff', ['-man', '-Tascii', '-P-cbou'], {
      input: pages.at(-1)![1],
      encoding: 'utf8',
    });
    for (const line of ['Usage: x [-y]', '.hidden', "'quoted", '\\backslash code'])
      expect(stdout).toContain(line);
  });

  test('a page has every command, argument and option of the tree', () => {
    for (const program of TREES) {
      const page = commandPage(program);
      for (const { words, command } of runnable(program, [])) {
        if (words.length > 1) expect(page).toContain(`.SS ${roff(words.join(' '))}`);
        for (const { syntax, text } of command.arguments ?? []) {
          expect(page).toContain(roff(syntax));
          expect(page).toContain(roff(text));
        }
        for (const { flags } of command.options ?? []) expect(page).toContain(roff(flags));
      }
    }
  });
});

test('the example configuration is valid as it is, and with all that it shows', () => {
  const text = exampleConfiguration();
  expect(parseConfig(text, 'a')).toMatchObject({ ok: true });
  const shown = text.replace(/^#((?: {2})?[a-z]\w*:)/gm, '$1').replace(/^ *\w+: # default: .*$/gm, '');
  const [bare, all] = [parseConfig('', 'a'), parseConfig(shown, 'a')];
  expect(all).toEqual(bare);
});
