import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Channel, hasMore, nextMessage } from '../../../src/shell/pair/channel.ts';

function pipe(): Duplex {
  return new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
}

describe('messages before there is a channel', () => {
  it('are taken one at a time, in whatever pieces they come', async () => {
    const stream = pipe();
    const first = nextMessage(stream);
    stream.push('{"type":');
    await new Promise(setImmediate);
    stream.push('"config"}\n{"type":"plan"}\n{"ty');
    expect(await first).toEqual({ type: 'config' });
    expect(await nextMessage(stream)).toEqual({ type: 'plan' });
  });

  it('leave everything after them to the channel', async () => {
    const stream = pipe();
    stream.push('{"type":"config"}\n{"type":"life"}\n{"type":"pu');
    expect(await nextMessage(stream)).toEqual({ type: 'config' });
    expect(await hasMore(stream)).toBe(true);
    const heard: object[] = [];
    new Channel(stream, { message: (message) => heard.push(message), closed: () => {} });
    stream.push('lse"}\n');
    await new Promise(setImmediate);
    expect(heard).toEqual([{ type: 'life' }, { type: 'pulse' }]);
  });

  it.each<[string, (stream: Duplex) => void]>([
    ['the other side ends', (stream) => void stream.push(null)],
    [
      'it ends in the middle of one',
      (stream) => ['{"type"', null].forEach((piece) => void stream.push(piece)),
    ],
    ['it breaks', (stream) => void stream.destroy(new Error('reset'))],
    ['it is no JSON', (stream) => void stream.push('no JSON\n')],
    ['it never ends', (stream) => void stream.push('x'.repeat(1_100_000))],
  ])('are none when %s', async (_what, happen) => {
    const stream = pipe();
    stream.on('error', () => {});
    const message = nextMessage(stream);
    happen(stream);
    expect(await message).toBeNull();
  });

  it('are waited for, and not taken, where only their arrival counts', async () => {
    const stream = pipe();
    const arrived = hasMore(stream);
    stream.push('{"type":"life"}\n');
    expect(await arrived).toBe(true);
    expect(await nextMessage(stream)).toEqual({ type: 'life' });
    stream.push(null);
    expect(await hasMore(stream)).toBe(false);
  });
});
