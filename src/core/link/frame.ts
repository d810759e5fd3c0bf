/**
 * Bytes of a frame: a header of fixed size, the fragment of a report (absent in a heartbeat), the tag (absent in an
 * unsigned frame). Every offset is constant; docs/reference/wire.md shows the table and is checked against this file.
 *
 * Decoding is strict: a frame is exactly as the encoder would have written it, or it is dropped with a cause. It touches
 * nothing but the bytes, so it may run before the signature is checked.
 */
import { assert } from '../kernel/assert.ts';
import { LIMITS } from '../kernel/limits.ts';
import { INTERFACE_ROLES } from '../kernel/names.ts';
import { ByteReader, ByteWriter, U32_MAX } from './bytes.ts';
import type { DropCause, Frame, FrameHeader } from './types.ts';
import { isSpoken } from './version.ts';

/** "SMHB". */
export const FRAME_MAGIC = 0x534d_4842;
export const HEADER_BYTES = 192;
/** HMAC-SHA512, whole. */
export const TAG_BYTES = 64;
/** Room for the fragment of a report in one datagram. */
export const PART_BYTES_MAX = LIMITS.frameBytesMax - HEADER_BYTES - TAG_BYTES;
/** Key id of a frame that carries no tag. No real key has it. */
export const UNSIGNED_KEY_ID = '00000000';
/** "None heard" in `echoLife`, "not known" in `productUuid`. */
export const NO_LIFE: string = '0'.repeat(32);

const NAME_FIELD_BYTES = LIMITS.nameCharactersMax + 1;
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const FLAG_LEAVING = 0b1;

/** A node's name as it may stand in a frame: letters, digits, `.`, `_`, `-`; 1 to 31 characters. */
export function isNodeName(text: string): boolean {
  return text.length <= LIMITS.nameCharactersMax && NODE_NAME.test(text);
}

/**
 * All bytes of a frame but its tag: what is signed. Broken fields are assertions; `managerDownMs` alone is rounded and
 * saturates, because a manager may be away for any time.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  const { header, body } = frame;
  const fault = frameFault(frame);
  assert(fault === null, () => `frame: ${fault}`);

  const writer = new ByteWriter(HEADER_BYTES + body.length);
  writer.u32(FRAME_MAGIC);
  writer.u8(header.version);
  writer.u8(header.versionMin);
  writer.u8(header.versionMax);
  writer.u8(header.leaving ? FLAG_LEAVING : 0);
  writer.word(INTERFACE_ROLES, header.interfaceRole);
  writer.u8(header.linkBits);
  writer.u8(frame.part);
  writer.u8(frame.parts);
  writer.hex(header.keyId, 4);
  writer.hex(header.clusterId, 8);
  writer.hex(header.processLife, 16);
  writer.hex(header.kernelLife, 16);
  writer.hex(header.productUuid, 16);
  writer.hex(header.echoLife, 16);
  writer.u48(header.echoSequence);
  writer.u48(header.sequence);
  writer.u48(header.reportVersion);
  writer.u48(header.announceNumber);
  writer.u32(header.permissionMs);
  writer.u32(header.stopBoundMs);
  writer.u32(Math.min(Math.ceil(header.managerDownMs), U32_MAX));
  writer.padded(header.sender, NAME_FIELD_BYTES);
  writer.padded(header.receiver, NAME_FIELD_BYTES);
  writer.u16(body.length);
  writer.u16(0);
  assert(writer.length === HEADER_BYTES, () => `header of ${writer.length} bytes`);
  writer.raw(body);
  return writer.finish();
}

export type DecodedFrame =
  /** `signedLength`: the tag is everything from there on; equal to the datagram's length if it carries none. */
  | { readonly ok: true; readonly frame: Frame; readonly signedLength: number }
  | { readonly ok: false; readonly cause: DropCause };

export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const cause = prefixFault(bytes);
  if (cause !== null) return { ok: false, cause };

  const reader = new ByteReader(bytes);
  reader.u32();
  const version = reader.u8();
  const versionMin = reader.u8();
  const versionMax = reader.u8();
  const flags = reader.u8();
  if ((flags & ~FLAG_LEAVING) !== 0) reader.fail('reserved bits are set');
  const interfaceRole = reader.word(INTERFACE_ROLES);
  const linkBits = reader.u8();
  const part = reader.u8();
  const parts = reader.u8();
  const header: FrameHeader = {
    version,
    versionMin,
    versionMax,
    leaving: (flags & FLAG_LEAVING) !== 0,
    interfaceRole,
    linkBits,
    keyId: reader.hex(4),
    clusterId: reader.hex(8),
    processLife: reader.hex(16),
    kernelLife: reader.hex(16),
    productUuid: reader.hex(16),
    echoLife: reader.hex(16),
    echoSequence: reader.u48(),
    sequence: reader.u48(),
    reportVersion: reader.u48(),
    announceNumber: reader.u48(),
    permissionMs: reader.u32(),
    stopBoundMs: reader.u32(),
    managerDownMs: reader.u32(),
    sender: reader.padded(NAME_FIELD_BYTES),
    receiver: reader.padded(NAME_FIELD_BYTES),
  };
  const bodyBytes = reader.u16();
  if (reader.u16() !== 0) reader.fail('reserved bytes are set');

  const signedLength = HEADER_BYTES + bodyBytes;
  const length = signedLength + (header.keyId === UNSIGNED_KEY_ID ? 0 : TAG_BYTES);
  if (reader.fault === null && bytes.length < length) return { ok: false, cause: 'truncated' };
  if (bytes.length > length) reader.fail('bytes after the end');

  const frame: Frame = { header, part, parts, body: reader.raw(bodyBytes) };
  if (reader.fault !== null || frameFault(frame) !== null) return { ok: false, cause: 'malformed' };
  return { ok: true, frame, signedLength };
}

/** What can be said before the layout is known: these bytes are the same in every version of the protocol. */
function prefixFault(bytes: Uint8Array): DropCause | null {
  if (bytes.length > LIMITS.frameBytesMax) return 'oversized';
  const reader = new ByteReader(bytes);
  const magic = reader.u32();
  const version = reader.u8();
  if (reader.fault !== null) return 'truncated';
  if (magic !== FRAME_MAGIC) return 'magic';
  if (!isSpoken(version)) return 'version';
  return bytes.length < HEADER_BYTES ? 'truncated' : null;
}

/** What no frame may say, whoever made it; null = nothing. */
function frameFault({ header, part, parts, body }: Frame): string | null {
  const { version, versionMin, versionMax } = header;
  if (!isSpoken(version)) return 'its version is none of ours';
  if (version < versionMin || version > versionMax) return 'its version is outside the range that it names';
  if (!isNodeName(header.sender) || !isNodeName(header.receiver)) return 'a name is not a node name';
  if (header.processLife === NO_LIFE || header.kernelLife === NO_LIFE) return 'a life is missing';
  if (header.sequence === 0) return 'sequences start at 1';
  if (header.echoLife === NO_LIFE && header.echoSequence !== 0) return 'an echo without a life';
  if (parts === 0 && (part !== 0 || body.length !== 0)) return 'a heartbeat has no body';
  if (parts > 0 && (part >= parts || parts > LIMITS.reportPartsMax)) return 'its part is outside the report';
  if (parts > 0 && (body.length === 0 || body.length > PART_BYTES_MAX)) return 'a part of a wrong size';
  if (parts > 0 && header.reportVersion === 0) return 'a part of no report';
  return null;
}
