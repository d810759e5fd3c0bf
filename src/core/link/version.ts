/** Which version of the protocol is spoken to whom. Source: docs/reference/wire.md, "Versions". */
import { type FrameHeader, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from './types.ts';

export function isSpoken(version: number): boolean {
  return version >= PROTOCOL_VERSION_MIN && version <= PROTOCOL_VERSION;
}

/**
 * In which version to speak: the highest that both know, and the lowest of ours to a peer whose range is not known (null),
 * for it may have been started anew with an older program.
 */
export function versionFor(peer: Pick<FrameHeader, 'versionMin' | 'versionMax'> | null): number {
  if (peer === null) return PROTOCOL_VERSION_MIN;
  return Math.max(PROTOCOL_VERSION_MIN, Math.min(PROTOCOL_VERSION, peer.versionMax));
}
