/** What a newcomer meets first: `make setup` names what is missing, the README's command is what CI runs. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ROOT } from './project.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** Runs setup.sh where only these commands exist. A text is the command's script, null the real one. */
function setup(commands: Readonly<Record<string, string | null>>): { exit: number | null; err: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sm-setup-'));
  directories.push(directory);
  for (const [name, script] of Object.entries({ sort: null, head: null, bash: null, ...commands })) {
    const path = join(directory, name);
    if (script === null) symlinkSync(real(name), path);
    else {
      writeFileSync(path, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o755);
    }
  }
  const run = spawnSync('/bin/bash', [join(ROOT, 'scripts', 'setup.sh'), 'tools'], {
    env: { PATH: directory },
    encoding: 'utf8',
  });
  return { exit: run.status, err: run.stderr };
}

function real(name: string): string {
  return spawnSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
}

const ALL = { node: 'echo 20.20.2', npm: '', make: '', python3: '', cc: '', 'g++': '' };

test('with everything there it says nothing', () => {
  expect(setup(ALL)).toEqual({ exit: 0, err: '' });
});

test.each(['make', 'python3', 'cc', 'g++'] as const)('a missing %s is one line with the package', (name) => {
  const { [name]: _, ...others } = ALL;
  const { exit, err } = setup(others);
  expect(exit).toBe(1);
  expect(err.trimEnd().split('\n')).toHaveLength(1);
  expect(err).toMatch(
    new RegExp(`^setup: ${name.replaceAll('+', '\\+')} is missing .*: apt-get install \\S+\n$`),
  );
});

test('a node that is too old or missing is said so', () => {
  expect(setup({ ...ALL, node: 'echo 18.19.0' })).toEqual({
    exit: 1,
    err: 'setup: node is 18.19.0, but 20.20 or later is needed\n',
  });
  expect(setup({ ...ALL, node: 'echo 22.1.0' }).exit).toBe(0);
  const { node: _, ...without } = ALL;
  expect(setup(without).err).toMatch(/^setup: node and npm are missing/);
});

test("CI runs the README's test command", () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const ci = readFileSync(join(ROOT, '.ci', 'run'), 'utf8');
  expect(readme).toMatch(/^make test\b/m);
  expect(readme).toMatch(/^make demo\b/m);
  expect(ci).toMatch(/^exec make test <\/dev\/null$/m);
});
