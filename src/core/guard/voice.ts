/**
 * What this node says to its peer, on every link that is up: heartbeats, and the report of `sm` in parts. An announcement is
 * repeated while the peer has to stop.
 */
import type { Timers } from '../kernel/timers.ts';
import { NO_LIFE } from '../link/frame.ts';
import { withTail } from '../link/parts.ts';
import { VERSION_WITH_TAIL } from '../link/report.ts';
import type { FrameHeader } from '../link/types.ts';
import { PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from '../link/types.ts';
import { versionFor } from '../link/version.ts';
import type { GuardEffect, GuardEvent, GuardOptions } from './interface.ts';
import type { ManagerWatch } from './manager-watch.ts';
import type { OwnLinks } from './own-links.ts';
import type { LinkEnd, Peer } from './peer.ts';

/** The report is told again this often even if nothing changed: a lost part is repaired within it. */
const REPORT_REPEAT_MS = 1000;
/** How often an announcement is sent in the time that the peer has to stop. */
const ANNOUNCEMENTS = 10;
const EMPTY = new Uint8Array(0);

interface Outgoing {
  readonly version: number;
  readonly parts: readonly Uint8Array[];
  /** Behind the parts for a peer that may skip it. */
  readonly tail: Uint8Array;
  /** This version was sent with the tail. */
  readonly tailed: boolean;
  readonly announceNumber: number;
  readonly leaving: boolean;
  /** Ticket of the grant on which `sm` says that it acts. */
  readonly grant: number;
}

export interface VoiceOptions {
  readonly guard: GuardOptions;
  readonly timers: Timers;
  readonly emit: (effect: GuardEffect) => void;
  readonly links: OwnLinks;
  readonly peer: Peer;
  readonly manager: ManagerWatch;
  readonly heard: () => boolean;
  /** Something went out on a link by which this node acts. */
  readonly renew: (now: number) => void;
}

export class Voice {
  readonly #options: VoiceOptions;
  #outgoing: Outgoing = {
    version: 0,
    parts: [],
    tail: EMPTY,
    tailed: false,
    announceNumber: 0,
    leaving: false,
    grant: 0,
  };
  #reportedAt = Number.NEGATIVE_INFINITY;
  /** When the announcement that is on the wire first went out; null = none is. */
  #announcedAt: number | null = null;
  #sequence = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(options: VoiceOptions) {
    this.#options = options;
  }

  get announceNumber(): number {
    return this.#outgoing.announceNumber;
  }

  get leaving(): boolean {
    return this.#outgoing.leaving;
  }

  get grant(): number {
    return this.#outgoing.grant;
  }

  get announcedAt(): number | null {
    return this.#announcedAt;
  }

  /** The largest S announced by either side: after an announcement the peer has stopped within it. */
  get stopBoundMs(): number {
    const { peer, guard } = this.#options;
    return Math.max(peer.stopBoundMs, guard.domain.stopBoundMs);
  }

  /** What `sm` wants to have said from now on. */
  take(
    { parts, tail = EMPTY, announceNumber, leaving, grant = 0 }: Extract<GuardEvent, { type: 'sm.report' }>,
    now: number,
  ): void {
    const { tailed, announceNumber: announced } = this.#outgoing;
    if (announceNumber !== announced) this.#announcedAt = announceNumber === 0 ? null : now;
    if (announceNumber > 0) this.#options.timers.set('announce', now + this.#announcePaceMs);
    // Our own count: a restarted `sm` begins anew, and this life's report versions only rise.
    const version = this.#outgoing.version + 1;
    this.#outgoing = { version, parts, tail, tailed, announceNumber, leaving, grant };
  }

  /** A part of a report says what a heartbeat says. */
  hello(now: number): void {
    if (this.#outgoing.parts.length > 0 && now - this.#reportedAt >= REPORT_REPEAT_MS) this.report(now);
    else this.heartbeat(now);
  }

  heartbeat(now: number): void {
    this.#send(0, 0, EMPTY, now);
  }

  report(now: number): void {
    const { parts, tail, tailed, version } = this.#outgoing;
    if (parts.length === 0) return;
    const tails = tail.length > 0 && this.#spoken >= VERSION_WITH_TAIL;
    // What a version says never changes: whoever has begun to read it would wait for what does not come.
    if (tails !== tailed) this.#outgoing = { ...this.#outgoing, version: version + 1, tailed: tails };
    this.#reportedAt = now;
    const sent = tails ? withTail(parts, tail) : parts;
    for (const [index, body] of sent.entries()) this.#send(index, sent.length, body, now);
  }

  /** An answer to a stranger, so that each side learns the other's life; not more often than twice a hello. */
  answerStranger(now: number): void {
    if (now - this.#answeredAt < this.#options.guard.domain.helloIntervalMs / 2) return;
    this.#answeredAt = now;
    this.heartbeat(now);
  }

  /**
   * While S runs, several times: where one frame is lost, the next hello may be too late for the peer to stop in time (rule 14d).
   */
  announceAgain(now: number): void {
    if (this.#announcedAt === null || now >= this.#announcedAt + this.stopBoundMs) return;
    this.heartbeat(now);
    this.#options.timers.set('announce', now + this.#announcePaceMs);
  }

  get #announcePaceMs(): number {
    return this.stopBoundMs / ANNOUNCEMENTS;
  }

  #send(part: number, parts: number, body: Uint8Array, now: number): void {
    const { guard, manager, peer, links, emit, renew } = this.#options;
    if (manager.mute || guard.peer === null) return;
    this.#sequence += 1;
    peer.sent(this.#sequence, now);
    const acting = links.acting();
    let renewed = false;
    for (const link of links.all) {
      if (!link.up) continue;
      const frame = { header: this.#header(link, now), part, parts, body };
      emit({ type: 'send', role: link.role, frame });
      renewed ||= link.counts && acting.includes(link);
    }
    if (renewed) renew(now);
  }

  get #spoken(): number {
    const { heard, peer } = this.#options;
    return versionFor(heard() ? peer.spoken : null);
  }

  #header({ role }: LinkEnd, now: number): FrameHeader {
    const { guard, peer, manager, links, heard } = this.#options;
    const { node, clusterId, processLife, kernelLife, productUuid, domain } = guard;
    const echo = peer.echo(heard());
    return {
      version: this.#spoken,
      versionMin: PROTOCOL_VERSION_MIN,
      versionMax: PROTOCOL_VERSION,
      clusterId,
      sender: node,
      receiver: guard.peer ?? '',
      interfaceRole: role,
      keyId: '00000000',
      processLife,
      kernelLife,
      productUuid,
      echoLife: echo.life ?? NO_LIFE,
      echoSequence: echo.sequence,
      sequence: this.#sequence,
      permissionMs: domain.deadIntervalMs,
      stopBoundMs: domain.stopBoundMs,
      managerDownMs: manager.awayMs(now),
      linkBits: links.bits(),
      reportVersion: this.#outgoing.version,
      announceNumber: this.#outgoing.announceNumber,
      leaving: this.#outgoing.leaving,
    };
  }
}
