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
