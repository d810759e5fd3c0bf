/**
 * Keeps a domain's record in a linearizable register (etcd): stamps, so that the other node sees that this one lives;
 * renews the permission of what it holds; goes `sole` when the peer is out, and back to `leased` before the peer is let
 * in again. Pure: requests are effects, answers are events, at most one request is under way.
 *
 * What makes it safe (docs/SAFETY.md, rules 3, 14 and 15): a stamp and the record it is counted under are read in one
 * transaction; a claim compares the record and both stamps, so that no renewal fits in between; an answer proves
 * something as of the moment it was asked for; a write without an answer may be done at any later time, and only a later
 * write of ours that succeeds rules that out.
 */
import { assert } from '../kernel/assert.ts';
import { same } from '../kernel/same.ts';
import { Timers } from '../kernel/timers.ts';
import {
  type Answer,
  type ArbiterCause,
  type ArbiterFact,
  type Expectation,
  type KeeperEffect,
  type KeeperEvent,
  type KeeperOptions,
  RECORD_KEY,
  type RegisterReply,
  type RegisterRequest,
  type Seen,
  stampKey,
  type TakeGround,
  type Wish,
} from './interface.ts';
import { ProofOfDeath } from './proof.ts';
import { Quiet } from './quiet.ts';
import {
  type DomainRecord,
  type Read,
  readRecord,
  readStamp,
  recordText,
  remembering,
  type Stamp,
  stampText,
} from './record.ts';
import { contradiction, covers, groupsFor, sameGroups } from './recorded-groups.ts';

export interface RegisterKeeperOptions extends KeeperOptions {
  /** Register that this node saw its record in before; '' = never. An empty one is then a lost one. */
  readonly knownRegister: string;
}

type Numbers = Extract<ArbiterFact, { type: 'arbiter.numbers' }>;

type Purpose =
  | 'read'
  /** Our stamp alone: the renewal. */
  | 'stamp'
  /** Record and stamp. */
  | 'sole'
  | 'leased'
  | 'update';

interface UnderWay {
  readonly request: number;
  readonly purpose: Purpose;
  readonly sentAt: number;
  readonly record: DomainRecord | null;
  readonly ground: TakeGround | null;
  readonly quietSince: number;
}

interface Parsed<T> {
  readonly seen: Seen;
  readonly value: T;
}

interface View {
  readonly askedAt: number;
  readonly register: string;
  readonly record: Parsed<DomainRecord> | null;
  readonly own: Parsed<Stamp> | null;
  readonly peer: Parsed<Stamp> | null;
}

/** The part of P after which an answered read is too old to let the peer in on. */
const FRESH_PART = 0.25;

export class RegisterKeeper {
  readonly #options: RegisterKeeperOptions;
  readonly #emit: (effect: KeeperEffect<RegisterRequest>) => void;
  readonly #timers: Timers;
  readonly #quiet: Quiet;
  readonly #proof: ProofOfDeath;
  #wish: Wish = { leads: false, number: 0, groups: [], holds: [] };
  #view: View | null = null;
  #underWay: UnderWay | null = null;
  /** The answer before told nothing, or a compare was lost: read before anything else. */
  #reread = true;
  /** A write of the record had no answer: it may be done at any later time. */
  #unsettled = false;
  /** The record is our `sole`, by a write of ours that succeeded. */
  #sole = false;
  /** Permission is being made finite (ticket), or is (`limited`), before `leased` is written. */
  #limit: { readonly ticket: number; limited: boolean } | null = null;
  /** Our stamp was written under this instance. */
  #stamped = false;
  #stampDueAt: number;
  #retryAt = Number.NEGATIVE_INFINITY;
  /** This node withholds its renewal: it lets the peer in, and then falls silent here too. */
  #resting = false;
  #wantsProof = '';
  #lost = '';
  #state = 'not asked yet';
  #numbersTold: Numbers | null = null;
  readonly #readRecord = remembering(readRecord);
  #requests = 0;
  #nonces = 0;
  #tickets = 0;

  constructor(
    options: RegisterKeeperOptions,
    startedAt: number,
    emit: (effect: KeeperEffect<RegisterRequest>) => void,
  ) {
    this.#options = options;
    this.#emit = emit;
    this.#timers = new Timers(emit);
    this.#quiet = new Quiet(startedAt, options.permissionMs, options.stopBoundMs, options.breaks);
    this.#proof = new ProofOfDeath(options.breaks);
    this.#stampDueAt = startedAt;
  }

  start(now: number): void {
    this.#evaluate(now);
  }

  step(event: KeeperEvent<RegisterReply>, now: number): void {
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

  /** Says again what holds, to a listener that was restarted. A renewal is not said again: it only grows old. */
  retell(): void {
    this.#numbersTold = null;
    this.#tellNumbers();
    if (this.#sole && this.#limit === null)
      this.#fact({ type: 'arbiter.sole', number: this.#record?.number ?? 0 });
  }

  view(): {
    readonly sole: boolean;
    readonly unsettled: boolean;
    readonly record: DomainRecord | null;
    readonly state: string;
  } {
    return { sole: this.#sole, unsettled: this.#unsettled, record: this.#record, state: this.#state };
  }

  get #record(): DomainRecord | null {
    return this.#view?.record?.value ?? null;
  }

  // --- answers -------------------------------------------------------------------------------------------------------

  #onAnswer(answer: Answer<RegisterReply>, now: number): void {
    const done = this.#underWay;
    assert(done !== null, 'an answer without a request');
    this.#underWay = null;
    if (answer.kind === 'unknown') {
      if (done.record !== null) this.#unsettled = true;
      this.#trouble(answer.cause, answer.detail, done);
      return;
    }
    const view = this.#read(answer.value, answer.askedAt);
    if (!view.ok) {
      if (done.record !== null && !answer.value.committed) this.#unsettled = true;
      this.#trouble('protocol', `${view.reason}: it was not written by this program`, done);
      return;
    }
    this.#view = view.value;
    this.#reread = false;
    this.#seeOwn();
    this.#seePeer(answer.answeredAt);
    // First what it says, then what follows from it: whoever acts on it must know who leads.
    this.#tellNumbers();
    if (answer.value.committed && done.purpose !== 'read') this.#onWritten(done, now);
    this.#judge(now);
    if (answer.value.committed && done.purpose !== 'read') this.#renew(done);
    this.#tellState();
  }

  #onWritten({ purpose, record, ground, quietSince }: UnderWay, now: number): void {
    this.#stamped = true;
    if (record === null) return;
    this.#unsettled = false;
    this.#sole = record.mode === 'sole';
    this.#limit = null;
    if (purpose !== 'sole' || ground === null || !this.#stands(ground, quietSince, now)) return;
    if (ground === 'death') this.#useProof();
    this.#fact({ type: 'arbiter.granted', number: record.number, ground, quietSince });
  }

  /** The answer took its time: a sign of life that came meanwhile voids what the claim was made on. */
  #stands(ground: TakeGround, quietSince: number, now: number): boolean {
    if (ground === 'word') return this.#quiet.word.leaving;
    return this.#quiet.since === quietSince && (ground === 'time' || this.#proof.at(now) !== null);
  }

  /** The answer says what holds now: whether anything in it takes our right away. */
  #judge(now: number): void {
    const { node, instance } = this.#options;
    const record = this.#record;
    const own = this.#view?.own?.value;
    const ours = own?.nonce.startsWith(`${instance}.`) === true;
    let reason = record === null ? '' : contradiction(record, node, this.#wish.holds);
    if (this.#stamped && !ours && own !== undefined)
      reason = 'another process stamps under the name of this node';
    const newer = record !== null && record.number >= this.#numberSeen;
    if (this.#sole && newer && record.leader !== node)
      reason ||= `the record is ${record.leader}'s under number ${record.number}`;
    if (this.#sole && newer && record.leader === node && record.mode === 'leased') this.#finite();
    if (reason === '') return;
    if (this.#stamped && !ours) this.#retryAt = now + this.#options.intervalMs;
    this.#sole = false;
    this.#limit = null;
    if (reason === this.#lost) return;
    this.#lost = reason;
    this.#fact({ type: 'arbiter.lost', reason });
  }

  /** Our write succeeded and what was read with it names us: permission lasts P from when it was asked for. */
  #renew({ sentAt }: UnderWay): void {
    const record = this.#record;
    const { node } = this.#options;
    if (record === null || (record.mode === 'sole' && record.leader !== node)) return;
    if (!covers(record, node, this.#wish.holds)) return;
    this.#lost = '';
    if (this.#sole && this.#limit === null) this.#fact({ type: 'arbiter.sole', number: record.number });
    else this.#fact({ type: 'arbiter.renewed', askedAt: sentAt });
  }

  #trouble(cause: ArbiterCause, detail: string, { sentAt }: UnderWay): void {
    this.#reread = true;
    // After a time-out the interval is over already: what is left of P is for further tries.
    this.#retryAt = sentAt + this.#options.intervalMs;
    this.#tell(cause, detail);
  }

  #read(reply: RegisterReply, askedAt: number): Read<View> {
    const { node, peer } = this.#options;
    const record = parse(reply, RECORD_KEY, this.#readRecord);
    const own = parse(reply, stampKey(node), readStamp);
    const other = parse(reply, stampKey(peer), readStamp);
    for (const each of [record, own, other]) if (!each.ok) return each;
    assert(record.ok && own.ok && other.ok, 'looked at above');
    const { register } = reply;
    return {
      ok: true,
      value: { askedAt, register, record: record.value, own: own.value, peer: other.value },
    };
  }

  /** A restored register may have its old identity, but not the last stamp that it acknowledged. */
  #wentBack = false;
  #acknowledged = 0;
  #seeOwn(): void {
    const { instance } = this.#options;
    const [prefix, count] = splitNonce(this.#view?.own?.value.nonce ?? '');
    const gone =
      this.#acknowledged > 0 && (prefix === '' || (prefix === instance && count < this.#acknowledged));
    if (gone) this.#wentBack = true;
    else if (this.#quiet.word.exchanged) this.#wentBack = false;
    if (prefix === instance) this.#acknowledged = count;
    else if (gone) this.#acknowledged = 0;
  }

  #seePeer(seenAt: number): void {
    const stamp = this.#view?.peer?.value;
    if (stamp === undefined) {
      this.#quiet.stamped(null, 0, 0, seenAt);
      return;
    }
    const moved = this.#quiet.stamped(stamp.nonce, stamp.permissionMs, stamp.stopBoundMs, seenAt);
    if (moved) this.#proof.moved(stamp.kernelLife, seenAt);
    else this.#proof.found(stamp.kernelLife);
  }

  // --- what to do next -----------------------------------------------------------------------------------------------

  #evaluate(now: number): void {
    this.#tellWants(now);
    if (this.#underWay === null) {
      const purpose = this.#next(now);
      if (purpose !== null) this.#ask(purpose, now);
    }
    this.#arm(now);
  }

  #next(now: number): Purpose | null {
    if (now < this.#retryAt) return null;
    if (this.#view === null || this.#reread) return 'read';
    if (this.#resting) return this.#rest(now);
    const own = this.#view.own?.value;
    // A stranger under our name: look on, and take the stamp again only when nobody moves it.
    if (this.#stamped && own?.nonce.startsWith(`${this.#options.instance}.`) === false)
      return this.#foreign(own, now);
    if (!this.#stamped && !this.#resumes()) return 'stamp';
    const write = this.#write(now);
    if (write !== null) return write;
    return now >= this.#stampDueAt ? 'stamp' : null;
  }

  /** Our `sole`, or what may come of a write of it, would keep the peer out for ever. */
  #rest(now: number): Purpose | null {
    const record = this.#record;
    const mine = record?.leader === this.#options.node;
    return mine && (record?.mode === 'sole' || this.#unsettled) ? this.#letIn(now) : null;
  }

  #foreignNonce = '';
  #foreignSince = 0;
  #foreign(own: Stamp, now: number): Purpose {
    if (own.nonce !== this.#foreignNonce) {
      this.#foreignNonce = own.nonce;
      this.#foreignSince = now;
    }
    if (now - this.#foreignSince < 2 * own.permissionMs) return 'read';
    this.#stamped = false;
    return 'stamp';
  }

  /** Restarted in the same kernel life with the record still our `sole`: a write of ours makes it certain. */
  #resumes(): boolean {
    const { node, kernelLife } = this.#options;
    const record = this.#record;
    return (
      record?.leader === node && record.mode === 'sole' && this.#view?.own?.value.kernelLife === kernelLife
    );
  }

  #write(now: number): Purpose | null {
    const record = this.#record;
    const mine = record?.leader === this.#options.node;
    const soleWritten = mine && record?.mode === 'sole' && this.#sole && !this.#unsettled;
    // What is certain, and is not there any more or not certain enough, is written again.
    const again = record === null ? this.#sole : !this.#stamped && this.#resumes();
    if (!soleWritten && (again || this.#ground(now) !== null)) return 'sole';
    if (mine && this.#peerIsIn(now) && (record?.mode === 'sole' || this.#unsettled)) return this.#letIn(now);
    this.#endLimit();
    return this.#mayUpdate() && this.#differs() ? 'update' : null;
  }

  /** What lets us replace the peer now; null = nothing does. */
  #ground(now: number): TakeGround | null {
    const { word } = this.#quiet;
    if (word.leaving) return 'word';
    if (word.heard) return null;
    if (this.#proof.at(now) !== null) return 'death';
    if (this.#timeForbidden() !== '') return null;
    return now >= this.#quiet.overAt ? 'time' : null;
  }

  /** Why time alone lets nobody in here; '' = it does. */
  #timeForbidden(): string {
    const record = this.#record;
    const { peer, breaks } = this.#options;
    const theirs = record?.mode === 'sole' && record.leader === peer;
    if (theirs && breaks?.has('sole-mode') !== true)
      return `the record is the sole of ${peer}, under number ${record.number}`;
    return this.#setBack() && !this.#sole ? SET_BACK : '';
  }

  /** A restored or emptied register has forgotten who was let in: time proves nothing there until the pair has met. */
  #setBack(): boolean {
    const { knownRegister } = this.#options;
    const record = this.#record;
    if (this.#wentBack) return true;
    if (record === null) return knownRegister !== '';
    return record.register !== this.#view?.register || record.number < this.#highest;
  }

  #useProof(): void {
    this.#proof.use();
    this.#quiet.died();
  }

  #peerIsIn(now: number): boolean {
    const { word, movedAt } = this.#quiet;
    if (word.leaving) return false;
    return word.exchanged || (this.#quiet.moves && now - movedAt < this.#options.permissionMs);
  }

  /**
   * `leased` lets the peer count our time again. Permission is made finite first, everywhere, and the write goes out
   * right after an answered read: an arbiter that has just gone away must not cost the holder its permission.
   */
  #letIn(now: number): Purpose | null {
    const fresh = now - (this.#view?.askedAt ?? 0) <= FRESH_PART * this.#options.permissionMs;
    // A stamp reads the record too, and keeps permission alive meanwhile.
    if (!fresh) return 'stamp';
    if (this.#options.breaks?.has('leased-from-send') === true) return 'leased';
    if (this.#limit === null) this.#askForLimit();
    return this.#limit?.limited === true ? 'leased' : null;
  }

  #askForLimit(): void {
    this.#tickets += 1;
    this.#limit = { ticket: this.#tickets, limited: false };
    this.#fact({ type: 'arbiter.limit', ticket: this.#tickets });
  }

  /** Another process of this node let the peer in. */
  #finite(): void {
    this.#sole = false;
    this.#askForLimit();
  }

  /** The peer is out again before it was let in. */
  #endLimit(): void {
    if (this.#limit === null) return;
    this.#limit = null;
    if (this.#sole && !this.#unsettled)
      this.#fact({ type: 'arbiter.sole', number: this.#record?.number ?? 0 });
  }

  /** The leader writes what it leads; who takes the lead over does so from a record that lets it. */
  #mayUpdate(): boolean {
    const record = this.#record;
    const { leads, number } = this.#wish;
    if (!leads) return false;
    if (!this.#quiet.word.exchanged) return record?.leader === this.#options.node && !this.#setBack();
    if (record?.leader === this.#options.node) return true;
    return record === null || (record.mode === 'leased' && number > record.number);
  }

  #differs(): boolean {
    const record = this.#record;
    const next = this.#nextRecord('update');
    if (record === null || this.#unsettled) return true;
    if (record.leader !== next.leader || record.number < next.number || record.register !== next.register)
      return true;
    return !sameGroups(record.groups, next.groups);
  }

  // --- requests ------------------------------------------------------------------------------------------------------

  #ask(purpose: Purpose, now: number): void {
    const { node, limitMs } = this.#options;
    const ground = purpose === 'sole' ? this.#ground(now) : null;
    const writesRecord = purpose !== 'read' && purpose !== 'stamp';
    const record = writesRecord ? { ...this.#nextRecord(purpose), nonce: this.#nonce() } : null;
    if (record?.mode === 'leased') this.#sole = false;
    this.#requests += 1;
    const request = this.#requests;
    this.#underWay = { request, purpose, sentAt: now, record, ground, quietSince: this.#quiet.since };
    const put = record === null ? [] : [{ key: RECORD_KEY, text: recordText(record) }];
    if (purpose !== 'read') {
      put.push({ key: stampKey(node), text: this.#stampText() });
      this.#stampDueAt = now + this.#options.intervalMs;
    }
    this.#emit({ type: 'ask', request, limitMs, body: { expect: this.#expectations(purpose), put } });
  }

  #expectations(purpose: Purpose): Expectation[] {
    if (purpose === 'read') return [];
    const { node, peer } = this.#options;
    const own = { key: stampKey(node), seen: this.#view?.own?.seen ?? null };
    if (purpose === 'stamp') return [own];
    const record = { key: RECORD_KEY, seen: this.#view?.record?.seen ?? null };
    if (purpose !== 'sole') return [record, own];
    return [record, own, { key: stampKey(peer), seen: this.#view?.peer?.seen ?? null }];
  }

  #nextRecord(purpose: 'sole' | 'leased' | 'update'): Omit<DomainRecord, 'nonce'> {
    const { node } = this.#options;
    const old = this.#record;
    const mine = old?.leader === node;
    const number = Math.max(this.#wish.number, this.#highest);
    const mode = purpose === 'update' ? (mine && old !== null ? old.mode : 'leased') : purpose;
    const mayMove = purpose === 'sole' || this.#sole || this.#quiet.word.exchanged;
    return {
      // Who takes a record over takes a number that nobody has shown yet.
      number: purpose === 'sole' && !(mine && this.#sole) ? number + 1 : number,
      leader: node,
      mode,
      groups: groupsFor(old?.groups ?? [], this.#wish, node, mayMove),
      register: this.#view?.register ?? '',
    };
  }

  get #highest(): number {
    return Math.max(this.#record?.number ?? 0, this.#numberSeen);
  }
  #numberSeen = 0;

  #stampText(): string {
    const { kernelLife, permissionMs, stopBoundMs } = this.#options;
    return stampText({ kernelLife, nonce: this.#nonce(), permissionMs, stopBoundMs });
  }

  #nonce(): string {
    this.#nonces += 1;
    return `${this.#options.instance}.${this.#nonces}`;
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  #arm(now: number): void {
    if (this.#underWay !== null) return this.#timers.clear('next');
    if (this.#resting && !this.#reread && this.#rest(now) === null) return this.#timers.clear('next');
    const due = Math.min(
      this.#stampDueAt,
      this.#quiet.overAt > now ? this.#quiet.overAt : Number.POSITIVE_INFINITY,
    );
    const at = Math.max(this.#retryAt, this.#reread ? now : due);
    if (this.#timers.armed.get('next')?.at !== at) this.#timers.set('next', at);
  }

  #tellNumbers(): void {
    const record = this.#record;
    if (record === null) return;
    this.#numberSeen = Math.max(this.#numberSeen, record.number);
    const { number, leader, mode, groups, register } = record;
    const numbers: Numbers = { type: 'arbiter.numbers', number, leader, mode, groups, register };
    if (same(numbers, this.#numbersTold)) return;
    this.#numbersTold = numbers;
    this.#fact(numbers);
  }

  #tellWants(now: number): void {
    const { word } = this.#quiet;
    const quiet = !word.heard && !word.leaving && now >= this.#quiet.overAt;
    const wants = quiet && this.#view !== null && !this.#reread && !this.#sole ? this.#timeForbidden() : '';
    if (wants === this.#wantsProof) return;
    this.#wantsProof = wants;
    this.#fact({ type: 'arbiter.wants-proof', wanted: wants !== '', reason: wants });
  }

  #tellState(): void {
    if (this.#lost !== '') this.#tell('refused', this.#lost);
    else if (this.#setBack()) this.#tell('lying', SET_BACK);
    else this.#tell(null, '');
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

const SET_BACK =
  'the register was restored, emptied or replaced: it is relied on again when the pair has met';

function splitNonce(nonce: string): readonly [instance: string, count: number] {
  const dot = nonce.lastIndexOf('.');
  return dot < 0 ? ['', 0] : [nonce.slice(0, dot), Number(nonce.slice(dot + 1))];
}

function parse<T>(
  reply: RegisterReply,
  key: string,
  reader: (text: string) => Read<T>,
): Read<Parsed<T> | null> {
  const seen = reply.entries.get(key);
  if (seen === undefined) return { ok: true, value: null };
  const parsed = reader(seen.text);
  return parsed.ok
    ? { ok: true, value: { seen, value: parsed.value } }
    : { ok: false, reason: `${key}: ${parsed.reason}` };
}
