import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePage, openPage, type PageIn, type PageOut } from '../../../src/shell/pair/page.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-page-'));
  path = join(folder, 'page');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function pair(count: number): { out: PageOut; page: PageIn } {
  const out = makePage(path, count);
  const page = openPage(path, count);
  if (out === null || page === null) throw new Error('no page');
  return { out, page };
}

test('what was written is read once, and only the newest of it', () => {
  const { out, page } = pair(3);
  expect(page.read()).toBeNull();
  out.write(1, 2, 3);
  out.write(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 57130.5);
  expect([...(page.read() ?? [])]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 57130.5]);
  expect(page.read()).toBeNull();
});

test('the page of a writer that is gone can still be read, and its successor has one of its own', () => {
  const { out, page } = pair(1);
  out.write(7);
  const { out: next, page: newer } = pair(1);
  next.write(8);
  expect([...(page.read() ?? [])]).toEqual([7]);
  expect([...(newer.read() ?? [])]).toEqual([8]);
});

test('what is being written meanwhile is no news yet', () => {
  const { out, page } = pair(2);
  out.write(1, 2);
  page.read();
  out.write(3, 4);
  const whole = readFileSync(path);
  for (let written = 0; written < whole.length / 2; written += 8) {
    const torn = Buffer.from(whole);
    // The second half is still that of the writing before.
    torn.writeDoubleLE(1, whole.length / 2 + written);
    writeFileSync(path, torn);
    expect(page.read()).toBeNull();
  }
  writeFileSync(path, whole);
  expect([...(page.read() ?? [])]).toEqual([3, 4]);
});

test('what is no page is not taken for one', () => {
  expect(openPage(path, 1)).toBeNull();
  writeFileSync(path, 'x');
  expect(openPage(path, 1)).toBeNull();
  rmSync(path);
  symlinkSync('/dev/zero', path);
  expect(openPage(path, 1)).toBeNull();
  rmSync(path);
  const { page } = pair(1);
  writeFileSync(path, Buffer.alloc(32, 0xff));
  expect(page.read()).toBeNull();
  writeFileSync(path, '');
  expect(page.read()).toBeNull();
  appendFileSync(path, 'x'.repeat(40));
  expect(() => page.read()).not.toThrow();
  expect(makePage(join(folder, 'none', 'page'), 1)).toBeNull();
});
