import { describe, expect, test } from 'vitest';
import { type Admission, admit, type LinkExpectations } from '../../../src/core/link/admission.ts';
import { DROP_ADVICE } from '../../../src/core/link/advice.ts';
import { encodeFrame, TAG_BYTES, UNSIGNED_KEY_ID } from '../../../src/core/link/frame.ts';
import { ReplayGuard } from '../../../src/core/link/replay.ts';
import { DROP_CAUSES, type FrameHeader } from '../../../src/core/link/types.ts';
import { sampleFrame } from './arbitrary.ts';

const EXPECTED: LinkExpectations = {
  clusterId: sampleFrame().header.clusterId,
  role: 'management-interface',
  authType: 'hmac-sha512',
  ownName: 'controller-1',
  peerName: 'controller-0',
  ownProcessLife: '99'.repeat(16),
  ownEarlierLives: ['98'.repeat(16)],
};

/** The tag is good if it is all ones; the only key known is the sample's. */
function check(keyId: string, datagram: Uint8Array, signedLength: number) {
  if (keyId !== sampleFrame().header.keyId) return 'unknown-key';
  return datagram.subarray(signedLength).every((byte) => byte === 1) ? 'good' : 'bad';
}

function datagram(change: Partial<FrameHeader> = {}, tagByte = 1): Uint8Array {
  const frame = sampleFrame(change);
  const tag = frame.header.keyId === UNSIGNED_KEY_ID ? 0 : TAG_BYTES;
  return Buffer.concat([encodeFrame(frame), Buffer.alloc(tag, tagByte)]);
}

function outcome(admission: Admission): string {
  return admission.verdict === 'dropped' ? admission.cause : admission.verdict;
}

function judge(
  bytes: Uint8Array,
  change: Partial<LinkExpectations> = {},
  replay = new ReplayGuard(),
): string {
  return outcome(admit(bytes, { ...EXPECTED, ...change }, check, replay));
}

test.each<[string, Partial<FrameHeader>]>([
  ['accepted', {}],
  ['other-cluster', { clusterId: 'ffffffffffffffff' }],
  ['unknown-key', { keyId: '01020304' }],
  ['unsigned', { keyId: UNSIGNED_KEY_ID }],
  ['own-reflected', { sender: 'controller-1', processLife: EXPECTED.ownProcessLife }],
  ['own-reflected', { sender: 'controller-1', processLife: EXPECTED.ownEarlierLives[0]! }],
  ['duplicate-identity', { sender: 'controller-1' }],
  ['duplicate-identity', { sender: 'controller-1', receiver: 'controller-0' }],
  ['wrong-sender', { sender: 'controller-2' }],
  ['wrong-receiver', { receiver: 'controller-2' }],
  ['wrong-interface', { interfaceRole: 'oam-interface' }],
])('%s: %o', (expected, change) => {
  expect(judge(datagram(change))).toBe(expected);
});

test('bytes that are no frame keep their cause', () => {
  expect(judge(datagram().subarray(0, 100))).toBe('truncated');
  expect(judge(Buffer.alloc(300))).toBe('magic');
});

describe('our configuration decides, not the frame', () => {
  test('a signed frame on an unsigned link is dropped', () => {
    expect(judge(datagram(), { authType: 'none' })).toBe('unknown-key');
  });

  test('an unsigned frame is taken only where the link is unsigned', () => {
    const unsigned = datagram({ keyId: UNSIGNED_KEY_ID });
    expect(judge(unsigned, { authType: 'none' })).toBe('accepted');
    expect(judge(unsigned)).toBe('unsigned');
  });
});

describe('nothing is touched before the signature is good', () => {
  test.each([
    ['bad-signature', datagram({}, 2)],
    ['unknown-key', datagram({ keyId: '01020304' })],
    ['bad-signature', datagram({ sender: 'controller-1' }, 2)],
    ['bad-signature', datagram({ sequence: 1_000_000 }, 2)],
  ])('%s leaves the window as it was', (cause, forged) => {
    const replay = new ReplayGuard();
    expect(judge(forged, {}, replay)).toBe(cause);
    expect(judge(datagram(), {}, replay)).toBe('accepted');
  });

  test('an authentic frame of a stranger leaves it too', () => {
    const replay = new ReplayGuard();
    expect(judge(datagram({ receiver: 'controller-2' }), {}, replay)).toBe('wrong-receiver');
    expect(judge(datagram(), {}, replay)).toBe('accepted');
  });
});

test('a frame counts once, a duplicate identity too', () => {
  for (const change of [{}, { sender: 'controller-1' }]) {
    const replay = new ReplayGuard();
    expect(judge(datagram(change), {}, replay)).not.toBe('replayed');
    expect(judge(datagram(change), {}, replay)).toBe('replayed');
  }
});

test('a late frame of an ended life is a replay', () => {
  const replay = new ReplayGuard();
  replay.end(sampleFrame().header.processLife);
  expect(judge(datagram(), {}, replay)).toBe('replayed');
});

test('every cause has its advice', () => {
  for (const cause of DROP_CAUSES) expect(DROP_ADVICE[cause].length).toBeGreaterThan(20);
});
