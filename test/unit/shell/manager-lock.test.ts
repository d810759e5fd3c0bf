/** Who may begin beside an `sm` that is there already. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { managerLock } from '../../../src/shell/begin.ts';
import type { Log } from '../../../src/shell/ports.ts';
import { identify, isAlive, isRunning } from '../../../src/shell/process-identity.ts';
import { managerLockPath } from '../../../src/shell/watchdog/lock-path.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
let runDirectory = '';
let holder: ChildProcess;

/** A process that holds the lock and does nothing else, as an `sm` that hangs. */
async function hold(): Promise<void> {
  const path = managerLockPath(runDirectory);
  holder = spawn('flock', ['--no-fork', path, 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(createInterface({ input: holder.stdout! }), 'line');
  writeFileSync(path, JSON.stringify(identify(holder.pid!)));
}

beforeEach(async () => {
  runDirectory = mkdtempSync(join(tmpdir(), 'sm-lock-'));
  await hold();
});
afterEach(() => {
  holder.kill('SIGKILL');
  rmSync(runDirectory, { recursive: true });
});

const attempt = () =>
  managerLock({ runDirectory, controlSocket: join(runDirectory, 'sm.sock') }, log, 100, 100);
const lives = () => isAlive({ pid: holder.pid!, startTime: identify(holder.pid!)?.startTime ?? '' });

test('an sm that has no control socket yet is left alone', async () => {
  expect(await attempt()).toMatchObject({ ok: false });
  expect(lives()).toBe(true);
});

test('an sm that is stopped is killed, and its lock taken', async () => {
  const ended = once(holder, 'exit');
  holder.kill('SIGSTOP');
  await vi.waitFor(() => expect(isRunning(identify(holder.pid!)!)).toBe(false));
  const lock = await attempt();
  expect(lock.ok).toBe(true);
  expect(await ended).toEqual([null, 'SIGKILL']);
  if (lock.ok) lock.release();
});

test('an sm with more connections waiting than may is killed', async () => {
  const path = join(runDirectory, 'sm.sock');
  const script = `require('net').createServer().listen({path:${JSON.stringify(path)},backlog:1},()=>console.log(1))`;
  const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const clients: Socket[] = [];
  try {
    await once(createInterface({ input: server.stdout! }), 'line');
    server.kill('SIGSTOP');
    await vi.waitFor(() => expect(isRunning(identify(server.pid!)!)).toBe(false));
    for (let count = 0; count < 2; count += 1) {
      const client = createConnection(path);
      clients.push(client);
      await once(client, 'connect');
    }
    const lock = await attempt();
    expect(lives()).toBe(false);
    if (lock.ok) lock.release();
  } finally {
    for (const client of clients) client.destroy();
    server.kill('SIGKILL');
  }
});

test.each([
  ['answers', true],
  ['takes the connection and says nothing', false],
] as const)('an sm that %s', async (_, says) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => says && socket.write('{"id":1,"ok":true,"result":{}}\n'));
  });
  server.listen(join(runDirectory, 'sm.sock'));
  await once(server, 'listening');
  const lock = await attempt();
  if (says)
    expect(lock).toMatchObject({ ok: false, reason: expect.stringContaining('this node runs already') });
  expect(lives()).toBe(says);
  if (lock.ok) lock.release();
  server.close();
});
