import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { pluginProblem } from '../../../src/shell/exec/plugin.ts';

const directory = mkdtempSync(join(tmpdir(), 'sm-plugin-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

test('what was found of a script is not believed of its next version', () => {
  const script = write('changed', '#!/bin/sh\nexit 0\n');
  expect(pluginProblem(script)).toBeNull();
  write('changed', '#!/no/such/interpreter\nexit 0\n');
  expect(pluginProblem(script)).toContain('names the interpreter /no/such/interpreter');
  write('changed', '#!/bin/sh\nexit 0\n');
  expect(pluginProblem(script)).toBeNull();
  chmodSync(script, 0o644);
  expect(pluginProblem(script)).toContain('is not executable');
  rmSync(script);
  expect(pluginProblem(script)).toContain('does not exist');
});

test('an interpreter that goes away is missed though the script is the same', () => {
  const interpreter = write('interpreter', '#!/bin/sh\nexit 0\n');
  const script = write('script', `#!${interpreter} -x\n`);
  expect(pluginProblem(script)).toBeNull();
  rmSync(interpreter);
  expect(pluginProblem(script)).toContain(`names the interpreter ${interpreter}, which is not there`);
  write('interpreter', '#!/bin/sh\nexit 0\n');
  expect(pluginProblem(script)).toBeNull();
});
