/**
 * All links of this node: sockets, keys, admission and our own end of each link, put together. Frames go in to be signed
 * and sent; what comes out is authentic, ours and new.
 */
import type { InterfaceDefinition } from '../../core/definitions/model.ts';
import type { InterfaceRole } from '../../core/kernel/names.ts';
import { admit, type CheckSignature, type LinkExpectations } from '../../core/link/admission.ts';
import { ReplayGuard } from '../../core/link/replay.ts';
import type { Frame, FrameHeader, LifeId } from '../../core/link/types.ts';
import type { KnownLives } from '../pair/messages.ts';
import { DropCounters } from './drops.ts';
import type { Key, KeyRing } from './keyring.ts';
import { LinkMonitor, type LinkPorts, type LinkState, SYSTEM_LINK_PORTS } from './links.ts';
import { clusterIdOf, seal, signatureChecker } from './sign.ts';
import { LinkSocket, type LinkSocketCounters } from './socket.ts';

export interface WireOptions {
  readonly domain: string;
  readonly node: string;
  readonly peer: string;
  /** The provisioned interfaces, at most LIMITS.interfacesMax. */
  readonly interfaces: readonly InterfaceDefinition[];
  readonly processLife: LifeId;
  readonly keys: KeyRing;
  /** Limit for noticing that a link is down at our own end. */
  readonly linkDownDetectMs: number;
  /** CLOCK_MONOTONIC, ms. */
  readonly now: () => number;
  readonly log: { readonly info: LogFunction; readonly warn: LogFunction };
  readonly linkPorts?: LinkPorts;
}

type LogFunction = (fields: object, message: string) => void;

export interface WireHandlers {
  readonly frame: (role: InterfaceRole, frame: Frame) => void;
  /** An authentic frame with our name and a life that is not ours. */
  readonly duplicate: (role: InterfaceRole, processLife: LifeId, header: FrameHeader) => void;
  /** Our own end: carrier, address, socket and key. Told once at the start and on every change. */
  readonly link: (role: InterfaceRole, up: boolean, reason: string) => void;
}

/** Frames of lives before these do not echo in a network any more. */
const OWN_LIVES_MAX = 16;

interface Link {
  readonly definition: InterfaceDefinition;
  readonly expectations: LinkExpectations;
  readonly socket: LinkSocket;
  /** null = the link is unsigned, or its key can not be used (`keyReason`). */
  key: Key | null;
  keyReason: string;
  check: CheckSignature;
  endReason: string;
  /** The interface that it was last up on; '' = none yet. */
  identity: string;
  socketReason: string;
  /** What was told last; null = nothing yet. */
  told: string | null;
}

const NOT_YET = 'not looked at yet';

export class Wire {
  readonly #options: WireOptions;
  readonly #handlers: WireHandlers;
  readonly #links = new Map<InterfaceRole, Link>();
  readonly #replay = new ReplayGuard();
  /** Of this node's sm-watchdog, as far as they are known. */
  readonly #earlierLives: LifeId[] = [];
  readonly #drops: DropCounters;
  readonly #monitor: LinkMonitor;
  #isOpen = false;
  #isAsking = false;

  constructor(options: WireOptions, handlers: WireHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#drops = new DropCounters((report) => options.log.warn(report, 'datagrams dropped'));
    for (const definition of options.interfaces) this.#links.set(definition.role, this.#link(definition));
    this.#monitor = new LinkMonitor(
      options.interfaces,
      (state) => this.#endChanged(state),
      options.linkPorts ?? SYSTEM_LINK_PORTS,
    );
  }

  start(): void {
    for (const link of this.#links.values()) {
      this.#loadKeys(link);
      link.socket.open();
    }
    this.#monitor.start(this.#options.linkDownDetectMs);
    this.#isOpen = true;
  }

  async stop(): Promise<void> {
    this.#isOpen = false;
    this.#monitor.stop();
    await Promise.all([...this.#links.values()].map((link) => link.socket.close()));
  }

  /** Looks at our own ends now; tells what has changed before it returns. */
  look(): void {
    this.#monitor.poll();
  }

  /** While this node holds a permission that the loss of a link would shorten. */
  watchClosely(closely: boolean): void {
    this.#monitor.watchClosely(closely);
  }

  /** Signs and sends. On a signed link without a usable key nothing is sent. */
  send(role: InterfaceRole, frame: Frame): void {
    const link = this.#links.get(role);
    if (link === undefined || link.keyReason !== '') return;
    link.socket.send(seal(frame, link.key));
  }

  /** This life of the peer echoed ours; the one before it is over, and its late frames are replays. */
  confirmPeer(life: LifeId): void {
    this.#replay.confirm(life);
  }

  /** What a successor of this process has to know of us and of the peer. */
  lives(): KnownLives {
    const own = [...this.#earlierLives, this.#options.processLife];
    return { own: own.slice(-OWN_LIVES_MAX), peer: this.#replay.known() };
  }

  /** What a predecessor knew. Before the start. */
  recall({ own, peer }: KnownLives): void {
    this.#earlierLives.push(...own);
    this.#replay.recall(peer);
  }

  /** Why a link is not heard although datagrams arrive; '' = nothing arrives, or all is well. */
  silenceReason(role: InterfaceRole): string {
    return this.#drops.reason(role, this.#options.now());
  }

  counters(): {
    readonly drops: ReturnType<DropCounters['totals']>;
    readonly links: readonly ({ readonly role: InterfaceRole } & LinkSocketCounters)[];
  } {
    const links = [...this.#links].map(([role, link]) => ({ role, ...link.socket.counters }));
    return { drops: this.#drops.totals(), links };
  }

  /** To be called about once a second. The disk is asked aside, and read only when it has answered that a key has changed. */
  async tend(): Promise<void> {
    this.#drops.flush(this.#options.now());
    if (this.#isAsking || !this.#isOpen) return;
    this.#isAsking = true;
    const changed = await this.#options.keys.changed();
    this.#isAsking = false;
    if (changed && this.#isOpen) this.upkeep();
  }

  /** Takes changed key files in and tells what was dropped since. */
  upkeep(): void {
    for (const { name, error } of this.#options.keys.refresh()) {
      if (error === null) this.#options.log.info({ key: name }, 'key read again');
      else
        this.#options.log.warn({ key: name, ...error }, 'changed key refused, the one before stays in use');
    }
    for (const link of this.#links.values()) this.#loadKeys(link);
    this.#drops.flush(this.#options.now());
  }

  #link(definition: InterfaceDefinition): Link {
    const { role, authType } = definition;
    const { domain, node, peer, processLife } = this.#options;
    const socket = new LinkSocket(definition, {
      datagram: (bytes) => this.#receive(role, bytes),
      wrongSource: () => this.#drops.count(role, 'wrong-source', this.#options.now()),
      state: (_open, reason) => this.#update(role, { socketReason: reason }),
    });
    const expectations = {
      clusterId: clusterIdOf(domain),
      role,
      authType,
      ownName: node,
      peerName: peer,
      ownProcessLife: processLife,
      ownEarlierLives: this.#earlierLives,
    };
    return {
      definition,
      expectations,
      socket,
      key: null,
      keyReason: NOT_YET,
      check: signatureChecker([]),
      endReason: NOT_YET,
      identity: '',
      socketReason: NOT_YET,
      told: null,
    };
  }

  #receive(role: InterfaceRole, datagram: Uint8Array): void {
    const link = this.#links.get(role)!;
    const admission = admit(datagram, link.expectations, link.check, this.#replay);
    switch (admission.verdict) {
      case 'accepted':
        return this.#handlers.frame(role, admission.frame);
      case 'duplicate-identity':
        return this.#handlers.duplicate(role, admission.frame.header.processLife, admission.frame.header);
      case 'dropped':
        return this.#drops.count(role, admission.cause, this.#options.now());
    }
  }

  #loadKeys(link: Link): void {
    const { role, authType, authKey, authKeyPrevious } = link.definition;
    if (authType === 'none') return this.#update(role, { keyReason: '' });
    const current = this.#options.keys.get(authKey);
    const previous = authKeyPrevious === '' ? null : this.#options.keys.get(authKeyPrevious);
    const accepted = [current, previous].flatMap((result) => (result?.ok ? [result.value] : []));
    link.check = signatureChecker(accepted);
    link.key = current.ok ? current.value : null;
    this.#update(role, { keyReason: current.ok ? '' : current.error.message });
  }

  /**
   * A socket is bound to the address, and a group joined, through an interface: both are lost with it, also when another of
   * the same name takes its place between two looks.
   */
  #endChanged({ role, up, reason, identity }: LinkState): void {
    const link = this.#links.get(role)!;
    const cameBack = up && link.endReason !== '' && link.endReason !== NOT_YET;
    const isOther = up && link.identity !== '' && link.identity !== identity;
    if (cameBack || isOther) link.socket.open();
    this.#update(role, { endReason: reason, ...(up ? { identity } : {}) });
  }

  #update(role: InterfaceRole, change: Partial<Link>): void {
    const link = this.#links.get(role)!;
    Object.assign(link, change);
    const reasons = [link.endReason, link.socketReason, link.keyReason];
    if (reasons.includes(NOT_YET)) return;
    const reason = reasons.find((candidate) => candidate !== '') ?? '';
    if (reason === link.told) return;
    link.told = reason;
    this.#handlers.link(role, reason === '', reason);
  }
}
