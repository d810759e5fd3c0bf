/** Real datagrams on the loopback, a time that the test turns. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HeartbeatDefinition } from '../../../src/core/definitions/model.ts';
import { ServiceHeartbeats, socketOwner } from '../../../src/shell/service-heartbeat.ts';
import { silentLog } from './fakes.ts';

let service: Socket;
let stranger: Socket;
let port: number;
const opened: ServiceHeartbeats[] = [];

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
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
async function heart(change: Partial<HeartbeatDefinition> = {}) {
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
    definitions: new Map([['shop', { heartbeat, pidFile: '' }]]),
    level: (name, level, missed) => levels.push(`${name} ${level} ${missed}`),
    time,
    log: silentLog,
  });
  opened.push(heartbeats);
  const asked = once(service, 'message');
  heartbeats.set('shop', true);
  const [question, from] = (await asked) as [Buffer, { port: number }];
  const interval = (lateMs = 0) => {
    now += heartbeat.intervalMs + lateMs;
    end();
  };
  return { heartbeats, levels, interval, question, from };
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
