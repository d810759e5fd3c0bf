import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pidFileStamp } from '../../../src/shell/exec/pid-file.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sm-pid-file-'));
  path = join(directory, 's.pid');
});
afterEach(() => rmSync(directory, { recursive: true }));

const later = () => Date.now() + 5000;

test('the stamp of a pid file changes with it', async () => {
  writeFileSync(path, '123\n');
  const first = await pidFileStamp(path, later());
  expect(first).not.toBeNull();
  expect(await pidFileStamp(path, later())).toBe(first);
  writeFileSync(path, '12345\n');
  expect(await pidFileStamp(path, later())).not.toBe(first);
});

test('what may change unseen has none', async () => {
  expect(await pidFileStamp(path, later())).toBeNull();
  writeFileSync(path, '123\n');
  expect(await pidFileStamp(path)).toBeNull();
  const link = join(directory, 'link.pid');
  symlinkSync(path, link);
  expect(await pidFileStamp(link, later())).toBeNull();
});
