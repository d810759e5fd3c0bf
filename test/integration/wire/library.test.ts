/** Facts of dgram-as-promised on which the socket is built. Where one changes, socket.ts may become simpler. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const BURST = 20;

let receiver: SocketAsPromised;
let sender: SocketAsPromised;
let port: number;

beforeEach(async () => {
  receiver = DgramAsPromised.createSocket('udp4');
  sender = DgramAsPromised.createSocket('udp4');
  port = (await receiver.bind({ address: '127.0.0.1', port: 0 })).port;
  await sender.bind({ address: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  await Promise.allSettled([receiver.close(), sender.close()]);
});

async function burst(): Promise<void> {
  for (let i = 0; i < BURST; i += 1) await sender.send(Buffer.from([i]), port, '127.0.0.1');
}

/** Everything that was sent to the socket before has arrived when this has. */
async function marker(): Promise<void> {
  const arrived = new Promise<void>((resolve) => {
    receiver.socket.on('message', (bytes) => {
      if (bytes.toString() === 'end') resolve();
    });
  });
  await sender.send(Buffer.from('end'), port, '127.0.0.1');
  await arrived;
}

describe('receiving', () => {
  test('the event of the raw socket loses nothing', async () => {
    const seen: number[] = [];
    receiver.socket.on('message', (bytes) => bytes.length === 1 && seen.push(bytes[0]!));
    await burst();
    await marker();
    expect(seen).toEqual(Array.from({ length: BURST }, (_, i) => i));
  });

  test('recv loses what arrives while nobody waits', async () => {
    const first = receiver.recv();
    await burst();
    await marker();
    expect((await first)?.msg[0]).toBe(0);
    // Nineteen more have arrived at the process; none of them is there for the next recv.
    const second = receiver.recv();
    await sender.send(Buffer.from([99]), port, '127.0.0.1');
    expect((await second)?.msg[0]).toBe(99);
  });
});

test('a time-out of recv breaks the next send', async () => {
  receiver.setTimeout(10);
  await expect(receiver.recv()).rejects.toThrow(/timeout/i);
  await expect(receiver.send(Buffer.from([1]), port, '127.0.0.1')).rejects.toThrow(/timeout/i);
  await expect(receiver.send(Buffer.from([1]), port, '127.0.0.1')).resolves.toBe(1);
});

test('getSendBufferSize calls itself for ever', () => {
  expect(() => sender.getSendBufferSize()).toThrow(RangeError);
  expect(sender.socket.getSendBufferSize()).toBeGreaterThan(0);
});

test('a failed bind rejects with its code, and the socket can be closed', async () => {
  const late = DgramAsPromised.createSocket('udp4');
  await expect(late.bind({ address: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await expect(late.close()).resolves.toBeUndefined();
  const homeless = DgramAsPromised.createSocket('udp4');
  await expect(homeless.bind({ address: '192.0.2.200', port: 0 })).rejects.toMatchObject({
    code: 'EADDRNOTAVAIL',
  });
  await homeless.close();
});

test('a failed send rejects with its code and leaves the socket usable', async () => {
  await expect(sender.send(Buffer.alloc(65_536), port, '127.0.0.1')).rejects.toMatchObject({
    code: 'EMSGSIZE',
  });
  await expect(sender.send(Buffer.from([1]), port, '127.0.0.1')).resolves.toBe(1);
});

test('options reach the raw socket', async () => {
  const six = DgramAsPromised.createSocket({ type: 'udp6', ipv6Only: true });
  await six.bind({ address: '::', port });
  // The same port of the other family is taken already: only a socket that is IPv6 alone can share it.
  expect(six.address().port).toBe(port);
  await six.close();
  const plain = createSocket('udp4');
  plain.bind(0, '127.0.0.1');
  await once(plain, 'listening');
  plain.close();
});
