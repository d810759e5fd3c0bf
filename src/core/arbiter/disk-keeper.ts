/**
 * Keeps a domain's record on a shared disk: one sector a node, each writes only its own. There is no compare-and-swap, so
 * safety rests on one order: write own, then read the other's (docs/SAFETY.md, rule 16). Of two nodes that both do so, at
 * least one sees the other; who sees a higher claim, or that the other moved, does not count its renewal or yields.
 *
 * A survivor claims, waits one I/O limit + P + S + m, writes `sole` and reads again: only a peer that never moved in all
 * that time is replaced. Pure; at most one request is under way.
 */
import { assert } from '../kernel/assert.ts';
import { same } from '../kernel/same.ts';
import { Timers } from '../kernel/timers.ts';
import type {
  Answer,
  ArbiterCause,
  ArbiterFact,
  DiskReply,
  DiskRequest,
  KeeperEffect,
  KeeperEvent,
  KeeperOptions,
  TakeGround,
  Wish,
} from './interface.ts';
import { ProofOfDeath } from './proof.ts';
import { Quiet, quietMs } from './quiet.ts';
import { readSector, SECTOR_CHARACTERS_MAX, type Sector, sectorText } from './record.ts';

/** What this node wants of the record; everything else follows from it and from the peer's sector. */
type Intent =
  | { readonly kind: 'leased' }
  /** Claimed: from `since`, when the claim was on the disk, the peer has to stay as it was. */
  | { readonly kind: 'claim'; readonly number: number; readonly since: number | null; readonly claim: Ground }
  /** `sole` is written and counts when the write is answered and the peer has not moved. */
  | { readonly kind: 'sole'; readonly number: number; readonly claim: Ground | null };

type Numbers = Extract<ArbiterFact, { type: 'arbiter.numbers' }>;

interface Ground {
  readonly ground: TakeGround;
  /** Nonce of the peer's sector when it was found out; '' = never written. */
  readonly baseline: string;
  readonly quietSince: number;
}

interface UnderWay {
  readonly request: number;
  readonly sentAt: number;
  readonly written: Sector | null;
  readonly text: string | null;
}

const FRESH_PART = 0.25;

export class DiskKeeper {
  readonly #options: KeeperOptions;
  readonly #emit: (effect: KeeperEffect<DiskRequest>) => void;
  readonly #timers: Timers;
  readonly #quiet: Quiet;
  readonly #proof: ProofOfDeath;
  #wish: Wish = { leads: false, number: 0, groups: [], holds: [] };
  #intent: Intent = { kind: 'leased' };
  /** What is on the disk by our own word; null = not read yet. */
  #own: Sector | null = null;
  #peer: Sector | null = null;
  #known = false;
  /** Sectors were read under this instance. */
  #started = false;
  #sole = false;
  /** A `sole` of ours may be on the disk, or may yet come, without an answer. */
  #number = 0;
  #underWay: UnderWay | null = null;
  #limit: { readonly ticket: number; limited: boolean } | null = null;
  #answeredAskedAt = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #dueAt: number;
  /** This node withholds its renewal: it lets the peer in, and then falls silent here too. */
  #resting = false;
  #wantsProof = '';
  #lost = '';
  #state = 'not asked yet';
  #numbersTold: Numbers | null = null;
  #requests = 0;
  #nonces = 0;
  #tickets = 0;

  constructor(options: KeeperOptions, startedAt: number, emit: (effect: KeeperEffect<DiskRequest>) => void) {
    this.#options = options;
    this.#emit = emit;
    this.#timers = new Timers(emit);
    this.#quiet = new Quiet(startedAt, options.permissionMs, options.stopBoundMs, options.breaks);
    this.#proof = new ProofOfDeath(options.breaks);
    this.#dueAt = startedAt;
  }

  start(now: number): void {
    this.#evaluate(now);
  }

  step(event: KeeperEvent<DiskReply>, now: number): void {
    switch (event.type) {
      case 'answer':
        if (event.request !== this.#underWay?.request) return;
        this.#onAnswer(event.answer, now);
        break;
      case 'wish':
        this.#wish = event.wish;
        break;
      case 'peer':
        if (event.word.lastReceiptAt > this.#quiet.word.lastReceiptAt) this.#proof.sign(now);
        this.#quiet.heard(event.word);
        break;
      case 'proof':
        this.#proof.offer(event.proof);
        break;
      case 'life':
        this.#proof.heard(event.kernelLife, now);
        break;
      case 'limited':
        if (this.#limit?.ticket === event.ticket) this.#limit.limited = true;
        break;
      case 'rest':
        this.#resting = event.resting;
        break;
      case 'timer':
        if (!this.#timers.take(event)) return;
    }
    this.#evaluate(now);
  }

  /** Says again what holds, to a listener that was restarted. */
  retell(): void {
    this.#numbersTold = null;
    this.#tellNumbers();
    if (this.#sole && this.#limit === null) this.#fact({ type: 'arbiter.sole', number: this.#number });
  }

  view(): {
    readonly sole: boolean;
    readonly intent: string;
    readonly own: Sector | null;
    readonly peer: Sector | null;
  } {
    return { sole: this.#sole, intent: this.#intent.kind, own: this.#own, peer: this.#peer };
  }

  // --- answers -------------------------------------------------------------------------------------------------------

  #onAnswer(answer: Answer<DiskReply>, now: number): void {
    const done = this.#underWay;
    assert(done !== null, 'an answer without a request');
    this.#underWay = null;
    if (answer.kind === 'unknown') return this.#trouble(answer.cause, answer.detail);
    const peer = this.#parse(answer.value.peer, this.#options.peer);
    const own = this.#readsAsWritten(answer.value.own, done)
      ? done.written
      : this.#parse(answer.value.own, this.#options.node);
    if (typeof peer === 'string' || typeof own === 'string')
      return this.#trouble('protocol', typeof peer === 'string' ? peer : String(own));
    this.#answeredAskedAt = answer.askedAt;
    this.#known = true;
    this.#peer = peer;
    this.#seePeer(answer.answeredAt);
    this.#tellNumbers(done.written);
    if (done.written === null) this.#begin(own);
    else if (own === null || own.nonce !== done.written.nonce) this.#foreign();
    else this.#onWritten(done.written, done.sentAt, now);
    if (this.#lost === '') this.#tell(null, '');
    else this.#tell('refused', this.#lost);
  }

  #readsAsWritten(text: string, { text: written }: UnderWay): boolean {
    return text === written && text.length <= SECTOR_CHARACTERS_MAX;
  }

  #parse(text: string, node: string): Sector | null | string {
    if (text === '') return null;
    const sector = readSector(text);
    if (!sector.ok) return `the sector of ${node} is not one of this program's: ${sector.reason}`;
    return sector.value.node === node
      ? sector.value
      : `the sector of ${node} is written by ${sector.value.node}`;
  }

  /** What our own sector said before we were started. Our `sole` of the same kernel life is made certain by a write. */
  #begin(own: Sector | null): void {
    this.#started = true;
    this.#own = own;
    this.#number = Math.max(this.#number, own?.number ?? 0);
    const { kernelLife } = this.#options;
    const sole = own?.mode === 'sole' && own.kernelLife === kernelLife && !this.#theirs();
    if (sole) this.#intent = { kind: 'sole', number: own.number, claim: null };
  }

  #foreign(): void {
    this.#loseAll('another process writes the sector of this node');
    this.#started = false;
    this.#intent = { kind: 'leased' };
  }

  #onWritten(written: Sector, sentAt: number, now: number): void {
    this.#own = written;
    this.#number = Math.max(this.#number, written.number);
    const { peer } = this.#options;
    const theirs = this.#theirs();
    if (theirs) {
      this.#intent = { kind: 'leased' };
      return this.#loseAll(`${peer} is the sole holder under number ${this.#peer?.number}`);
    }
    const intent = this.#intent;
    const moved = intent.kind !== 'leased' && intent.claim !== null && this.#moved(intent.claim);
    if (moved && !this.#blind) return this.#yield();
    if (written.mode === 'sole') this.#onSole(written, now);
    else if (intent.kind === 'claim' && intent.since === null && written.claim === intent.number)
      this.#intent = { ...intent, since: now };
    this.#renew(sentAt, now);
  }

  #onSole(written: Sector, now: number): void {
    if (this.#intent.kind !== 'sole' || this.#intent.number !== written.number) return;
    const { claim } = this.#intent;
    this.#sole = true;
    this.#intent = { ...this.#intent, claim: null };
    if (claim === null || !this.#stands(claim, now)) return;
    if (claim.ground === 'death') this.#useProof();
    const { ground, quietSince } = claim;
    this.#fact({ type: 'arbiter.granted', number: written.number, ground, quietSince });
  }

  /** A deliberate fault: whoever claims looks at nothing any more. */
  get #blind(): boolean {
    return this.#options.breaks?.has('disk-yield') === true;
  }

  /** The answer took its time: a sign of life that came meanwhile voids what the claim was made on. */
  #stands({ ground, quietSince }: Ground, now: number): boolean {
    if (this.#blind) return true;
    if (ground === 'word') return this.#quiet.word.leaving;
    return this.#quiet.since === quietSince && (ground === 'time' || this.#proof.at(now) !== null);
  }

  /** The peer moved while we claimed: it lives. */
  #yield(): void {
    this.#intent = { kind: 'leased' };
    this.#dueAt = Number.NEGATIVE_INFINITY;
    if (!this.#sole) return;
    this.#askForLimit();
    this.#sole = false;
  }

  #renew(sentAt: number, now: number): void {
    const claim = this.#peer?.claim ?? 0;
    if (claim > 0 && this.#outranked(claim) && this.#claimLives(now) && !this.#sole) return;
    this.#lost = '';
    this.#renewedAt = sentAt;
    if (this.#sole && this.#limit === null) this.#fact({ type: 'arbiter.sole', number: this.#number });
    else this.#fact({ type: 'arbiter.renewed', askedAt: sentAt });
  }

  #outranked(number: number): boolean {
    const { node, peer } = this.#options;
    const mine = this.#intent.kind === 'claim' ? this.#intent.number : this.#number;
    return number > mine || (number === mine && peer > node);
  }

  /** A claim ages out like a stamp: its sector has not moved for as long as a claim may take. */
  #claimLives(now: number): boolean {
    return now < this.#quiet.movedAt + this.#claimMs();
  }

  #claimMs(): number {
    const { permissionMs, stopBoundMs, limitMs } = this.#options;
    return limitMs + quietMs(permissionMs, stopBoundMs);
  }

  /** The peer is `sole`, and nobody was let in after it. */
  #theirs(): boolean {
    const peer = this.#peer;
    if (peer?.mode !== 'sole' || this.#options.breaks?.has('sole-mode') === true) return false;
    const mine = this.#own?.mode === 'sole' ? this.#own.number : 0;
    return peer.number > mine || (peer.number === mine && peer.node > this.#options.node);
  }

  #moved({ baseline }: Ground): boolean {
    return (this.#peer?.nonce ?? '') !== baseline;
  }

  #loseAll(reason: string): void {
    this.#sole = false;
    this.#limit = null;
    if (reason === this.#lost) return;
    this.#lost = reason;
    this.#fact({ type: 'arbiter.lost', reason });
  }

  #trouble(cause: ArbiterCause, detail: string): void {
    this.#known = false;
    this.#tell(cause, detail);
  }

  #seePeer(seenAt: number): void {
    const peer = this.#peer;
    if (peer === null) {
      this.#quiet.stamped(null, 0, 0, seenAt);
      return;
    }
    const moved = this.#quiet.stamped(peer.nonce, peer.permissionMs, peer.stopBoundMs, seenAt);
    if (moved) this.#proof.moved(peer.kernelLife, seenAt);
    else this.#proof.found(peer.kernelLife);
  }

  // --- what to do next -----------------------------------------------------------------------------------------------

  #evaluate(now: number): void {
    this.#tellWants(now);
    if (this.#underWay === null && !(this.#resting && this.#started && this.#isLeased)) {
      const before = this.#intent;
      if (this.#started && this.#known) this.#intent = this.#nextIntent(now);
      if (this.#intent !== before || now >= this.#dueAt) this.#ask(now);
    }
    this.#arm(now);
  }

  /** What is on the disk lets the peer in: nothing of ours but `leased` is there, or may come. */
  get #isLeased(): boolean {
    return this.#intent.kind === 'leased' && this.#own?.mode !== 'sole' && this.#own?.claim === 0;
  }

  #nextIntent(now: number): Intent {
    const intent = this.#intent;
    if (this.#resting) return intent.kind === 'sole' ? this.#letIn(intent, now) : { kind: 'leased' };
    const ground = this.#ground(now);
    switch (intent.kind) {
      case 'sole':
        return intent.claim === null && this.#peerIsIn(now) ? this.#letIn(intent, now) : this.#stay(intent);
      case 'claim':
        if (!this.#blind && (ground === null || this.#moved(intent.claim))) return { kind: 'leased' };
        if (intent.since === null || now < intent.since + this.#claimMs()) return intent;
        return { kind: 'sole', number: intent.number, claim: intent.claim };
      case 'leased': {
        if (ground === null) return intent;
        const number =
          Math.max(this.#number, this.#peer?.number ?? 0, this.#peer?.claim ?? 0, this.#wish.number) + 1;
        const claim = { ground, baseline: this.#peer?.nonce ?? '', quietSince: this.#quiet.since };
        // Whoever holds renews all the time, so nobody can have claimed against it; a proven death needs no waiting.
        const holds = this.#wish.holds.length > 0 && now < this.#renewedAt + this.#options.permissionMs;
        if (holds || ground !== 'time') return { kind: 'sole', number, claim };
        return { kind: 'claim', number, since: null, claim };
      }
    }
  }

  #stay(intent: Intent): Intent {
    if (this.#limit !== null && this.#sole) {
      this.#limit = null;
      this.#fact({ type: 'arbiter.sole', number: this.#number });
    }
    return intent;
  }

  #ground(now: number): TakeGround | null {
    const { word } = this.#quiet;
    if (word.leaving) return 'word';
    if (word.heard) return null;
    if (this.#proof.at(now) !== null) return 'death';
    if (this.#theirs()) return null;
    return now >= this.#quiet.overAt ? 'time' : null;
  }

  #useProof(): void {
    this.#proof.use();
    this.#quiet.died();
  }

  #peerIsIn(now: number): boolean {
    const { word, moves, movedAt } = this.#quiet;
    if (word.leaving) return false;
    return word.exchanged || (moves && now - movedAt < this.#options.permissionMs);
  }

  /** Permission is made finite first, everywhere, and `leased` goes out right after an answered read. */
  #letIn(intent: Intent, now: number): Intent {
    const fresh = now - this.#answeredAskedAt <= FRESH_PART * this.#options.permissionMs;
    if (this.#options.breaks?.has('leased-from-send') === true && fresh) return { kind: 'leased' };
    if (this.#limit === null && fresh) this.#askForLimit();
    return this.#limit?.limited === true && fresh ? { kind: 'leased' } : intent;
  }

  #askForLimit(): void {
    this.#tickets += 1;
    this.#limit = { ticket: this.#tickets, limited: false };
    this.#fact({ type: 'arbiter.limit', ticket: this.#tickets });
  }

  // --- requests ------------------------------------------------------------------------------------------------------

  #ask(now: number): void {
    const written = this.#started ? this.#sector() : null;
    if (written?.mode === 'leased') {
      this.#sole = false;
      this.#limit = null;
    }
    this.#requests += 1;
    const request = this.#requests;
    const text = written === null ? null : sectorText(written);
    this.#underWay = { request, sentAt: now, written, text };
    this.#dueAt = now + this.#options.intervalMs;
    this.#emit({ type: 'ask', request, limitMs: this.#options.limitMs, body: { write: text } });
  }

  #sector(): Sector {
    const { node, kernelLife, instance, permissionMs, stopBoundMs } = this.#options;
    const intent = this.#intent;
    this.#nonces += 1;
    return {
      node,
      kernelLife,
      nonce: `${instance}.${this.#nonces}`,
      permissionMs,
      stopBoundMs,
      number: intent.kind === 'sole' ? intent.number : this.#number,
      mode: intent.kind === 'sole' ? 'sole' : 'leased',
      claim: intent.kind === 'claim' ? intent.number : 0,
      holds: this.#wish.holds,
    };
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  #arm(now: number): void {
    if (this.#underWay !== null) return this.#timers.clear('next');
    const times = [this.#dueAt, this.#quiet.overAt];
    if (this.#intent.kind === 'claim' && this.#intent.since !== null)
      times.push(this.#intent.since + this.#claimMs());
    const at = Math.min(...times.filter((each) => each > now), now + this.#options.intervalMs);
    if (this.#timers.armed.get('next')?.at !== at) this.#timers.set('next', at);
  }

  #tellNumbers(written: Sector | null = null): void {
    const sectors = [written ?? this.#own, this.#peer].filter((each) => each !== null);
    const number = Math.max(0, ...sectors.map((each) => Math.max(each.number, each.claim)));
    const groups = sectors.flatMap(({ node, holds }) => holds.map((each) => ({ ...each, holder: node })));
    const mode = sectors.some((each) => each.mode === 'sole') ? 'sole' : 'leased';
    const first = sectors.filter((each) => each.mode === mode).sort(outranking)[0];
    const leader = first?.node ?? '';
    const numbers: Numbers = { type: 'arbiter.numbers', number, leader, mode, groups, register: '' };
    if (same(numbers, this.#numbersTold)) return;
    this.#numbersTold = numbers;
    this.#fact(numbers);
  }

  #tellWants(now: number): void {
    const { word } = this.#quiet;
    const quiet = !word.heard && !word.leaving && now >= this.#quiet.overAt;
    const wants =
      quiet && this.#known && this.#theirs()
        ? `the sector of ${this.#options.peer} says sole, under number ${this.#peer?.number}`
        : '';
    if (wants === this.#wantsProof) return;
    this.#wantsProof = wants;
    this.#fact({ type: 'arbiter.wants-proof', wanted: wants !== '', reason: wants });
  }

  #tell(cause: ArbiterCause | null, reason: string): void {
    const key = `${cause}/${reason}`;
    if (key === this.#state) return;
    this.#state = key;
    this.#fact({ type: 'arbiter.state', cause, reason });
  }

  #fact(fact: ArbiterFact): void {
    this.#emit({ type: 'fact', fact });
  }
}

/** The higher one first: (number, node), never equal. */
function outranking(a: Sector, b: Sector): number {
  return a.number !== b.number ? b.number - a.number : a.node < b.node ? 1 : -1;
}
