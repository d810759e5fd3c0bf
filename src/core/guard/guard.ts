/**
 * The pure core of sm-watchdog: it sends and judges heartbeats, keeps the permission deadline and the kill list, restarts
 * `sm`, and has the last word on stopping (docs/SAFETY.md, rules 2, 10, 14d). Idle it does one step a hello and a frame.
 */

import type { FromArbiter } from '../arbiter/messages.ts';
import { isTimed, type Regime } from '../arbiter/regime.ts';
import type { GuardFact } from '../engine-interface.ts';
import type { InterfaceRole } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import { Timers } from '../kernel/timers.ts';
import { NO_LIFE } from '../link/frame.ts';
import { ReportAssembler } from '../link/parts.ts';
import { decodeReport } from '../link/report.ts';
import type { Frame, FrameHeader, Report } from '../link/types.ts';
import { saysItEnds } from '../link/types.ts';
import { Arbitration, type Ruling } from './arbitration.ts';
import { ForcedStop } from './forced-stop.ts';
import type {
  GuardEffect,
  GuardEvent,
  GuardOptions,
  GuardView,
  KillEntry,
  PermissionProof,
  Remains,
} from './interface.ts';
import { ManagerWatch } from './manager-watch.ts';
import { OwnLinks } from './own-links.ts';
import { type LinkEnd, Peer } from './peer.ts';
import { permissionAfterSendMs } from './permission-time.ts';
import { type OwnTimes, ownTimes, shorterOf } from './times.ts';
import { Voice } from './voice.ts';

export class Guard {
  readonly #options: GuardOptions;
  readonly #emit: (effect: GuardEffect) => void;
  readonly #timers: Timers;
  readonly #links: OwnLinks;
  readonly #peer: Peer;
  readonly #assembler = new ReportAssembler();
  readonly #manager: ManagerWatch;
  readonly #voice: Voice;
  readonly #stop: ForcedStop;
  readonly #regime: Regime;
  readonly #arbitration: Arbitration;
  /** What permission and stop are counted with: shorter than our definitions where the peer may not know those (rule 4). */
  #own: OwnTimes;
  /** What we say of them. */
  readonly #announced: OwnTimes;
  /** The record is known to be ours until then, `sole` apart. */
  #recordUntil = Number.NEGATIVE_INFINITY;
  /** Permission was made finite; `sm` has not said yet that its copy is, too. */
  #limiting: number | null = null;
  /** Until `sm` lived once: nothing older than this process may be resumed. */
  #fresh: boolean;
  /** What was inherited is nobody's yet: the `sm` that was started with this process is on its way, and has scripts to run. */
  #isOrphaned = false;
  /** Nothing is renewed before the copy is here: the deadline in it may be over (rule 10). */
  #awaitsCopy: boolean;
  #lastStepAt = 0;
  #nextHelloAt = 0;
  /** Our own clock's end of permission; meaningful under policy `takeover`, else Infinity. */
  #deadline = Number.NEGATIVE_INFINITY;
  #holding = false;
  /** Activating runs of an announced take-over that have to wait for its time. */
  readonly #waiting: { run: number; entry: KillEntry }[] = [];
  /** In this step everything was frozen first, because of a gap. */
  #frozen = false;
  /** Last told to `sm`. */
  #told = { heard: false, silent: false, mayTake: false, announcement: 0, deaf: '' };
  #duplicateAt = Number.NEGATIVE_INFINITY;
  /** Who uses our name; '' = nobody does. */
  #duplicateLife = '';
  #report: { report: Report; version: number } | null = null;

  constructor(options: GuardOptions, emit: (effect: GuardEffect) => void) {
    this.#options = options;
    this.#emit = emit;
    this.#timers = new Timers(emit);
    const { domain } = options;
    this.#announced = ownTimes(domain);
    this.#own = this.#announced;
    this.#peer = new Peer(options.processLife, {
      permissionMs: domain.deadIntervalMs,
      stopBoundMs: domain.stopBoundMs,
    });
    this.#regime = options.peer === null ? 'simplex' : (options.regime ?? domain.silencePolicy);
    const { breaks } = options;
    this.#links = new OwnLinks({
      roles: options.interfaces.map(({ role }) => role),
      peer: this.#peer,
      deadIntervalMs: domain.deadIntervalMs,
      helloIntervalMs: () => this.#own.helloIntervalMs,
      tell: (fact) => this.#tell(fact),
      ...(breaks === undefined ? {} : { breaks }),
    });
    this.#manager = new ManagerWatch({
      timers: this.#timers,
      emit,
      mainStallMsMax: domain.mainStallMsMax,
      neverMute: !this.#limited(),
    });
    this.#voice = new Voice({
      guard: options,
      timers: this.#timers,
      emit,
      links: this.#links,
      peer: this.#peer,
      manager: this.#manager,
      heard: () => this.#told.heard,
      renew: (now) => this.#renew(now),
    });
    this.#stop = new ForcedStop(this.#timers, emit, () => this.#own);
    this.#arbitration = new Arbitration({
      node: options.node,
      regime: this.#regime,
      fences: options.fences === true,
      permissionMs: () => this.#own.deadIntervalMs,
      peer: this.#peer,
      heard: () => this.#told.heard,
      ended: () => this.#peerEnded,
      listed: () => this.#stop.services,
      ask: (message) => emit({ type: 'ask-arbiter', message }),
      tell: (fact) => this.#tell(fact),
      rule: (ruling, now) => this.#onRuling(ruling, now),
      recorded: () => this.#ownAreKnown(),
      ...(breaks === undefined ? {} : { breaks }),
    });
    this.#fresh = !options.copyExpected;
    this.#awaitsCopy = options.copyExpected;
  }

  start(now: number): void {
    this.#lastStepAt = now;
    this.#manager.awaitFrom(now);
    // Under a time-limited policy a guard that was given no copy has no permission until it sends on an up link.
    if (!this.#limited()) this.#deadline = Number.POSITIVE_INFINITY;
    this.#peer.lastReceiptAt = now;
    if (!this.#options.copyExpected) this.#inherit(now);
    if (!this.#options.copyExpected) this.#manager.start(false, 'start', now);
    this.#nextHelloAt = now;
    this.#hello(now);
    this.#armJudge();
  }

  step(event: GuardEvent, now: number): void {
    const gap = now - this.#lastStepAt;
    this.#lastStepAt = now;
    const { deadIntervalMs } = this.#options.domain;
    const { helloIntervalMs } = this.#own;
    if (gap > helloIntervalMs * 1.5) this.#peer.stallCreditMs += gap - helloIntervalMs;
    const frozen = gap > deadIntervalMs / 2 && this.#holding ? this.#stop.services : [];
    this.#frozen = frozen.length > 0;
    if (this.#frozen) this.#emit({ type: 'freeze', services: frozen, frozen: true });
    if (this.#holding && now >= this.#deadline)
      this.#lose(
        this.#regime === 'record'
          ? 'permission ran out: the peer is not heard, and the record could not be renewed'
          : 'permission ran out: no link on which the peer was last heard is up',
        now,
      );
    this.#handle(event, now);
    if (this.#frozen && !this.#stop.isDue) this.#emit({ type: 'freeze', services: frozen, frozen: false });
  }

  view(): GuardView {
    return {
      links: this.#links.view(),
      peerHeard: this.#told.heard,
      silentSince: this.#told.silent ? this.#peer.lastReceiptAt : null,
      deadline: this.#deadline,
      proof: this.proof(),
      lost: this.#stop.isDue,
      holding: this.#holding,
      entries: this.#stop.services,
      arbiter: this.#arbitration.isConnected
        ? { sole: this.#arbitration.sole, reason: this.#arbitration.reason }
        : null,
    };
  }

  /** Does not know yet what the watchdog before knew: what that one left is not to be forgotten. */
  get awaitsCopy(): boolean {
    return this.#awaitsCopy;
  }

  /**
   * null = nothing: this node holds nothing, or nobody may replace it by time. What it sent counts under `takeover` because it
   * would hear an announcement: where both processes have died nobody hears, and only what the peer echoed counts (rule 3).
   */
  remains(): Remains | null {
    if (!this.#holding || !this.#limited()) return null;
    const proof = this.proof();
    const deadline = this.#regime === 'takeover' ? Math.min(this.#deadline, proof.deadline) : this.#deadline;
    // An announcement would not be on the wire any more, or not be obeyed.
    const lost = this.#stop.isDue || this.#voice.announceNumber > 0 || this.#told.announcement > 0;
    return { deadline, proof, lost, entries: this.#stop.entries };
  }

  #handle(event: GuardEvent, now: number): void {
    switch (event.type) {
      case 'frame':
        return this.#onFrame(event.role, event.frame, now);
      case 'duplicate':
        return this.#onDuplicate(event, now);
      case 'link':
        return this.#onLink(event.role, event.up, event.reason, now);
      case 'timer':
        return this.#timers.take(event) ? this.#onTimer(event.key, now) : undefined;
      case 'sm.connected':
        return this.#onConnected(now);
      case 'sm.copy':
        return this.#onCopy(event, now);
      case 'sm.gone':
        return this.#onManagerGone(event.reason, now);
      case 'sm.pulse':
        return this.#onPulse(event.at ?? now);
      case 'sm.report':
        return this.#onOutgoing(event, now);
      case 'sm.hold':
        return this.#onHold(event.holding, now);
      case 'sm.list':
        return this.#onList(event.run, event.entry, event.activating, now);
      case 'sm.verified':
        return this.#stop.verified(event.service);
      case 'sm.fence':
        return this.#emit({ type: 'self-fence', reason: event.reason });
      case 'sm.limited':
        return this.#onLimited(event.ticket);
      case 'sm.wish':
        return this.#arbitration.wish(event.wish);
      case 'sm.fence-peer':
        return this.#arbitration.fence(event, this.#told.silent);
      case 'sm.confirm-dead':
        return this.#arbitration.confirm(event.by, this.#told.silent, now);
      case 'arbiter.connected':
        return this.#arbitration.connected();
      case 'arbiter.gone':
        this.#arbitration.gone(event.reason);
        this.#links.forgetWitnesses();
        return this.#judgeEnds(now);
      case 'arbiter.told':
        return this.#onArbiter(event.message, now);
      case 'killed':
        return this.#stop.killed(event.services, event.survivors, now);
    }
  }

  // --- hearing -------------------------------------------------------------------------------------------------------

  #onFrame(role: InterfaceRole, frame: Frame, now: number): void {
    const link = this.#links.of(role);
    if (link === undefined) return;
    const wasSilent = this.#told.silent;
    const { permissionMs, stopBoundMs } = this.#peer;
    const hearing = this.#peer.hear(frame, link, now);
    if (hearing.kind === 'ended') return;
    if (this.#peer.knowsOurs) this.#ownAreKnown();
    if (permissionMs !== this.#peer.permissionMs || stopBoundMs !== this.#peer.stopBoundMs)
      this.#tellPermission();
    const isVoid = this.#arbitration.alive(frame.header.kernelLife, now);
    if (wasSilent || isVoid) this.#breakSilence();
    // Told before anything goes out that the peer could take for our echo.
    this.#arbitration.tellWord();
    this.#renewByEcho(now);
    if (hearing.kind === 'stranger') {
      this.#voice.answerStranger(now);
      this.#judgeAnnouncement(this.#peer.announceNumber, wasSilent, now);
      return;
    }
    if (hearing.adopted) this.#onAdopted(link);
    this.#links.hear(link, now);
    this.#judgePeer(now, hearing.newKernelLife);
    this.#arbitration.tellWord();
    const { header } = this.#peer;
    // A part that was overtaken on its way says the same; an older report can not come back (rule 2).
    const isNews = frame.header.reportVersion === header?.reportVersion;
    const announces = hearing.hearsUs ? 0 : this.#peer.announceNumber;
    if (hearing.newest && announces > 0) this.#judgeAnnouncement(announces, wasSilent, now);
    if (frame.parts > 0 && isNews) this.#onReportPart(frame, header);
    if (!hearing.newest) return;
    this.#tellPeerLinks(frame.header);
    // What it did meanwhile is in its newest report: `sm` knows by now whether that is here (rule 14d).
    if (announces === 0) this.#judgeAnnouncement(0, wasSilent, now);
  }

  #onAdopted(heardOn: LinkEnd): void {
    for (const link of this.#links.all) if (link !== heardOn) link.sequence = -1;
    this.#report = null;
    this.#arbitration.exchanged = false;
    this.#told.heard = false;
  }

  /** `newest`: of the newest frame, which names the same report. */
  #onReportPart({ header, part, parts, body }: Frame, newest: FrameHeader): void {
    const { processLife: life, reportVersion: version } = header;
    const whole = this.#assembler.add({ life, version, part, parts, body });
    if (whole.kind !== 'complete') return;
    const decoded = decodeReport(whole.bytes, header.version);
    if (!decoded.ok) return;
    this.#report = { report: decoded.report, version };
    this.#tellReport(newest);
  }

  #tellReport(header: FrameHeader): void {
    if (this.#report === null) return;
    const { managerDownMs, linkBits, leaving } = header;
    this.#arbitration.exchanged = this.#told.heard;
    this.#arbitration.tellWord();
    this.#tell({ type: 'guard.report', ...this.#report, managerDownMs, linkBits, leaving });
  }

  #peerFacts = '';
  #tellPeerLinks({ reportVersion, managerDownMs, linkBits, leaving }: FrameHeader): void {
    // Only edges cross to `sm`: how long the manager is away matters by the second, not by the frame.
    const awaited = reportVersion === this.#report?.version ? '' : `${reportVersion}`;
    const facts = `${awaited}/${linkBits}/${Math.ceil(managerDownMs / 1000)}/${leaving}`;
    if (facts === this.#peerFacts) return;
    this.#peerFacts = facts;
    this.#tell({ type: 'guard.peer-links', reportVersion, linkBits, managerDownMs, leaving });
  }

  #breakSilence(): void {
    this.#told.silent = false;
    this.#told.mayTake = false;
    this.#told.deaf = '';
    this.#tell({ type: 'guard.silence-broken', listed: this.#stop.services });
    this.#armJudge();
  }

  #judgePeer(now: number, newKernelLife: boolean): void {
    const heard = now < this.#peer.deafAt(this.#options.domain.deadIntervalMs);
    if (heard === this.#told.heard && !newKernelLife) return;
    if (!heard) return;
    this.#told.heard = true;
    this.#told.silent = false;
    this.#told.mayTake = false;
    this.#told.deaf = '';
    const { life, kernelLife, stopBoundMs } = this.#peer;
    this.#tell({
      type: 'guard.peer',
      heard: true,
      processLife: life ?? NO_LIFE,
      kernelLife: kernelLife ?? NO_LIFE,
      newKernelLife,
      stopBoundMs,
    });
    const { header } = this.#peer;
    this.#peerFacts = '';
    // A report that the peer has replaced meanwhile is not told again: it says nothing of what was done in the silence.
    if (header !== null && header.reportVersion === this.#report?.version) this.#tellReport(header);
    this.#voice.report(now);
    this.#armJudge();
  }

  /**
   * A deaf peer takes over: whoever hears it stops, whatever the number and the echo (rule 14d). Where both were deaf and
   * both took over, the first frame after it says nothing of whether the peer hears us again: it is answered, and obeyed
   * if no frame shows that it does. Otherwise both would stop together (rule 20).
   */
  #judgeAnnouncement(number: number, brokeSilence: boolean, now: number): void {
    if (number === 0) this.#timers.clear('doubt');
    if (number === this.#told.announcement) return;
    if (number > 0 && this.#voice.announceNumber > 0) {
      if (this.#timers.armed.has('doubt')) return;
      if (brokeSilence) {
        this.#timers.set('doubt', now + DOUBT_HELLOS * this.#options.domain.helloIntervalMs);
        this.#voice.heartbeat(now);
        return;
      }
    }
    this.#tellAnnouncement(number, now);
  }

  #tellAnnouncement(number: number, now: number): void {
    this.#told.announcement = number;
    this.#tell({ type: 'guard.announcement', number });
    if (number > 0 && this.#holding)
      this.#lose('the peer does not hear this node and announces that it takes over', now);
  }

  #onDuplicate(event: Extract<GuardEvent, { type: 'duplicate' }>, now: number): void {
    const { productUuid, kernelLife } = this.#options;
    // Frames of our own earlier lives can come back late; only a foreign machine is somebody else.
    if (event.productUuid === productUuid || event.kernelLife === kernelLife) return;
    this.#duplicateAt = now;
    this.#duplicateLife = event.processLife;
    this.#tell({ type: 'guard.duplicate', processLife: event.processLife });
    // Two under one name: whoever holds the record goes on, for the other one can not (rule 8).
    if (this.#holding && !this.#holdsRecord(now))
      this.#lose('another machine uses the name of this node', now);
  }

  /** The other machine is gone, or has a name of its own again. */
  #forgetDuplicate(now: number): void {
    if (now - this.#duplicateAt < DUPLICATE_MEMORY_MS || this.#duplicateAt === Number.NEGATIVE_INFINITY)
      return;
    this.#duplicateAt = Number.NEGATIVE_INFINITY;
    this.#duplicateLife = '';
    this.#tell({ type: 'guard.duplicate', processLife: '' });
  }

  // --- silence -------------------------------------------------------------------------------------------------------

  #armJudge(): void {
    if (this.#options.peer === null) return;
    if (!this.#told.heard) return this.#timers.set('judge', this.#peer.silentAt());
    this.#setNear('judge', this.#peer.deafAt(this.#options.domain.deadIntervalMs));
  }

  /**
   * What every hello puts off needs a timer only where it comes before the next one, which looks at it again: a calm node does
   * not wake up for it.
   */
  #setNear(key: 'judge' | 'deadline', at: number): void {
    if (at <= this.#nextHelloAt) this.#timers.set(key, at);
    else this.#timers.clear(key);
  }

  #onJudge(now: number): void {
    const { deadIntervalMs } = this.#options.domain;
    if (this.#told.heard && now >= this.#peer.deafAt(deadIntervalMs)) {
      this.#told.heard = false;
      this.#arbitration.exchanged = false;
      this.#arbitration.tellWord();
    }
    if (this.#told.heard || (!this.#told.silent && now < this.#peer.silentAt())) {
      // Heard again meanwhile, or deaf but not silent: look again when that could change.
      if (!this.#told.heard) this.#tellUnheard('the peer is heard but does not hear this node', false);
      return this.#armJudge();
    }
    this.#told.silent = true;
    // Before anybody thinks of forcing its way in.
    this.#arbitration.consider(now);
    const verdict = this.#mayTake(now);
    this.#told.mayTake = verdict.may;
    this.#tellUnheard(verdict.reason, verdict.may);
    // Who announced and is silent itself takes over no more: it can be replaced like any other, and not before that is known.
    this.#peer.announceNumber = 0;
    this.#judgeAnnouncement(0, false, now);
    // While it may not take over, look again each hello (#hello), for links come back, and when the wait is over.
    if (verdict.lookAt !== undefined) this.#timers.set('judge', verdict.lookAt);
  }

  get #peerEnded(): boolean {
    const { spoken } = this.#peer;
    if (spoken?.leaving !== true || this.#report === null) return false;
    return spoken.reportVersion === this.#report.version && saysItEnds(this.#report.report);
  }

  #tellUnheard(reason: string, mayTake: boolean): void {
    const key = `${mayTake}/${reason}`;
    if (this.#told.deaf === key) return;
    this.#told.deaf = key;
    const { lastReceiptAt: since, stopBoundMs } = this.#peer;
    this.#tell({ type: 'guard.peer', heard: false, since, mayTake, reason, stopBoundMs });
  }

  /**
   * May the silent peer be replaced on our own evidence? Every link of L was up at our own end during the whole silence;
   * with L unknown (never heard, or links of ours were down meanwhile) every configured link for the wait interval, which
   * is what a lone starter has to show before it acts: of that interval, the S between its announcement and the action is
   * the end. What comes before an announcement is never shorter than d.
   */
  #mayTake(now: number): { may: boolean; reason: string; lookAt?: number } {
    const waitIntervalMs = Math.max(this.#options.domain.waitIntervalMs, this.#peer.permissionMs);
    if (this.#regime === 'stay')
      return { may: false, reason: "policy stay: needs a proof of death or the peer's word" };
    if (this.#regime !== 'takeover') return { may: false, reason: this.#arbitration.silenceReason };
    if (this.#options.breaks?.has('links-all') === true)
      return { may: true, reason: 'own links not looked at' };
    const since = this.#peer.lastReceiptAt;
    const known = this.#links.lastHeard();
    if (known.length > 0 && known.every((link) => link.countsSince <= since)) {
      return {
        may: true,
        reason: 'silence with every link on which the peer was last heard up at our own end',
      };
    }
    if (this.#options.breaks?.has('lone-start') === true && this.#peer.life === null)
      return { may: true, reason: 'own links not looked at' };
    const down = this.#links.all.filter((link) => !link.counts);
    if (down.length > 0) {
      const named = down.map(({ role, up }) => (up ? `${role} (${this.#links.whyCutOff(role)})` : role));
      return { may: false, reason: `own links down: ${named.join(', ')}` };
    }
    const upSince = Math.max(since, ...this.#links.all.map((link) => link.countsSince));
    const neverHeard = this.#peer.life === null && this.#peer.strangerLife === null;
    const silenceMs = neverHeard
      ? Math.max(this.#peer.permissionMs, waitIntervalMs - this.#voice.stopBoundMs)
      : waitIntervalMs;
    const lookAt = upSince + silenceMs;
    if (now < lookAt) {
      return { may: false, reason: `waits ${waitIntervalMs} ms of silence with all links up`, lookAt };
    }
    return { may: true, reason: `silence for ${silenceMs} ms with every configured link up at our own end` };
  }

  // --- links and sending ---------------------------------------------------------------------------------------------

  #onLink(role: InterfaceRole, up: boolean, reason: string, now: number): void {
    const link = this.#links.of(role);
    if (link === undefined || !this.#links.see(link, up, reason, now)) return;
    if (up) this.#voice.heartbeat(now);
    else this.#onEndLost(now);
  }

  #onArbiter(message: FromArbiter, now: number): void {
    if (message.type === 'gateway') this.#links.onGateway(message);
    else if (message.type === 'hosts') this.#links.onHosts(message.vote);
    else return this.#arbitration.told(message, now);
    this.#judgeEnds(now);
  }

  #judgeEnds(now: number): void {
    if (!this.#links.judgeAll(now)) return;
    this.#onEndLost(now);
    // What was sent on it for a while did not arrive: permission ends sooner in a silence too.
    if (this.#told.silent) this.#shorten(now);
  }

  #onEndLost(now: number): void {
    if (this.#told.silent) this.#onJudge(now);
    else this.#shorten(now);
  }

  /**
   * The last link of L is gone while the peer is not silent yet. What was sent shortly before may have been lost, so its
   * silence may have begun with the newest frame that it is known to have received: permission counts from that one.
   */
  #shorten(now: number): void {
    const { deadline } = this.proof();
    if (this.#regime !== 'takeover' || deadline === Number.NEGATIVE_INFINITY) return;
    if (deadline >= this.#deadline || !this.#links.areGone()) return;
    this.#deadline = deadline;
    this.#tellPermission();
    if (!this.#holding || this.#stop.isDue) return;
    if (now >= deadline) this.#lose('every link on which the peer was last heard is down', now);
    else this.#timers.set('deadline', deadline);
  }

  /** What the permission rests on. */
  proof(): PermissionProof {
    const deadline = this.#limited()
      ? this.#peer.lastEchoedSentAt + this.#afterSendMs
      : Number.POSITIVE_INFINITY;
    const links = this.#links.lastHeard().map(({ role }) => role);
    return {
      deadline,
      links,
      ...(this.#arbitration.sole ? { sole: true } : {}),
      ...(this.#isPeerDeaf() ? { isDeaf: true } : {}),
      announced: {
        peer: { permissionMs: this.#peer.permissionMs, stopBoundMs: this.#peer.stopBoundMs },
        own: this.#own,
      },
    };
  }

  /** What it echoes was sent more than a hello before it was heard: nothing of what was sent since has arrived there. */
  #isPeerDeaf(): boolean {
    const { header, lastReceiptAt, lastEchoedSentAt } = this.#peer;
    // One that is silent, or never was heard, would be heard before it announces anything.
    if (this.#regime !== 'takeover' || this.#told.silent || header === null) return false;
    const lateMs = lastReceiptAt - lastEchoedSentAt;
    return lateMs > this.#options.domain.helloIntervalMs + ECHO_JITTER_MS;
  }

  #hello(now: number): void {
    const { helloIntervalMs } = this.#own;
    this.#watchManager(now);
    this.#forgetDuplicate(now);
    if (this.#options.peer !== null) {
      for (const link of this.#links.all) this.#links.setHeard(link, now);
      this.#judgeEnds(now);
      this.#voice.hello(now);
      if (this.#told.silent && !this.#told.mayTake) this.#onJudge(now);
      if (this.#told.silent) this.#arbitration.consider(now);
    }
    this.#nextHelloAt = Math.max(this.#nextHelloAt + helloIntervalMs, now + helloIntervalMs / 2);
    this.#timers.set('hello', this.#nextHelloAt);
    if (this.#told.heard) this.#armJudge();
    this.#armDeadline();
  }

  // --- permission ----------------------------------------------------------------------------------------------------

  /** How long permission lives after a frame, or in a domain with a record after what was recorded or echoed. */
  get #afterSendMs(): number {
    return this.#regime === 'record' ? this.#own.deadIntervalMs : permissionAfterSendMs(this.#own);
  }

  /** The peer, or the record, has been told what we announce: from now on we live by it. */
  #ownAreKnown(): void {
    if (this.#own === this.#announced) return;
    const isOther = !same(this.#announced, this.#own);
    this.#own = this.#announced;
    if (isOther) this.#tellPermission();
  }

  /** Permission runs out by time only where the peer may replace us by time (rule 3). */
  #limited(): boolean {
    return isTimed(this.#regime);
  }

  #renew(now: number): void {
    if (this.#regime === 'takeover' && this.#renewable)
      this.#setDeadline(Math.max(this.#deadline, now + this.#afterSendMs));
  }

  /** In a domain with a record, while the peer is heard: P from when we sent what it echoes (rule 2). */
  #renewByEcho(now: number): void {
    if (this.#regime !== 'record' || !this.#renewable) return;
    const until = this.#peer.lastEchoedSentAt + this.#afterSendMs;
    if (until > Math.max(now, this.#deadline)) this.#setDeadline(until);
  }

  get #renewable(): boolean {
    return !this.#stop.isDue && !this.#awaitsCopy && this.#told.announcement === 0 && !this.#manager.mute;
  }

  #setDeadline(deadline: number): void {
    this.#deadline = deadline;
    this.#tell({ type: 'guard.permission', deadline });
    this.#armDeadline();
  }

  #armDeadline(): void {
    if (this.#holding && !this.#stop.isDue && Number.isFinite(this.#deadline))
      this.#setNear('deadline', this.#deadline);
  }

  #tellPermission(): void {
    const [deadline, recorded] = [this.#deadline, this.#recordUntil];
    this.#tell({
      type: 'guard.permission',
      deadline,
      ...(this.#regime === 'record' ? { recorded } : {}),
      ...(!this.#stop.isDue ? {} : { lost: true }),
    });
  }

  /** The record says something of our permission; what it gives counts only where nothing else has taken it away. */
  #onRuling(ruling: Ruling, now: number): void {
    switch (ruling.kind) {
      case 'until':
        this.#recordUntil = Math.max(this.#recordUntil, ruling.at);
        if (this.#deadline === Number.POSITIVE_INFINITY) return this.#setDeadline(ruling.at);
        if (this.#renewable && ruling.at > this.#deadline) this.#setDeadline(ruling.at);
        return;
      case 'sole':
        if (this.#renewable && this.#deadline !== Number.POSITIVE_INFINITY)
          this.#setDeadline(Number.POSITIVE_INFINITY);
        return;
      case 'limit':
        return this.#limit(ruling.ticket, now);
      case 'lost':
        this.#recordUntil = Number.NEGATIVE_INFINITY;
        if (this.#holding) return this.#lose(ruling.reason, now);
        return this.#setDeadline(Math.min(this.#deadline, now));
    }
  }

  /** The peer is let in again only when nobody here counts without an end any more, the copy in `sm` included (rule 3). */
  #limit(ticket: number, now: number): void {
    if (this.#deadline === Number.POSITIVE_INFINITY) this.#setDeadline(now + this.#afterSendMs);
    this.#limiting = ticket;
    if (this.#manager.connected) this.#tell({ type: 'guard.limit', ticket, deadline: this.#deadline });
    else if (!this.#awaitsCopy) this.#onLimited(ticket);
  }

  #onLimited(ticket: number): void {
    if (ticket !== this.#limiting) return;
    this.#limiting = null;
    this.#arbitration.limited(ticket);
  }

  /** The record names this node, as of an answer that still counts. */
  #holdsRecord(now: number): boolean {
    return this.#regime === 'record' && (this.#arbitration.sole || now < this.#recordUntil);
  }

  #rest(): void {
    this.#arbitration.rest(this.#manager.mute || this.#voice.leaving);
  }

  #onHold(holding: boolean, now: number): void {
    this.#holding = holding;
    if (holding) {
      if (this.#deadline < now) this.#timers.set('deadline', now);
      else this.#armDeadline();
      // The order to begin was on its way here while the verdict changed.
      if (this.#told.announcement > 0) this.#lose('the peer announces that it takes over', now);
      return;
    }
    this.#timers.clear('deadline');
    const wasLost = this.#stop.isDue;
    this.#stop.end();
    if (!wasLost) return;
    if (!this.#limited() || (this.#arbitration.sole && this.#renewable))
      this.#deadline = Number.POSITIVE_INFINITY;
    this.#tellPermission();
  }

  #onList(run: number, entry: KillEntry, activating: boolean, now: number): void {
    const reason = activating ? this.#listingRefusal(now) : null;
    if (activating && reason === null && now < this.#mayActAt()) {
      this.#waiting.push({ run, entry });
      return this.#timers.set('listing', this.#mayActAt());
    }
    // `sm` does not know of this grant yet: its next report says whether what it is about to run rests on it.
    if (activating && reason === null && ![0, this.#voice.grant].includes(this.#arbitration.ticket)) {
      this.#waiting.push({ run, entry });
      return;
    }
    if (activating && reason === null) this.#stop.list(entry);
    this.#emit({ type: 'listed', run, ok: reason === null, reason: reason ?? '' });
  }

  /**
   * An announced take-over acts only after S from the moment at which the announcement went out: `sm` counts from its
   * turn, which may have waited for a slow commit before it said anything (rule 14d).
   */
  #mayActAt(): number {
    const { announcedAt, stopBoundMs } = this.#voice;
    if (announcedAt === null || this.#options.breaks?.has('announce-wait') === true) return 0;
    return announcedAt + stopBoundMs;
  }

  #answerWaiting(now: number): void {
    for (const { run, entry } of this.#waiting.splice(0)) this.#onList(run, entry, true, now);
  }

  #listingRefusal(now: number): string | null {
    if (this.#stop.isDue) return 'permission was lost';
    if (!this.#holding) return 'sm has not said that this node holds exclusive activity';
    if (now >= this.#deadline) return 'permission has run out';
    if (this.#told.announcement > 0) return 'the peer announces that it takes over';
    if (this.#voice.announceNumber > 0 && !this.#told.silent) return 'the silent peer is heard again';
    const { grant } = this.#voice;
    if (grant > 0 && grant !== this.#arbitration.ticket && this.#options.breaks?.has('quiet-since') !== true)
      return 'the peer gave a sign of life after it could be replaced';
    if (now - this.#duplicateAt < DUPLICATE_MEMORY_MS) return 'another machine uses the name of this node';
    return null;
  }

  /** From here the node has S to stop: grace for scripts, then kill and verify, then the self-fence (rule 13). */
  #lose(reason: string, now: number): void {
    if (this.#stop.isDue) return;
    this.#deadline = Math.min(this.#deadline, now);
    this.#timers.clear('deadline');
    this.#tell({ type: 'guard.lost', reason });
    const { stopGraceMs } = this.#own;
    // Nobody stops what is frozen, and without sm nobody runs scripts; one that is being started will.
    const scriptsMs = this.#manager.connected && !this.#frozen ? stopGraceMs : 0;
    this.#stop.begin(reason, { scriptsMs, fenceMs: this.#isOrphaned ? stopGraceMs : scriptsMs }, now);
  }

  // --- sm ------------------------------------------------------------------------------------------------------------

  #onManagerGone(reason: string, now: number): void {
    this.#waiting.length = 0;
    this.#manager.onGone(now);
    if (this.#limiting !== null) this.#onLimited(this.#limiting);
    if (this.#awaitsCopy) this.#hasNoCopy(now);
    this.#manager.startAgain(reason, now);
  }

  #onConnected(now: number): void {
    if (this.#awaitsCopy) this.#hasNoCopy(now);
    this.#isOrphaned = false;
    const fresh = this.#fresh;
    this.#manager.onConnected(now);
    const { processLife, kernelLife } = this.#options;
    this.#tell({
      type: 'guard.hello',
      fresh,
      holding: this.#holding,
      processLife,
      kernelLife,
      deadline: this.#deadline,
      lost: this.#stop.isDue,
    });
    if (this.#duplicateLife !== '') this.#tell({ type: 'guard.duplicate', processLife: this.#duplicateLife });
    this.#links.tellAll();
    if (!this.#stop.isDue) this.#tellPermission();
    if (this.#told.announcement > 0)
      this.#tell({ type: 'guard.announcement', number: this.#told.announcement });
    const { heard, silent } = this.#told;
    this.#told.deaf = '';
    this.#peerFacts = '';
    if (heard) {
      this.#told.heard = false;
      this.#judgePeer(now, false);
    } else if (silent) this.#onJudge(now);
    this.#arbitration.tellAll();
    if (this.#limiting !== null)
      this.#tell({ type: 'guard.limit', ticket: this.#limiting, deadline: this.#deadline });
    else if (this.#arbitration.sole) this.#onRuling({ kind: 'sole' }, now);
  }

  /** The `sm` that had it is no more, or its watchdog died before it gave it one. */
  #hasNoCopy(now: number): void {
    this.#awaitsCopy = false;
    this.#fresh = true;
    this.#inherit(now);
  }

  /** Both processes died, and what they did goes on within the permission that they had, or has lost it meanwhile. */
  #inherit(now: number): void {
    const remains = this.#limited() ? this.#options.inherited?.() : null;
    if (remains === null || remains === undefined) return;
    this.#fresh = false;
    this.#isOrphaned = true;
    this.#takeOver(remains, now);
    this.#onHold(true, now);
    if (!remains.lost && now < this.#deadline) return this.#thaw();
    this.#lose(
      'permission was lost before sm and sm-watchdog were started again',
      Math.min(now, this.#deadline),
    );
  }

  #takeOver({ deadline, proof, entries }: Omit<Remains, 'lost'>, now: number): void {
    for (const entry of entries) this.#stop.list(entry);
    if (!this.#limited()) return;
    this.#takeTimes(proof, now);
    // Given by one that guarded a node alone: nobody may replace it before there was time to hear it.
    if (this.#regime === 'record' && proof.sole === true && this.#limiting === null)
      this.#arbitration.takeSole();
    const endless = deadline === Number.POSITIVE_INFINITY;
    const until = endless && !this.#arbitration.sole ? now + this.#afterSendMs : deadline;
    this.#deadline = Math.max(this.#deadline, until);
    this.#takeProof(proof, now);
  }

  #onCopy(event: Extract<GuardEvent, { type: 'sm.copy' }>, now: number): void {
    this.#awaitsCopy = false;
    this.#takeOver(event, now);
    this.#onHold(event.holding, now);
    if (event.holding && (event.lost === true || now >= this.#deadline))
      return this.#lose('permission was lost before sm-watchdog was restarted', now);
    this.#thaw();
  }

  /** The watchdog before may have died after a gap, between the freezing and what followed (rule 10). */
  #thaw(): void {
    const { services } = this.#stop;
    if (services.length > 0) this.#emit({ type: 'freeze', services, frozen: false });
  }

  /** The peer may act and count by what it announced, and was told, before this process was. */
  #takeTimes({ announced }: PermissionProof, now: number): void {
    const { breaks, domain } = this.#options;
    if (announced === undefined) return;
    if (breaks?.has('times-kept') !== true) this.#peer.times.raise(announced.peer, now);
    if (!this.#peer.knowsOurs) this.#own = shorterOf(announced.own, domain);
    // The pace of the first heartbeat was our own.
    const { helloIntervalMs } = this.#own;
    if (helloIntervalMs < domain.helloIntervalMs && this.#timers.armed.has('hello')) {
      this.#nextHelloAt = now + helloIntervalMs / 2;
      this.#timers.set('hello', this.#nextHelloAt);
    }
    this.#arbitration.tellWord();
  }

  /** What the one before knew of the peer: a link that went down meanwhile means to us what it meant to it. */
  #takeProof({ deadline, links }: PermissionProof, now: number): void {
    if (!Number.isFinite(deadline)) return;
    this.#peer.lastEchoedSentAt = deadline - this.#afterSendMs;
    for (const link of this.#links.all)
      if (links.includes(link.role)) link.lastFreshEchoAt = this.#peer.lastReceiptAt;
    this.#shorten(now);
  }

  #onPulse(at: number): void {
    this.#fresh = false;
    if (this.#manager.onPulse(at)) this.#rest();
  }

  #watchManager(now: number): void {
    if (!this.#manager.look(now)) return;
    this.#rest();
    const { mainStallMsMax } = this.#options.domain;
    if (this.#holding) this.#lose(`sm is away for more than ${mainStallMsMax} ms`, now);
  }

  #onOutgoing(event: Extract<GuardEvent, { type: 'sm.report' }>, now: number): void {
    const isTakenBack = this.#voice.leaving && !event.leaving;
    this.#voice.take(event, now);
    this.#rest();
    this.#voice.report(now);
    if (isTakenBack) this.#arbitration.giveAgain();
    if (this.#waiting.length > 0 && now >= this.#mayActAt()) this.#answerWaiting(now);
  }

  #onTimer(key: string, now: number): void {
    switch (key) {
      case 'hello':
        return this.#hello(now);
      case 'judge':
        return this.#onJudge(now);
      case 'deadline':
        // Running out itself was judged at the start of this step.
        return this.#armDeadline();
      case 'kill':
        return this.#stop.kill('permission was lost');
      case 'fence':
        return this.#stop.hearLastWord(now);
      case 'last-word':
        return this.#stop.fence();
      case 'listing':
        return this.#answerWaiting(now);
      case 'announce':
        return this.#voice.announceAgain(now);
      case 'doubt':
        return this.#tellAnnouncement(this.#peer.announceNumber, now);
      case 'restart':
        return this.#manager.start(false, 'sm ended', now);
    }
  }

  #tell(fact: GuardFact): void {
    if (this.#manager.connected) this.#emit({ type: 'tell', fact });
  }
}

const DUPLICATE_MEMORY_MS = 10_000;
/** A heartbeat and its answer, whoever sends first. */
const DOUBT_HELLOS = 1.5;
/** On top of a hello: an echo may wait as long for the next frame of the peer. */
const ECHO_JITTER_MS = 50;
