/** Who may fence whom and who waits, and whether a device could be used if it were needed now (rule 16). Pure. */
import type { LifeId } from '../link/types.ts';
import type { FenceResult, PowerAnswer } from './fence.ts';
import type { Answer, ArbiterCause, DeathProof, DeviceTie, Readiness } from './interface.ts';

export interface FenceSide {
  readonly criticalGroups: number;
  readonly leads: boolean;
}

/** How long the one with less to lose waits before it shoots: d longer than the shots of the other one, as it has announced. */
export function fenceWaitMs(configuredMs: number, shotsMs: number, deadIntervalMs: number): number {
  return Math.max(configuredMs, shotsMs + deadIntervalMs);
}

/** Where both could shoot, one waits: the side with fewer critical groups, then the one that does not lead. */
export function shootsSecond(mine: FenceSide, theirs: FenceSide): boolean {
  return mine.criticalGroups !== theirs.criticalGroups
    ? mine.criticalGroups < theirs.criticalGroups
    : !mine.leads;
}

/**
 * Only readings prove a death, and only of the life that was last known when the fencing began. Null too where a frame has
 * come since the first of them was asked for, at `lastReceiptAt`: it was sent by somebody who lived (rule 14a).
 */
export function proofOf(
  { outcome, provenAt }: FenceResult,
  kernelLife: LifeId,
  lastReceiptAt: number,
): DeathProof | null {
  if (provenAt === null || lastReceiptAt >= provenAt) return null;
  return { kernelLife, by: `fence: ${outcome}`, at: provenAt };
}

export interface DeviceLook {
  readonly device: string;
  readonly power: Answer<PowerAnswer>;
  /** The machine's id as the device tells it; null = this kind of device does not. */
  readonly identity: Answer<string> | null;
  /**
   * While the peer is heard it is on, and we know its product UUID from its signed frames; else null. Heard before the
   * reading was asked for, and still long enough after it that its loss of power would be known.
   */
  readonly peer: { readonly node: string; readonly productUuid: string } | null;
}

/** The audit of one device: it answers, and as far as can be known it is the peer's. */
export function deviceReadiness({ device, power, identity, peer }: DeviceLook): Readiness {
  const tookMs = power.answeredAt - power.askedAt;
  const told = (cause: ArbiterCause | null, reason: string, tie: DeviceTie = 'open'): Readiness => {
    return {
      arbiter: device,
      ready: cause === null,
      cause,
      reason,
      checkedAt: power.answeredAt,
      tookMs,
      tie,
    };
  };
  if (power.kind === 'unknown') return told(power.cause, `${power.detail}: ${REPAIRS[power.cause]}`);
  if (peer !== null && power.value === 'off')
    return told(
      'lying',
      `it reads off while ${peer.node} is heard: it is another machine's, correct its address or plug`,
      'foreign',
    );
  if (identity?.kind === 'unknown')
    return told(identity.cause, `its identity is not known: ${identity.detail}`);
  if (peer !== null && identity !== null && plainUuid(identity.value) !== plainUuid(peer.productUuid))
    return told(
      'lying',
      `it belongs to machine ${identity.value}, ${peer.node} is ${peer.productUuid}: correct its address`,
      'foreign',
    );
  return told(null, '', peer === null ? 'open' : 'tied');
}

/** What mends each cause. */
export const REPAIRS: Readonly<Record<ArbiterCause, string>> = {
  unreachable: 'check its address, its power and the network in between',
  auth: 'correct user name, secret or certificate',
  refused: 'correct its parameters and permissions',
  timeout: 'check its network, or raise its limit',
  lying: 'do not rely on it: replace it or correct what it is connected to',
  leaderless: 'bring back the majority of its members',
  protocol: 'check that it is what the definitions call it, and its version',
};

/**
 * One spelling of a machine's id. A BMC may give its bytes in the order of RFC 4122, of SMBIOS (the first three fields
 * turned round), or of IPMI (all of it), and tools guess which one it is (IPMI 2.0, 20.8; ipmitool, `mc guid`).
 */
function plainUuid(uuid: string): string {
  const hex = uuid.toLowerCase().replace(/[^0-9a-f]/g, '');
  if (hex.length !== 32) return hex;
  const spellings = new Set([hex]);
  for (const each of spellings) spellings.add(turnFields(each)).add(turn(each));
  return [...spellings].sort()[0] ?? hex;
}

function turnFields(hex: string): string {
  return turn(hex.slice(0, 8)) + turn(hex.slice(8, 12)) + turn(hex.slice(12, 16)) + hex.slice(16);
}

function turn(hex: string): string {
  return (hex.match(/../g) ?? []).reverse().join('');
}
