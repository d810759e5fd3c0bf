/** The init script beside processes that hold the locks of a node: what it does while one of them is being replaced. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

let root: string;
let script: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sm-init-'));
  mkdirSync(join(root, 'run'));
  mkdirSync(join(root, 'sbin'));
  writeFileSync(join(root, 'sbin', 'smctl'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  writeFileSync(join(root, 'default'), `RUN_DIRECTORY=${root}/run\nSTOP_SECONDS=10\nREADY_SECONDS=1\n`);
  const text = readFileSync(
    fileURLToPath(new URL('../../../scripts/packaging/sm.init', import.meta.url)),
    'utf8',
  );
  script = join(root, 'sm.init');
  const here = text
    .replaceAll('@PREFIX@', root)
    .replaceAll('/etc/default/sm', join(root, 'default'))
    .replaceAll('/run/systemd/system', join(root, 'no-systemd'));
  writeFileSync(script, here, { mode: 0o755 });
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

/** Holds a lock, says so, and ends at SIGTERM, with what it is told to do then. */
async function holder(lock: string, atTheEnd = ':'): Promise<ChildProcess> {
  const path = join(root, 'run', lock);
  const body = `exec 9>>${path}; flock 9; echo "{\\"pid\\":$$}" >${path}; echo there
    trap '${atTheEnd}; exit 0' TERM; while :; do sleep 0.02 9>&-; done`;
  const child = spawn('sh', ['-c', body], { stdio: ['ignore', 'pipe', 'ignore'] });
  started.push(child);
  await once(child.stdout, 'data');
  return child;
}

const init = (command: string) => spawnSync(script, [command], { encoding: 'utf8', timeout: 20_000 });
/** Beside what goes on meanwhile. */
async function stopping(): Promise<{ code: number; said: string }> {
  const child = spawn(script, ['stop'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, said };
}
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

test('a node whose sm-watchdog is being replaced is stopped when the next one is there', async () => {
  const engine = await holder('sm.lock');
  expect(init('status')).toMatchObject({ status: 0, stdout: `sm: runs, process ${engine.pid}\n` });
  const ends = stopping();
  const watchdog = await holder('sm-watchdog.lock', `kill ${engine.pid}`);
  expect(await ends).toEqual({ code: 0, said: 'sm: stopped\n' });
  await Promise.all([engine, watchdog].map(ended));
  expect(readFileSync(join(root, 'run', 'sm-watchdog.lock'), 'utf8')).toBe('');
  expect(init('status')).toMatchObject({ status: 3, stdout: 'sm: does not run\n' });
});

test('where no next one comes sm itself is told to end', async () => {
  const engine = await holder('sm.lock');
  expect(await stopping()).toEqual({ code: 0, said: 'sm: stopped\n' });
  await ended(engine);
});

test('a node that does not run is stopped already', () => {
  expect(init('stop')).toMatchObject({ status: 0, stdout: 'sm: does not run\n' });
  expect(init('status').status).toBe(3);
});
