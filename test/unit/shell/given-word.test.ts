import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GivenWord } from '../../../src/shell/given-word.ts';
import type { CommitResult } from '../../../src/shell/ports.ts';
import { silentLog } from './fakes.ts';

const LIFE = '0123456789abcdef';
const OK: CommitResult = { ok: true };
const FULL: CommitResult = { ok: false, reason: 'disk full' };

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-word-'));
  path = join(folder, 'word');
});
afterEach(() => rmSync(folder, { recursive: true }));

const word = (kernelLife = LIFE) => new GivenWord(folder, kernelLife, silentLog);
const commit = (given: GivenWord, result: CommitResult, type: 'persist.word' | 'persist.register') =>
  given
    .endingWith({ commit: () => result })
    .commit([type === 'persist.word' ? { type } : { type, register: 'r' }]);

test('the next sm finds it, until a commit has what came of it', () => {
  expect(word().found).toBe('');
  expect(word().keep()).toBe(true);
  expect(word().found).toBe(LIFE);

  const next = word();
  expect(commit(next, OK, 'persist.register')).toEqual(OK);
  expect(commit(next, FULL, 'persist.word')).toEqual(FULL);
  expect(word().found).toBe(LIFE);
  expect(commit(next, OK, 'persist.word')).toEqual(OK);
  expect(word().found).toBe('');
  expect(commit(next, OK, 'persist.word')).toEqual(OK);

  expect(next.keep()).toBe(true);
  expect(word().found).toBe(LIFE);
});

test('one of this kernel life is not written again, one of another is', () => {
  writeFileSync(path, LIFE, { mode: 0o400 });
  rmSync(folder, { recursive: true });
  expect(word().keep()).toBe(false);
  mkdirSync(folder);
  const given = word();
  given.keep();
  rmSync(path);
  expect(given.keep()).toBe(true);
  expect(existsSync(path)).toBe(false);

  word().keep();
  expect(word('another life').keep()).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe('another life');
});

test('one that can not be made is none, and one that can not be removed lets nothing count as stored', () => {
  mkdirSync(path);
  expect(word().found).toBe('');
  expect(word().keep()).toBe(false);
  expect(commit(word(), OK, 'persist.word')).toMatchObject({ ok: false });
});
