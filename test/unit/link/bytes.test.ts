import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/core/link/bytes.ts';

test.each(['u8', 'u16', 'u32', 'u48'] as const)('a writer grows with a %s at its end', (kind) => {
  for (const used of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    const writer = new ByteWriter(8);
    for (let i = 0; i < used; i += 1) writer.u8(0xff);
    writer[kind](7);
    writer.u8(9);
    const reader = new ByteReader(writer.finish());
    reader.raw(used);
    expect([reader[kind](), reader.u8(), reader.left, reader.fault]).toEqual([7, 9, 0, null]);
  }
});

test.each([
  '',
  'plain ~',
  'tab\t',
  'bell\u0007',
  'Grüße',
  '\u{1f511}',
  'x'.repeat(300),
  'ü'.repeat(300),
])('the text %j comes back', (text) => {
  const writer = new ByteWriter(8);
  writer.text(text);
  writer.u8(9);
  const reader = new ByteReader(writer.finish());
  expect([reader.text(300), reader.u8(), reader.left, reader.fault]).toEqual([text, 9, 0, null]);
});

test('a text has at most 65535 bytes', () => {
  expect(() => new ByteWriter().text('x'.repeat(65_536))).toThrow('65536');
});
