import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFrame, UNSIGNED_KEY_ID } from '../../../src/core/link/frame.ts';
import type { Key } from '../../../src/shell/watchdog/keyring.ts';
import { clusterIdOf, seal, signatureChecker } from '../../../src/shell/watchdog/sign.ts';
import { sampleFrame } from '../link/arbitrary.ts';

function key(id: string): Key {
  return { name: id, id, secret: createSecretKey(randomBytes(64)) };
}

const CURRENT = key('aaaaaaaa');
const PREVIOUS = key('bbbbbbbb');
const FRAME = sampleFrame({}, { parts: 1, body: Uint8Array.of(1, 2, 3) });

function verdict(datagram: Uint8Array, keys: readonly Key[]): string {
  const decoded = decodeFrame(datagram);
  if (!decoded.ok) return decoded.cause;
  return signatureChecker(keys)(decoded.frame.header.keyId, datagram, decoded.signedLength);
}

test('the key that signs is named in the frame, whatever the frame said', () => {
  const decoded = decodeFrame(seal(FRAME, CURRENT));
  expect(decoded.ok && decoded.frame).toEqual({ ...FRAME, header: { ...FRAME.header, keyId: CURRENT.id } });
  const unsigned = decodeFrame(seal(FRAME, null));
  expect(unsigned.ok && unsigned.frame.header.keyId).toBe(UNSIGNED_KEY_ID);
});

describe('verification', () => {
  test('during a rotation both keys count; then the old one is unknown', () => {
    const old = seal(FRAME, PREVIOUS);
    expect(verdict(old, [CURRENT, PREVIOUS])).toBe('good');
    expect(verdict(seal(FRAME, CURRENT), [CURRENT, PREVIOUS])).toBe('good');
    expect(verdict(old, [CURRENT])).toBe('unknown-key');
  });

  test('another key under the same id is found out', () => {
    expect(verdict(seal(FRAME, key(CURRENT.id)), [CURRENT])).toBe('bad');
  });

  test('no bit may change', () => {
    const datagram = seal(FRAME, CURRENT);
    const bit = fc.tuple(fc.integer({ min: 0, max: datagram.length - 1 }), fc.integer({ min: 0, max: 7 }));
    fc.assert(
      fc.property(bit, ([at, shift]) => {
        const changed = Uint8Array.from(datagram);
        changed[at] = changed[at]! ^ (1 << shift);
        return verdict(changed, [CURRENT]) !== 'good';
      }),
      { numRuns: 1000 },
    );
  });
});

test('the cluster id is 8 bytes, equal for equal domains', () => {
  expect(clusterIdOf('Controller')).toMatch(/^[0-9a-f]{16}$/);
  expect(clusterIdOf('Controller')).toBe(clusterIdOf('Controller'));
  expect(clusterIdOf('Controller')).not.toBe(clusterIdOf('controller'));
});
