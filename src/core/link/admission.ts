/**
 * Which datagrams become frames. Cheap checks of the header first, then the signature, then who speaks to whom, then
 * whether it is new. Nothing is remembered of a frame whose signature was not good.
 *
 * What a link must use is decided by our own configuration: a frame that says "unsigned" on a signed link is dropped for
 * just that, and one that names a key we do not hold is never tried against another.
 */
import type { AuthType, InterfaceRole } from '../kernel/names.ts';
import { decodeFrame, UNSIGNED_KEY_ID } from './frame.ts';
import type { ReplayGuard } from './replay.ts';
import type { DropCause, Frame, FrameHeader, LifeId } from './types.ts';

/** What this link expects, from our definitions. */
export interface LinkExpectations {
  readonly clusterId: string;
  readonly role: InterfaceRole;
  readonly authType: AuthType;
  readonly ownName: string;
  readonly peerName: string;
  readonly ownProcessLife: LifeId;
  /**
   * Earlier lives of our own sm-watchdog, where they are known: an echo of them in the network is no second machine with
   * our name.
   */
  readonly ownEarlierLives: readonly LifeId[];
}

/** Looks the key up and checks the tag in constant time; touches nothing. */
export type CheckSignature = (
  keyId: string,
  datagram: Uint8Array,
  signedLength: number,
) => 'good' | 'bad' | 'unknown-key';

export type Admission =
  | { readonly verdict: 'accepted'; readonly frame: Frame }
  /** Authentic, new, with our name and a life that is not ours: there are two of us. */
  | { readonly verdict: 'duplicate-identity'; readonly frame: Frame }
  | { readonly verdict: 'dropped'; readonly cause: DropCause };

export function admit(
  datagram: Uint8Array,
  expected: LinkExpectations,
  checkSignature: CheckSignature,
  replay: ReplayGuard,
): Admission {
  const decoded = decodeFrame(datagram);
  if (!decoded.ok) return dropped(decoded.cause);
  const { frame, signedLength } = decoded;
  const { header } = frame;

  if (header.clusterId !== expected.clusterId) return dropped('other-cluster');
  const forgery = signatureFault(header.keyId, expected.authType, () =>
    checkSignature(header.keyId, datagram, signedLength),
  );
  if (forgery !== null) return dropped(forgery);

  if (isOurOwn(header, expected)) return dropped('own-reflected');
  const duplicate = header.sender === expected.ownName;
  if (!duplicate) {
    const stranger = identityFault(header, expected);
    if (stranger !== null) return dropped(stranger);
  }
  if (!replay.admit(header.processLife, expected.role, header.sequence)) return dropped('replayed');
  return { verdict: duplicate ? 'duplicate-identity' : 'accepted', frame };
}

function dropped(cause: DropCause): Admission {
  return { verdict: 'dropped', cause };
}

function signatureFault(
  keyId: string,
  authType: AuthType,
  check: () => ReturnType<CheckSignature>,
): DropCause | null {
  const unsigned = keyId === UNSIGNED_KEY_ID;
  if (authType === 'none') return unsigned ? null : 'unknown-key';
  if (unsigned) return 'unsigned';
  const verdict = check();
  if (verdict === 'unknown-key') return 'unknown-key';
  return verdict === 'good' ? null : 'bad-signature';
}

function isOurOwn(header: FrameHeader, expected: LinkExpectations): boolean {
  if (header.sender !== expected.ownName) return false;
  return (
    header.processLife === expected.ownProcessLife || expected.ownEarlierLives.includes(header.processLife)
  );
}

function identityFault(header: FrameHeader, expected: LinkExpectations): DropCause | null {
  if (header.sender !== expected.peerName) return 'wrong-sender';
  if (header.receiver !== expected.ownName) return 'wrong-receiver';
  return header.interfaceRole === expected.role ? null : 'wrong-interface';
}
