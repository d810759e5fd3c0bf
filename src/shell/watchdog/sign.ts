/**
 * Signing of frames: HMAC-SHA512 over all bytes of header and body, the whole tag behind them. Verified in constant time
 * by node:crypto before anything of the frame is believed.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { CheckSignature } from '../../core/link/admission.ts';
import { encodeFrame, TAG_BYTES, UNSIGNED_KEY_ID } from '../../core/link/frame.ts';
import type { Frame } from '../../core/link/types.ts';
import type { Key } from './keyring.ts';

/**
 * 8 bytes, hex, by which frames of another cluster on the same network are told apart early. Made from the domain's name
 * alone: keys may differ on one link, or between the nodes during a rotation, and the other links must go on.
 */
export function clusterIdOf(domain: string): string {
  return createHash('sha512').update('sm cluster\0').update(domain).digest('hex').slice(0, 16);
}

/** The datagram of a frame. `null` = an unsigned link. The frame's own `keyId` is replaced. */
export function seal(frame: Frame, key: Key | null): Uint8Array {
  const keyId = key?.id ?? UNSIGNED_KEY_ID;
  const signed = encodeFrame({ ...frame, header: { ...frame.header, keyId } });
  if (key === null) return signed;
  const datagram = new Uint8Array(signed.length + TAG_BYTES);
  datagram.set(signed);
  datagram.set(tagOf(signed, key), signed.length);
  return datagram;
}

/** Accepts what one of these keys signed: the current one and, during a rotation, the previous one. */
export function signatureChecker(keys: readonly Key[]): CheckSignature {
  return (keyId, datagram, signedLength) => {
    const key = keys.find((candidate) => candidate.id === keyId);
    if (key === undefined) return 'unknown-key';
    const tag = datagram.subarray(signedLength);
    if (tag.length !== TAG_BYTES) return 'bad';
    return timingSafeEqual(tag, tagOf(datagram.subarray(0, signedLength), key)) ? 'good' : 'bad';
  };
}

function tagOf(signed: Uint8Array, key: Key): Buffer {
  return createHmac('sha512', key.secret).update(signed).digest();
}
