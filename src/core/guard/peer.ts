/**
 * The peer as sm-watchdog hears it: whose life it is, whether it hears us (fresh echoes), since when it is silent, and on
 * which links it was last heard. Judged with stall credit: our own lateness is added to the peer's allowance, never to a
 * permission (docs/SAFETY.md, rule 2).
 */
import type { InterfaceRole } from '../kernel/names.ts';
import type { Frame, FrameHeader, LifeId } from '../link/types.ts';
import { LargestTimes, type Times } from './times.ts';

const SENT_TIMES_MAX = 256;
const ENDED_LIVES_MAX = 64;

export interface LinkEnd {
  readonly role: InterfaceRole;
  /** Carrier and address. */
  up: boolean;
  upReason: string;
  /** It is up, and its gateway, where one is asked, speaks not against it. */
  counts: boolean;
  countsSince: number;
  /** Sequence and time of the newest frame of the peer's life on this link; -Infinity = none. */
  sequence: number;
  lastReceivedAt: number;
  lastFreshEchoAt: number;
  heard: boolean;
}

/** How a frame is to be understood. */
export type Hearing =
  /** A life that the peer ended long ago: worthless. */
  | { readonly kind: 'ended' }
  /** Authentic, but it does not echo our life: it breaks a silence, renews nothing, and is answered. */
  | { readonly kind: 'stranger' }
  /**
   * The peer. `newest`: not seen on another link before. `hearsUs`: it echoes what we sent within half of d, so it is not
   * deaf: whoever announces a take-over has heard nothing for d.
   */
  | {
      readonly kind: 'peer';
      readonly newest: boolean;
      readonly hearsUs: boolean;
      readonly adopted: boolean;
      readonly newKernelLife: boolean;
    };

export class Peer {
  life: LifeId | null = null;
  kernelLife: LifeId | null = null;
  productUuid: LifeId | null = null;
  /** A life that we heard but that does not echo ours yet. */
  strangerLife: LifeId | null = null;
  strangerSequence = 0;
  sequence = 0;
  /** Last receipt that proves that somebody lives there: any authentic frame of a life not known to have ended. */
  lastReceiptAt = Number.NEGATIVE_INFINITY;
  lastFreshEchoAt = Number.NEGATIVE_INFINITY;
  /** When the newest frame that the peer is known to have received was sent: its silence can not have begun earlier. */
  lastEchoedSentAt = Number.NEGATIVE_INFINITY;
  /** Our own lateness since the last receipt. */
  stallCreditMs = 0;
  announceNumber = 0;
  header: FrameHeader | null = null;
  /** P and S: it may act, and stop, by the largest ones (rule 4). */
  readonly times: LargestTimes;
  /** It has received a frame of this life of ours, and with it our P and S. */
  knowsOurs = false;
  readonly #ended = new Set<LifeId>();
  readonly #sentAt = new Map<number, number>();
  readonly #ownLife: LifeId;
  readonly #freshMs: number;

  constructor(ownLife: LifeId, own: Times) {
    this.#ownLife = ownLife;
    this.#freshMs = own.permissionMs;
    this.times = new LargestTimes(own);
  }

  get permissionMs(): number {
    return this.times.permissionMs;
  }

  get stopBoundMs(): number {
    return this.times.stopBoundMs;
  }

  sent(sequence: number, now: number): void {
    this.#sentAt.set(sequence, now);
    this.#sentAt.delete(sequence - SENT_TIMES_MAX);
  }

  hear(frame: Frame, link: LinkEnd, now: number): Hearing {
    const header = frame.header;
    if (this.#ended.has(header.processLife)) return { kind: 'ended' };
    const echoedAt = header.echoLife === this.#ownLife ? this.#sentAt.get(header.echoSequence) : undefined;
    const fresh = echoedAt !== undefined && now - echoedAt <= this.#freshMs;
    const hearsUs = echoedAt !== undefined && now - echoedAt <= this.#freshMs / 2;
    if (echoedAt !== undefined) {
      this.lastEchoedSentAt = Math.max(this.lastEchoedSentAt, echoedAt);
      this.knowsOurs = true;
    }
    // Whoever lives there has announced it, whether it has heard us or not.
    this.times.raise(header, now);
    let adopted = false;
    let newKernelLife = false;
    if (header.processLife !== this.life) {
      if (!fresh) {
        this.strangerLife = header.processLife;
        this.strangerSequence = header.sequence;
        this.#receipt(now);
        this.announceNumber = header.announceNumber;
        return { kind: 'stranger' };
      }
      newKernelLife =
        this.kernelLife !== null &&
        this.kernelLife !== header.kernelLife &&
        this.productUuid === header.productUuid;
      this.#adopt(header);
      adopted = true;
    }
    const newest = header.sequence > this.sequence;
    if (newest) {
      this.sequence = header.sequence;
      this.header = header;
      this.announceNumber = header.announceNumber;
      this.times.settle(header, now);
      this.#receipt(now);
      // Whoever is heard last gets the echo: two sides that each answer a late stranger would never confirm each other.
      this.strangerLife = null;
    }
    if (adopted || header.sequence > link.sequence) {
      link.sequence = header.sequence;
      link.lastReceivedAt = now;
      if (fresh) {
        link.lastFreshEchoAt = now;
        this.lastFreshEchoAt = now;
      }
    }
    return { kind: 'peer', newest, hearsUs, adopted, newKernelLife };
  }

  /** Whose echo we send: the heard peer's, else a stranger's so that it can confirm us (rule 6). */
  echo(heard: boolean): { readonly life: LifeId | null; readonly sequence: number } {
    if (!heard && this.strangerLife !== null)
      return { life: this.strangerLife, sequence: this.strangerSequence };
    return { life: this.life, sequence: this.sequence };
  }

  /** The versions that it speaks; null while somebody else speaks in its place, with what we do not know. */
  get spoken(): FrameHeader | null {
    return this.strangerLife === null ? this.header : null;
  }

  /** When its silence is long enough: the peer's own P counts where it is longer than ours. */
  silentAt(): number {
    return this.lastReceiptAt + this.permissionMs + this.stallCreditMs;
  }

  deafAt(deadIntervalMs: number): number {
    return this.lastFreshEchoAt + deadIntervalMs + this.stallCreditMs;
  }

  #receipt(now: number): void {
    this.lastReceiptAt = now;
    this.stallCreditMs = 0;
  }

  #adopt(header: FrameHeader): void {
    if (this.life !== null) {
      this.#ended.add(this.life);
      if (this.#ended.size > ENDED_LIVES_MAX) this.#ended.delete(this.#ended.values().next().value as LifeId);
    }
    this.life = header.processLife;
    this.kernelLife = header.kernelLife;
    this.productUuid = header.productUuid;
    this.sequence = 0;
    this.strangerLife = null;
  }
}
