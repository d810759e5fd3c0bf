import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../../src/core/kernel/limits.ts';
import {
  decodeFrame,
  encodeFrame,
  HEADER_BYTES,
  NO_LIFE,
  PART_BYTES_MAX,
  TAG_BYTES,
  UNSIGNED_KEY_ID,
} from '../../../src/core/link/frame.ts';
import { DROP_CAUSES, type Frame } from '../../../src/core/link/types.ts';
import { frame, heartbeat, sampleFrame } from './arbitrary.ts';

/** The frame as it travels; the tag's content is nothing to the codec. */
function datagram(value: Frame): Uint8Array {
  const tag = value.header.keyId === UNSIGNED_KEY_ID ? 0 : TAG_BYTES;
  return Buffer.concat([encodeFrame(value), Buffer.alloc(tag, 0x5a)]);
}

function causeOf(bytes: Uint8Array): string {
  const decoded = decodeFrame(bytes);
  return decoded.ok ? 'ok' : decoded.cause;
}

const KNOWN: readonly string[] = ['ok', ...DROP_CAUSES];

describe('round trip', () => {
  test('what was encoded is decoded, and the tag is everything behind', () => {
    fc.assert(
      fc.property(frame, (value) => {
        const decoded = decodeFrame(datagram(value));
        expect(decoded).toEqual({
          ok: true,
          frame: { ...value, body: Uint8Array.from(value.body) },
          signedLength: encodeFrame(value).length,
        });
      }),
    );
  });

  test('what was decoded is encoded to the same bytes: there is one spelling of a frame', () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, at, byte) => {
        const bytes = datagram(value);
        bytes[at % bytes.length] = byte;
        const decoded = decodeFrame(bytes);
        if (!decoded.ok) return;
        expect(Buffer.from(encodeFrame(decoded.frame))).toEqual(
          Buffer.from(bytes.subarray(0, decoded.signedLength)),
        );
      }),
    );
  });

  test('the body is a copy: the receive buffer may be used again', () => {
    const bytes = datagram(sampleFrame({}, { parts: 1, body: Uint8Array.of(1, 2, 3) }));
    const decoded = decodeFrame(bytes);
    bytes.fill(0);
    expect(decoded.ok && [...decoded.frame.body]).toEqual([1, 2, 3]);
  });
});

describe('sizes', () => {
  test('a heartbeat has 256 bytes with its tag, whatever the names', () => {
    fc.assert(
      fc.property(heartbeat, (value) => {
        expect(encodeFrame(value).length + TAG_BYTES).toBe(256);
      }),
    );
  });

  test('the largest part fills a datagram exactly', () => {
    const largest = sampleFrame({}, { parts: 1, body: new Uint8Array(PART_BYTES_MAX).fill(1) });
    expect(datagram(largest).length).toBe(LIMITS.frameBytesMax);
    expect(causeOf(datagram(largest))).toBe('ok');
  });

  test('a manager that is away for ever saturates', () => {
    const decoded = decodeFrame(datagram(sampleFrame({ managerDownMs: 1e12 })));
    expect(decoded.ok && decoded.frame.header.managerDownMs).toBe(0xffff_ffff);
  });
});

describe('bad bytes', () => {
  test('every truncation is dropped as truncated', () => {
    const whole = datagram(sampleFrame({}, { parts: 2, part: 1, body: new Uint8Array(40).fill(9) }));
    for (let length = 0; length < whole.length; length += 1) {
      expect(causeOf(whole.subarray(0, length))).toBe('truncated');
    }
  });

  test('every change of one byte decodes to something valid or has a cause', () => {
    const whole = datagram(sampleFrame({}, { parts: 2, part: 1, body: new Uint8Array(4).fill(9) }));
    const outcomes = new Set<string>();
    for (let at = 0; at < whole.length; at += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        const changed = Uint8Array.from(whole);
        changed[at] = byte;
        outcomes.add(causeOf(changed));
      }
    }
    for (const outcome of outcomes) expect(KNOWN).toContain(outcome);
  });

  test('random bytes never throw, also behind a good beginning', () => {
    const start = encodeFrame(sampleFrame()).subarray(0, 7);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), fc.boolean(), (noise, begun) => {
        const bytes = begun ? Buffer.concat([start, noise]) : noise;
        return KNOWN.includes(causeOf(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['magic', 0, 0],
    ['version', 4, 0],
    ['version', 4, 3],
    ['malformed', 5, 2],
    ['malformed', 6, 0],
    ['malformed', 7, 0b10],
    ['malformed', 8, 4],
    ['malformed', 10, 1],
    ['malformed', 11, 1],
    ['malformed', 191, 1],
  ])('%s: byte %i set to %i', (cause, at, byte) => {
    const bytes = datagram(sampleFrame());
    bytes[at] = byte;
    expect(causeOf(bytes)).toBe(cause);
  });

  test('names are checked: pattern, padding, terminator', () => {
    const bytes = datagram(sampleFrame({ sender: 'controller-0' }));
    const sender = Buffer.from(bytes).indexOf('controller-0');
    for (const [at, byte] of [
      [0, 0x20],
      [0, 0x2d],
      [0, 0],
      [3, 0xff],
      [20, 0x41],
    ] as const) {
      const changed = Uint8Array.from(bytes);
      changed[sender + at] = byte;
      expect(causeOf(changed)).toBe('malformed');
    }
    expect(causeOf(Uint8Array.from(bytes).fill(0x61, sender, sender + 32))).toBe('malformed');
  });

  test('nothing may follow', () => {
    expect(causeOf(Buffer.concat([datagram(sampleFrame()), Buffer.from([0])]))).toBe('malformed');
    expect(
      causeOf(Buffer.concat([datagram(sampleFrame({ keyId: UNSIGNED_KEY_ID })), Buffer.alloc(64)])),
    ).toBe('malformed');
    expect(causeOf(new Uint8Array(LIMITS.frameBytesMax + 1))).toBe('oversized');
  });
});

test.each([
  ['a name that is none', sampleFrame({ receiver: '' })],
  ['a name with a space', sampleFrame({ sender: 'a b' })],
  ['a name of 32', sampleFrame({ sender: 'a'.repeat(32) })],
  ['no life', sampleFrame({ processLife: NO_LIFE })],
  ['sequence 0', sampleFrame({ sequence: 0 })],
  ['an echo of nobody', sampleFrame({ echoLife: NO_LIFE, echoSequence: 1 })],
  ['a heartbeat with a body', sampleFrame({}, { body: Uint8Array.of(1) })],
  ['a part of no report', sampleFrame({ reportVersion: 0 }, { parts: 1, body: Uint8Array.of(1) })],
  ['a part beyond the end', sampleFrame({}, { parts: 2, part: 2, body: Uint8Array.of(1) })],
  ['an empty part', sampleFrame({}, { parts: 1 })],
  ['too many parts', sampleFrame({}, { parts: 65, body: Uint8Array.of(1) })],
  ['half a millisecond', sampleFrame({ permissionMs: 0.5 })],
  ['a negative number', sampleFrame({ echoSequence: -1 })],
  ['a life that is not hex', sampleFrame({ kernelLife: 'Z'.repeat(32) })],
])('the encoder refuses %s', (_what, value) => {
  expect(() => encodeFrame(value)).toThrow();
});

describe('docs/reference/wire.md', () => {
  const text = readFileSync(new URL('../../../docs/reference/wire.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| (\d+) \| (\d+) \| `(\w+)` \|/gm)].map(([, offset, bytes, field]) => ({
    offset: Number(offset),
    bytes: Number(bytes),
    field: field!,
  }));

  test('the table has no gap and ends with the header', () => {
    let end = 0;
    for (const row of rows) {
      expect(row.offset, row.field).toBe(end);
      end += row.bytes;
    }
    expect(end).toBe(HEADER_BYTES);
  });

  test.each<[string, Frame]>([
    ['version', sampleFrame({ version: 2 })],
    ['versionMin', sampleFrame({ versionMin: 0 })],
    ['versionMax', sampleFrame({ versionMax: 9 })],
    ['leaving', sampleFrame({ leaving: true })],
    ['interfaceRole', sampleFrame({ interfaceRole: 'admin-interface' })],
    ['linkBits', sampleFrame({ linkBits: 0 })],
    ['part', sampleFrame({}, { part: 1, parts: 3, body: Uint8Array.of(1) })],
    ['parts', sampleFrame({}, { part: 0, parts: 4, body: Uint8Array.of(1) })],
    ['keyId', sampleFrame({ keyId: 'ffffffff' })],
    ['clusterId', sampleFrame({ clusterId: 'ee'.repeat(8) })],
    ['processLife', sampleFrame({ processLife: 'ee'.repeat(16) })],
    ['kernelLife', sampleFrame({ kernelLife: 'ee'.repeat(16) })],
    ['productUuid', sampleFrame({ productUuid: 'ee'.repeat(16) })],
    ['echoLife', sampleFrame({ echoLife: 'ee'.repeat(16) })],
    ['echoSequence', sampleFrame({ echoSequence: 2 ** 48 - 1 })],
    ['sequence', sampleFrame({ sequence: 2 ** 48 - 1 })],
    ['reportVersion', sampleFrame({ reportVersion: 2 ** 48 - 1 })],
    ['announceNumber', sampleFrame({ announceNumber: 2 ** 48 - 1 })],
    ['permissionMs', sampleFrame({ permissionMs: 2 ** 32 - 1 })],
    ['stopBoundMs', sampleFrame({ stopBoundMs: 2 ** 32 - 1 })],
    ['managerDownMs', sampleFrame({ managerDownMs: 2 ** 32 - 1 })],
    ['sender', sampleFrame({ sender: 'z'.repeat(31) })],
    ['receiver', sampleFrame({ receiver: 'z'.repeat(31) })],
  ])('%s stands where the table says', (field, changed) => {
    const base = encodeFrame({
      ...changed,
      header: sampleFrame().header,
      part: 0,
      parts: changed.parts && 3,
    });
    const bytes = encodeFrame(changed);
    const row = rows.find((candidate) => candidate.field === field)!;
    const differing = [...bytes.keys()].filter((at) => bytes[at] !== base[at]);
    expect(differing.length).toBeGreaterThan(0);
    expect(differing.every((at) => at >= row.offset && at < row.offset + row.bytes)).toBe(true);
  });
});
