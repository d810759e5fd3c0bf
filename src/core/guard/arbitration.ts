/**
 * What sm-watchdog knows from its arbiters: whether the record is this node's `sole`, whether the silent peer may be replaced,
 * and a proof of its death. It gives no permission itself: it hands dates to the guard, which keeps the deadline
 * (docs/SAFETY.md, rules 3, 14a, 14b, 15). Pure.
 */
import type { FenceResult } from '../arbiter/fence.ts';
import { FenceAudits } from '../arbiter/fence-audits.ts';
import type {
  ArbiterCause,
  ArbiterFact,
  DeathProof,
  PeerWord,
  TakeGround,
  Wish,
} from '../arbiter/interface.ts';
import type { FromArbiter, ToArbiter } from '../arbiter/messages.ts';
import { ProofOfDeath, UNHEARD } from '../arbiter/proof.ts';
import { quietMs } from '../arbiter/quiet.ts';
import type { RecordMode } from '../arbiter/record.ts';
import type { Regime } from '../arbiter/regime.ts';
import type { GuardFact } from '../engine-interface.ts';
import { same } from '../kernel/same.ts';
import type { LifeId } from '../link/types.ts';
import type { Peer } from './peer.ts';

/** What the record says of our permission. */
export type Ruling =
  /** It runs to this time at least. */
  | { readonly kind: 'until'; readonly at: number }
  | { readonly kind: 'sole' }
  /** Finite from now on: P from here where it was not yet. */
  | { readonly kind: 'limit'; readonly ticket: number }
  | { readonly kind: 'lost'; readonly reason: string };

export interface ArbitrationOptions {
  readonly node: string;
  readonly regime: Regime;
  /** Fence devices have the power of this peer. */
  readonly fences: boolean;
  /** P by which we live. */
  readonly permissionMs: () => number;
  readonly peer: Peer;
  /** The peer is heard both ways. */
  readonly heard: () => boolean;
  /** The last that it said is that it ends, in order: that life of its `sm` begins nothing any more. */
  readonly ended: () => boolean;
  /** Services that were begun, or may be. */
  readonly listed: () => readonly string[];
  readonly ask: (message: ToArbiter) => void;
  readonly tell: (fact: GuardFact) => void;
  readonly rule: (ruling: Ruling, now: number) => void;
  /** A stamp of ours is in the record, and with it what we announce. */
  readonly recorded: () => void;
  readonly breaks?: ReadonlySet<string>;
}

interface Given {
  readonly ticket: number;
  readonly number: number;
  readonly ground: TakeGround;
  readonly reason: string;
}

export class Arbitration {
  readonly #options: ArbitrationOptions;
  readonly #proof: ProofOfDeath;
  #connected = false;
  #sole = false;
  #number = 0;
  #cause: ArbiterCause | null = null;
  #reason = 'sm-arbiter is not connected yet';
  #wantsProof = '';
  #record: Extract<GuardFact, { type: 'guard.record' }> | null = null;
  #given: Given | null = null;
  #tickets = 0;
  #fencing = false;
  /** Told again to an `sm` that has just started: its `sm-arbiter` may be gone by then, and the peer too. */
  readonly #audits = new FenceAudits();
  #resting = false;
  /** The peer was told that it may have everything. */
  #gaveWord = false;
  #wish: Wish | null = null;
  #word: PeerWord | null = null;
  #exchanged = false;
  /** A frame of the peer has come since the start of this process; its last receipt is no mere start. */
  #received = Number.NEGATIVE_INFINITY;
  #lifeTold: LifeId = '';
  /** Of the newest frame; '' = none came yet. */
  #lastLife: LifeId = UNHEARD;

  constructor(options: ArbitrationOptions) {
    this.#options = options;
    this.#proof = new ProofOfDeath(options.breaks);
  }

  get sole(): boolean {
    return this.#sole;
  }

  /** Ticket of the grant that stands; 0 = none does. */
  get ticket(): number {
    return this.#given?.ticket ?? 0;
  }

  get reason(): string {
    return this.#connected ? this.#reason : 'sm-arbiter is not there';
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** What waits for what, while the peer is silent. */
  get silenceReason(): string {
    if (this.#given !== null) return this.#given.reason;
    if (this.#sole) return 'the record is the sole of this node';
    if (this.#options.regime === 'fence')
      return 'waits for a proof of its death: a fencing, or smctl confirm-dead';
    if (!this.#connected || this.#cause !== null) return `the record has to say so: ${this.reason}`;
    if (this.#wantsProof !== '') return `waits for a proof of its death: ${this.#wantsProof}`;
    return 'waits for the record to say so';
  }

  /** A watchdog before this one knew that the record is ours; only this node itself lets anybody else in. */
  takeSole(): void {
    this.#sole = true;
  }

  // --- what comes in -------------------------------------------------------------------------------------------------

  connected(): void {
    this.#connected = true;
    this.#fencing = false;
    this.#cause = null;
    this.#reason = 'it has not said anything yet';
    this.#word = null;
    this.#lifeTold = '';
    const { ask } = this.#options;
    if (this.#wish !== null) ask({ type: 'wish', wish: this.#wish });
    this.tellWord();
    if (this.#resting) ask({ type: 'rest', resting: true });
    ask({ type: 'retell' });
    this.tellState();
  }

  /** What it has said holds on: the record is what it was. A question to it has no answer any more. */
  gone(reason: string): void {
    this.#connected = false;
    this.#reason = reason;
    this.#wantsProof = '';
    if (this.#fencing) this.#refuse('fence-peer', `sm-arbiter ended meanwhile: ${reason}`);
    this.#fencing = false;
    this.tellState();
  }

  told(message: Exclude<FromArbiter, { type: 'gateway' | 'hosts' }>, now: number): void {
    if (!this.#connected) return;
    switch (message.type) {
      case 'fact':
        return this.#onFact(message.fact, now);
      case 'fenced':
        return this.#onFenced(message.result, message.proof, now);
      case 'readiness':
        this.#audits.note(message.readiness);
        return this.#options.tell({ type: 'guard.readiness', readiness: message.readiness });
    }
  }

  wish(wish: Wish): void {
    this.#wish = wish;
    this.#ask({ type: 'wish', wish });
  }

  limited(ticket: number): void {
    this.#ask({ type: 'limited', ticket });
  }

  rest(resting: boolean): void {
    if (resting === this.#resting) return;
    this.#resting = resting;
    this.#gaveWord ||= resting;
    this.#ask({ type: 'rest', resting });
  }

  /** An authentic frame of a life that is not known to have ended. True if a grant was void by it. */
  alive(kernelLife: LifeId, now: number): boolean {
    this.#received = now;
    this.#lastLife = kernelLife;
    this.#proof.heard(kernelLife, now);
    if (kernelLife !== this.#lifeTold || !this.#options.heard()) {
      this.#lifeTold = kernelLife;
      this.#ask({ type: 'life', kernelLife });
    }
    if (this.#options.breaks?.has('quiet-since') === true) return false;
    const stood = this.#given !== null;
    this.#given = null;
    return stood;
  }

  set exchanged(exchanged: boolean) {
    this.#exchanged = exchanged;
  }

  /** The peer as it is heard, if that has changed. */
  tellWord(): void {
    if (!this.#connected) return;
    const { peer, heard } = this.#options;
    const word = {
      heard: heard(),
      exchanged: heard() && this.#exchanged,
      leaving: peer.header?.leaving === true,
      lastReceiptAt: this.#received,
      permissionMs: peer.permissionMs,
      stopBoundMs: peer.stopBoundMs,
    };
    if (same(word, this.#word)) return;
    this.#word = word;
    this.#ask({ type: 'peer', word, productUuid: peer.productUuid ?? '' });
  }

  // --- the record ----------------------------------------------------------------------------------------------------

  #onFact(fact: ArbiterFact, now: number): void {
    const { rule } = this.#options;
    switch (fact.type) {
      case 'arbiter.renewed':
        this.#setSole(false);
        this.#options.recorded();
        return rule({ kind: 'until', at: fact.askedAt + this.#options.permissionMs() }, now);
      case 'arbiter.sole':
        this.#number = fact.number;
        this.#setSole(true);
        rule({ kind: 'sole' }, now);
        return this.consider(now);
      case 'arbiter.limit':
        this.#setSole(false);
        this.#withdraw();
        return rule({ kind: 'limit', ticket: fact.ticket }, now);
      case 'arbiter.lost':
        this.#setSole(false);
        this.#withdraw();
        return rule({ kind: 'lost', reason: fact.reason }, now);
      case 'arbiter.granted':
        return this.#onGranted(fact, now);
      case 'arbiter.numbers':
        this.#record = { ...fact, type: 'guard.record' };
        this.#options.tell(this.#record);
        return this.#doubt(fact.leader, fact.mode, now);
      case 'arbiter.wants-proof':
        this.#wantsProof = fact.wanted ? fact.reason : '';
        return this.tellState();
      case 'arbiter.state':
        this.#cause = fact.cause;
        this.#reason = fact.reason;
        return this.tellState();
    }
  }

  /** What an earlier watchdog knew may be over: a record that does not say so gives nothing without an end. */
  #doubt(leader: string, mode: RecordMode, now: number): void {
    const { node, permissionMs, rule } = this.#options;
    if (!this.#sole || (leader === node && mode === 'sole')) return;
    this.#setSole(false);
    rule({ kind: 'until', at: now + permissionMs() }, now);
  }

  #setSole(sole: boolean): void {
    if (sole === this.#sole) return;
    this.#sole = sole;
    if (!sole) this.#withdraw();
    this.tellState();
  }

  /** A frame that came while the answer was on its way voids it: only the receiver of both knows (rule 14b). */
  #onGranted(
    { number, ground, quietSince }: Extract<ArbiterFact, { type: 'arbiter.granted' }>,
    now: number,
  ): void {
    const { peer, heard, breaks } = this.#options;
    if (ground === 'word') return;
    const broken = heard() || this.#received > quietSince;
    if (broken && breaks?.has('quiet-since') !== true) return;
    const silentMs = Math.round(now - peer.lastReceiptAt);
    const reason =
      ground === 'death'
        ? 'its death is proven, and the record is ours'
        : `the record is ours, and the peer was quiet for ${silentMs} ms`;
    this.#give(number, ground, reason);
  }

  /** The peer is silent. What lets this node in without anything that happens? */
  consider(now: number): void {
    const { regime, heard } = this.#options;
    if (this.#given !== null || heard() || this.#resting) return;
    if (regime === 'record') this.#considerTime(now);
    else if (regime === 'stay' || regime === 'fence') this.#considerWord();
  }

  /**
   * This node is back from its word, and the peer, which was let in by it, has ended in order since. It may not have read that the
   * word is taken back, but nobody there acts on a word any more: that `sm` has ended, the next one in the same life of its
   * sm-watchdog knows that it said so, and leads nothing before it is heard here; another life hears nothing before that.
   */
  #considerWord(): void {
    if (!this.#gaveWord || !this.#options.ended()) return;
    this.#give(0, 'word', 'the last that it said is that it ends, with nothing active');
  }

  /**
   * The record is our `sole`, so whatever the peer may still do it does on our echoes: P + S + m after the last frame of it
   * nothing of that is left. So a grant that was lost with a process, or void by a late frame, comes again.
   */
  #considerTime(now: number): void {
    const { peer } = this.#options;
    if (!this.#sole) return;
    const wholeMs = quietMs(peer.permissionMs, peer.stopBoundMs);
    if (now < peer.lastReceiptAt + wholeMs + peer.stallCreditMs) return;
    this.#give(
      this.#number,
      'time',
      `the record is the sole of this node, and the peer silent for ${Math.round(wholeMs)} ms`,
    );
  }

  /**
   * `sm` has taken back its word that the peer may have everything. Whoever is dead, or has ended, acts on no word, and who
   * lives since would have voided the grant before it heard this node: so that holds on, for what `sm` has given up
   * meanwhile too.
   */
  giveAgain(): void {
    if (this.#given === null || this.#given.ground === 'time') return;
    this.#tellGiven(this.#given);
  }

  #give(number: number, ground: TakeGround, reason: string): void {
    if (ground === 'death') this.#ask({ type: 'replaced' });
    this.#tellGiven({ number, ground, reason });
  }

  /** The record is ours no more: whoever has it next may let the peer in, so what it let this node do is over, used or not. */
  #withdraw(): void {
    if (this.#given === null || this.#options.breaks?.has('quiet-since') === true) return;
    this.#given = null;
    this.#options.tell({ type: 'guard.withdrawn', listed: this.#options.listed() });
  }

  /** Under a ticket of its own: what refers to an earlier one does not count any more. */
  #tellGiven(given: Omit<Given, 'ticket'>): void {
    this.#tickets += 1;
    this.#given = { ...given, ticket: this.#tickets };
    this.#options.tell({ type: 'guard.granted', ...this.#given });
  }

  // --- proof of death ------------------------------------------------------------------------------------------------

  /** `silent`: nothing was heard of it for the dead interval, not even in one direction. */
  fence(
    {
      window,
      kernelLife: heardBefore,
      tied,
    }: Pick<Extract<ToArbiter, { type: 'fence' }>, 'window' | 'kernelLife' | 'tied'>,
    silent: boolean,
  ): void {
    const { regime, fences, peer } = this.#options;
    const kernelLife = peer.kernelLife ?? heardBefore;
    const obstacle = !fences
      ? 'no fence device has its power'
      : kernelLife === ''
        ? 'it was not heard since this node started: it may be this node that is cut off'
        : !silent
          ? 'it is heard'
          : !this.#connected
            ? 'sm-arbiter is not there'
            : regime === 'record' && this.#wantsProof === ''
              ? 'the record lets nobody in by force: it answers, or it is waited for'
              : '';
    if (obstacle !== '') return this.#refuse('fence-peer', obstacle);
    if (this.#fencing) return;
    this.#fencing = true;
    // Of a life that was heard in one direction alone, too.
    this.#ask({ type: 'fence', kernelLife: this.#lastLife || kernelLife, window, tied });
  }

  #onFenced(result: FenceResult, proof: DeathProof | null, now: number): void {
    this.#fencing = false;
    this.#options.tell({ type: 'guard.fenced', result });
    // Where a record is kept, sm-arbiter has given the proof to it, and the record decides.
    if (proof === null) {
      if (result.provenAt !== null) this.#refuse('fence-peer', 'it was heard while it was fenced');
    } else if (this.#options.regime !== 'record') this.#useProof(proof, now);
  }

  confirm(by: string, silent: boolean, now: number): void {
    const { regime } = this.#options;
    if (!silent) return this.#refuse('confirm-dead', 'it is heard');
    const proof = { kernelLife: this.#lastLife, by, at: now };
    if (regime !== 'record') return this.#useProof(proof, now);
    if (!this.#connected)
      return this.#refuse('confirm-dead', 'the record has to say so, and sm-arbiter is not there');
    this.#ask({ type: 'proof', proof });
  }

  #useProof(proof: DeathProof, now: number): void {
    const voided = this.#received >= proof.at && this.#options.breaks?.has('quiet-since') !== true;
    if (voided || !this.#proof.offer(proof) || this.#proof.at(now) === null) {
      return this.#refuse(
        'confirm-dead',
        'the proof is about an earlier life of the peer: it has been heard since',
      );
    }
    this.#proof.use();
    this.#give(0, 'death', `its death is proven: ${proof.by}`);
  }

  #refuse(what: 'fence-peer' | 'confirm-dead', reason: string): void {
    this.#options.tell({ type: 'guard.refused', what, reason });
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  tellState(): void {
    const { regime, tell, fences } = this.#options;
    if (regime !== 'record' && !fences) return;
    const [connected, cause, sole] = [this.#connected, this.#cause, this.#sole];
    tell({
      type: 'guard.arbiter',
      connected,
      cause,
      reason: this.#reason,
      sole,
      wantsProof: this.#wantsProof,
    });
  }

  /** To an `sm` that has just connected. */
  tellAll(): void {
    // The audits first: what can not be used is refused, and then not asked for again at once.
    for (const readiness of this.#audits.all) this.#options.tell({ type: 'guard.readiness', readiness });
    this.tellState();
    if (this.#record !== null) this.#options.tell(this.#record);
    if (this.#given !== null) this.#options.tell({ type: 'guard.granted', ...this.#given });
  }

  #ask(message: ToArbiter): void {
    if (this.#connected) this.#options.ask(message);
  }
}
