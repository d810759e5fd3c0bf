/**
 * This node's word that its peer may have everything: given, taken back, and whether the peer has read that. As long as it may
 * act on the word, this node leads nothing by what the peer reports, and obeys no order that may be older (docs/SAFETY.md,
 * rule 14c).
 */
import type { EngineEffect } from '../engine-interface.ts';
import { STATE } from '../kernel/state.ts';
import type { NodeRecords } from './node-records.ts';
import type { PeerState } from './peer-state.ts';

export interface OwnWordOptions {
  readonly me: string;
  readonly nodes: NodeRecords;
  /** Nothing of it ends where that could not be stored. */
  readonly storeWorks: () => boolean;
  readonly emit: (effect: EngineEffect) => void;
  /** A deliberate fault: it ends by itself. */
  readonly forgets: boolean;
}

export class OwnWord {
  readonly #options: OwnWordOptions;
  /** `found`: an `sm` before this one gave it, because its store failed or because it ended. */
  #word: 'none' | 'given' | 'found' = 'none';
  /** It was given because the store fails, and not taken back. */
  #holds = false;
  /**
   * Version of our own record since the word was taken back; null = the peer has shown that it has read that. What it ordered
   * before says nothing: it may have ordered it before it read the word, and act on the word next.
   */
  #unreadReturn: number | null = null;

  get [STATE]() {
    return { word: this.#word, holds: this.#holds, unreadReturn: this.#unreadReturn };
  }

  set [STATE](state) {
    this.#word = state.word;
    this.#holds = state.holds;
    this.#unreadReturn = state.unreadReturn;
  }

  constructor(options: OwnWordOptions) {
    this.#options = options;
  }

  /** The peer has neither led since nor shown that it has read that the word is taken back. */
  get stands(): boolean {
    return this.#word !== 'none';
  }

  /** It was given by this `sm`, for its store: not because the node ended. */
  get isGiven(): boolean {
    return this.#word === 'given';
  }

  /** It is to be taken back when the store works again. */
  get holds(): boolean {
    return this.#holds;
  }

  /** The peer may not have read that the word is taken back. */
  get isReturnUnread(): boolean {
    return this.#unreadReturn !== null;
  }

  /** Whoever follows, and gives no word any more, has not led: the one that leads may read the old word yet, and act on it. */
  get mayBeRead(): boolean {
    return this.stands || this.isReturnUnread;
  }

  give(): void {
    this.#word = 'given';
    this.#holds = true;
  }

  /** The mark of an earlier one is there. */
  find(): void {
    this.#word = 'found';
    this.#renew();
  }

  takeBack(): void {
    this.#holds = false;
    this.#renew();
  }

  /** An order given elsewhere overtook our return: it is read only when a version of our own comes back. */
  overtaken(): void {
    if (this.mayBeRead) this.#renew();
  }

  /** What the newest report of the peer says of it. */
  judge(peer: PeerState): void {
    const { me, forgets } = this.#options;
    const version = this.#unreadReturn;
    if (version !== null && peer.isCurrent && hasRead(peer, me, version)) this.#forgetReturn();
    if (this.stands && this.#knowsOurReturn(peer)) this.#end();
    if (forgets) this.#end();
  }

  /** This node leads by now, and waits for nobody's order. */
  onLead(): void {
    this.#forgetReturn();
    this.#end();
  }

  onFollow(): void {
    this.#end();
  }

  /** That our word is taken back is read in our record. */
  #renew(): void {
    const { nodes } = this.#options;
    nodes.renew();
    this.#unreadReturn = nodes.own.administrativeVersion;
  }

  /** Its newest report has our record as it became when our word was taken back: it has read that, and begins nothing on it. */
  #knowsOurReturn(peer: PeerState): boolean {
    const { storeWorks, nodes, me } = this.#options;
    if (!storeWorks() || !peer.isCurrent) return false;
    if (peer.report?.domainState === 'leader' && !peer.leaving) return false;
    return hasRead(peer, me, nodes.own.administrativeVersion);
  }

  #forgetReturn(): void {
    const { storeWorks, emit } = this.#options;
    if (this.#unreadReturn === null || !storeWorks()) return;
    this.#unreadReturn = null;
    if (!this.stands) emit({ type: 'persist.word' });
  }

  /** In the turn that stores what came of it. The mark of it lasts until the peer has read that it is taken back. */
  #end(): void {
    const { storeWorks, emit } = this.#options;
    if (!this.stands || !storeWorks()) return;
    this.#word = 'none';
    if (this.#unreadReturn === null) emit({ type: 'persist.word' });
  }
}

/** Its report has the record of this node in that version, or a later one. */
function hasRead({ report }: PeerState, node: string, version: number): boolean {
  return (report?.nodes.find(({ name }) => name === node)?.administrativeVersion ?? -1) >= version;
}
