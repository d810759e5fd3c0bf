import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runKeyList, runKeyNew } from '../../../src/cli/key.ts';
import { createKey, KeyRing, listKeys, readKey } from '../../../src/shell/watchdog/keyring.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sm-keys-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function put(name: string, content: Buffer | string = randomBytes(64), mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function errorOf(name: string): { code: string; message: string } | null {
  const result = readKey(directory, name);
  return result.ok ? null : result.error;
}

describe('a new key', () => {
  test('is 64 random bytes that only the owner may read', () => {
    const nested = join(directory, 'a/keys.d');
    const one = createKey(nested, 'mgmt-1');
    const two = createKey(nested, 'mgmt-2');
    expect(one.ok && two.ok).toBe(true);
    const stats = statSync(join(nested, 'mgmt-1'));
    expect(stats.mode & 0o7777).toBe(0o600);
    expect(stats.size).toBe(64);
    expect(statSync(nested).mode & 0o077).toBe(0);
    expect(readFileSync(join(nested, 'mgmt-1'))).not.toEqual(readFileSync(join(nested, 'mgmt-2')));
    expect(readdirSync(nested)).toEqual(['mgmt-1', 'mgmt-2']);
  });

  test('never replaces another', () => {
    createKey(directory, 'mgmt');
    const before = readFileSync(join(directory, 'mgmt'));
    expect(createKey(directory, 'mgmt')).toMatchObject({ ok: false, error: { code: 'SM_KEY_EXISTS' } });
    expect(readFileSync(join(directory, 'mgmt'))).toEqual(before);
    expect(readdirSync(directory)).toEqual(['mgmt']);
  });
});

describe('refused', () => {
  test.each([
    ['SM_KEY_MODE', 0o640],
    ['SM_KEY_MODE', 0o604],
    ['SM_KEY_MODE', 0o700],
  ])('%s for mode %o', (code, mode) => {
    put('key', undefined, mode);
    expect(errorOf('key')).toMatchObject({ code, message: expect.stringContaining('chmod 0600') });
  });

  test.runIf(process.getuid?.() === 0)('a key of another user', () => {
    chownSync(put('key'), 12_345, 0);
    expect(errorOf('key')?.code).toBe('SM_KEY_OWNER');
  });

  test('wrong lengths', () => {
    put('short', randomBytes(31));
    put('least', randomBytes(32));
    put('most', randomBytes(4096));
    put('long', randomBytes(4097));
    expect(errorOf('short')?.code).toBe('SM_KEY_UNFIT');
    expect(errorOf('least')).toBeNull();
    expect(errorOf('most')).toBeNull();
    expect(errorOf('long')?.code).toBe('SM_KEY_UNFIT');
  });

  test('what is not a file of its own', () => {
    const target = put('key');
    symlinkSync(target, join(directory, 'link'));
    mkdirSync(join(directory, 'folder'));
    expect(errorOf('link')?.code).toBe('SM_KEY_UNREADABLE');
    expect(errorOf('folder')?.code).toBe('SM_KEY_UNREADABLE');
    expect(errorOf('absent')).toMatchObject({
      code: 'SM_KEY_MISSING',
      message: expect.stringContaining('smctl key new absent'),
    });
  });

  test.each([
    '',
    '.',
    '..',
    '../key',
    'a/b',
    '-key',
    '.key',
    'a b',
    'a\0b',
    'x'.repeat(65),
  ])('name %j', (name) => {
    expect(errorOf(name)?.code).toBe('SM_KEY_NAME');
    expect(createKey(directory, name)).toMatchObject({ error: { code: 'SM_KEY_NAME' } });
  });

  test('the key that everybody has: as a name, alone, and padded', () => {
    put('titanium-server');
    put('alone', 'titanium-server\n');
    put('padded', 'titanium-server'.repeat(4));
    for (const name of ['titanium-server', 'alone', 'padded']) {
      expect(errorOf(name)).toMatchObject({
        code: 'SM_KEY_PUBLIC',
        message: expect.stringContaining('public source code'),
      });
    }
    expect(createKey(directory, 'titanium-server')).toMatchObject({ error: { code: 'SM_KEY_PUBLIC' } });
  });

  test('without a word of the content', () => {
    const secret = 'correct-horse-battery-staple-'.repeat(2);
    put('open', secret, 0o644);
    put('short', 'correct-horse');
    expect(JSON.stringify([errorOf('open'), errorOf('short')])).not.toContain('correct-horse');
    put('good', secret);
    expect(JSON.stringify(readKey(directory, 'good'))).not.toContain('horse');
  });
});

describe('the ring', () => {
  test('reads a replaced file again', () => {
    put('key');
    const ring = new KeyRing(directory);
    const before = ring.get('key');
    expect(ring.refresh()).toEqual([]);
    renameSync(put('.next'), join(directory, 'key'));
    expect(ring.get('key')).toEqual(before);
    expect(ring.refresh()).toEqual([{ name: 'key', error: null }]);
    const after = ring.get('key');
    expect(before.ok && after.ok && before.value.id !== after.value.id).toBe(true);
  });

  test('keeps the last good key while the file is refused, and says so once', () => {
    const path = put('key');
    const ring = new KeyRing(directory);
    const good = ring.get('key');
    chmodSync(path, 0o644);
    expect(ring.refresh()).toMatchObject([{ name: 'key', error: { code: 'SM_KEY_MODE' } }]);
    expect(ring.refresh()).toEqual([]);
    expect(ring.get('key')).toEqual(good);
    unlinkSync(path);
    expect(ring.refresh()).toMatchObject([{ error: { code: 'SM_KEY_MISSING' } }]);
    expect(ring.get('key')).toEqual(good);
  });

  test('a key that comes later is found', () => {
    const ring = new KeyRing(directory);
    expect(ring.get('key')).toMatchObject({ ok: false, error: { code: 'SM_KEY_MISSING' } });
    put('key');
    expect(ring.refresh()).toEqual([{ name: 'key', error: null }]);
    expect(ring.get('key').ok).toBe(true);
    ring.retain(new Set());
    unlinkSync(join(directory, 'key'));
    expect(ring.get('key').ok).toBe(false);
  });
});

describe('smctl key', () => {
  function io() {
    const lines: string[] = [];
    return {
      lines,
      out: (line: string) => void lines.push(line),
      err: (line: string) => void lines.push(`! ${line}`),
    };
  }

  test('new and list print names and ids, never a key', () => {
    const terminal = io();
    expect(runKeyNew(directory, 'mgmt', terminal)).toBe(0);
    expect(runKeyNew(directory, 'mgmt', terminal)).toBe(5);
    expect(runKeyList(directory, terminal)).toBe(0);
    put('bad', 'short');
    expect(runKeyList(directory, terminal)).toBe(1);
    const { keys } = listKeys(directory);
    const id = keys[0]?.id;
    expect(terminal.lines).toContain(`mgmt  ${id}`);
    expect(terminal.lines.filter((line) => line.startsWith('!'))).toHaveLength(2);
    const secret = readFileSync(join(directory, 'mgmt'));
    for (const spelling of ['hex', 'base64', 'latin1'] as const) {
      expect(terminal.lines.join('\n')).not.toContain(secret.toString(spelling));
    }
  });
});

test('whether a key changed is asked aside, and found once it is read', async () => {
  put('key');
  const ring = new KeyRing(directory);
  ring.get('key');
  ring.get('absent');
  expect(await ring.changed()).toBe(false);
  put('key');
  expect(await ring.changed()).toBe(true);
  ring.refresh();
  expect(await ring.changed()).toBe(false);
  put('absent');
  expect(await ring.changed()).toBe(true);
});
