/** Real datagrams on the loopback, a time that the test turns. */
import { execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HeartbeatDefinition } from '../../../src/core/definitions/model.ts';
import { maySpeak, ServiceHeartbeats, socketOwner } from '../../../src/shell/service-heartbeat.ts';
import { silentLog } from './fakes.ts';

let service: Socket;
let stranger: Socket;
let port: number;
const opened: ServiceHeartbeats[] = [];

async function bound(address = '127.0.0.1', at = 0): Promise<Socket> {
  const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
  socket.bind(at, address);
  await once(socket, 'listening');
  return socket;
}

beforeEach(async () => {
  service = await bound();
  stranger = await bound();
  const probe = await bound();
  port = probe.address().port;
  probe.close();
  await once(probe, 'close');
});
afterEach(() => {
  service.close();
  stranger.close();
  for (const heartbeats of opened.splice(0)) heartbeats.stop();
});

/** Asks; the intervals end when the test says so. */
async function heart(change: Partial<HeartbeatDefinition> = {}, asks: Socket | null = service, pidFile = '') {
  const heartbeat: HeartbeatDefinition = {
    address: '127.0.0.1',
    port,
    servicePort: service.address().port,
    message: 'are you there',
    intervalMs: 1000,
    missedWarn: 1,
    missedDegrade: 0,
    missedFail: 2,
    ...change,
  };
  const levels: string[] = [];
  const errors: string[] = [];
  let now = 0;
  let end = () => {};
  const time = {
    now: () => now,
    defer: () => {},
    after: (_ms: number, work: () => void) => {
      end = work;
      return () => {};
    },
  };
  const heartbeats = new ServiceHeartbeats({
    definitions: new Map([['shop', { heartbeat, pidFile }]]),
    level: (name, level, missed) => levels.push(`${name} ${level} ${missed}`),
    time,
    log: { ...silentLog, error: (fields) => void errors.push(JSON.stringify(fields)) },
  });
  opened.push(heartbeats);
  const asked = asks === null ? [Buffer.alloc(0), { port: 0 }] : once(asks, 'message');
  heartbeats.set('shop', true);
  const [question, from] = (await asked) as [Buffer, { port: number }];
  const interval = (lateMs = 0) => {
    now += heartbeat.intervalMs + lateMs;
    end();
  };
  return { heartbeats, levels, errors, interval, question, from };
}

/** What was sent before is read before this comes back: both sockets are served in the order of arrival. */
async function delivered(): Promise<void> {
  const echo = await bound();
  const back = once(echo, 'message');
  echo.send('x', echo.address().port, '127.0.0.1');
  await back;
  echo.close();
  await new Promise((resolve) => setImmediate(resolve));
}

test('asks with the text and its zero, and any answer is a sign of life', async () => {
  const { question, from, levels, interval } = await heart();
  expect([question.toString(), from.port]).toEqual(['are you there\0', port]);
  for (let i = 0; i < 5; i += 1) {
    service.send(Buffer.alloc(60_000), port, '127.0.0.1');
    await delivered();
    interval();
  }
  expect(levels).toEqual([]);
});

test('missed answers cross the limits one after the other, and a good one clears all', async () => {
  const { levels, interval } = await heart();
  for (let i = 0; i < 4; i += 1) interval();
  expect(levels).toEqual(['shop warn 2', 'shop fail 3']);
  service.send('', port, '127.0.0.1');
  await delivered();
  interval();
  expect(levels.at(-1)).toBe('shop okay 1');
});

test('who is not the service is not heard, and can not drown it out', async () => {
  const { levels, interval, heartbeats } = await heart();
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 20; i += 1) stranger.send('I am the service', port, '127.0.0.1');
    await delivered();
    interval();
  }
  expect(levels.at(-1)).toBe('shop fail 3');
  expect(heartbeats.strangers).toBeGreaterThan(0);
  stranger.send('noise', port, '127.0.0.1');
  service.send('here', port, '127.0.0.1');
  await delivered();
  interval();
  expect(levels.at(-1)).toBe('shop okay 1');
});

test('an interval that ended late was ours to miss', async () => {
  const { levels, interval } = await heart();
  for (let i = 0; i < 10; i += 1) interval(5000);
  expect(levels).toEqual([]);
});

test('the owner of a port is found out, and nobody owns a free one', async () => {
  expect(socketOwner('127.0.0.1', service.address().port)).toBe(process.geteuid?.());
  expect(socketOwner('127.0.0.1', port)).toBeNull();
});

test('stopped, it asks no more; begun again, it starts anew', async () => {
  const { heartbeats, levels, interval } = await heart();
  interval();
  interval();
  expect(levels).toEqual(['shop warn 2']);
  heartbeats.set('shop', false);
  const again = once(service, 'message');
  heartbeats.set('shop', true);
  await again;
  heartbeats.set('unknown', true);
  interval();
  expect(levels).toEqual(['shop warn 2']);
});

test('a port that is taken is asked for again at every interval, and no other port is used meanwhile', async () => {
  const taken = await bound('127.0.0.1', port);
  const questions: number[] = [];
  service.on('message', (_text, from: { port: number }) => questions.push(from.port));
  const { interval, levels, errors } = await heart({}, null);
  for (let i = 0; i < 3; i += 1) {
    await delivered();
    interval();
  }
  await delivered();
  expect(questions).toEqual([]);
  expect(levels).toEqual(['shop warn 2', 'shop fail 3']);
  // Said once, and not at every interval.
  expect(errors).toEqual([expect.stringContaining('EADDRINUSE')]);
  taken.close();
  await once(taken, 'close');
  const asked = once(service, 'message');
  interval();
  expect((await asked)[1]).toMatchObject({ port });
  service.send('here', port, '127.0.0.1');
  await delivered();
  interval();
  expect(levels.at(-1)).toBe('shop okay 1');
});

test('works on the loopback address of IPv6 too', async () => {
  const six = await bound('::1');
  const { interval, levels, from } = await heart({ address: '::1', servicePort: six.address().port }, six);
  expect(from.port).toBe(port);
  interval();
  interval();
  expect(levels).toEqual(['shop warn 2']);
  six.send('here', port, '::1');
  await delivered();
  interval();
  expect(levels.at(-1)).toBe('shop okay 1');
  six.close();
});

/** Needs root: somebody else's process has the port. */
test.runIf(process.geteuid?.() === 0)(
  'another user speaks for a service only if its process is theirs',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sm-heartbeat-'));
    const script = `const s = require('node:dgram').createSocket('udp4');
    s.bind(0, '127.0.0.1', () => console.log(s.address().port));`;
    const other = spawn(process.execPath, ['-e', script], {
      uid: 12_345,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const theirs = Number(String((await once(other.stdout, 'data'))[0]));
      expect(socketOwner('127.0.0.1', theirs)).toBe(12_345);
      const speaks = (pid: string, at = theirs): Promise<boolean> => {
        writeFileSync(join(folder, 'pid'), pid);
        return maySpeak('127.0.0.1', at, join(folder, 'pid'));
      };
      for (const pid of ['', 'nonsense', '5000000', `${process.pid}`]) expect(await speaks(pid)).toBe(false);
      expect(await speaks(`${other.pid}\n`)).toBe(true);
      expect(await maySpeak('127.0.0.1', theirs, '')).toBe(false);
      // Our own user, whatever the pid file says; nobody on a port that is free.
      expect(await speaks('', service.address().port)).toBe(true);
      expect(await speaks('', port)).toBe(false);
      // Nobody writes into it. Whoever opens it to read waits.
      const fifo = join(folder, 'fifo');
      execFileSync('mkfifo', [fifo]);
      expect(await maySpeak('127.0.0.1', theirs, fifo)).toBe(false);
    } finally {
      other.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  },
);
