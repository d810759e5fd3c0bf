/**
 * The pair: leadership, the leader's plan and what it takes to get there, obedience of the other node, take-over of a
 * silent peer, operations, and the report that tells the peer all of it. Level-triggered: every event changes facts, then
 * `evaluate` brings orders, numbers and report in line with them. Source of the rules: docs/SAFETY.md.
 */

import type { DefinitionSet, GroupDefinition } from '../definitions/model.ts';
import type {
  AssignmentRow,
  Boot,
  EngineEffect,
  EngineOptions,
  GuardFact,
  NodeRow,
  OperatorCommand,
} from '../engine-interface.ts';
import { assert } from '../kernel/assert.ts';
import type { DomainState } from '../kernel/names.ts';
import { same } from '../kernel/same.ts';
import { STATE } from '../kernel/state.ts';
import { type TimerEvent, Timers } from '../kernel/timers.ts';
import type { GroupReport, Operation, Report } from '../link/types.ts';
import type { Placement } from '../plan/plan.ts';
import type { GroupView, Wait } from '../service/interface.ts';
import type { ArbiterView, LinkView, PeerView } from '../view.ts';
import { calledFor, standingAlarms } from './alarm-rules.ts';
import { type Alarm, Alarms } from './alarms.ts';
import { Arbiters } from './arbiters.ts';
import type { ClusterContext, LocalPort } from './context.ts';
import { Escalation } from './escalation.ts';
import { judgeLeadership } from './leadership.ts';
import { Leading } from './leading.ts';
import { NodeRecords } from './node-records.ts';
import { Numbers } from './numbers.ts';
import { Operations } from './operations.ts';
import { OwnGroups } from './own-groups.ts';
import { OwnWord } from './own-word.ts';
import { type Grant, NEWS_AWAITED, PeerState } from './peer-state.ts';
import { refusal, type Verdict } from './permission.ts';
import { OperationProgress } from './progress.ts';
import { Readiness } from './readiness.ts';
import { rebootObstacle } from './reboot.ts';
import { DomainRole } from './role.ts';
import { Takeover } from './takeover.ts';
import { assignmentRow, groupReports, groupsOfBoth, isQuiet } from './telling.ts';

/** Rounds in which facts, numbers and orders have to settle; each one makes progress, so few are needed. */
const ROUNDS_MAX = 64;
/** A hung audit may not keep a freshly booted node from being counted as inactive: nothing of it can run yet. */
const FRESH_AUDIT_PATIENCE_MS = 2000;
const AUDIT_TIMER = 'cluster/audit-patience';
const ALARM_TIMER = 'cluster/alarms';
const FENCE_TIMER = 'cluster/fence';
/** How long a node that ends itself tries to stop and hand over what it can before. */
export const ORDERLY_END_MS = 30_000;

interface CommandAnswer {
  readonly ok: boolean;
  readonly message: string;
  /** Id of the operation that it began; '' = it began none. */
  readonly operation: string;
}

interface Departure {
  readonly actor: string;
  readonly reason: string;
  /** The node ends itself when it has left, or at this time although it has not (FATAL_ERROR_REBOOT). */
  readonly fenceAt: number | null;
}

export class Cluster {
  readonly #options: EngineOptions;
  readonly #definitions: DefinitionSet;
  readonly #me: string;
  readonly #emit: (effect: EngineEffect) => void;
  readonly #local: LocalPort;
  readonly #timers: Timers;
  readonly #numbers: Numbers;
  readonly #operations: Operations;
  readonly #alarms: Alarms;
  readonly #standing: readonly Alarm[];
  readonly #peer: PeerState | null;
  readonly #nodes: NodeRecords;
  readonly #context: ClusterContext;
  readonly #progress: OperationProgress;
  readonly #role: DomainRole;
  readonly #own: OwnGroups;
  readonly #word: OwnWord;
  readonly #leading: Leading;
  readonly #takeover: Takeover;
  readonly #arbiters: Arbiters;
  readonly #readiness: Readiness;
  readonly #escalation: Escalation;
  #boots: readonly Boot[];
  readonly #links = new Map<string, LinkView>();
  readonly #assignments = new Map<string, AssignmentRow>();
  /** Groups whose rows are in the store: what has changed is another object. */
  readonly #assigned = new WeakSet<GroupView | GroupReport>();
  #guard = {
    connected: false,
    resumed: false,
    deadline: Number.NEGATIVE_INFINITY,
    lost: false,
    reason: 'sm-watchdog is not connected',
  };
  /** Life of another machine that uses our name; '' = none was heard. */
  #duplicate = '';
  #storeFailed = '';
  #leaving: Departure | null = null;
  #holding = false;
  /** New in the pair: silence may be a wrong address or a firewall, behind which the other node acts. */
  #joins: boolean;
  /** The sm-watchdog of now was asked to end this node. */
  #fenced = false;
  /** The grant that was used last; not its ticket, for another sm-watchdog counts those from the beginning. */
  #used: Grant | null = null;
  /** The grant that this node acts on since; null = none, or its permission was gone meanwhile. */
  #actsOn: Grant | null = null;
  /** What was held when this node began to act in the peer's place; null = it does not, or the peer has been heard since. */
  #heldBefore: ReadonlyMap<string, number> | null = null;
  #startedAt = 0;
  readonly #freshKernel: boolean;
  #changed = false;
  /** What was said last. */
  #published: {
    readonly report: Report;
    readonly leaving: boolean;
    readonly announceNumber: number;
    readonly grant: number;
  } | null = null;
  #neighbor = '';
  #version = 0;

  get [STATE]() {
    return {
      local: this.#local,
      timers: this.#timers,
      numbers: this.#numbers,
      operations: this.#operations,
      alarms: this.#alarms,
      peer: this.#peer,
      nodes: this.#nodes,
      progress: this.#progress,
      role: this.#role,
      own: this.#own,
      word: this.#word,
      leading: this.#leading,
      takeover: this.#takeover,
      arbiters: this.#arbiters,
      readiness: this.#readiness,
      escalation: this.#escalation,
      links: this.#links,
      assignments: this.#assignments,
      boots: this.#boots,
      guard: this.#guard,
      duplicate: this.#duplicate,
      storeFailed: this.#storeFailed,
      leaving: this.#leaving,
      holding: this.#holding,
      joins: this.#joins,
      fenced: this.#fenced,
      used: this.#used,
      actsOn: this.#actsOn,
      heldBefore: this.#heldBefore,
      startedAt: this.#startedAt,
      changed: this.#changed,
      published: this.#published,
      neighbor: this.#neighbor,
      version: this.#version,
    };
  }

  set [STATE](state) {
    this.#boots = state.boots;
    this.#guard = state.guard;
    this.#duplicate = state.duplicate;
    this.#storeFailed = state.storeFailed;
    this.#leaving = state.leaving;
    this.#holding = state.holding;
    this.#joins = state.joins;
    this.#fenced = state.fenced;
    this.#used = state.used;
    this.#actsOn = state.actsOn;
    this.#heldBefore = state.heldBefore;
    this.#startedAt = state.startedAt;
    this.#changed = state.changed;
    this.#published = state.published;
    this.#neighbor = state.neighbor;
    this.#version = state.version;
  }

  constructor(options: EngineOptions, local: LocalPort, emit: (effect: EngineEffect) => void) {
    const { definitions, node, restored } = options;
    this.#options = options;
    this.#definitions = definitions;
    this.#me = node;
    this.#emit = emit;
    this.#local = local;
    this.#timers = new Timers(emit);
    const note = (effect: EngineEffect) => {
      this.#changed = true;
      emit(effect);
    };
    const exclusive = [...definitions.groups.values()]
      .filter((group) => group.exclusive)
      .map((group) => group.name);
    this.#numbers = new Numbers(exclusive, restored.numbers, note);
    this.#operations = new Operations(restored.operations, note);
    this.#alarms = new Alarms(emit);
    const peer = definitions.nodes.find((name) => name !== node);
    this.#peer =
      peer === undefined
        ? null
        : new PeerState(peer, restored.peerKernelLife, definitions.domain.stopBoundMs);
    this.#freshKernel = restored.kernelLife !== options.kernelLife;
    this.#joins = restored.joins === true;
    this.#nodes = new NodeRecords(node, definitions.nodes, restored.nodes, note);
    this.#context = {
      me: node,
      definitions,
      local,
      peer: this.#peer,
      timers: this.#timers,
      numbers: this.#numbers,
      operations: this.#operations,
      nodes: this.#nodes,
      emit,
      history: ({ actor = 'engine', ...entry }) => emit({ type: 'history', ...entry, actor }),
      monotonic: (wallMs) => this.#startedAt + (wallMs - options.startedWallMs),
      wall: (now) => this.#wall(now),
    };
    this.#word = this.#makeWord();
    const isValid = !this.#freshKernel && !this.#saidToLeave;
    const settled = restored.settled && isValid;
    const led = restored.led && isValid;
    this.#role = new DomainRole(this.#context, { number: restored.number, settled, led }, note);
    this.#arbiters = new Arbiters(this.#context, this.#role, restored);
    this.#standing = standingAlarms(this.#context, this.#arbiters.regime, options.virtualMachine === true);
    this.#progress = new OperationProgress(this.#context);
    const verdict = (now: number) => this.#verdict(now);
    const changed = () => {
      this.#changed = true;
    };
    this.#own = new OwnGroups(this.#context, {
      verdict,
      changed,
      hold: () => this.#hold(),
      untouched: () => this.#freshKernel && !this.#timers.armed.has(AUDIT_TIMER),
    });
    this.#leading = this.#makeLeading(verdict, changed);
    this.#readiness = new Readiness(this.#context, options.notReady ?? '');
    this.#boots = restored.boots;
    this.#escalation = this.#makeEscalation();
    this.#takeover = this.#makeTakeover(changed);
  }

  #makeWord(): OwnWord {
    return new OwnWord({
      me: this.#me,
      nodes: this.#nodes,
      storeWorks: () => this.#storeFailed === '',
      emit: this.#emit,
      forgets: this.#options.breaks?.has('word-stands') === true,
    });
  }

  #makeLeading(verdict: (now: number) => Verdict, changed: () => void): Leading {
    return new Leading(this.#context, this.#own, {
      verdict,
      changed,
      links: () => this.#links.values(),
      readyReason: () => this.#readiness.reason,
      mayHaveTakenOver: (group, at) => this.#mayHaveTakenOver(group, at),
      knowsLeader: () => this.#knowsLeader(),
      stopsFirst: this.#options.breaks?.has('stop-before-start') !== true,
    });
  }

  #makeEscalation(): Escalation {
    return new Escalation(this.#context, {
      rebootObstacle: (group, at) => rebootObstacle(this.#context, group, this.#boots, this.#wall(at)),
      reboot: (group, reason, at) => this.#endNode(`${group} has failed for good: ${reason}`, at),
    });
  }

  #makeTakeover(changed: () => void): Takeover {
    return new Takeover(this.#context, {
      role: this.#role,
      able: () => this.#mayLead() && !this.#joins,
      highestNumber: () => this.#highestNumber(),
      changed,
      complete: (number, reason, at) => {
        this.#rememberHeld();
        this.#releasePeer(`policy takeover: ${reason}`);
        this.#becomeLeader(number, reason, at);
      },
      waits: this.#options.breaks?.has('announce-wait') !== true,
    });
  }

  start(now: number): void {
    this.#startedAt = now;
    this.#role.since = now;
    // A new kernel life voids what an earlier one held (rule 7): its processes are gone. So does the
    // word that this node leaves: it went out when all of them were.
    if (this.#freshKernel || this.#saidToLeave)
      for (const { group, held } of this.#numbers.all()) if (held > 0) this.#numbers.giveUp(group, held);
    if (this.#freshKernel) this.#boot('boot', '', now);
    if (this.#saidToLeave) this.#word.find();
    this.#begin(now);
    if (this.#freshKernel) this.#timers.set(AUDIT_TIMER, now + FRESH_AUDIT_PATIENCE_MS);
    this.evaluate(now);
  }

  /** The sm before this one said that this node leaves: everything was stopped then, and may be the peer's since. */
  get #saidToLeave(): boolean {
    return this.#options.restored.wordLife === this.#options.kernelLife;
  }

  /**
   * Where time replaces nobody, a proof of death apart, nobody else leads before this node has followed or given its word:
   * who led goes on, heard or not. It must not wait first: a peer that hears of a waiting node may lead.
   */
  #begin(now: number): void {
    if (this.#role.led && this.#onlyProof)
      this.#becomeLeader(this.#role.number, 'led before sm was restarted', now);
    else this.#role.wait('start', now);
  }

  // --- events --------------------------------------------------------------------------------------------------------

  onFact(fact: GuardFact, now: number): void {
    switch (fact.type) {
      case 'guard.hello':
        return this.#onHello(fact, now);
      case 'guard.link':
        return this.#onLink(fact, now);
      case 'guard.permission':
        this.#arbiters.recordedUntil = fact.recorded ?? Number.NEGATIVE_INFINITY;
        if (fact.lost === true) return;
        return this.#onPermission(fact.deadline, fact.unbroken === true, now);
      case 'guard.lost':
        return this.#onLost(fact.reason, now);
      case 'guard.duplicate':
        this.#setDuplicate(fact.processLife);
        return this.evaluate(now);
      case 'guard.report':
        assert(this.#peer !== null, 'a report without a peer');
        this.#peer.apply(fact);
        this.#readReport(fact.report, now);
        return this.evaluate(now);
      case 'guard.peer':
        return this.#onPeer(fact, now);
      case 'guard.limit':
        if (this.#guard.lost) return;
        return this.#onPermission(fact.deadline, false, now);
      case 'guard.record':
      case 'guard.arbiter':
      case 'guard.readiness':
      case 'guard.gateway':
      case 'guard.fenced':
      case 'guard.refused':
        this.#arbiters.apply(fact, now);
        return this.evaluate(now);
      case 'guard.silence-broken':
      case 'guard.withdrawn':
        this.#peer?.apply(fact);
        this.#dropUnbegun(fact.listed, now);
        return this.evaluate(now);
      default:
        this.#peer?.apply(fact);
        return this.evaluate(now);
    }
  }

  /**
   * What let this node act in the peer's place is over. What has not begun by then, because `sm` was slow to hear of it or to
   * store it, does not: the peer may act on what it has heard of this node before (rule 14).
   */
  #dropUnbegun(listed: readonly string[] | undefined, now: number): void {
    const before = this.#heldBefore;
    this.#heldBefore = null;
    if (listed === undefined || before === null) return;
    for (const { group, held } of this.#numbers.all()) {
      const members = this.#definitions.groups.get(group)?.members ?? [];
      if (held === 0 || held === before.get(group) || members.some(({ service }) => listed.includes(service)))
        continue;
      this.#own.revoke(group, 'it had not begun when the right to replace the peer ended', now);
    }
  }

  #rememberHeld(): void {
    this.#heldBefore = new Map(this.#numbers.all().map(({ group, held }) => [group, held]));
  }

  onTimer(event: TimerEvent, now: number): void {
    if (!this.#timers.take(event)) return;
    if (event.key === 'cluster/lock-end') this.#endLock(now);
    this.evaluate(now);
  }

  onStore(failed: string, now: number): void {
    this.#storeFailed = failed;
    if (failed === '' && this.#word.holds) this.#stepDown(now);
    this.evaluate(now);
  }

  /**
   * Whether the peer took this node at its word is not known yet, so it leads nothing until the peer has led: as after a
   * new kernel life, the settled one takes the number (rule 7).
   */
  #stepDown(now: number): void {
    this.#word.takeBack();
    this.#role.unsettle();
    this.#leading.end();
    this.#role.wait('the store works again, and the peer was told to take over', now);
  }

  onReady(ready: boolean, reason: string, now: number): void {
    this.#readiness.obstacle = ready ? '' : reason;
    this.evaluate(now);
  }

  onShutdown(actor: string, reason: string, now: number): void {
    this.#leaving ??= { actor, reason, fenceAt: null };
    this.#readiness.leaving = this.#leaving.reason;
    this.#history('daemon', 'sm', 'running', 'leaving', 'shutdown', reason, actor);
    this.evaluate(now);
  }

  /** An operator's wish for the cluster. Returns the refusal, or the operation's id. */
  onCommand(
    command: Extract<OperatorCommand, { node: string }>,
    actor: string,
    wallMs: number,
    now: number,
  ): CommandAnswer {
    if (this.#nodes.find(command.node) === undefined) {
      const known = this.#definitions.nodes.join(', ');
      return {
        ok: false,
        message: `no node ${command.node} in this domain; there are: ${known}`,
        operation: '',
      };
    }
    if (command.kind === 'confirm-dead') return this.#confirmDead(command.node, command.why, actor, now);
    if (command.group !== '' && !this.#definitions.groups.has(command.group)) {
      return {
        ok: false,
        message: `no provisioned group ${command.group}; smctl status shows their names`,
        operation: '',
      };
    }
    if (this.#role.state === 'waiting') {
      return {
        ok: false,
        message: 'nobody leads the domain yet, try again when smctl status shows a leader',
        operation: '',
      };
    }
    if (this.#operations.full) {
      const message = 'too many operations are under way: wait for one to end (smctl status shows them)';
      return { ok: false, message, operation: '' };
    }
    const id = this.#progress.request(command, actor, wallMs, now);
    this.evaluate(now);
    const result = this.#operations.find(id);
    if (result?.step === 'refused') return { ok: false, message: result.reason, operation: id };
    return { ok: true, message: `${command.kind} of ${command.node} accepted`, operation: id };
  }

  /** An operator answers for it with the name; the watchdog looks once more whether the peer gives a sign of life. */
  #confirmDead(node: string, why: string, actor: string, now: number): CommandAnswer {
    const refused = (message: string) => ({ ok: false, message, operation: '' });
    if (node === this.#me || this.#peer === null) return refused(`${node} is this node: it lives`);
    if (this.#peer.heard || this.#peer.silentSince === null)
      return refused(`${node} is heard, or was a moment ago: it is not dead`);
    if (!this.#guard.connected) return refused('sm-watchdog is not connected: try again in a moment');
    const reason = why === '' ? `by ${actor}` : `by ${actor}: ${why}`;
    this.#history('node', node, 'silent', 'confirmed dead', 'confirm-dead', reason, actor);
    this.#emit({ type: 'guard.confirm-dead', by: `confirmed ${reason}` });
    this.evaluate(now);
    return { ok: true, message: `${node} is taken for dead, unless it gives a sign of life`, operation: '' };
  }

  #onHello(fact: Extract<GuardFact, { type: 'guard.hello' }>, now: number): void {
    this.#peer?.forget();
    this.#arbiters.forget();
    this.#setDuplicate('');
    // What the one before was asked for, or would have been while none was there, this one has to be asked for again.
    this.#fenced = false;
    this.#guard = {
      connected: true,
      resumed: true,
      deadline: fact.deadline,
      lost: fact.lost,
      reason: fact.lost ? 'permission was lost' : '',
    };
    this.#holding = fact.holding;
    // What no watchdog guarded since is stopped: it was killed, or nobody would stop it (rules 7, 10). Where the peer may not
    // take over by time the number stays ours, for nobody else can have been given it; else that is over too (rule 3).
    if (!fact.holding || fact.fresh || fact.lost) {
      const again = this.#onlyProof && !fact.lost;
      this.#own.revokeAll('nobody guarded it meanwhile', now, again);
    }
    this.#resume(now);
    this.evaluate(now);
  }

  /** The same kernel life goes on: what this node held, and what needs no permission, is driven on at once (rule 7). */
  #resume(now: number): void {
    if (this.#freshKernel) return;
    for (const { group, desired } of this.#options.restored.groups) {
      const definition = this.#definitions.groups.get(group);
      if (definition === undefined || this.#own.wanted(group) !== undefined) continue;
      const active = definition.exclusive ? this.#numbers.of(group).held > 0 : desired === 'active';
      if (active) this.#own.want(definition, 'active', 'resumed after a restart of sm', now);
    }
  }

  /** A watchdog that greets tells it again: who told it last may be dead, and would not tell its end. */
  #setDuplicate(processLife: string): void {
    this.#duplicate = processLife;
    this.#readiness.isDuplicated = processLife !== '';
  }

  #onLink(fact: Extract<GuardFact, { type: 'guard.link' }>, now: number): void {
    const old = this.#links.get(fact.role);
    const { role, up, heard, reason } = fact;
    this.#links.set(role, { role, up, heard, reason });
    if (old?.up !== up || old.heard !== heard) {
      this.#emit({ type: 'persist.interface', role, state: up ? 'enabled' : 'disabled', reason });
      this.#history('interface', role, linkWord(old), linkWord(fact), 'link', reason);
    }
    this.evaluate(now);
  }

  /** A renewal after which nothing but a date would be different. */
  isMereRenewal(fact: GuardFact, now: number): boolean {
    if (fact.type !== 'guard.permission' || fact.recorded !== undefined) return false;
    const { lost, deadline } = this.#guard;
    const isKnown = this.#arbiters.recordedUntil !== Number.NEGATIVE_INFINITY;
    return !lost && now < deadline && this.#own.refusals.size === 0 && !isKnown;
  }

  #onPermission(deadline: number, isUnbroken: boolean, now: number): void {
    const wasGone = this.#guard.lost || (!isUnbroken && now >= this.#guard.deadline);
    const waited = wasGone || this.#own.refusals.size > 0;
    // Where nothing was held nobody has said that it was lost.
    if (wasGone) this.#actsOn = null;
    this.#guard.deadline = deadline;
    this.#guard.lost = false;
    if (waited) this.evaluate(now);
    this.#own.renewTokens(now);
  }

  #onLost(reason: string, now: number): void {
    this.#guard.lost = true;
    this.#actsOn = null;
    this.#guard.reason = reason;
    // Only a holder loses permission: if nothing is held here, it is told so again.
    this.#holding = true;
    this.#history('node', this.#me, 'may act', 'may not act', 'permission-lost', reason);
    this.#own.revokeAll(reason, now);
    this.evaluate(now);
  }

  #onPeer(fact: Extract<GuardFact, { type: 'guard.peer' }>, now: number): void {
    const peer = this.#peer;
    assert(peer !== null, 'a fact about a peer without a peer');
    const before = peer.heard ? 'heard' : 'not heard';
    const reborn = fact.heard && fact.newKernelLife;
    peer.apply(fact);
    const after = peer.heard ? 'heard' : 'not heard';
    if (before !== after) this.#history('node', peer.name, before, after, 'heartbeat', peer.reason);
    if (reborn) {
      this.#takeover.forget();
      this.#history(
        'node',
        peer.name,
        'earlier kernel life',
        'dead',
        'new-kernel-life',
        'it says so itself, signed',
      );
      this.#releasePeer('a new kernel life of the peer proves that its earlier one is dead');
    }
    this.evaluate(now);
  }

  // --- the level-triggered heart -------------------------------------------------------------------------------------

  evaluate(now: number): void {
    for (let round = 0; ; round += 1) {
      assert(round < ROUNDS_MAX, 'the cluster does not settle');
      this.#changed = false;
      this.#readiness.judge(now);
      this.#upkeep(now);
      this.#judgeLeadership(now);
      if (this.#peer !== null) this.#judgeSilence(this.#peer, now);
      if (this.#leaving !== null || this.#storeFailed !== '') this.#yieldAll(now);
      else this.#act(now);
      this.#hold();
      if (!this.#changed) break;
    }
    this.#armLockEnd();
    this.#judgeAlarms(now);
    this.#publish();
    this.#arbiters.tellWish();
    this.#judgeFence(now);
  }

  #act(now: number): void {
    this.#ownInitiative(now);
    if (this.#role.leads || this.#options.breaks?.has('one-chooser') === true) this.#lead(now);
    else {
      this.#progress.expire(now);
      this.#obey(now);
    }
    if (this.#escalation.judge(now)) this.#changed = true;
  }

  /**
   * What a node does without being told, and only with groups that need nobody's permission: core groups are active while it
   * is unlocked; those with AUTO_RECOVER begin before anybody leads.
   */
  #ownInitiative(now: number): void {
    const unlocked = this.#nodes.own.administrative !== 'locked';
    const waits = this.#role.state === 'waiting' && unlocked && this.#readiness.reason === '';
    for (const group of this.#definitions.groups.values()) {
      const { name, core, exclusive, autoRecover } = group;
      if (exclusive) continue;
      if (core) this.#own.want(group, unlocked ? 'active' : 'disabled', 'core group: with its node', now);
      else if (autoRecover && waits && this.#own.wanted(name) === undefined)
        this.#own.want(group, 'active', 'AUTO_RECOVER: nobody leads yet', now);
    }
  }

  #mayLead(): boolean {
    return (
      this.#guard.connected &&
      !this.#guard.lost &&
      this.#leaving === null &&
      this.#storeFailed === '' &&
      this.#duplicate === ''
    );
  }

  /** Facts about the groups of this node: what stopped is given up, what a rightful peer runs is stopped (rule 20). */
  #upkeep(now: number): void {
    for (const { group, held } of this.#numbers.all()) {
      const theirs = this.#peer?.group(group);
      if (theirs !== undefined) this.#numbers.see(group, Math.max(theirs.activationMax, theirs.runs));
      if (held === 0) continue;
      if (this.#peer !== null && this.#peer.announcement > 0)
        this.#own.revoke(group, `${this.#peer.name} does not hear this node and takes over`, now);
      const { stuck } = this.#local.group(group);
      if (stuck !== '') this.#own.revoke(group, `its scripts do not stop it, so it is killed: ${stuck}`, now);
      if (this.#own.release(group, now)) continue;
      if (theirs === undefined || theirs.runs === 0 || this.#own.wanted(group) === 'revoked') continue;
      assert(this.#peer !== null, 'a report without a peer');
      const rightful = theirs.runs !== held ? theirs.runs > held : this.#peer.name > this.#me;
      if (rightful || this.#options.breaks?.has('higher-stays') === true)
        this.#own.revoke(group, `${this.#peer.name} runs it under the higher number ${theirs.runs}`, now);
      else if (this.#local.group(group).inactive)
        this.#own.revoke(group, `${this.#peer.name} still runs it, and nothing has begun here`, now);
    }
  }

  #judgeLeadership(now: number): void {
    const peer = this.#peer;
    if (peer === null) {
      if (this.#role.state !== 'leader' && this.#guard.connected)
        this.#becomeLeader(this.#role.number + 1, 'the only node of the domain', now);
      return;
    }
    if (peer.announcement > 0) {
      if (peer.announcement > this.#role.number) this.#role.setNumber(peer.announcement);
      if (this.#role.state === 'leader')
        this.#follow(this.#role.number, `${peer.name} does not hear this node and takes over`, now);
      return;
    }
    this.#word.judge(peer);
    if (peer.leaving) {
      // With its report come the numbers that it has used: ours begin above them (rule 5). While it is heard, that comes.
      if (peer.heard && peer.report === null) return;
      // It may act on our word as well, and not know yet that it is taken back.
      if (this.#word.stands) return;
      this.#releasePeer(`${peer.name} said that it leaves`);
      if (this.#role.state !== 'leader' && this.#leaving === null)
        this.#becomeLeader(this.#highestNumber() + 1, `${peer.name} leaves`, now);
      return;
    }
    if (!peer.exchanged || peer.report === null || !this.#guard.connected) return;
    const { domainState, number, settled } = peer.report;
    const mine = {
      node: this.#me,
      leads: this.#role.state === 'leader',
      number: this.#role.number,
      settled: this.#role.settled,
    };
    const verdict = judgeLeadership(mine, {
      node: peer.name,
      leads: domainState === 'leader',
      number,
      settled,
    });
    switch (verdict.kind) {
      case 'lead':
        if (this.#word.mayBeRead && this.#storeFailed === '') return;
        if (!mine.leads) {
          if (peer.isCurrent) this.#becomeLeader(verdict.number, 'exchanged with the peer', now);
        } else if (verdict.number !== this.#role.number) this.#role.setNumber(verdict.number);
        return;
      case 'follow':
        if (
          this.#role.state !== 'backup' ||
          this.#role.number !== verdict.number ||
          this.#role.leader !== peer.name
        ) {
          this.#follow(verdict.number, `${peer.name} leads`, now);
        }
        return;
      case 'wait':
        return;
    }
  }

  #highestNumber(): number {
    return Math.max(this.#role.number, this.#peer?.report?.number ?? 0, this.#arbiters.number);
  }

  /** Nobody is replaced here by time: only a proof of its death, or its own word, lets the other one in. */
  get #onlyProof(): boolean {
    return this.#arbiters.regime === 'stay' || this.#arbiters.regime === 'fence';
  }

  #judgeSilence(peer: PeerState, now: number): void {
    this.#takeover.judge(peer, now);
    const able = this.#mayLead() && !this.#joins;
    if (peer.grant !== null && able && peer.grant !== this.#used) this.#useGrant(peer, peer.grant, now);
    // Whoever has stopped in order is not shot, where its word lets this node in.
    const awaitsWord = this.#word.isGiven && peer.ends;
    this.#arbiters.judgeFencing(peer, able && !awaitsWord, now);
  }

  /** The peer must have stopped, or is dead: what it held is free, and this node leads above every number ever shown. */
  #useGrant(peer: PeerState, grant: Grant, now: number): void {
    const { number, reason, ground } = grant;
    this.#used = grant;
    // A word of which it is not known why it was given may have been that this node ends: then the peer may be let in as well.
    if (ground === 'word' && !this.#word.isGiven) {
      peer.refused = grant.ticket;
      return;
    }
    this.#actsOn = grant;
    this.#rememberHeld();
    this.#releasePeer(`${peer.name} is replaced: ${reason}`);
    // No record says which numbers it has given since its newest report, or at all.
    if (this.#arbiters.regime !== 'record') this.#numbers.leap(peer.report !== null);
    const highest = this.#highestNumber();
    if (!this.#role.leads)
      this.#becomeLeader(number > this.#role.number ? Math.max(number, highest) : highest + 1, reason, now);
    else if (highest > this.#role.number) this.#role.setNumber(highest);
    this.#changed = true;
  }

  /**
   * Where a silent peer may take over by time, it may have done so whenever our permission was gone, and being the leader of
   * before says nothing: only its newest report, its word, the record, or a take-over of our own tells that it has not. Its
   * word that it leaves is worth nothing in a later silence: it may be back.
   */
  #mayHaveTakenOver(group: string, now: number): boolean {
    const peer = this.#peer;
    if (peer === null || this.#onlyProof || peer.isCurrent || (peer.heard && peer.leaving)) return false;
    if (peer.grant !== null && peer.grant === this.#actsOn) return false;
    return this.#arbiters.regime === 'record' ? !this.#arbiters.mayAdd(group, now) : !this.#takeover.isDone;
  }

  /**
   * A peer that has exchanged with this node may lead as well, by what it has heard of it before: nothing is begun here until its
   * newest report says that it follows (rule 20).
   */
  #knowsLeader(): boolean {
    const peer = this.#peer;
    if (peer?.exchanged !== true || peer.leaving || peer.report === null) return true;
    const { leader, number } = peer.report;
    return leader === this.#me && number >= this.#role.ledFrom;
  }

  /** Nothing that the peer held can be active any more; whoever leads assigns it anew. */
  #releasePeer(reason: string): void {
    for (const { group, holder, holderActivation } of this.#numbers.all()) {
      if (holder === '' || holder === this.#me) continue;
      this.#numbers.record(group, '', holderActivation);
      this.#history('group', group, `held by ${holder}`, 'held by nobody', 'released', reason);
    }
  }

  #lead(now: number): void {
    this.#progress.drive(now);
    this.#leading.drive(now);
  }

  // --- obeying -------------------------------------------------------------------------------------------------------

  #obey(now: number): void {
    const { report } = this.#peer ?? {};
    if (this.#peer?.exchanged !== true || report === undefined || report === null) return;
    if (report.domainState !== 'leader' || report.number < this.#role.number || this.#peer.announcement > 0)
      return;
    for (const theirs of report.groups) {
      const group = this.#definitions.groups.get(theirs.name);
      if (group === undefined || group.core || theirs.order === 'initial') continue;
      const reason = `order of ${this.#peer.name}: ${theirs.reason}`;
      if (group.exclusive) this.#obeyExclusive(group, theirs, reason, now);
      else this.#own.want(group, theirs.order, reason, now);
    }
  }

  #obeyExclusive(group: GroupDefinition, theirs: GroupReport, reason: string, now: number): void {
    const { name } = group;
    this.#numbers.record(name, theirs.holder, theirs.holderActivation);
    const { held, stopped } = this.#numbers.of(name);
    const granted = theirs.holder === this.#me && theirs.holderActivation > stopped;
    if (theirs.order === 'active') {
      if (!granted) return;
      const refused = refusal(this.#verdict(now)) ?? this.#newsAwaited();
      // Not taken before it can begin: given up in the same breath, it would be given again, without an end.
      if (held < theirs.holderActivation && refused !== null) return this.#own.refuse(name, refused, now);
      if (held < theirs.holderActivation) this.#numbers.hold(name, theirs.holderActivation);
      return this.#own.want(group, 'active', reason, now);
    }
    // A grant that never became activity here is given up, so that the leader can give it to somebody else.
    if (granted && held === 0) this.#numbers.giveUp(name, theirs.holderActivation);
    this.#own.want(group, theirs.order, reason, now);
  }

  /** Why an order is too old to be obeyed; null = it is not. */
  #newsAwaited(): string | null {
    if (this.#peer?.isCurrent !== true) return NEWS_AWAITED;
    return !this.#word.isReturnUnread ? null : `${this.#peer.name} has not read yet that this node is back`;
  }

  // --- permission ----------------------------------------------------------------------------------------------------

  #yieldAll(now: number): void {
    const reason = this.#leaving?.reason ?? `the database does not accept commits: ${this.#storeFailed}`;
    for (const group of this.#definitions.groups.values()) {
      if (this.#storeFailed === '') this.#own.want(group, 'disabled', reason, now);
      else if (group.exclusive && this.#numbers.of(group.name).held > 0)
        this.#own.revoke(group.name, reason, now);
    }
  }

  #verdict(now: number): Verdict {
    return {
      now,
      deadline: this.#guard.deadline,
      lost: this.#guard.lost,
      guarded: this.#guard.connected,
      announcementHeard: (this.#peer?.announcement ?? 0) > 0,
      duplicate: this.#duplicate !== '',
      storeFailed: this.#storeFailed !== '',
    };
  }

  /** Before its greeting sm-watchdog is not told anything: it says first whether it guards what the store names. */
  #hold(): void {
    const holding = this.#numbers.anyHeld();
    if (!this.#guard.connected || holding === this.#holding) return;
    this.#holding = holding;
    this.#emit({ type: 'guard.hold', holding });
  }

  // --- nodes ---------------------------------------------------------------------------------------------------------

  #armLockEnd(): void {
    const { administrative, lockedUntil } = this.#nodes.own;
    const at = this.#context.monotonic(lockedUntil);
    if (administrative !== 'locked' || lockedUntil === 0) this.#timers.clear('cluster/lock-end');
    else if (this.#timers.armed.get('cluster/lock-end')?.at !== at) this.#timers.set('cluster/lock-end', at);
  }

  #endLock(now: number): void {
    const { administrative, lockedUntil } = this.#nodes.own;
    if (administrative !== 'locked' || lockedUntil === 0) return;
    if (now < this.#context.monotonic(lockedUntil)) return;
    const reason = 'the time of the lock is over';
    this.#nodes.setAdministrative(this.#me, 'unlocked', 0, reason);
    this.#history('node', this.#me, administrative, 'unlocked', 'unlock', reason);
  }

  #readReport(report: Report, now: number): void {
    // Whatever it says of itself besides, as that it leaves: grants start above every number ever shown (rule 5).
    for (const { name, activationMax, runs } of report.groups)
      if (this.#definitions.groups.get(name)?.exclusive === true)
        this.#numbers.see(name, Math.max(activationMax, runs));
    const { administrativeVersion } = this.#nodes.own;
    this.#nodes.merge(report.nodes);
    if (administrativeVersion !== this.#nodes.own.administrativeVersion) this.#word.overtaken();
    this.#progress.merge(report.operations, now);
  }

  // --- domain state --------------------------------------------------------------------------------------------------

  #becomeLeader(number: number, reason: string, now: number): void {
    this.#joins = false;
    this.#word.onLead();
    this.#leading.begin();
    this.#role.lead(number, reason, now);
  }

  #follow(number: number, reason: string, now: number): void {
    this.#joins = false;
    this.#word.onFollow();
    this.#leading.end();
    this.#role.follow(this.#peer?.name ?? '', number, reason, now);
  }

  #persistNeighbor(): void {
    const peer = this.#peer;
    if (peer === null) return;
    const state = peer.exchanged ? 'full' : peer.heard ? 'exchange' : 'down';
    const designation =
      peer.report?.domainState === 'leader'
        ? 'leader'
        : peer.report?.domainState === 'backup'
          ? 'backup'
          : 'unknown';
    const { name, kernelLife } = peer;
    const key = `${state}/${designation}/${kernelLife}`;
    if (key === this.#neighbor) return;
    this.#neighbor = key;
    this.#emit({ type: 'persist.neighbor', name, state, designation, kernelLife });
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  #publish(): void {
    const leading = this.#role.leads ? this.#leading : null;
    const gone = this.#leaving !== null;
    const stopped = !this.#holding && isQuiet(this.#context, gone);
    const leaving =
      (gone || this.#givesWord()) && (stopped || this.#options.breaks?.has('word-last') === true);
    const report: Report = {
      definitionDigest: this.#definitions.digest,
      domainState: gone && leaving ? 'other' : this.#role.state,
      leader: this.#role.leader,
      number: this.#role.number,
      settled: this.#role.settled,
      nodes: this.#nodes.all(),
      groups: groupReports(
        this.#context,
        leading,
        (group) => this.#own.inactive(group),
        this.#published?.report.groups ?? [],
      ),
      operations: [...this.#operations.all()],
      basedOn: 0,
      ...(this.#arbiters.shotsMs > 0 ? { shotsMs: this.#arbiters.shotsMs } : {}),
    };
    const announceNumber = this.#takeover.number;
    this.#persistNeighbor();
    this.#persistAssignments();
    // Until the two have met: what a grant let in is told before it runs, and no frame that is older than it counts.
    const grant = this.#peer?.exchanged === true ? 0 : (this.#peer?.grant?.ticket ?? 0);
    const news = { report, leaving, announceNumber, grant };
    if (same(news, this.#published)) return;
    this.#published = news;
    if (leaving && this.#leaving === null && this.#peer !== null) this.#word.give();
    this.#version += 1;
    if (leaving && this.#leaving !== null && this.#peer !== null) this.#role.unsettle();
    this.#emit({
      type: 'guard.send',
      report: { ...report, basedOn: this.#peer?.reportVersion ?? 0 },
      version: this.#version,
      announceNumber,
      leaving,
      grant,
    });
    if (leaving && this.#leaving?.fenceAt === null)
      this.#emit({ type: 'exit', reason: this.#leaving.reason });
  }

  /**
   * The peer may have what this node can not run while its store fails. Not said to one that leaves itself: nobody would be left
   * who may begin.
   */
  #givesWord(): boolean {
    if (this.#storeFailed === '') return false;
    return this.#peer?.leaving !== true || this.#published?.leaving === true;
  }

  // --- the node's own end --------------------------------------------------------------------------------------------

  /** In order as far as that goes: everything is stopped and handed over first. Why is stored before anything else. */
  #endNode(reason: string, now: number): void {
    if (this.#leaving !== null) return;
    this.#boot('reboot', reason, now);
    this.#history('node', this.#me, 'enabled', 'ends itself', 'fatal-error-reboot', reason);
    this.#leaving = { actor: 'engine', reason, fenceAt: now + ORDERLY_END_MS };
    this.#readiness.leaving = reason;
    this.#timers.set(FENCE_TIMER, now + ORDERLY_END_MS);
    this.#changed = true;
  }

  #judgeFence(now: number): void {
    const { fenceAt, reason } = this.#leaving ?? { fenceAt: null, reason: '' };
    if (fenceAt === null || this.#fenced) return;
    if (now < fenceAt && this.#published?.leaving !== true) return;
    this.#fenced = true;
    this.#emit({ type: 'guard.fence', reason });
  }

  #boot(cause: Boot['cause'], reason: string, now: number): void {
    const boot = { kernelLife: this.#options.kernelLife, wallMs: this.#wall(now), cause, reason };
    this.#boots = [...this.#boots, boot];
    this.#emit({ type: 'persist.boot', boot });
  }

  /** Wall-clock ms, by the two clocks at the start. */
  #wall(now: number): number {
    return this.#options.startedWallMs + (now - this.#startedAt);
  }

  #persistAssignments(): void {
    for (const [node, group] of groupsOfBoth(this.#context)) {
      if (this.#assigned.has(group)) continue;
      this.#assigned.add(group);
      const assignment = assignmentRow(node, group);
      const key = `${assignment.node}/${assignment.group}`;
      if (same(assignment, this.#assignments.get(key))) continue;
      this.#assignments.set(key, assignment);
      this.#emit({ type: 'persist.assignment', assignment });
    }
  }

  assignments(): AssignmentRow[] {
    return groupsOfBoth(this.#context).map(([node, group]) => assignmentRow(node, group));
  }

  #judgeAlarms(now: number): void {
    const facts = {
      context: this.#context,
      standing: this.#standing,
      links: this.#links.values(),
      duplicate: this.#duplicate,
      storeFailed: this.#storeFailed,
      notReady: this.#readiness.reason,
      rebootsWithheld: this.#escalation.withheld(),
      arbiter: this.#arbiters.view(),
    };
    const next = this.#alarms.settle(calledFor(facts), now);
    if (next === null) this.#timers.clear(ALARM_TIMER);
    else if (this.#timers.armed.get(ALARM_TIMER)?.at !== next) this.#timers.set(ALARM_TIMER, next);
  }

  #history(
    entity: 'group' | 'node' | 'interface' | 'domain' | 'operation' | 'daemon',
    name: string,
    from: string,
    to: string,
    cause: string,
    reason: string,
    actor = 'engine',
  ): void {
    this.#context.history({ entity, name, from, to, cause, reason, actor });
  }

  // --- views ---------------------------------------------------------------------------------------------------------

  domainView(): {
    name: string;
    state: DomainState;
    leader: string;
    number: number;
    settled: boolean;
    policy: string;
  } {
    const { name } = this.#definitions.domain;
    return {
      name,
      state: this.#role.state,
      leader: this.#role.leader,
      number: this.#role.number,
      settled: this.#role.settled,
      policy:
        this.#arbiters.regime === 'simplex' ? this.#definitions.domain.silencePolicy : this.#arbiters.regime,
    };
  }

  permissionView(now: number): { deadline: number; lost: boolean; reason: string } {
    const { deadline, lost, reason } = this.#guard;
    return { deadline, lost, reason: refusal(this.#verdict(now)) ?? (lost ? reason : '') };
  }

  peerView(): PeerView | null {
    const peer = this.#peer;
    if (peer === null) return null;
    const { name, heard, silentSince, managerDownMs, leaving, exchanged, lockedForGood } = peer;
    return { name, heard, silentSince, managerDownMs, leaving, exchanged, lockedForGood };
  }

  arbiterView(): ArbiterView {
    return this.#arbiters.view();
  }

  links(): LinkView[] {
    return [...this.#links.values()];
  }

  nodes(): NodeRow[] {
    return this.#nodes.all();
  }

  numbers(): Numbers {
    return this.#numbers;
  }

  placements(): readonly Placement[] {
    return this.#leading.placements;
  }

  operations(): readonly Operation[] {
    return this.#operations.all();
  }

  alarms(): ReturnType<Alarms['all']> {
    return this.#alarms.all();
  }

  /** Nothing is tried again on what can not be stored. */
  #untilStored(wait: Wait): Wait {
    if (this.#storeFailed === '') return wait;
    return { ...wait, reason: `${wait.reason}, when the database accepts commits again`, until: null };
  }

  waits(): Wait[] {
    const waits: Wait[] = [...this.#own.refusals].map(([name, { reason, since }]) => ({
      entity: 'group',
      name,
      reason,
      since,
      until: null,
    }));
    const announced = this.#takeover.wait();
    if (announced !== null) waits.push(announced);
    const unready = this.#readiness.wait();
    if (unready !== null) waits.push(unready);
    waits.push(...this.#escalation.waits().map((wait) => this.#untilStored(wait)));
    if (this.#role.state === 'waiting') {
      const joins = this.#joins ? '; this node joined it, and takes nothing before the two have met' : '';
      const reason =
        this.#peer === null
          ? 'sm-watchdog is awaited'
          : `${this.#peer.absence || 'the peer is about to lead'}${joins}`;
      waits.push({
        entity: 'domain',
        name: this.#definitions.domain.name,
        reason,
        since: this.#role.since,
        until: null,
      });
    }
    return waits;
  }
}

function linkWord(link: { readonly up: boolean; readonly heard: boolean } | undefined): string {
  if (link === undefined) return 'unknown';
  return link.up ? (link.heard ? 'up, peer heard' : 'up, peer not heard') : 'down';
}
