/** zsh loads the completion by compinit, and offers commands, files and the names of a real database. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bashCompletion, zshCompletion } from '../../../scripts/packaging/completion.ts';
import { SMCTL } from '../../../src/cli/smctl.ts';
import { makeFixture } from '../../cli/fixture.ts';
import { ROOT } from '../../tidy/project.ts';

const LIMIT_MS = 20_000;
const directory = mkdtempSync(join(tmpdir(), 'sm-zsh-'));
const path = (...words: string[]) => join(directory, ...words);
let fixture: ReturnType<typeof makeFixture>;

beforeAll(() => {
  fixture = makeFixture();
  for (const name of ['functions', 'bin']) mkdirSync(path(name));
  writeFileSync(path('smctl'), bashCompletion(SMCTL));
  writeFileSync(path('functions', '_smctl'), zshCompletion(SMCTL, path('smctl')));
  const program = `${process.execPath} --import tsx ${join(ROOT, 'src/bin/smctl.ts')}`;
  const smctl = `#!/bin/sh\ncd ${ROOT} && exec ${program} "$@" --database ${fixture.database}\n`;
  writeFileSync(path('bin', 'smctl'), smctl, { mode: 0o755 });
});
afterAll(() => {
  fixture.remove();
  rmSync(directory, { recursive: true });
});

function offered(line: string): string[] {
  const out = path('offered');
  rmSync(out, { force: true });
  const words = [join(import.meta.dirname, 'zsh-offers.zsh'), path('functions'), out, line];
  const environment = { ...process.env, PATH: `${path('bin')}:${process.env.PATH}` };
  const { error, stdout } = spawnSync('zsh', ['-f', ...words], {
    encoding: 'utf8',
    env: environment,
    timeout: LIMIT_MS,
  });
  expect(error, 'zsh is needed here: make setup installs it').toBeUndefined();
  const lines = readFileSync(out, 'utf8').split('\n');
  expect(lines, stdout).toContain('END');
  return lines.filter((each) => !['', 'END'].includes(each));
}

test('commands, those below a command, options and files', () => {
  expect(offered('smctl swa')).toEqual(['swact', 'swact-force']);
  expect(offered('smctl key ')).toEqual(['new', 'list', 'accept', 'use']);
  expect(offered('smctl lock --w')).toEqual(['--why', '--wait']);
  expect(offered('smctl check /etc/passw')).toContain('/etc/passwd');
}, 30_000);

test('names of services, from the database', () => {
  expect(offered('smctl restart --why disk h').sort()).toEqual(['haproxy', 'horizon']);
}, 30_000);
