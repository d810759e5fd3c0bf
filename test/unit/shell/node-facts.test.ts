import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isVirtualMachine } from '../../../src/shell/node-facts.ts';

const directory = mkdtempSync(join(tmpdir(), 'sm-facts-'));
afterAll(() => rmSync(directory, { recursive: true }));

function cpu(text: string): string {
  const path = join(directory, 'cpuinfo');
  writeFileSync(path, text);
  return path;
}

test.each([
  ['a guest', 'model name\t: any\nflags\t\t: fpu hypervisor lahf_lm\nbugs\t\t: none\n', true],
  ['a guest whose flag is the last', 'flags\t\t: fpu hypervisor\n', true],
  ['a machine', 'flags\t\t: fpu vmx\n', false],
  ['a machine with the word elsewhere', 'model name\t: hypervisor box\nflags\t\t: fpu nohypervisor\n', false],
  ['a CPU without flags', 'Features\t: fp asimd\n', false],
  ['nothing', '', false],
])('the CPU of %s', (_, text, expected) => {
  expect(isVirtualMachine('auto', cpu(text))).toBe(expected);
});

test('a file that is not there tells nothing, and the configuration has the last word', () => {
  expect(isVirtualMachine('auto', join(directory, 'missing'))).toBe(false);
  expect(isVirtualMachine('no', cpu('flags : hypervisor\n'))).toBe(false);
  expect(isVirtualMachine('yes', cpu('flags : fpu\n'))).toBe(true);
});
